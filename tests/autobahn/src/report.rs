//! `index.json`, in which the suite gives its verdicts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::agent::Agent;
use crate::suite::Failure;

/// What the suite says of a case. The later ones are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Ok,
    Informational,
    NonStrict,
    Unimplemented,
    /// The connection did not end as it should: a close frame or the end of the TCP connection is missing.
    Unclean,
    /// `WRONG CODE` too, and whatever else the suite may say.
    Failed,
}

impl Verdict {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ok,
        Self::NonStrict,
        Self::Informational,
        Self::Unimplemented,
        Self::Failed,
        Self::Unclean,
    ];

    /// In the words of the suite.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Informational => "INFORMATIONAL",
            Self::NonStrict => "NON-STRICT",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Unclean => "UNCLEAN",
            Self::Failed => "FAILED",
        }
    }

    fn of(word: &Value) -> Self {
        let named = |verdict: &Self| word == verdict.name();
        Self::ALL.into_iter().find(named).unwrap_or(Self::Failed)
    }
}

/// The verdict on each case, by its number.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) verdicts: BTreeMap<String, Verdict>,
    /// Cases that were to be run, and of which the suite says nothing.
    pub(crate) missing: usize,
}

impl Report {
    /// Reads the report on `agent`, which should be of `expected` cases.
    pub(crate) fn read(folder: &Path, agent: Agent, expected: usize) -> Result<Self, Failure> {
        let file = folder.join("index.json");
        let text = fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}, see wstest.log there", file.display()))?;
        let index: Value = serde_json::from_str(&text)?;
        Self::parse(&index, agent, expected)
    }

    fn parse(index: &Value, agent: Agent, expected: usize) -> Result<Self, Failure> {
        let cases = index[agent.to_string()].as_object().ok_or("no report on it")?;
        if expected == 0 {
            return Err("no case was run".into());
        }
        // A case has two verdicts: on what was said, and on how the connection ended.
        let verdict =
            |case: &Value| Verdict::of(&case["behavior"]).max(Verdict::of(&case["behaviorClose"]));
        let verdicts: BTreeMap<_, _> =
            cases.iter().map(|(number, case)| (number.clone(), verdict(case))).collect();
        let missing = expected.saturating_sub(verdicts.len());
        Ok(Self { verdicts, missing })
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.verdicts.values().filter(|&&found| found == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(cases: &Value, expected: usize) -> Result<Report, Failure> {
        Report::parse(&json!({ "rooms-server": cases }), Agent::RoomsServer, expected)
    }

    fn verdict(behavior: &str, close: &str) -> Verdict {
        let cases = json!({ "1.1.1": { "behavior": behavior, "behaviorClose": close } });
        parse(&cases, 1).map_or(Verdict::Failed, |report| report.verdicts["1.1.1"])
    }

    #[test]
    fn the_verdict_on_a_case_is_the_worse_of_its_two() {
        assert_eq!(verdict("OK", "OK"), Verdict::Ok);
        assert_eq!(verdict("NON-STRICT", "OK"), Verdict::NonStrict);
        assert_eq!(verdict("OK", "UNCLEAN"), Verdict::Unclean);
        assert_eq!(verdict("FAILED", "UNCLEAN"), Verdict::Failed);
        assert_eq!(verdict("UNIMPLEMENTED", "OK"), Verdict::Unimplemented);
    }

    #[test]
    fn a_word_that_is_not_known_is_a_failure() {
        assert_eq!(verdict("OK", "WRONG CODE"), Verdict::Failed);
        let nothing = json!({ "1.1.1": {} });
        assert_eq!(parse(&nothing, 1).map(|report| report.count(Verdict::Failed)).ok(), Some(1));
    }

    #[test]
    fn cases_without_a_verdict_are_missing() {
        let cases = json!({ "1.1.1": { "behavior": "OK", "behaviorClose": "OK" } });
        assert_eq!(parse(&cases, 3).map(|report| report.missing).ok(), Some(2));
    }

    #[test]
    fn a_report_on_somebody_else_or_on_nothing_is_an_error() {
        assert!(Report::parse(&json!({ "other": {} }), Agent::RoomsServer, 1).is_err());
        assert!(parse(&json!({}), 0).is_err());
    }
}
