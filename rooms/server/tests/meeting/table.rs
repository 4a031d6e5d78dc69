//! Who hears what in which form.

use serde_json::{Value, json};

use crate::member::{ROOM, said};
use crate::party::Party;

fn texts() -> Vec<Value> {
    ["hi", "", " ", "a;b: c", "123", "true", "null", "{\"a\":1}", "<b>&", "grüße 😀", "line\nend"]
        .map(Value::from)
        .to_vec()
}

fn other_json() -> Vec<Value> {
    vec![
        json!(42),
        json!(-7),
        json!(0),
        json!(true),
        json!(false),
        json!(1.5),
        json!(null),
        json!([]),
        json!([1, "x y", [null]]),
        json!({ "a": { "b": "c;d" } }),
    ]
}

/// Each member says everything it can say; all hear it in the form of their kind, and it hears itself as its
/// own protocol has it.
#[tokio::test]
async fn each_kind_is_heard_by_each_kind_in_the_form_of_the_hearer() {
    let mut party = Party::meet().await;
    for speaker in 0..party.members.len() {
        let kind = party.members[speaker].kind;
        let id = party.members[speaker].id.clone();
        let mut all = texts();
        if kind.says_json() {
            all.extend(other_json());
        }
        for data in all {
            party.members[speaker].say(ROOM, &data).await;
            for hearer in 0..party.members.len() {
                if hearer != speaker || kind.hears_itself() {
                    party.members[hearer].expect(kind.event(), &id, &data).await;
                }
            }
        }
        party.assert_nothing_more().await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_reach_wsrooms_members_and_disturb_nobody() {
    let mut party = Party::meet().await;
    let id = party.members[0].id.clone();
    for payload in [&b"\xff\x00"[..], b"\xc3\x28", b"ok\x80"] {
        party.members[0].talker.send(said(ROOM, "chat", "", "", payload)).await;
        let heard = party.members[1].talker.receive().await;
        assert_eq!(heard, said(ROOM, "chat", "", &id, payload));
        // To each alone, too: whose protocol cannot say it is not told.
        for other in 2..party.members.len() {
            let dst = party.members[other].id.clone();
            party.members[0].talker.send(said(ROOM, "chat", &dst, "", payload)).await;
        }
    }
    party.assert_nothing_more().await;
    party.members[0].say(ROOM, &json!("still here")).await;
    for member in &mut party.members[1..] {
        member.expect("chat", &id, &json!("still here")).await;
    }
}
