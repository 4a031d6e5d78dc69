//! What the original server does wrong does not happen here: each test would fail on it.

use tokio_tungstenite::tungstenite::Message as Ws;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use wscengine_rooms_server::Config;
use wscengine_rooms_server::wsrooms::Message;

use crate::peer::{Peer, assert_nothing_more, meet, meeting, member_left, new_member, sorted};

#[tokio::test]
async fn the_list_of_members_has_the_joiner_in_it_always() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    for at in 0..50 {
        let room = format!("room {at}");
        assert_eq!(a.join(&room).await, sorted([&a]));
        assert_eq!(b.join(&room).await, sorted([&a, &b]));
        a.expect(&new_member(&room, &b.id)).await;
    }
}

#[tokio::test]
async fn others_hear_of_a_member_before_they_hear_from_it() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    for at in 0..300 {
        let room = format!("room {at}");
        a.join(&room).await;
        b.send(&Message::new(&*room, "join", "", "", "")).await;
        b.say(&room, "chat", "already here").await;
        a.expect(&new_member(&room, &b.id)).await;
        a.expect(&b.message(&room, "chat", "already here")).await;
        assert_eq!(b.receive().await.event, "join_ack");
    }
}

#[tokio::test]
async fn the_acknowledgement_is_the_first_that_a_joiner_hears_of_a_room() {
    let (server, [mut a, mut b, mut c]) = meeting(Config::default()).await;
    a.join("busy").await;
    let speaker = tokio::spawn(async move {
        for _ in 0..500 {
            a.say("busy", "chat", "x").await;
        }
        a
    });
    for _ in 0..50 {
        for peer in [&mut b, &mut c] {
            peer.send(&Message::new("busy", "join", "", "", "")).await;
            assert_eq!(peer.receive().await.event, "join_ack");
            peer.send(&Message::new("busy", "leave", "", "", "")).await;
            while peer.receive().await.event != "leave_ack" {}
        }
    }
    drop((speaker.await.unwrap(), server));
}

#[tokio::test]
async fn leave_and_join_of_a_room_where_one_is_alone_keep_the_membership() {
    let (server, [mut a, mut b]) = meeting(Config::default()).await;
    for _ in 0..50 {
        a.join("mine").await;
        a.send(&Message::new("mine", "leave", "", "", "")).await;
        a.send(&Message::new("mine", "join", "", "", "")).await;
        assert_eq!(a.receive().await.event, "leave_ack");
        assert_eq!(a.receive().await.event, "join_ack");
        assert_eq!(b.join("mine").await, sorted([&a, &b]));
        a.expect(&new_member("mine", &b.id)).await;
        b.leave("mine").await;
        a.expect(&member_left("mine", &b.id)).await;
        a.leave("mine").await;
    }
    assert_eq!(server.rooms().rooms(), 1, "root alone");
}

#[tokio::test]
async fn a_leave_by_a_stranger_is_acknowledged_and_told_to_nobody() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    a.join("lobby").await;
    b.leave("lobby").await;
    b.leave("no such room").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn a_second_join_is_acknowledged_and_told_to_nobody() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    a.join("lobby").await;
    b.join("lobby").await;
    a.expect(&new_member("lobby", &b.id)).await;
    assert_eq!(b.join("lobby").await, sorted([&a, &b]));
    assert_nothing_more(&mut [&mut a, &mut b]).await;
    a.say("lobby", "chat", "once").await;
    b.expect(&a.message("lobby", "chat", "once")).await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn who_is_not_in_a_room_does_not_speak_in_it() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    a.join("lobby").await;
    b.say("lobby", "chat", "let me in").await;
    b.say("no such room", "chat", "anybody?").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn what_only_the_server_says_is_not_relayed() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    for peer in [&mut a, &mut b] {
        peer.join("lobby").await;
    }
    a.expect(&new_member("lobby", &b.id)).await;
    for event in ["join_ack", "leave_ack", "new_member", "member_left", "open", "close"] {
        a.say("lobby", event, "forged").await;
        a.send(&Message::new("lobby", event, &*b.id, &*a.id, "forged")).await;
    }
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn messages_of_20_bytes_and_more_are_legal() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    for peer in [&mut a, &mut b] {
        peer.join("").await;
    }
    a.expect(&new_member("", &b.id)).await;
    for event in ["", "c", "d"] {
        let shortest = Message::new("", event, "", "", "");
        assert!(shortest.to_bytes().unwrap().len() < 24);
        a.send(&shortest).await;
        b.expect(&a.message("", event, "")).await;
    }
}

