//! The entries, as they were recorded.

use serde_json::Value;

pub(crate) struct Entry(pub(crate) Value);

impl Entry {
    pub(crate) fn text(&self, field: &str) -> &str {
        text(&self.0, field)
    }

    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    /// The lines of its exchange.
    pub(crate) fn steps(&self) -> &[Value] {
        self.0["steps"].as_array().unwrap_or_else(|| panic!("{}: no steps", self.0))
    }
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{value}: no text {field}"))
}

/// The exchanges and HTTP answers.
pub(crate) fn exchanges() -> Vec<Entry> {
    entries(include_str!("exchanges.json"))
}

/// The messages by themselves.
pub(crate) fn messages() -> Vec<Entry> {
    entries(include_str!("../../../protocol/tests/vectors.json"))
}

/// The survey itself, which lies beside the clone in continuous integration only.
pub(crate) fn survey() -> Option<Vec<Entry>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/protocol-vectors.json");
    std::fs::read_to_string(path).ok().map(|survey| entries(&survey))
}

fn entries(json: &str) -> Vec<Entry> {
    let all: Vec<Value> = serde_json::from_str(json).unwrap();
    all.into_iter().map(Entry).collect()
}
