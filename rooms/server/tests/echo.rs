//! `/echo` over loopback, with a client of tokio-tungstenite.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

mod common;

use std::time::Duration;

use common::{HANG, close_code, connect, receive, start};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use wscengine_rooms_server::Config;

const LIMIT: usize = 16 << 20;

async fn assert_echoed(message: Message) {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    client.send(message.clone()).await.unwrap();
    // Not assert_eq: it would print megabytes.
    assert!(receive(&mut client).await == Some(message), "the echo differs");
}

fn frame(opcode: Data, payload: impl Into<Bytes>, last: bool) -> Message {
    Message::Frame(Frame::message(payload, OpCode::Data(opcode), last))
}

#[tokio::test]
async fn text_comes_back_as_text() {
    assert_echoed(Message::text("grüezi \u{1f600}")).await;
}

#[tokio::test]
async fn binary_comes_back_as_binary() {
    assert_echoed(Message::binary(vec![0, 159, 146, 150])).await;
}

#[tokio::test]
async fn empty_messages_come_back() {
    assert_echoed(Message::text("")).await;
    assert_echoed(Message::binary(vec![])).await;
}

#[tokio::test]
async fn a_message_of_1_mib_comes_back() {
    assert_echoed(Message::binary(vec![7; 1 << 20])).await;
}

#[tokio::test]
async fn a_message_as_large_as_the_limit_comes_back() {
    assert_echoed(Message::text("x".repeat(LIMIT))).await;
}

#[tokio::test]
async fn a_fragmented_message_comes_back_whole_even_when_a_character_is_split() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    client.feed(frame(Data::Text, &b"\xe2"[..], false)).await.unwrap();
    client.feed(Message::Ping(Bytes::from_static(b"between"))).await.unwrap();
    client.feed(frame(Data::Continue, &b"\x82"[..], false)).await.unwrap();
    client.feed(frame(Data::Continue, &b"\xac!"[..], true)).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(receive(&mut client).await, Some(Message::Pong(Bytes::from_static(b"between"))));
    assert_eq!(receive(&mut client).await, Some(Message::text("\u{20ac}!")));
}

#[tokio::test]
async fn a_burst_comes_back_complete_and_in_order() {
    let server = start(Config::default()).await;
    let (mut sink, mut stream) = connect(server.local_addr()).await.split();
    let sending = tokio::spawn(async move {
        for number in 0..10_000 {
            sink.feed(Message::text(number.to_string())).await.unwrap();
        }
        sink.flush().await.unwrap();
    });
    for number in 0..10_000 {
        let message = timeout(HANG, stream.next()).await.expect("no hang").unwrap().unwrap();
        assert_eq!(message, Message::text(number.to_string()));
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_from_and_loses_nothing() {
    const SIZE: usize = 64 << 10;
    // More than any socket buffers take: without back-pressure all of it would be accepted.
    const TOO_MANY: usize = (256 << 20) / SIZE;
    // A stall can only be told by waiting. Waiting too short, on a busy machine, ends the
    // writing early, which the test allows.
    const STALL: Duration = Duration::from_secs(1);

    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    let mut sent = 0;
    while sent < TOO_MANY {
        // A message that was taken up counts, even if not all of it has left yet.
        let accepted = timeout(STALL, client.feed(Message::binary(vec![1; SIZE]))).await;
        sent += 1;
        if accepted.is_err() {
            break;
        }
    }
    assert!(sent < TOO_MANY, "the server took everything in");

    let (mut sink, mut stream) = client.split();
    let flushing = tokio::spawn(async move { sink.flush().await });
    // The last one may have been dropped before it was taken up.
    for _ in 0..sent - 1 {
        let message = timeout(HANG, stream.next()).await.expect("no hang").unwrap().unwrap();
        assert_eq!(message.len(), SIZE);
    }
    flushing.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_bounds_the_queues_of_rooms_does_not_end_an_echo() {
    let config = Config::default().queue_messages(1).queue_bytes(1);
    let server = start(config).await;
    let mut client = connect(server.local_addr()).await;
    for number in 0..500 {
        client.feed(Message::text(number.to_string())).await.unwrap();
        client.feed(Message::Ping(Bytes::new())).await.unwrap();
    }
    client.flush().await.unwrap();
    for number in 0..500 {
        assert_eq!(receive(&mut client).await, Some(Message::text(number.to_string())));
        assert_eq!(receive(&mut client).await, Some(Message::Pong(Bytes::new())));
    }
}

#[tokio::test]
async fn a_flood_of_pings_is_answered_to_a_client_that_reads() {
    const PINGS: usize = 20_000;
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    let flood = [0x89, 0x80, 0, 0, 0, 0].repeat(PINGS);
    let (mut read, mut write) = tokio::io::split(client.get_mut());
    let mut pongs = vec![0; 2 * PINGS];
    let (sent, received) = tokio::join!(write.write_all(&flood), async {
        timeout(HANG, read.read_exact(&mut pongs)).await.expect("no hang")
    });
    sent.unwrap();
    received.unwrap();
    assert!(pongs.chunks(2).all(|pong| pong == [0x8a, 0]));
}

#[tokio::test]
async fn pings_are_answered_with_their_payload() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    client.send(Message::Ping(Bytes::from_static(b"42"))).await.unwrap();
    assert_eq!(receive(&mut client).await, Some(Message::Pong(Bytes::from_static(b"42"))));
}

#[tokio::test]
async fn a_close_is_echoed_with_code_and_reason_and_then_tcp_ends() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    let frame = CloseFrame { code: CloseCode::Library(4001), reason: "enough".into() };
    client.close(Some(frame.clone())).await.unwrap();
    assert_eq!(receive(&mut client).await, Some(Message::Close(Some(frame))));
    let mut rest = [0; 1];
    assert_eq!(timeout(HANG, client.get_mut().read(&mut rest)).await.expect("no hang").unwrap(), 0);
}

#[tokio::test]
async fn a_message_above_the_limit_ends_with_1009() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    client.send(Message::binary(vec![0; LIMIT + 1])).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Size));
}

