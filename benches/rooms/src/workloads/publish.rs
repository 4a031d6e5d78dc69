//! R1 to R3: connections that publish.

use serde_json::Value;

use super::phase::measure;
use super::{Plan, set_up};
use crate::load::{Dial, Load, Voice};

/// R1: one room, one publisher, `members` receivers.
pub(super) fn fan_out(load: &mut Load, plan: &Plan) -> Result<Value, String> {
    set_up(load, plan, (0..=plan.members).map(|_| Dial::to_room(0)).collect())?;
    add_room(load, plan, 0, 0..1, plan.members as u32);
    Ok(measure(load, plan))
}

/// R2: many rooms, all members publish in turn.
pub(super) fn many_rooms(load: &mut Load, plan: &Plan) -> Result<Value, String> {
    let of = plan.members;
    set_up(load, plan, (0..plan.rooms * of).map(|i| Dial::to_room(i / of)).collect())?;
    // connections stand in the order they were dialed
    for room in 0..plan.rooms {
        add_room(load, plan, room, room * of..(room + 1) * of, of as u32 - 1);
    }
    Ok(measure(load, plan))
}

/// A group of those who publish into a room; each message reaches `others`, and the sender where the protocol says so.
pub(super) fn add_room(
    load: &mut Load,
    plan: &Plan,
    room: usize,
    publishers: std::ops::Range<usize>,
    others: u32,
) {
    let voices: Vec<_> = publishers.map(|conn| Voice { conn, to: None }).collect();
    let echo = u32::from(load.protocol.echoes_to_sender());
    load.add_group(&format!("r{room}"), &voices, others + echo, plan.window);
}

/// R3: pairs that tell each other, one message in flight per pair.
pub(super) fn direct(load: &mut Load, plan: &Plan) -> Result<Value, String> {
    let shares_a_room = !load.protocol.has_direct();
    let dial = |i: usize| {
        let dial = Dial::to_room(i / 2);
        if shares_a_room { dial } else { Dial { room: None, ..dial } }
    };
    set_up(load, plan, (0..plan.rooms * 2).map(dial).collect())?;
    for pair in 0..plan.rooms {
        let (a, b) = (2 * pair, 2 * pair + 1);
        let voices = [Voice { conn: a, to: Some(b) }, Voice { conn: b, to: Some(a) }];
        load.add_group(&format!("r{pair}"), &voices, 1, plan.window);
    }
    Ok(measure(load, plan))
}
