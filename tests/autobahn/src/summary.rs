//! The table, and what is wrong.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::agent::Agent;
use crate::judge::{Judgement, judge};
use crate::report::{Report, Verdict};
use crate::suite::Failure;

/// Between these lines of tests/README.md stands the table.
const BEGIN: &str = "<!-- autobahn: made by `tests/autobahn/run --readme` -->\n";
const END: &str = "<!-- autobahn: end -->\n";

/// What came of all agents. As text it is a table in Markdown, followed by the failures.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    rows: Vec<(Agent, [usize; Verdict::ALL.len()])>,
    passed: usize,
    failures: Vec<String>,
}

impl Summary {
    pub(crate) fn add(&mut self, agent: Agent, report: &Report, folder: &Path) {
        self.rows.push((agent, Verdict::ALL.map(|verdict| report.count(verdict))));
        for (case, &verdict) in &report.verdicts {
            match judge(case, verdict, agent.has_deflate()) {
                Judgement::Passed => self.passed += 1,
                Judgement::NotForIt => {}
                Judgement::Failed => {
                    let details = format!("*_case_{}.json", case.replace('.', "_"));
                    let (verdict, file) = (verdict.name(), folder.join(details));
                    self.failures.push(format!("{agent} {case}: {verdict}, {}", file.display()));
                }
            }
        }
        for _ in 0..report.missing {
            self.failures.push(format!("{agent}: a case without a verdict"));
        }
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Replaces the table in tests/README.md by this one.
    pub(crate) fn write_into_readme(&self) -> Result<(), Failure> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        let text = fs::read_to_string(&file)?;
        let text = replaced(&text, &self.table()).ok_or("tests/README.md has no place for it")?;
        Ok(fs::write(&file, text)?)
    }

    fn table(&self) -> String {
        let mut table = format!("| agent | {} |\n", Verdict::ALL.map(Verdict::name).join(" | "));
        table += &format!("|---|{}\n", "---|".repeat(Verdict::ALL.len()));
        for (agent, counts) in &self.rows {
            table += &format!("| {agent} | {} |\n", counts.map(|n| n.to_string()).join(" | "));
        }
        table
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table())?;
        self.failures.iter().try_for_each(|failure| writeln!(f, "not ok: {failure}"))
    }
}

fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let mut summary = Summary::default();
        let verdicts = [
            ("1.1.1", Verdict::Ok),
            ("6.4.3", Verdict::NonStrict),
            ("7.1.1", Verdict::Unclean),
            ("12.1.1", Verdict::Unimplemented),
        ];
        let verdicts = verdicts.map(|(case, verdict)| (case.to_owned(), verdict)).into();
        summary.add(Agent::Tungstenite, &Report { verdicts, missing: 1 }, Path::new("folder"));
        summary
    }

    #[test]
    fn the_table_counts_what_the_suite_said() {
        let table = "\
| agent | OK | NON-STRICT | INFORMATIONAL | UNIMPLEMENTED | FAILED | UNCLEAN |
|---|---|---|---|---|---|---|
| wscengine-tungstenite | 1 | 1 | 0 | 1 | 0 | 1 |
";
        assert_eq!(summary().table(), table);
    }

    #[test]
    fn each_case_that_is_wrong_or_missing_is_a_failure_that_says_where_to_look() {
        let summary = summary();
        assert_eq!(summary.passed(), 2);
        let failures = [
            "wscengine-tungstenite 7.1.1: UNCLEAN, folder/*_case_7_1_1.json",
            "wscengine-tungstenite: a case without a verdict",
        ];
        assert_eq!(summary.failures(), failures);
    }

    #[test]
    fn the_table_in_a_text_is_replaced_and_nothing_else() {
        let text = format!("before\n{BEGIN}\nold\n{END}after\n");
        let expected = format!("before\n{BEGIN}\nnew\n\n{END}after\n");
        assert_eq!(replaced(&text, "new\n").as_deref(), Some(expected.as_str()));
        assert_eq!(replaced("no place", "new\n"), None);
    }
}