#[tokio::test]
async fn fragments_above_the_limit_in_sum_end_with_1009() {
    let server = start(Config::default().max_message(10)).await;
    let mut client = connect(server.local_addr()).await;
    client.send(frame(Data::Binary, vec![0; 8], false)).await.unwrap();
    client.send(frame(Data::Continue, vec![0; 8], true)).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Size));
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_with_1007() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    client.send(frame(Data::Text, &b"\xff"[..], true)).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Invalid));
}

#[tokio::test]
async fn an_unmasked_frame_ends_with_1002() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    client.get_mut().write_all(&[0x82, 0x01, 0x00]).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Protocol));
}

#[tokio::test]
async fn a_reserved_opcode_ends_with_1002() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    client.get_mut().write_all(&[0x83, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Protocol));
}

#[tokio::test]
async fn the_first_connection_is_cut_without_a_close_frame_and_the_second_stays() {
    let server = start(Config::default().drop_first_after(2)).await;
    let mut first = connect(server.local_addr()).await;
    for text in ["one", "two"] {
        first.send(Message::text(text)).await.unwrap();
        assert_eq!(receive(&mut first).await, Some(Message::text(text)));
    }
    assert_eq!(receive(&mut first).await, None);

    let mut second = connect(server.local_addr()).await;
    for text in ["one", "two", "three"] {
        second.send(Message::text(text)).await.unwrap();
        assert_eq!(receive(&mut second).await, Some(Message::text(text)));
    }
}

#[tokio::test]
async fn the_echoes_before_a_cut_are_written_and_none_after() {
    let server = start(Config::default().drop_each_after(3)).await;
    let mut client = connect(server.local_addr()).await;
    for number in 0..5 {
        client.feed(Message::text(number.to_string())).await.unwrap();
    }
    client.flush().await.unwrap();
    for number in 0..3 {
        assert_eq!(receive(&mut client).await, Some(Message::text(number.to_string())));
    }
    assert_eq!(receive(&mut client).await, None);
}

#[tokio::test]
async fn each_connection_is_cut_when_so_configured() {
    let server = start(Config::default().drop_each_after(0)).await;
    for _ in 0..3 {
        let mut client = connect(server.local_addr()).await;
        assert_eq!(receive(&mut client).await, None);
    }
}

#[tokio::test]
async fn shutdown_closes_connections_with_1001_and_frees_the_port() {
    let server = start(Config::default()).await;
    let addr = server.local_addr();
    let mut client = connect(addr).await;
    let (code, ()) = tokio::join!(close_code(&mut client), server.shutdown());
    assert_eq!(code, Some(CloseCode::Away));
    tokio::net::TcpListener::bind(addr).await.expect("the port is free");
}

#[tokio::test]
async fn dropping_the_handle_closes_connections_with_1001() {
    let server = start(Config::default()).await;
    let mut client = connect(server.local_addr()).await;
    drop(server);
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Away));
}

#[tokio::test]
async fn clients_that_do_not_cooperate_cannot_hold_up_the_shutdown() {
    let server = start(Config::default().close_timeout(Duration::from_millis(100))).await;
    let _never_reads = connect(server.local_addr()).await;
    let mut half_a_head = tokio::net::TcpStream::connect(server.local_addr()).await.unwrap();
    half_a_head.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    timeout(HANG, server.shutdown()).await.expect("bounded");
}

#[tokio::test]
async fn closing_an_app_twice_is_harmless() {
    let app = wscengine_rooms_server::App::new(Config::default());
    app.close().await;
    timeout(HANG, app.close()).await.expect("no hang");
}
