//! One contestant in one case, and what can be said of its runs.

use anyhow::Result;
use serde::Serialize;

use super::cases::Case;
use crate::contestant::Work;
use crate::job::Threads;
use crate::meter::Measured;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    #[serde(rename = "case")]
    key: &'static str,
    #[serde(skip)]
    case: &'static Case,
    pub(super) threads: Threads,
    pub(super) contestant: String,
    /// Messages of each run.
    pub(super) count: u64,
    pub(super) runs: Vec<Measured>,
    /// Why there are no more runs.
    pub(super) error: Option<String>,
}

/// The middle and the ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Row {
    pub(super) fn new(case: &'static Case, threads: Threads, contestant: &str) -> Self {
        let contestant = contestant.to_owned();
        Self { key: case.key, case, threads, contestant, count: 1, runs: Vec::new(), error: None }
    }

    pub(super) fn add(&mut self, run: Result<Measured>) {
        match run {
            Ok(run) => self.runs.push(run),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    /// The figure that the case is about.
    pub(super) fn headline(&self) -> Spread {
        let values: Vec<_> = self.runs.iter().map(|run| self.value(run)).collect();
        Spread {
            median: median(&values),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    fn value(&self, run: &Measured) -> f64 {
        match self.case.work {
            Work::Echo if self.case.window == 1 => run.p50_us.unwrap_or(f64::NAN),
            Work::Flood | Work::Blast | Work::Echo | Work::Call | Work::JsonIn | Work::JsonOut => {
                self.count as f64 / run.wall_s
            }
            Work::Idle | Work::IdleDeflate => kib_for_each(run, self.case.connections),
            Work::Reopen => median(&run.reopen_us),
        }
    }

    /// The median of something in all runs.
    pub(super) fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        median(&self.runs.iter().map(of).collect::<Vec<_>>())
    }

    /// The median of something that is a sum over all messages, for one message.
    pub(super) fn for_each(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        self.median(of) / self.count as f64
    }
}

fn kib_for_each(run: &Measured, connections: usize) -> f64 {
    let [before, after] = run.resident[..] else { return f64::NAN };
    (after as f64 - before as f64) / connections as f64 / 1024.0
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
