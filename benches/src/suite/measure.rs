//! One case: all contestants, their repetitions interleaved.

use super::Options;
use super::cases::Case;
use super::child;
use super::row::Row;
use crate::contestant::{Contestant, Work};
use crate::corpus;
use crate::job::{Job, Threads};

/// The longest that a measurement may take: it only turns a hang into a failure.
const LIMIT_S: u64 = 20;

pub(super) struct Group {
    case: &'static Case,
    entries: Vec<(Row, Job)>,
}

impl Group {
    pub(super) fn new(case: &'static Case, contestants: &[Box<dyn Contestant>], port: u16) -> Self {
        let mut entries = Vec::new();
        for &threads in case.threads {
            for contestant in contestants {
                let runs = threads == Threads::Ct || contestant.uses_runtime();
                if runs && contestant.supports(case.work, case.kind) {
                    entries.push((
                        Row::new(case, threads, contestant.name()),
                        job(case, threads, contestant.name(), port),
                    ));
                }
            }
        }
        Self { case, entries }
    }

    pub(super) fn measure(mut self, options: &Options) -> Vec<Row> {
        for (row, job) in &mut self.entries {
            if let Some(probe) = self.case.probe {
                calibrate(row, job, probe, options);
            }
        }
        let count = self.entries.len();
        for rep in 0..options.reps().min(self.case.most_reps) {
            // A B C, B C A, ...: nobody is always first.
            for number in 0..count {
                let (row, job) = &mut self.entries[(number + rep) % count];
                if row.error.is_none() {
                    row.add(child::measure(job, options.client_cpu));
                }
            }
        }
        self.entries.into_iter().map(|(row, _)| row).collect()
    }
}

fn job(case: &Case, threads: Threads, contestant: &str, port: u16) -> Job {
    Job {
        contestant: contestant.to_owned(),
        threads,
        port,
        work: case.work,
        kind: case.kind,
        size: case.size,
        count: case.probe.unwrap_or(1),
        window: case.window,
        connections: case.connections,
        cuts: case.cuts,
        limit_s: LIMIT_S,
    }
}

/// Finds how many messages a measurement takes.
fn calibrate(row: &mut Row, job: &mut Job, probe: u64, options: &Options) {
    match child::measure(job, options.client_cpu) {
        Ok(measured) => {
            let rate = probe as f64 / measured.wall_s.max(1e-6);
            let count = (rate * options.target_s()) as u64;
            job.count = count.clamp(least(job.work, probe), probe * 200);
            row.count = job.count;
        }
        Err(error) => row.error = Some(error.to_string()),
    }
}

/// Bytes on the wire are those of the whole corpus, or of several.
fn least(work: Work, probe: u64) -> u64 {
    match work {
        Work::JsonIn | Work::JsonOut => corpus::COUNT as u64,
        Work::Flood
        | Work::Blast
        | Work::Echo
        | Work::Call
        | Work::Idle
        | Work::IdleDeflate
        | Work::Reopen => probe / 4,
    }
}
