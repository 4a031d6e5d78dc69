//! The exchanges that were recorded with the original server, W030 to W039, and the demo.

use wscengine_rooms_server::Config;
use wscengine_rooms_server::wsrooms::Message;

use crate::common::http;
use crate::peer::{Peer, assert_nothing_more, meeting, member_left, new_member, sorted};

async fn in_lobby() -> (wscengine_rooms_server::RunningServer, [Peer; 2]) {
    let (server, mut peers) = meeting(Config::default()).await;
    for peer in &mut peers {
        peer.join("lobby").await;
    }
    let id = peers[1].id.clone();
    peers[0].expect(&new_member("lobby", &id)).await;
    (server, peers)
}

#[tokio::test]
async fn w010_the_first_frame_lists_the_client_itself() {
    let (_server, [a]) = meeting(Config::default()).await;
    assert_eq!(a.id.len(), 36);
    assert_eq!(&a.id[14..15], "4");
    assert_eq!(a.id, a.id.to_lowercase());
}

#[tokio::test]
async fn w030_two_clients_meet_in_the_lobby() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    assert_eq!(a.join("lobby").await, sorted([&a]));
    assert_eq!(b.join("lobby").await, sorted([&a, &b]));
    a.expect(&new_member("lobby", &b.id)).await;
    b.say("lobby", "chat", "Hello room!").await;
    a.expect(&b.message("lobby", "chat", "Hello room!")).await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn w031_a_leave_is_acknowledged_and_the_others_are_told() {
    let (_server, [mut a, mut b]) = in_lobby().await;
    a.leave("lobby").await;
    b.expect(&member_left("lobby", &a.id)).await;
    b.say("lobby", "chat", "anybody?").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn w032_a_direct_message_reaches_its_receiver_and_nobody_else() {
    let (_server, [mut a, mut b]) = in_lobby().await;
    let direct = Message::new("lobby", "dm", &*b.id, &*a.id, "direct");
    a.send(&direct).await;
    b.expect(&direct).await;
    a.send(&Message { dst: "nobody".into(), ..direct.clone() }).await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
    let to_itself = Message { dst: a.id.clone(), ..direct };
    a.send(&to_itself).await;
    a.expect(&to_itself).await;
}

#[tokio::test]
async fn w033_a_receiver_beats_a_handler() {
    let (_server, [mut a, mut b]) = in_lobby().await;
    let direct = Message::new("lobby", "hello", &*b.id, &*a.id, "to handler with dst");
    a.send(&direct).await;
    b.expect(&direct).await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn w034_the_sender_is_who_it_is() {
    let (_server, [mut a, mut b]) = in_lobby().await;
    a.send(&Message::new("lobby", "chat", "", "SPOOF", "hi")).await;
    b.expect(&a.message("lobby", "chat", "hi")).await;
    a.send(&Message::new("lobby", "dm", &*b.id, "SPOOF", "hi")).await;
    b.expect(&Message::new("lobby", "dm", &*b.id, &*a.id, "hi")).await;
}

#[tokio::test]
async fn w035_64_kib_are_relayed_and_one_byte_more_closes_with_1009() {
    let (_server, [mut a, mut b]) = in_lobby().await;
    let overhead = a.message("lobby", "chat", "").to_bytes().unwrap().len();
    let largest = a.message("lobby", "chat", &"x".repeat(65536 - overhead));
    a.send(&largest).await;
    assert!(b.receive().await == largest);
    a.send(&Message { payload: "x".repeat(65537 - overhead).into(), ..largest }).await;
    assert_eq!(a.close_code().await, Some(1009));
}

#[tokio::test]
async fn w036_a_disconnect_is_told_once_in_each_room_of_the_client() {
    let (_server, [mut a, mut b, mut c]) = meeting(Config::default()).await;
    a.join("lobby").await;
    b.join("lobby").await;
    c.join("other").await;
    a.settle().await;
    let id = a.id.clone();
    a.abort();
    let mut told = [b.receive().await, b.receive().await];
    told.sort_by(|one, other| one.room.cmp(&other.room));
    assert_eq!(told, [member_left("lobby", &id), member_left("root", &id)]);
    // The original tells it in every room of the server.
    c.expect(&member_left("root", &id)).await;
    assert_nothing_more(&mut [&mut b, &mut c]).await;
}

#[tokio::test]
async fn w037_w039_refusals_are_those_of_the_original() {
    let (server, []) = meeting(Config::default()).await;
    let post =
        "POST /ws/wsrooms HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let refusal = http(server.local_addr(), post).await;
    assert!(refusal.starts_with("HTTP/1.1 405 "), "{refusal}");
    assert!(refusal.contains("content-type: text/plain; charset=utf-8\r\n"), "{refusal}");
    assert!(refusal.ends_with("\r\n\r\nMethod not allowed\n"), "{refusal}");
    let get = "GET /ws/wsrooms HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let refusal = http(server.local_addr(), get).await;
    assert!(refusal.starts_with("HTTP/1.1 400 "), "{refusal}");
    assert!(refusal.to_lowercase().contains("sec-websocket-version: 13\r\n"), "{refusal}");
    assert!(refusal.ends_with("\r\n\r\nBad Request\n"), "{refusal}");
}

#[tokio::test]
async fn the_demo_answers_hello_ping_and_tell() {
    let (_server, [mut a, mut b]) = in_lobby().await;
    a.say("lobby", "hello", "x").await;
    b.expect(&a.message("lobby", "hello", "x")).await;
    a.say("lobby", "ping", "y").await;
    a.expect(&a.message("lobby", "pong", "y")).await;
    let receiver = b.id.clone();
    a.say("anywhere", "tell", &receiver).await;
    b.expect(&Message::new("root", "told", &*b.id, &*a.id, "psst")).await;
    // Not an id: an error of the handler, which the client is not told.
    a.send(&Message::new("lobby", "tell", "", "", &b"\xff"[..])).await;
    a.say("lobby", "tell", "nobody").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}
