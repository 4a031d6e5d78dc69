//! A time of publishing, and what was measured in it.

use serde_json::{Value, json};

use super::{Plan, SECOND, STALL_LIMIT, faults, mib, round, settle};
use crate::load::{Counters, Load};
use crate::process::{self, Snapshot};
use crate::sys;

pub(super) struct Phase {
    seconds: f64,
    before: Reading,
    after: Reading,
    latencies: Vec<u64>,
    /// Longest time without a completed message.
    longest_gap: f64,
    pub(super) stalled: bool,
    died: bool,
}

/// What the meters show at one time.
struct Reading {
    counters: Counters,
    server: Snapshot,
    cores_busy_s: f64,
}

impl Reading {
    fn take(load: &Load, plan: &Plan) -> Self {
        let cores_busy_s = process::busy_s(&plan.server_cpus);
        Self { counters: load.counters, server: plan.snapshot(), cores_busy_s }
    }
}

/// A warm-up, then what is measured.
pub(super) fn measure(load: &mut Load, plan: &Plan) -> Value {
    settle(load, 200, 5000);
    let warm = publish_for(load, plan, plan.warm_up, STALL_LIMIT);
    if warm.stalled {
        return report(load, warm);
    }
    let phase = publish_for(load, plan, plan.seconds, STALL_LIMIT);
    report(load, phase)
}

/// Publishes for `seconds`; the windows stay filled from phase to phase.
pub(super) fn publish_for(load: &mut Load, plan: &Plan, seconds: f64, stall_s: f64) -> Phase {
    load.latencies.clear();
    let begin = sys::now();
    let before = Reading::take(load, plan);
    load.publish_all();
    let (gap, end) = until_the_end(load, plan, begin, (seconds * 1e9) as u64, stall_s);
    Phase {
        seconds: (sys::now() - begin) as f64 / 1e9,
        before,
        after: Reading::take(load, plan),
        latencies: std::mem::take(&mut load.latencies),
        longest_gap: gap as f64 / 1e9,
        stalled: end != End::Time,
        died: end == End::Died,
    }
}

#[derive(PartialEq)]
enum End {
    Time,
    Stalled,
    Died,
}

fn until_the_end(load: &mut Load, plan: &Plan, begin: u64, limit: u64, stall_s: f64) -> (u64, End) {
    let first = load.counters.messages;
    let mut last = (first, begin);
    let mut gap = 0;
    loop {
        load.turn(50);
        let now = sys::now();
        let silent = now - last.1;
        gap = gap.max(silent);
        let messages = load.counters.messages;
        let enough = match plan.count {
            Some(count) => messages - first >= count,
            None => now - begin >= limit,
        };
        if messages != last.0 {
            last = (messages, now);
            if enough {
                return (gap, End::Time);
            }
            continue;
        }
        // a silence is waited out, to learn whether it ends
        if silent > SECOND / 2 {
            if plan.server_died() {
                return (gap, End::Died);
            }
            if silent > (stall_s * 1e9) as u64 {
                return (gap, End::Stalled);
            }
        } else if enough {
            return (gap, End::Time);
        }
    }
}

pub(super) fn report(load: &Load, mut phase: Phase) -> Value {
    let (before, after) = (&phase.before.counters, &phase.after.counters);
    let (server_before, server) = (&phase.before.server, &phase.after.server);
    let deliveries = after.deliveries - before.deliveries;
    let per_second = |count: u64| round(count as f64 / phase.seconds, 0);
    let cpu_s = server.cpu_ns.saturating_sub(server_before.cpu_ns) as f64 / 1e9;
    let per_delivery = (deliveries > 0).then(|| round(cpu_s * 1e6 / deliveries as f64, 3));
    let user = server.user_ticks.saturating_sub(server_before.user_ticks) as f64;
    let system = server.system_ticks.saturating_sub(server_before.system_ticks) as f64;
    let system_share = (user + system > 0.0).then(|| round(system / (user + system), 2));
    let others_s = (phase.after.cores_busy_s - phase.before.cores_busy_s - cpu_s).max(0.0);
    let busy_s = (after.busy_ns - before.busy_ns) as f64 / 1e9;
    let reads = (after.reads - before.reads).max(1);
    phase.latencies.sort_unstable();
    json!({
        "deliveries_per_s": per_second(deliveries),
        "messages_per_s": per_second(after.messages - before.messages),
        "cpu_us_per_delivery": per_delivery,
        "server_cpu_share": round(cpu_s / phase.seconds, 3),
        "server_system_share_of_cpu": system_share,
        "server_core_other_share": round(others_s / phase.seconds, 3),
        "generator_busy_share": round(busy_s / phase.seconds, 3),
        "deliveries": deliveries,
        "deliveries_per_read": round(deliveries as f64 / reads as f64, 2),
        "p50_us": quantile(&phase.latencies, 0.5),
        "p99_us": quantile(&phase.latencies, 0.99),
        "max_us": quantile(&phase.latencies, 1.0),
        "longest_gap_s": round(phase.longest_gap, 3),
        "stalled": phase.stalled,
        "server_died": phase.died,
        "seconds": round(phase.seconds, 2),
        "rss_mib": mib(server.rss_kib, 1),
        "faults": faults(load),
    })
}

fn quantile(sorted: &[u64], q: f64) -> Option<f64> {
    let at = (sorted.len().checked_sub(1)? as f64 * q) as usize;
    Some(round(sorted[at] as f64 / 1e3, 1))
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_one_of_the_values_in_microseconds() {
        let sorted: Vec<u64> = (0..=100).map(|n| n * 1000).collect();
        assert_eq!(quantile(&sorted, 0.5), Some(50.0));
        assert_eq!(quantile(&sorted, 0.99), Some(99.0));
        assert_eq!(quantile(&sorted, 1.0), Some(100.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
