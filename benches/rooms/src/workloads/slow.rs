//! R6: one member stops reading.

use serde_json::{Value, json};

use super::phase::{publish_for, report};
use super::publish::add_room;
use super::{Plan, SECOND, STALL_LIMIT, set_up, settle};
use crate::load::{Dial, Load, State};
use crate::sys;

/// How long a silence is waited out while the slow member does not read.
const PATIENCE: f64 = 12.0;

pub(super) fn slow_consumer(load: &mut Load, plan: &Plan) -> Result<Value, String> {
    let slow = plan.members;
    // 0 publishes, 1.. receive, the last one stops reading later
    let dial = |i| if i == slow { Dial::to_room(0).small() } else { Dial::to_room(0) };
    set_up(load, plan, (0..=plan.members).map(dial).collect())?;
    add_room(load, plan, 0, 0..1, plan.members as u32);
    settle(load, 200, 5000);
    let warm = publish_for(load, plan, plan.warm_up, STALL_LIMIT);
    if warm.stalled {
        return Ok(report(load, warm));
    }
    let phase = publish_for(load, plan, plan.seconds, STALL_LIMIT);
    let with_all = report(load, phase);
    empty_windows(load);
    load.stop_reading(slow);
    load.groups[0].expected -= 1;
    let others_before = load.counters.others;
    let phase = publish_for(load, plan, plan.seconds, PATIENCE);
    let early = report(load, phase);
    let late = if early["stalled"] == json!(false) {
        let phase = publish_for(load, plan, plan.seconds, PATIENCE);
        report(load, phase)
    } else {
        early.clone()
    };
    load.publishing = false;
    let told = load.counters.others - others_before;
    let fate = fate(load, slow);
    Ok(compare(load, plan, &with_all, &early, &late, &json!({ "told": told, "slow": fate })))
}

/// Lets everything arrive, so that nothing in flight counts on the slow one.
fn empty_windows(load: &mut Load) {
    load.publishing = false;
    let begin = sys::now();
    while load.in_flight() > 0 && sys::now() - begin < 2 * SECOND {
        load.turn(10);
    }
}

/// The slow member reads again: what it gets, and how it ends.
fn fate(load: &mut Load, slow: usize) -> Value {
    let cut_unread = load.conns[slow].state == State::Gone;
    let already = load.conns[slow].received;
    let missed = load.counters.messages.saturating_sub(already);
    if !cut_unread {
        load.ends.clear();
    }
    load.resume_reading(slow);
    let begin = sys::now();
    while sys::now() - begin < 3 * SECOND && load.conns[slow].state != State::Gone {
        load.turn(20);
    }
    let open = load.conns[slow].state != State::Gone;
    json!({
        "cut_before_reading_again": cut_unread,
        "messages_it_missed": missed,
        "messages_it_got_late": load.conns[slow].received - already,
        "end": if open { json!("still open") } else { json!(load.ends) },
    })
}

fn compare(
    load: &Load,
    plan: &Plan,
    with_all: &Value,
    early: &Value,
    late: &Value,
    slow: &Value,
) -> Value {
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap_or(0.0);
    let rate = |of: &Value| number(of, "messages_per_s");
    let ratio = |of: &Value| super::round(rate(of) / rate(with_all).max(1.0), 2);
    let gap = number(early, "longest_gap_s").max(number(late, "longest_gap_s"));
    let cut = |(index, conn): &(usize, &crate::load::Conn)| {
        *index != plan.members && conn.state == State::Gone
    };
    json!({
        "messages_per_s_all_read": with_all["messages_per_s"],
        "messages_per_s_early": early["messages_per_s"],
        "messages_per_s_late": late["messages_per_s"],
        "ratio_early": ratio(early),
        "ratio_late": ratio(late),
        "longest_gap_s": gap,
        "stalled": late["stalled"],
        "others_cut": load.conns.iter().enumerate().filter(cut).count(),
        "server_messages_while_slow": slow["told"],
        "rss_mib_all_read": with_all["rss_mib"],
        "rss_mib_end": late["rss_mib"],
        "slow": slow["slow"],
        "cpu_us_per_delivery_all_read": with_all["cpu_us_per_delivery"],
        "cpu_us_per_delivery_late": late["cpu_us_per_delivery"],
        "server_died": plan.server_died(),
    })
}
