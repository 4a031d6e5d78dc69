//! Every codec entry of the survey of the four servers' wire protocols: what was seen on the wire of the
//! originals, or what is recommended where they are at fault.
//!
//! `tests/vectors.json` holds for each entry its id and name in the survey, the bytes in hexadecimal, and
//! what our codec has to make of them: `test` names the check, the other fields are its arguments.
//! `recommended` marks entries whose expectation is the survey's recommendation, not what was recorded.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod easy;
mod grows;
mod iris;
mod wsrooms;

use serde_json::Value;

/// How many codec entries the survey has for each system.
const ENTRIES: [(&str, usize); 4] =
    [("wsrooms", 29), ("groWs", 25), ("go-easy-websocket", 31), ("iris", 84)];

/// One entry.
struct Entry(Value);

impl Entry {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("{}: no text {field}", self.0))
    }

    fn get(&self, field: &str) -> &Value {
        self.0.get(field).unwrap_or_else(|| panic!("{}: no {field}", self.0))
    }

    fn bytes(&self) -> Vec<u8> {
        unhex(self.text("hex"))
    }
}

fn entries() -> Vec<Entry> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    all.into_iter().map(Entry).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The name of an error's variant.
fn variant(error: &impl std::fmt::Debug) -> String {
    let debug = format!("{error:?}");
    debug.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

/// Checks each entry of a system; a check that does not know the entry's `test` says `false`.
fn check_all(system: &str, check: fn(&Entry) -> bool) {
    let mut checked = 0;
    for entry in entries().iter().filter(|entry| entry.text("system") == system) {
        println!("{} {}", entry.text("id"), entry.text("name"));
        assert!(check(entry), "no check of this name: {}", entry.text("test"));
        checked += 1;
    }
    let expected = ENTRIES.iter().find(|(name, _)| *name == system).map(|(_, count)| *count);
    assert_eq!(Some(checked), expected, "entries of {system}");
}

#[test]
fn every_entry_belongs_to_a_system_and_has_an_id_of_its_own() {
    let all = entries();
    let total: usize = ENTRIES.iter().map(|(_, count)| count).sum();
    assert_eq!(all.len(), total);
    let mut ids: Vec<_> = all.iter().map(|entry| entry.text("id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), total);
}

/// In continuous integration the survey lies beside the clone; elsewhere there is nothing to compare.
#[test]
fn no_codec_entry_of_the_survey_is_missing_or_has_other_bytes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/protocol-vectors.json");
    let Ok(survey) = std::fs::read_to_string(path) else {
        println!("no survey beside the clone");
        return;
    };
    let survey: Vec<Value> = serde_json::from_str(&survey).unwrap();
    let codec = ["server->client", "client->server", "codec", "codec-decode"];
    let of_codecs: Vec<Entry> = survey
        .into_iter()
        .map(Entry)
        .filter(|entry| codec.contains(&entry.text("direction")))
        .collect();
    let ours = entries();
    assert_eq!(of_codecs.len(), ours.len());
    for theirs in &of_codecs {
        let ours = ours.iter().find(|ours| ours.text("id") == theirs.text("id")).unwrap();
        let bytes = match theirs.0.get("hex") {
            Some(_) => theirs.bytes(),
            None => theirs.text("text").as_bytes().to_vec(),
        };
        assert_eq!(ours.bytes(), bytes, "{}", theirs.text("id"));
        assert_eq!(ours.0.get("recommended").is_some(), theirs.0.get("recommended").is_some());
    }
}
