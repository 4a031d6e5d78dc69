//! What the original server does wrong does not happen here: each test would fail on it.

use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::Config;
use wscengine_rooms_server::easy::{Conn, Easy, Message, WriteError};

use crate::common::{HANG, Talker, assert_nothing_more};
use crate::peer::{NOT_SUPPORTED, come, demo, listen, serve};

#[tokio::test]
async fn a_hundred_connections_at_once_harm_nobody() {
    let (server, [mut a]) = demo(Config::default()).await;
    let addr = server.local_addr();
    let crowd = (0..100).map(|_| {
        tokio::spawn(async move {
            let mut talker = come(addr, "/ws/easy", "valid").await;
            talker.expect("hello: Connected").await;
            listen(&mut talker, "test").await;
            talker
        })
    });
    let mut listeners = Vec::new();
    for talker in crowd.collect::<Vec<_>>() {
        listeners.push(talker.await.unwrap());
    }
    a.say("publish: x").await;
    for listener in &mut listeners {
        listener.expect("news: x").await;
    }
}

#[tokio::test]
async fn open_by_a_client_is_an_unknown_command() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.say("open: 00000000-0000-4000-8000-00000000000a").await;
    a.expect(NOT_SUPPORTED).await;
    a.say("websocket: x").await;
    a.expect(NOT_SUPPORTED).await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn an_open_handler_may_return_nothing() {
    let easy = Easy::new().on("open", async |_, _| Ok(None)).unwrap();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "x").await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn an_answer_without_content_is_sent() {
    let easy = Easy::new().on("ask", async |_, _| Ok(Some(Message::new("told", "")?))).unwrap();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "x").await;
    a.say("ask: ").await;
    a.expect("told: ").await;
}

#[tokio::test]
async fn a_message_to_a_session_that_has_ended_is_an_error_each_time() {
    let easy = Easy::new().on("open", async |_, id| Ok(Some(Message::new("id", id)?))).unwrap();
    let handle = easy.handle();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "x").await;
    let id = a.receive().await.into_text().unwrap().strip_prefix("id: ").unwrap().to_owned();
    handle.write_to_client(&id, "x", "").unwrap();
    a.abort();
    let ended = async {
        while handle.write_to_client(&id, "x", "").is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANG, ended).await.unwrap();
    for _ in 0..20 {
        assert_eq!(handle.write_to_client(&id, "x", ""), Err(WriteError::ClientNotFound));
    }
}

/// A stream into which the system puts little that is not read.
async fn narrow(addr: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(addr).await.unwrap()
}

#[tokio::test]
async fn a_listener_that_does_not_read_is_closed_with_1013_and_delays_nobody() {
    let config = Config::default().queue_messages(8).write_timeout(HANG).close_timeout(HANG);
    let (server, [mut a, mut b]) = demo(config).await;
    let slow = narrow(server.local_addr()).await;
    let mut slow = Talker::over(slow, "/ws/easy", &[("cookie", "auth=valid")]).await.unwrap();
    slow.expect("hello: Connected").await;
    listen(&mut slow, "test").await;
    listen(&mut b, "test").await;
    for number in 0..400 {
        let content = format!("{number:60000}");
        a.say(&format!("publish: {content}")).await;
        assert!(b.receive().await == Ws::text(format!("news: {content}")));
    }
    assert_eq!(server.rooms().members("test").len(), 1);
    assert_eq!(slow.close_code().await, Some(1013));
}

#[tokio::test]
async fn a_client_that_reads_nothing_while_it_asks_holds_up_nobody() {
    let config = Config::default().write_timeout(Duration::from_secs(3600)).close_timeout(HANG);
    let (server, [mut a]) = demo(config).await;
    let stream = narrow(server.local_addr()).await;
    let mut greedy = Talker::over(stream, "/ws/easy", &[("cookie", "auth=valid")]).await.unwrap();
    // The answers have no room after a while; then it is not read from any more.
    let content = "x".repeat(60_000);
    let asking = tokio::spawn(async move {
        loop {
            greedy.try_say(&format!("echo: {content}")).await;
        }
    });
    for number in 0..100 {
        a.say(&format!("echo: {number}")).await;
        a.expect(&format!("echo: {number}")).await;
    }
    asking.abort();
}

#[tokio::test]
async fn an_answer_that_is_no_text_goes_as_a_binary_message() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.send(Ws::binary(&b"echo: \xff\x00"[..])).await;
    assert_eq!(a.receive().await, Ws::binary(&b"echo: \xff\x00"[..]));
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_connection_and_no_other() {
    let easy = Easy::new()
        .on("panic", |_: Conn, content: bytes::Bytes| async move {
            assert!(content.is_empty(), "on purpose");
            Ok(None)
        })
        .unwrap();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "x").await;
    let mut b = come(addr, "/ws", "x").await;
    a.say("panic: now").await;
    assert_eq!(a.close_code().await, None);
    b.say("panic: ").await;
    b.settle().await;
}
