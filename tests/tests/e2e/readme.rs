//! The tables of the package's README are true.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All test sources of the engine and of this package, in one text.
fn sources() -> String {
    let mut text = String::new();
    let mut folders = vec![root().join("wscengine/tests"), root().join("tests/tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

#[test]
fn the_readme_names_tests_that_exist_and_every_defect() {
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let sources = sources();
    let names: Vec<_> =
        readme.split('`').filter_map(|word| word.split_once("::")).map(|(_, name)| name).collect();
    for name in &names {
        assert!(sources.contains(&format!("fn {name}(")), "no test is named {name}");
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
