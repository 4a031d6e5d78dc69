//! What clients missed, for those who ask.

use std::time::Duration;

use serde_json::{Value, json};
use wscengine_rooms_server::wsrooms::Message;
use wscengine_rooms_server::{Config, Gap};

use crate::peer::{Peer, meet, meeting};

fn config() -> Config {
    Config::default().history(3, Duration::from_secs(3600))
}

/// Asks for what came after a position, and joins.
async fn join_since(peer: &mut Peer, position: &str) -> Value {
    ask(peer, position).await;
    peer.say("r", "join", "").await;
    assert_eq!(peer.receive().await.event, "join_ack");
    answer(peer).await
}

async fn ask(peer: &mut Peer, position: &str) {
    let id = peer.id.clone();
    let ask = Message::new("r", "rooms.history", id, "", position.to_owned());
    peer.send(&ask).await;
}

async fn answer(peer: &mut Peer) -> Value {
    let answer = peer.receive().await;
    assert_eq!((&*answer.room, &*answer.event, &*answer.src), ("r", "rooms.history", ""));
    assert_eq!(answer.dst, peer.id);
    serde_json::from_slice(&answer.payload).unwrap()
}

/// The next message and its position.
async fn positioned(peer: &mut Peer) -> (String, String) {
    let message = peer.receive().await;
    let payload = String::from_utf8(message.payload.to_vec()).unwrap();
    let at = message.dst.strip_prefix('@').expect("a position").to_owned();
    (format!("{} {} {payload}", message.src, message.event), at)
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_once_and_in_order() {
    let (server, [mut a, mut b]) = meeting(config()).await;
    let begin = join_since(&mut a, "").await;
    assert_eq!((&begin["missed"], &begin["gap"]), (&json!(0), &json!(false)));
    b.say("r", "join", "").await;
    assert_eq!(b.receive().await.event, "join_ack");
    assert_eq!(a.receive().await.event, "new_member");
    b.say("r", "chat", "1").await;
    let (told, last) = positioned(&mut a).await;
    assert_eq!(told, format!("{} chat 1", b.id));
    drop(a);
    assert_eq!(b.receive().await.event, "member_left");
    for text in ["2", "3"] {
        b.say("r", "chat", text).await;
    }
    b.settle().await;
    let [mut a] = meet(server.local_addr(), "/ws/wsrooms").await;
    let answer = join_since(&mut a, &last).await;
    assert_eq!((&answer["missed"], &answer["gap"]), (&json!(2), &json!(false)));
    b.say("r", "chat", "4").await;
    let mut positions = Vec::new();
    for text in ["2", "3", "4"] {
        let (told, at) = positioned(&mut a).await;
        assert_eq!(told, format!("{} chat {text}", b.id));
        positions.push(at);
    }
    assert_eq!(answer["at"], *positions[1]);
    // The same for an application.
    let missed = server.rooms().history("r", &last).unwrap().unwrap();
    let texts: Vec<_> = missed.messages.iter().map(|(_, it)| it.payload.to_vec()).collect();
    assert_eq!(texts, [b"2", b"3", b"4"]);
    b.say("r", "chat", "5").await;
    b.settle().await;
    let Err(Gap(rest)) = server.rooms().history("r", &last).unwrap() else { panic!() };
    assert_eq!((rest.messages.len(), rest.messages[2].1.payload.as_ref()), (3, &b"5"[..]));
}

#[tokio::test]
async fn a_client_that_cannot_have_all_is_told_so_and_gets_the_rest() {
    let (server, [mut a, mut b]) = meeting(config()).await;
    let begin = join_since(&mut a, "").await;
    for text in ["1", "2", "3", "4"] {
        a.say("r", "chat", text).await;
        let own = a.receive().await;
        assert_eq!((&*own.event, &own.src, own.payload.len()), ("rooms.at", &a.id, 0));
        assert!(own.dst.starts_with('@'));
    }
    let answer = join_since(&mut b, begin["at"].as_str().unwrap()).await;
    assert_eq!((&answer["missed"], &answer["gap"]), (&json!(3), &json!(true)));
    for text in ["2", "3", "4"] {
        assert_eq!(positioned(&mut b).await.0, format!("{} chat {text}", a.id));
    }
    // A position of another server, asked for in the room.
    ask(&mut b, "elsewhere").await;
    let answer = self::answer(&mut b).await;
    assert_eq!((&answer["missed"], &answer["gap"]), (&json!(3), &json!(true)));
    drop(server);
}

#[tokio::test]
async fn who_does_not_ask_is_told_what_it_always_was() {
    let (_server, [mut a, mut b]) = meeting(config()).await;
    for peer in [&mut a, &mut b] {
        peer.say("r", "join", "").await;
        assert_eq!(peer.receive().await.event, "join_ack");
    }
    assert_eq!(a.receive().await.event, "new_member");
    a.say("r", "chat", "hi").await;
    let message = b.receive().await;
    assert_eq!((&*message.event, &*message.dst, &message.src), ("chat", "", &a.id));
    crate::peer::assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn where_nothing_is_kept_the_question_comes_back() {
    for config in [Config::default(), config()] {
        let room = if config_keeps(&config) { "root" } else { "r" };
        let (_server, [mut a]) = meeting(config).await;
        let ask = Message::new(room, "rooms.history", a.id.clone(), "", "x");
        a.send(&ask).await;
        let back = a.receive().await;
        assert_eq!((&*back.event, &back.src, &*back.payload), ("rooms.history", &a.id, &b"x"[..]));
    }
}

fn config_keeps(config: &Config) -> bool {
    format!("{config:?}").contains("keep: Some")
}
