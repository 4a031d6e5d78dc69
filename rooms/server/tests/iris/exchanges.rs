//! What was recorded of the original, played against the demo, and what the demo does besides.

use tokio_tungstenite::tungstenite::Message;
use wscengine_rooms_server::Config;

use crate::common::{Talker, assert_nothing_more, start};
use crate::peer::{P, all_come, demo};

async fn whoami(talker: &mut Talker) -> String {
    talker.say(&format!("{P}whoami;0;")).await;
    let answer = talker.receive().await.into_text().unwrap();
    answer.strip_prefix(&format!("{P}whoami;0;")).unwrap().to_owned()
}

async fn join(talker: &mut Talker, room: &str) {
    talker.say(&format!("{P}join;0;{room}")).await;
    talker.expect(&format!("{P}joined;0;{room}")).await;
}

#[tokio::test]
async fn i085_a_broadcast_reaches_all_but_the_sender() {
    let (_server, [mut a, mut b, mut c]) = demo(Config::default()).await;
    let chat = format!("{P}chat;0;hi there");
    a.say(&chat).await;
    for peer in [&mut b, &mut c] {
        peer.expect(&chat).await;
    }
    assert_nothing_more(&mut [&mut a, &mut b, &mut c]).await;
}

#[tokio::test]
async fn i086_a_number_as_text_leaves_as_text() {
    let (_server, [mut a, mut b]) = demo(Config::default()).await;
    for text in ["123", "007", "1e5", " ", "true"] {
        a.say(&format!("{P}chat;1;{text}")).await;
        b.expect(&format!("{P}chat;0;{text}")).await;
    }
}

#[tokio::test]
async fn i087_a_native_message_is_answered_and_told_to_all_others() {
    let (_server, [mut a, mut b]) = demo(Config::default()).await;
    for text in ["native", ""] {
        a.say(text).await;
        b.expect(&format!("bc:{text}")).await;
        a.expect(&format!("Me: {text}")).await;
    }
}

#[tokio::test]
async fn i088_a_room_includes_the_sender_if_it_is_a_member() {
    let (_server, [mut a, mut b, mut c]) = demo(Config::default()).await;
    for peer in [&mut a, &mut b] {
        join(peer, "room1").await;
    }
    for (sender, text) in [("a", "to room1"), ("c", "from outside")] {
        let speaker = if sender == "a" { &mut a } else { &mut c };
        speaker.say(&format!("{P}room;4;{{\"room\":\"room1\",\"text\":\"{text}\"}}")).await;
        for peer in [&mut a, &mut b] {
            peer.expect(&format!("{P}chat;0;{text}")).await;
        }
    }
    assert_nothing_more(&mut [&mut a, &mut b, &mut c]).await;
}

#[tokio::test]
async fn i089_an_id_reaches_its_connection_only() {
    let (_server, [mut a, mut b, mut c]) = demo(Config::default()).await;
    let (from, to) = (whoami(&mut a).await, whoami(&mut b).await);
    a.say(&format!("{P}room;4;{{\"room\":\"{to}\",\"text\":\"direct from {from}\"}}")).await;
    b.expect(&format!("{P}chat;0;direct from {from}")).await;
    assert_nothing_more(&mut [&mut a, &mut b, &mut c]).await;
}

#[tokio::test]
async fn i090_a_message_has_at_most_1024_bytes() {
    let (_server, [mut a]) = demo(Config::default()).await;
    let largest = "x".repeat(1024);
    a.say(&largest).await;
    a.expect(&format!("Me: {largest}")).await;
    a.say(&(largest + "x")).await;
    assert_eq!(a.close_code().await, Some(1009));
}

#[tokio::test]
async fn i091_what_cannot_be_read_is_ignored_and_the_connection_lives() {
    let (_server, [mut a, mut b]) = demo(Config::default()).await;
    for malformed in ["chat", "chat;", "chat;0", "s;5;x", "s;x;x", "s;10;x", "a;b;c", ""] {
        a.say(&format!("{P}{malformed}")).await;
    }
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn i092_data_of_another_type_is_for_nobody_and_the_connection_lives() {
    let (_server, [mut a, mut b]) = demo(Config::default()).await;
    for mismatch in [
        "next;0;x",
        "next;1;1.5",
        "next;2;true",
        "flag;0;true",
        "chat;2;true",
        "chat;3;x",
        "room;0;x",
    ] {
        a.say(&format!("{P}{mismatch}")).await;
    }
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn i093_a_connection_that_the_server_ends_is_closed_with_1000() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.say(&format!("{P}bye;0;")).await;
    assert_eq!(a.close_code().await, Some(1000));
}

#[tokio::test]
async fn the_demo_answers_numbers_and_bools_as_such() {
    let (_server, [mut a]) = demo(Config::default()).await;
    for (said, answer) in [
        ("n;0;", "n;1;42"),
        ("n;1;7", "n;1;42"),
        ("next;1;-8", "next;1;-7"),
        ("flag;1;true", "flag;2;true"),
        ("flag;2;false", "flag;2;false"),
        ("leave;0;nowhere", "left;0;nowhere"),
    ] {
        a.say(&format!("{P}{said}")).await;
        a.expect(&format!("{P}{answer}")).await;
    }
    // There is no next number, and no answer.
    a.say(&format!("{P}next;1;{}", i64::MAX)).await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn what_is_sent_to_a_room_may_be_any_json_and_keeps_its_type() {
    let (_server, [mut a]) = demo(Config::default()).await;
    join(&mut a, "r").await;
    for (json, told) in [
        ("\"a;b\"", "0;a;b"),
        ("7", "1;7"),
        ("true", "2;true"),
        ("1.5", "4;1.5"),
        ("null", "4;null"),
        ("{\"a\": [1]}", "4;{\"a\":[1]}"),
    ] {
        a.say(&format!("{P}room;4;{{\"room\":\"r\",\"text\":{json}}}")).await;
        a.expect(&format!("{P}chat;{told}")).await;
    }
    a.say(&format!("{P}leave;0;r")).await;
    a.expect(&format!("{P}left;0;r")).await;
    a.say(&format!("{P}room;4;{{\"room\":\"r\",\"text\":1}}")).await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn the_reserved_targets_mean_all_and_all_others_of_the_same_path() {
    let server = start(Config::default()).await;
    let [mut a, mut b] = all_come(server.local_addr(), "/ws/gowsal").await;
    let [mut stranger] = all_come(server.local_addr(), "/ws/iris").await;
    a.say("m:room;4;{\"room\":\"\",\"text\":\"all\"}").await;
    a.say("m:room;4;{\"room\":\";to;all;except;me;\",\"text\":\"others\"}").await;
    a.expect("m:chat;0;all").await;
    b.expect("m:chat;0;all").await;
    b.expect("m:chat;0;others").await;
    assert_nothing_more(&mut [&mut a, &mut b, &mut stranger]).await;
}

#[tokio::test]
async fn a_message_of_a_room_reaches_members_with_another_prefix_under_theirs() {
    let server = start(Config::default()).await;
    let [mut a] = all_come(server.local_addr(), "/ws/gowsal").await;
    let [mut b] = all_come(server.local_addr(), "/ws/iris").await;
    join(&mut b, "r").await;
    a.say("m:room;4;{\"room\":\"r\",\"text\":1}").await;
    b.expect(&format!("{P}chat;1;1")).await;
}

#[tokio::test]
async fn a_message_in_a_binary_frame_is_read_as_one_in_text() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.send(Message::binary(format!("{P}n;0;").into_bytes())).await;
    a.expect(&format!("{P}n;1;42")).await;
}
