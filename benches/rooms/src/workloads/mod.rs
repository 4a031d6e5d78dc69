//! R1 to R6, as the README describes them. Each gives one JSON object.

mod churn;
mod idle;
mod phase;
mod publish;
mod slow;

use serde_json::{Value, json};

use crate::load::{Dial, Load};
use crate::process::{self, Snapshot};
use crate::sys;

const SECOND: u64 = 1_000_000_000;
/// Without a connection that gets ready for so long, the set-up has failed.
const SETTLING_LIMIT: u64 = 8 * SECOND;
/// Without a message for so long, the server has stalled.
const STALL_LIMIT: f64 = 4.0;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub(crate) enum Workload {
    /// Fan-out: one publisher, one room.
    R1,
    /// Many rooms, all members publish in turn.
    R2,
    /// Direct: pairs.
    R3,
    /// Idle joined connections.
    R4,
    /// Churn: connect, join, leave, close.
    R5,
    /// A slow consumer.
    R6,
}

/// How large a run is, and what is watched.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) pid: Option<i32>,
    pub(crate) server_cpus: Vec<usize>,
    pub(crate) members: usize,
    pub(crate) rooms: usize,
    pub(crate) window: u32,
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    pub(crate) concurrency: usize,
    pub(crate) connections: usize,
    /// Ends after that many messages or cycles, not after a time: to count instructions.
    pub(crate) count: Option<u64>,
}

impl Plan {
    fn snapshot(&self) -> Snapshot {
        self.pid.map_or_else(Snapshot::default, process::snapshot)
    }

    fn server_died(&self) -> bool {
        self.pid.is_some_and(|pid| !process::alive(pid))
    }
}

impl Workload {
    pub(crate) fn run(self, load: &mut Load, plan: &Plan) -> Value {
        let result = match self {
            Self::R1 => publish::fan_out(load, plan),
            Self::R2 => publish::many_rooms(load, plan),
            Self::R3 => publish::direct(load, plan),
            Self::R4 => Ok(idle::idle(load, plan)),
            Self::R5 => Ok(churn::churn(load, plan)),
            Self::R6 => slow::slow_consumer(load, plan),
        };
        result.unwrap_or_else(|error| {
            json!({ "error": error, "server_died": plan.server_died(), "faults": faults(load) })
        })
    }
}

/// Dials everything in `dials`, some at a time, until all are ready.
fn set_up(load: &mut Load, plan: &Plan, dials: Vec<Dial>) -> Result<(), String> {
    let wanted = dials.len();
    let mut dials = dials.into_iter();
    let mut progress = (0, sys::now());
    loop {
        while load.pending < plan.concurrency {
            let Some(dial) = dials.next() else { break };
            load.dial(dial);
        }
        load.turn(20);
        let joined = load.counters.joined;
        if joined as usize == wanted {
            return Ok(());
        }
        let now = sys::now();
        if joined > progress.0 {
            progress = (joined, now);
        }
        if let Some(why) = set_up_failed(load, plan, now - progress.1) {
            let refusal = load.last_refusal.as_ref().map(|refusal| format!(" ({refusal})"));
            let refusal = refusal.unwrap_or_default();
            return Err(format!("set-up: {why}; {joined} of {wanted} joined{refusal}"));
        }
    }
}

fn set_up_failed(load: &Load, plan: &Plan, waited: u64) -> Option<&'static str> {
    let seen = load.counters;
    let lost = seen.connect_failures + seen.upgrade_failures + seen.closed_by_server;
    if plan.server_died() {
        Some("the server process ended")
    } else if waited > SETTLING_LIMIT {
        Some("no connection got ready for 8 s")
    } else if lost > 0 && load.pending == 0 {
        Some("connections were refused or cut")
    } else {
        None
    }
}

/// Lets the traffic of the set-up run dry.
fn settle(load: &mut Load, quiet_ms: u64, limit_ms: u64) {
    let start = sys::now();
    let (mut last, mut since) = (load.counters.bytes_read, start);
    loop {
        load.turn(10);
        let now = sys::now();
        if load.counters.bytes_read != last {
            (last, since) = (load.counters.bytes_read, now);
        }
        if now - since > quiet_ms * 1_000_000 || now - start > limit_ms * 1_000_000 {
            return;
        }
    }
}

/// What went wrong so far; empty when nothing did.
fn faults(load: &Load) -> Value {
    let seen = load.counters;
    let mut map = serde_json::Map::new();
    for (name, count) in [
        ("out_of_order", seen.out_of_order),
        ("duplicates", seen.duplicates),
        ("misrouted", seen.misrouted),
        ("corrupt", seen.corrupt),
        ("connect_failures", seen.connect_failures),
        ("upgrade_failures", seen.upgrade_failures),
        ("closed_by_server", seen.closed_by_server),
        ("timeouts", seen.timeouts),
    ] {
        if count > 0 {
            map.insert(name.into(), json!(count));
        }
    }
    if !load.ends.is_empty() {
        map.insert("ends".into(), json!(load.ends));
    }
    Value::Object(map)
}

fn round(x: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (x * scale).round() / scale
}

fn mib(kib: u64, digits: i32) -> f64 {
    round(kib as f64 / 1024.0, digits)
}

fn seconds_since(begin: u64) -> f64 {
    (sys::now() - begin) as f64 / 1e9
}
