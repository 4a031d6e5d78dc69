//! The cases.

use crate::contestant::{Kind, Work};
use crate::corpus;
use crate::job::Threads;

/// One case: a table, or one for each runtime.
#[derive(Debug)]
pub(super) struct Case {
    /// Its name on the command line.
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    pub(super) work: Work,
    pub(super) kind: Kind,
    pub(super) size: usize,
    pub(super) window: usize,
    pub(super) connections: usize,
    pub(super) cuts: usize,
    /// Messages of the run that finds out how many a measurement takes; `None`: there are no messages.
    pub(super) probe: Option<u64>,
    pub(super) threads: &'static [Threads],
    /// No more repetitions than this: they take long, and differ little.
    pub(super) most_reps: usize,
}

const BASE: Case = Case {
    key: "",
    title: "",
    work: Work::Flood,
    kind: Kind::Binary,
    size: 128,
    window: 1,
    connections: 1,
    cuts: 0,
    probe: None,
    threads: &[Threads::Ct],
    most_reps: usize::MAX,
};

const BOTH: &[Threads] = &[Threads::Ct, Threads::Mt2];

pub(super) const CASES: &[Case] = &[
    Case { key: "flood-16", title: "In, 16 B binary", size: 16, probe: Some(200_000), ..BASE },
    Case {
        key: "flood-128",
        title: "In, 128 B binary",
        probe: Some(100_000),
        threads: BOTH,
        ..BASE
    },
    Case {
        key: "flood-128t",
        title: "In, 128 B text",
        kind: Kind::Text,
        probe: Some(100_000),
        ..BASE
    },
    Case { key: "flood-1k", title: "In, 1 KiB binary", size: 1 << 10, probe: Some(50_000), ..BASE },
    Case {
        key: "flood-16k",
        title: "In, 16 KiB binary",
        size: 16 << 10,
        probe: Some(5_000),
        ..BASE
    },
    Case { key: "blast-16", title: "Out, 16 B", size: 16, probe: Some(100_000), ..BLAST },
    Case { key: "blast-128", title: "Out, 128 B", probe: Some(50_000), threads: BOTH, ..BLAST },
    Case { key: "blast-1k", title: "Out, 1 KiB", size: 1 << 10, probe: Some(20_000), ..BLAST },
    Case { key: "rtt-1", title: "Echo 128 B, 1 in flight", probe: Some(300), ..ECHO },
    Case {
        key: "rtt-64",
        title: "Echo 128 B, 64 in flight",
        window: 64,
        probe: Some(10_000),
        ..ECHO
    },
    Case {
        key: "call-64",
        title: "Requests by id, 128 B, 64 in flight",
        work: Work::Call,
        window: 64,
        probe: Some(10_000),
        ..BASE
    },
    Case { key: "idle", title: "1,000 idle connections", ..IDLE },
    Case {
        key: "idle-deflate",
        title: "1,000 idle connections, deflate negotiated",
        work: Work::IdleDeflate,
        ..IDLE
    },
    Case { key: "reopen-1", title: "Reopen, one client", cuts: 20, ..REOPEN },
    Case {
        key: "reopen-200",
        title: "Reopen, 200 clients at once",
        connections: 200,
        cuts: 3,
        ..REOPEN
    },
    Case {
        key: "json-in",
        title: "JSON in, 500 B text (the server compresses at level 1)",
        work: Work::JsonIn,
        ..JSON
    },
    Case { key: "json-out", title: "JSON out, 500 B binary", work: Work::JsonOut, ..JSON },
];

const BLAST: Case = Case { work: Work::Blast, ..BASE };
const ECHO: Case = Case { work: Work::Echo, threads: BOTH, ..BASE };
const IDLE: Case = Case { work: Work::Idle, connections: 1000, most_reps: 3, ..BASE };
const REOPEN: Case = Case { work: Work::Reopen, ..BASE };
const JSON: Case = Case { size: corpus::SIZE, probe: Some(corpus::COUNT as u64), ..BASE };
