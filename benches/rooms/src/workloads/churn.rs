//! R5: connect, join, leave, close, over and over.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Plan, SECOND, faults, mib, round, seconds_since};
use crate::load::{Dial, Load, State};
use crate::process::Snapshot;
use crate::sys;

/// How many slots share a room.
const SHARE: usize = 5;
const CHECK: u64 = SECOND / 20;
const EXPIRY: u64 = 5 * SECOND;
const STUCK: u64 = 6 * SECOND;

/// How the churning ended.
struct Ended {
    died: bool,
    stuck: bool,
    /// The server and the cycles when half of the time was over.
    middle: Option<(Snapshot, u64)>,
}

pub(super) fn churn(load: &mut Load, plan: &Plan) -> Value {
    let before = plan.snapshot();
    load.churning = true;
    let begin = sys::now();
    for slot in 0..plan.concurrency {
        load.dial(Dial { group: 0, ..Dial::to_room(slot / SHARE) });
    }
    let Ended { died, stuck, middle } = cycle(load, plan, begin);
    let seconds = seconds_since(begin);
    let cycles = load.counters.cycles;
    let end = plan.snapshot();
    load.drop_all();
    if !died {
        std::thread::sleep(Duration::from_secs(1));
    }
    let after = plan.snapshot();
    let usable = is_usable(load, died);
    // the loop closes in order; the connections left at its end were reset all at once
    let died_of_resets = !died && plan.server_died();
    let memory = |seen: &Snapshot| (seen.rss_kib > 0).then(|| mib(seen.rss_kib, 2));
    let (middle, middle_cycles) = middle.unwrap_or((end, cycles));
    let growth = (after.rss_kib as f64 - middle.rss_kib as f64) * 1024.0;
    let growth = growth / (cycles - middle_cycles).max(1) as f64;
    let cpu_us = end.cpu_ns.saturating_sub(before.cpu_ns) as f64 / 1e3;
    json!({
        "cycles_per_s": round(cycles as f64 / seconds, 0),
        "cycles": cycles,
        "seconds": round(seconds, 2),
        "cpu_us_per_cycle": (!died).then(|| round(cpu_us / cycles.max(1) as f64, 1)),
        "server_died": died,
        "died_when_the_rest_was_reset": died_of_resets,
        "stuck": stuck,
        "usable_afterwards": usable,
        "rss_mib_before": memory(&before),
        "rss_mib_middle": memory(&middle),
        "rss_mib_after": memory(&after),
        "rss_bytes_per_cycle_2nd_half": (after.rss_kib > 0).then(|| round(growth, 1)),
        "files_before": before.files,
        "files_after": after.files,
        "faults": faults(load),
    })
}

fn cycle(load: &mut Load, plan: &Plan, begin: u64) -> Ended {
    let half = (plan.seconds * 0.5e9) as u64;
    let mut ended = Ended { died: false, stuck: false, middle: None };
    let mut last = (0, begin);
    let mut check_at = begin;
    loop {
        load.turn(20);
        let now = sys::now();
        if now > check_at {
            check_at = now + CHECK;
            load.expire(EXPIRY);
            ended.died = plan.server_died();
            // a refused connection is redialed at once only when the server answers again
            for index in 0..load.conns.len() {
                if load.conns[index].state == State::Gone && !ended.died {
                    load.redial(index);
                }
            }
        }
        let cycles = load.counters.cycles;
        if cycles > last.0 {
            last = (cycles, now);
        }
        ended.stuck = now - last.1 > STUCK;
        if ended.middle.is_none() && now - begin > half {
            ended.middle = Some((plan.snapshot(), cycles));
        }
        let enough = match plan.count {
            Some(count) => cycles >= count,
            None => now - begin > 2 * half,
        };
        if ended.died || ended.stuck || enough {
            return ended;
        }
    }
}

/// Whether one more connection can join.
fn is_usable(load: &mut Load, died: bool) -> bool {
    let joined = load.counters.joined;
    load.conns.clear();
    load.pending = 0;
    load.dial(Dial::to_room(0));
    let begin = sys::now();
    while sys::now() - begin < 2 * SECOND && load.counters.joined == joined && !died {
        load.turn(20);
    }
    load.counters.joined > joined
}
