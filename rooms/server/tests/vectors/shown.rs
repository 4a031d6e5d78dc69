//! No entry of the survey is left out, and what is said to show it is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::entry::{Entry, exchanges, messages, survey};
use crate::play;

/// What servers tell each other over Redis, and the tests of it.
const REDIS: [&str; 9] = ["G026", "G027", "G028", "G029", "G030", "G031", "G032", "G033", "G034"];
const REDIS_TESTS: [&str; 2] =
    ["g026_to_g033_are_what_is_published", "g026_to_g034_are_heard_by_those_they_are_meant_for"];

/// The tests of the messages by themselves, in `rooms/protocol/tests/vectors`.
const MESSAGE_TESTS: [(&str, &str); 4] = [
    ("wsrooms", "wsrooms_messages_are_read_and_written_as_the_survey_says"),
    ("groWs", "grows_messages_are_read_and_written_as_the_survey_says"),
    ("go-easy-websocket", "easy_messages_are_read_and_written_as_the_survey_says"),
    ("iris", "iris_messages_are_read_and_written_as_the_survey_says"),
];

#[test]
fn every_entry_is_played_or_has_a_test_of_the_library_that_exists() {
    let tests = tests();
    for entry in exchanges() {
        let is_played = entry.0.get("play").is_some();
        let test = entry.0.get("test").map(|test| test.as_str().unwrap());
        assert_ne!(is_played, test.is_some(), "{}: one of both", entry.id());
        if let Some(test) = test {
            assert!(tests.contains(test), "{}: there is no test {test}", entry.id());
        }
    }
    for test in REDIS_TESTS {
        assert!(tests.contains(test), "there is no test {test}");
    }
    for entry in messages() {
        let system = entry.text("system");
        let test = MESSAGE_TESTS.iter().find(|(of, _)| *of == system).unwrap().1;
        assert!(tests.contains(test), "{}: there is no test {test}", entry.id());
    }
}

#[test]
fn all_217_entries_of_the_survey_are_here() {
    let mut ids: Vec<String> = Vec::new();
    ids.extend(exchanges().iter().map(|entry| entry.id().to_owned()));
    ids.extend(messages().iter().map(|entry| entry.id().to_owned()));
    ids.extend(REDIS.map(str::to_owned));
    ids.sort_unstable();
    let counted = [("E", 40), ("G", 45), ("I", 93), ("W", 39)];
    let expected: Vec<_> = counted
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |at| format!("{letter}{at:03}")))
        .collect();
    assert_eq!(ids, expected);
}

/// Elsewhere there is nothing to compare with.
#[test]
fn the_exchanges_are_those_of_the_survey() {
    let Some(survey) = survey() else {
        println!("no survey beside the clone");
        return;
    };
    let ours = exchanges();
    let theirs: Vec<&Entry> = survey
        .iter()
        .filter(|entry| ["exchange", "http"].contains(&entry.text("direction")))
        .collect();
    assert_eq!(ours.len(), theirs.len());
    for theirs in theirs {
        let ours = ours.iter().find(|ours| ours.id() == theirs.id()).unwrap();
        for field in ["system", "direction", "name", "steps", "fields", "recommended"] {
            assert_eq!(ours.0.get(field), theirs.0.get(field), "{} {field}", theirs.id());
        }
    }
}

/// More may be said and heard between them.
#[test]
fn what_is_played_has_all_that_was_recorded_in_its_order() {
    for entry in exchanges() {
        let Some(play) = entry.0.get("play").filter(|_| entry.0.get("steps").is_some()) else {
            continue;
        };
        let mut played = play::steps(&entry, play).iter().map(recorded);
        for step in entry.steps().iter().map(recorded) {
            let is_note = step.as_object().unwrap().keys().all(|key| key == "who");
            assert!(is_note || played.any(|played| played == step), "{}: {step}", entry.id());
        }
    }
}

/// A step as it was recorded, without remarks.
fn recorded(step: &Value) -> Value {
    let mut step = step.clone();
    let fields = step.as_object_mut().unwrap();
    fields.remove("note");
    if let Some(close) = fields.remove("recorded") {
        fields.insert("close".to_owned(), json!(close));
    }
    step
}

/// The tables of features, of defects and of the cases where document and original disagree name tests.
#[test]
fn each_test_that_the_readme_names_exists() {
    let tests = tests();
    let readme = fs::read_to_string(rooms().join("README.md")).unwrap();
    let mut named = 0;
    for quoted in readme.split('`').skip(1).step_by(2) {
        let name = quoted.rsplit("::").next().unwrap_or_default();
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        // Items and metrics have names of fewer words.
        if name.bytes().all(is_name) && name.bytes().filter(|byte| *byte == b'_').count() > 3 {
            assert!(tests.contains(name), "there is no test {name}");
            named += 1;
        }
    }
    assert!(named > 100, "{named}");
}

#[test]
fn all_30_cases_where_document_and_original_disagree_are_in_the_readme() {
    let readme = fs::read_to_string(rooms().join("README.md")).unwrap();
    let (_, section) = readme.split_once("## Where document and original disagree").unwrap();
    let numbers: Vec<u32> = section
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
}

fn rooms() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The names of the functions in the sources of the rooms, and of the tests with real sockets.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["server/src", "server/tests", "protocol/tests", "../tests/tests"] {
        collect(&rooms().join(folder), &mut names);
    }
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(path).unwrap();
            let functions = source.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            names.extend(functions.map(|(name, _)| name.to_owned()));
        }
    }
}
