//! Event names that a protocol cannot carry.

use serde_json::json;

use crate::member::{Kind, ROOM, said};
use crate::party::Party;

/// The name is told to those whose protocol has it; who cannot be told misses this and nothing else.
#[tokio::test]
async fn an_event_is_told_to_those_whose_protocol_has_such_a_name() {
    let mut party = Party::meet().await;
    let id = party.members[0].id.clone();
    let long = "n".repeat(256);
    let cases: [(&str, &[Kind]); 8] = [
        ("plain", &[]),
        ("größe 😀", &[]),
        ("a;b", &[Kind::Iris, Kind::Gowsal]),
        ("a:b", &[Kind::Easy]),
        ("", &[Kind::Easy]),
        // What go-easy servers say themselves.
        ("websocket", &[Kind::Easy]),
        ("a;b:c", &[Kind::Iris, Kind::Gowsal, Kind::Easy]),
        (&long, &[Kind::Easy]),
    ];
    for (event, deaf) in cases {
        party.members[0].talker.send(said(ROOM, event, "", "", "x")).await;
        for member in &mut party.members[1..] {
            if !deaf.contains(&member.kind) {
                member.expect(event, &id, &json!("x")).await;
            }
        }
        party.assert_nothing_more().await;
    }
}