#[tokio::test]
async fn malformed_messages_are_dropped_and_the_connection_lives() {
    let (_server, [mut a, mut b]) = meeting(Config::default()).await;
    for peer in [&mut a, &mut b] {
        peer.join("lobby").await;
    }
    a.expect(&new_member("lobby", &b.id)).await;
    let whole = a.message("lobby", "chat", "x").to_bytes().unwrap();
    for end in 0..whole.len() {
        a.send_bytes(whole.slice(..end)).await;
    }
    a.send_bytes([&whole[..], b"XYZ"].concat()).await;
    a.send_bytes([&whole[..whole.len() - 5], &[0xff; 4], b"xxxxxx"].concat()).await;
    a.send_bytes([&[0, 0, 0, 255], &whole[4..]].concat()).await;
    a.send_bytes([&whole[..4], &[0xff; 5], &whole[9..]].concat()).await;
    // A text message is malformed whatever is in it.
    a.send_frame(Ws::text("hello")).await;
    let as_text = Message::new("lobby", "chat", "", "", "x").to_bytes().unwrap();
    a.send_frame(Ws::text(String::from_utf8(as_text.to_vec()).unwrap())).await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
    a.say("lobby", "chat", "still here").await;
    b.expect(&a.message("lobby", "chat", "still here")).await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1007_as_rfc_6455_demands() {
    let (_server, [mut a]) = meeting(Config::default()).await;
    let not_text = Frame::message(&b"\xff"[..], OpCode::Data(Data::Text), true);
    a.send_frame(Ws::Frame(not_text)).await;
    assert_eq!(a.close_code().await, Some(1007));
}

#[tokio::test]
async fn many_joins_and_leaves_at_once_block_nobody() {
    let (server, [mut watcher]) = meeting(Config::default()).await;
    let addr = server.local_addr();
    let mut crowd = meet::<20>(addr, "/ws/wsrooms").await;
    for peer in &mut crowd {
        for _ in 0..10 {
            peer.send(&Message::new("crowd", "join", "", "", "")).await;
            peer.send(&Message::new("crowd", "leave", "", "", "")).await;
        }
        peer.send(&Message::new("crowd", "join", "", "", "")).await;
    }
    for peer in &mut crowd {
        peer.settle().await;
    }
    watcher.forget().await;
    assert_eq!(watcher.join("crowd").await.len(), 21);
    assert_eq!(server.rooms().members("crowd").len(), 21);
}

#[tokio::test]
async fn clients_that_come_and_go_while_they_are_told_things_harm_nobody() {
    let (server, [mut a]) = meeting(Config::default()).await;
    let addr = server.local_addr();
    let churn = (0..4).map(|_| {
        tokio::spawn(async move {
            for _ in 0..50 {
                let mut peer = Peer::connect(addr, "/ws/wsrooms").await;
                peer.send(&Message::new("lobby", "join", "", "", "")).await;
                peer.say("lobby", "chat", "hi").await;
                peer.abort();
            }
        })
    });
    let churn: Vec<_> = churn.collect();
    a.join("lobby").await;
    for _ in 0..200 {
        a.say("lobby", "chat", "hi").await;
        a.settle().await;
    }
    for task in churn {
        task.await.unwrap();
    }
    let rooms = server.rooms().clone();
    a.abort();
    // Waits for the ends of all connections.
    server.shutdown().await;
    assert_eq!((rooms.rooms(), rooms.connections()), (0, 0));
}
