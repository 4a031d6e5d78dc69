//! Too much, in pieces, and not to the end.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wscengine_rooms_server::wsrooms::Message;
use wscengine_rooms_server::{Config, RunningServer};

use crate::common::start;
use crate::raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Raw, frame};

/// Two members of a room, whose news of each other are behind them.
async fn pair() -> (RunningServer, Raw, Raw) {
    let server = start(Config::default()).await;
    let mut one = Raw::connect(server.local_addr()).await;
    let mut other = Raw::connect(server.local_addr()).await;
    for member in [&mut one, &mut other] {
        member.join("room").await;
    }
    one.settle().await;
    other.settle().await;
    (server, one, other)
}

fn chat(payload: &str) -> Message {
    Message::new("room", "chat", "", "", payload.to_owned())
}

#[tokio::test]
async fn a_message_that_comes_byte_by_byte_is_one_message() {
    let (_server, mut one, mut other) = pair().await;
    for byte in frame(FIN | BINARY, &chat("slowly").to_bytes().unwrap()) {
        one.send(&[byte]).await;
    }
    assert_eq!(other.message().await.payload[..], *b"slowly");
}

#[tokio::test]
async fn a_message_of_ten_thousand_parts_most_of_them_empty_is_one_message() {
    let (_server, mut one, mut other) = pair().await;
    let whole = chat("in parts").to_bytes().unwrap();
    let mut bytes = frame(BINARY, &whole[..1]);
    for part in
        whole[1..].iter().map(std::slice::from_ref).chain(std::iter::repeat_n(&[][..], 10_000))
    {
        bytes.extend(frame(CONTINUATION, part));
    }
    bytes.extend(frame(FIN | CONTINUATION, b""));
    one.send(&bytes).await;
    assert_eq!(other.message().await.payload[..], *b"in parts");
}

#[tokio::test]
async fn parts_that_exceed_the_limit_together_close_with_1009() {
    let (_server, mut one, mut other) = pair().await;
    let mut bytes = frame(BINARY, &[0; 40_000]);
    bytes.extend(frame(CONTINUATION, &[0; 40_000]));
    one.send(&bytes).await;
    let (opcode, payload) = one.frame().await.unwrap();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1009_u16.to_be_bytes()[..]));
    assert_eq!(other.until("member_left").await.payload[..], *one.id.as_bytes());
}

#[tokio::test]
async fn a_header_that_announces_the_whole_memory_is_refused_before_any_of_it_comes() {
    let (_server, mut one, mut other) = pair().await;
    one.send(&[FIN | BINARY, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4])
        .await;
    let (opcode, payload) = one.frame().await.unwrap();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1009_u16.to_be_bytes()[..]));
    other.say(&chat("to nobody")).await;
    other.settle().await;
}

#[tokio::test]
async fn a_flood_of_pings_by_one_that_reads_late_is_answered_in_full_and_in_order() {
    const PINGS: u32 = 50_000;
    let (_server, one, mut other) = pair().await;
    let (mut reading, mut writing) = one.into_stream().into_split();
    let flood = tokio::spawn(async move {
        for number in 0..PINGS {
            writing.write_all(&frame(FIN | PING, &number.to_be_bytes())).await.unwrap();
        }
        writing
    });
    // The others are served meanwhile.
    for _ in 0..50 {
        other.settle().await;
    }
    let mut pong = [0; 6];
    for number in 0..PINGS {
        reading.read_exact(&mut pong).await.unwrap();
        assert_eq!((pong[0], pong[1]), (FIN | PONG, 4));
        assert_eq!(pong[2..], number.to_be_bytes());
    }
    drop(flood.await.unwrap());
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_message_is_an_end_and_no_message() {
    let (_server, mut one, mut other) = pair().await;
    let (id, whole) = (one.id.clone(), frame(FIN | BINARY, &chat("half").to_bytes().unwrap()));
    one.send(&whole[..whole.len() - 1]).await;
    one.shut().await;
    let told = other.message().await;
    assert_eq!((&*told.event, &told.payload[..]), ("member_left", id.as_bytes()));
}

#[tokio::test]
async fn what_was_said_before_an_abrupt_end_is_heard_before_it() {
    let (_server, mut one, mut other) = pair().await;
    for number in 0..200 {
        one.say(&chat(&number.to_string())).await;
    }
    one.shut().await;
    for number in 0..200 {
        assert_eq!(other.message().await.payload[..], *number.to_string().as_bytes());
    }
    assert_eq!(other.message().await.event, "member_left");
}

#[tokio::test]
async fn nothing_that_follows_a_close_frame_is_heard() {
    let (_server, mut one, mut other) = pair().await;
    let mut bytes = frame(FIN | CLOSE, &1000_u16.to_be_bytes());
    bytes.extend(frame(FIN | BINARY, &chat("too late").to_bytes().unwrap()));
    one.send(&bytes).await;
    assert_eq!(one.frame().await, Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
    assert_eq!(one.frame().await, None);
    assert_eq!(other.message().await.event, "member_left");
}

#[tokio::test]
async fn every_byte_is_a_legal_first_byte_of_something_or_ends_only_its_own_connection() {
    let (server, _one, mut other) = pair().await;
    for first in 0..=255 {
        let mut stranger = Raw::connect(server.local_addr()).await;
        stranger.send(&frame(first, b"")).await;
        stranger.send(&frame(FIN | BINARY, b"\x00")).await;
        stranger.shut().await;
        while stranger.frame().await.is_some() {}
    }
    assert_eq!(other.join("room").await.event, "join_ack");
}

#[tokio::test]
async fn room_names_of_any_kind_are_names_and_too_long_ones_are_dropped() {
    let (_server, mut one, _other) = pair().await;
    for name in ["", " ", "é\u{2028}\0", "root ", "../..", "\u{10ffff}"] {
        assert_eq!(one.join(name).await.room, name);
    }
    let longest = "x".repeat(256);
    assert_eq!(one.join(&longest).await.room, longest);
    one.say(&Message::new("x".repeat(257), "join", "", "", "")).await;
    assert_eq!(one.settle().await, []);
}

#[tokio::test]
async fn a_client_is_in_as_many_rooms_as_it_may_be_and_closed_with_1008_beyond() {
    let server = start(Config::default().max_rooms(300)).await;
    let mut one = Raw::connect(server.local_addr()).await;
    for number in 1..300 {
        one.join(&number.to_string()).await;
    }
    // A room that it is in already is not one more, and one that it leaves makes room.
    one.join("1").await;
    one.say(&Message::new("1", "leave", "", "", "")).await;
    one.until("leave_ack").await;
    one.join("another").await;
    one.say(&Message::new("one too many", "join", "", "", "")).await;
    let (opcode, payload) = one.frame().await.unwrap();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1008_u16.to_be_bytes()[..]));
}
