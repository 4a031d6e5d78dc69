//! R4: idle joined connections.

use serde_json::{Value, json};

use super::{Plan, faults, mib, round, seconds_since, set_up, settle};
use crate::load::{Dial, Load};
use crate::sys;

/// How many members a room has.
const MEMBERS: usize = 10;
/// When nothing has come for that long, the set-up is over.
const QUIET_MS: u64 = 1000;

pub(super) fn idle(load: &mut Load, plan: &Plan) -> Value {
    let before = plan.snapshot();
    let begin = sys::now();
    // Nothing is published: they belong to no group.
    let dial = |i: usize| Dial { group: 0, ..Dial::to_room(i / MEMBERS) };
    let outcome = set_up(load, plan, (0..plan.connections).map(dial).collect());
    let seconds = seconds_since(begin);
    let after_join = plan.snapshot();
    let joined = load.counters.joined;
    settle(load, QUIET_MS, 15_000);
    let drained = seconds_since(begin) - QUIET_MS as f64 / 1e3;
    let after = plan.snapshot();
    let open = load.open();
    let told = load.counters.others;
    let untold = announcements(joined).saturating_sub(told);
    let grown = after.rss_kib.saturating_sub(before.rss_kib) as f64;
    let cpu_us = after_join.cpu_ns.saturating_sub(before.cpu_ns) as f64 / 1e3;
    json!({
        "error": outcome.err(),
        "joined": joined,
        "still_open": open,
        "joins_per_s": round(joined as f64 / seconds, 0),
        "seconds": round(seconds, 2),
        "seconds_until_quiet": round(drained, 2),
        "rss_kib_per_connection": round(grown / open.max(1) as f64, 2),
        "rss_mib_before": mib(before.rss_kib, 1),
        "rss_mib": mib(after.rss_kib, 1),
        "cpu_us_per_join": round(cpu_us / joined.max(1) as f64, 1),
        "server_messages": told,
        // Of wsrooms, where each arrival is told to those who are in `root` and in the room already.
        "announcements_missing": untold,
        "threads": after.threads,
        "faults": faults(load),
        "server_died": plan.server_died(),
    })
}

/// How often members are told of another: once for each two in `root`, and once for each two in a room.
fn announcements(joined: u64) -> u64 {
    let pairs = |members: u64| members * members.saturating_sub(1) / 2;
    let room = MEMBERS as u64;
    pairs(joined) + joined / room * pairs(room) + pairs(joined % room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thousand_in_root_are_told_1_999_000_times_and_in_their_rooms_45_times_each() {
        assert_eq!(announcements(2000), 1_999_000 + 200 * 45);
        assert_eq!(announcements(12), 66 + 45 + 1);
    }
}
