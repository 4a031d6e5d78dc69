//! The tables of the package's README are true.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All sources with tests of the engine, of the adapters and of this package, in one text.
fn sources() -> String {
    let mut text = String::new();
    let mut folders =
        ["wscengine/tests", "adapters", "tests"].map(|name| root().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with(".cache") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

#[test]
fn each_row_of_the_survey_that_concerns_a_client_has_its_tests() {
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let (_, table) = readme.split_once("## What users of other clients met").unwrap();
    for row in (1..=20).filter(|row| *row != 19) {
        let start = format!("| {row} |");
        let line = table.lines().find(|line| line.starts_with(&start));
        assert!(line.is_some_and(|line| line.contains("::")), "row {row}");
    }
}

#[test]
fn the_readme_names_tests_that_exist_and_every_defect() {
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let sources = sources();
    let names: Vec<_> =
        readme.split('`').filter_map(|word| word.split_once("::")).map(|(_, name)| name).collect();
    for name in &names {
        let exists = match name.strip_suffix('*') {
            Some(start) => sources.contains(&format!("fn {start}")),
            None => ["(", "<"].iter().any(|next| sources.contains(&format!("fn {name}{next}"))),
        };
        assert!(exists, "no test is named {name}");
    }
    for (letter, count) in [("g", 24), ("a", 11), ("e", 15)] {
        for number in 1..=count {
            let id = format!("{letter}{number:02}_");
            assert!(
                names.iter().any(|name| name.starts_with(&id) || name.contains(&format!("_{id}"))),
                "{id}"
            );
        }
    }
}
