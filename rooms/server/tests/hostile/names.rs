//! Room names that nobody would choose.

use serde_json::json;
use wscengine_rooms_server::Config;

use crate::common::{assert_nothing_more, start};
use crate::member::{Kind, Member, said};

/// 64 bytes, of four each.
fn wide() -> String {
    "😀".repeat(16)
}

/// Members of other protocols meet in it, and it is the same room.
#[tokio::test]
async fn a_room_may_have_any_name_that_is_short_enough() {
    let server = start(Config::default()).await;
    let kinds = [Kind::Wsrooms, Kind::Grows, Kind::Iris, Kind::Gowsal];
    let longest = "n".repeat(256);
    let names =
        ["", "\0", "a\0b", " ", ";", "a;b", "a:b", ": ", ";to;all;except;me;x", &wide(), &longest];
    let mut members = Vec::new();
    for kind in kinds {
        members.push(Member::connect(server.local_addr(), kind).await);
    }
    for name in names {
        for at in 0..members.len() {
            join(&mut members[at], name).await;
            for wsrooms in members[..at].iter_mut().filter(|one| one.kind == Kind::Wsrooms) {
                assert_eq!(wsrooms.wsrooms().await.event, "new_member");
            }
        }
        assert_eq!(server.rooms().members(name).len(), members.len(), "{name:?}");
        let sender = members[1].id.clone();
        members[1].say(name, &json!("x")).await;
        let heard = members[0].talker.receive().await;
        assert_eq!(heard, said(name, "chat", "", &sender, "x"));
        for member in &mut members[1..] {
            member.expect("chat", &sender, &json!("x")).await;
        }
    }
    let mut talkers: Vec<_> = members.iter_mut().map(|member| &mut member.talker).collect();
    assert_nothing_more(&mut talkers).await;
}

/// As [`Member::join`], with a name that has to be escaped.
async fn join(member: &mut Member, name: &str) {
    if member.kind == Kind::Grows {
        member.talker.say(&json!({ "event": "join", "data": name }).to_string()).await;
        let answer = member.talker.receive().await.into_text().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer, json!({ "event": "joined", "data": name }));
    } else {
        member.join(name).await;
    }
}

/// Nobody is in it, and the connection stays.
#[tokio::test]
async fn a_name_that_is_too_long_is_refused_and_the_connection_lives() {
    let server = start(Config::default()).await;
    let long = "n".repeat(257);
    for kind in [Kind::Wsrooms, Kind::Grows, Kind::Iris, Kind::Gowsal] {
        let mut member = Member::connect(server.local_addr(), kind).await;
        let prefix = if kind == Kind::Iris { "iris-websocket-message:" } else { "m:" };
        for _ in 0..3 {
            match kind {
                Kind::Wsrooms => member.talker.send(said(&long, "join", "", "", "")).await,
                Kind::Grows => {
                    let join = json!({ "event": "join", "data": long }).to_string();
                    member.talker.say(&join).await;
                }
                _ => member.talker.say(&format!("{prefix}join;0;{long}")).await,
            }
            member.say(&long, &json!("x")).await;
        }
        assert_nothing_more(&mut [&mut member.talker]).await;
        assert!(server.rooms().members(&long).is_empty());
        member.join("short").await;
    }
}
