//! What clients are held to, and what becomes of those that go beyond.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message as Ws};
use wscengine_rooms_server::wsrooms::Message;
use wscengine_rooms_server::{Config, Origins, SlowClients};

use crate::common::{HANG, http, start};
use crate::peer::{Peer, assert_nothing_more, meeting, new_member};

/// The status of the answer to an upgrade with this `Origin`.
async fn upgrade(addr: std::net::SocketAddr, origin: Option<&str>) -> u16 {
    let mut request = format!("ws://{addr}/ws/wsrooms").into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(addr).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn one_room_too_many_closes_with_1008() {
    let (_server, [mut a]) = meeting(Config::default().max_rooms(3)).await;
    for room in ["1", "2"] {
        a.join(room).await;
    }
    a.leave("2").await;
    a.join("3").await;
    a.send(&Message::new("4", "join", "", "", "")).await;
    assert_eq!(a.close_code().await, Some(1008));
}

#[tokio::test]
async fn a_client_may_be_in_256_rooms_by_default() {
    let (_server, [mut a]) = meeting(Config::default()).await;
    for room in 0..256 {
        a.join(&room.to_string()).await;
    }
}

#[tokio::test]
async fn a_message_with_a_name_that_is_too_long_is_dropped() {
    let (_server, [mut a, mut b]) = meeting(Config::default().max_name(64)).await;
    let (longest, longer) = ("x".repeat(64), "x".repeat(65));
    for peer in [&mut a, &mut b] {
        peer.join(&longest).await;
        peer.send(&Message::new(&*longer, "join", "", "", "")).await;
    }
    a.expect(&new_member(&longest, &b.id)).await;
    a.say(&longest, &longer, "x").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
    a.say(&longest, &longest, "x").await;
    b.expect(&a.message(&longest, &longest, "x")).await;
}

#[tokio::test]
async fn more_messages_each_second_than_allowed_close_with_1008() {
    let (_server, [mut a]) = meeting(Config::default().max_messages_per_second(100)).await;
    for _ in 0..100 {
        a.say("lobby", "chat", "x").await;
    }
    // A ping is no message.
    a.settle().await;
    for _ in 0..10_000 {
        // Whether the last ones can be written depends on when the server closes.
        a.try_say("lobby", "chat", "x").await;
    }
    assert_eq!(a.close_code().await, Some(1008));
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let (server, [a, _b]) = meeting(Config::default().max_connections_per_address(2)).await;
    let addr = server.local_addr();
    assert_eq!(upgrade(addr, None).await, 429);
    a.abort();
    // When its end has been noticed there is room again.
    let again = async { while upgrade(addr, None).await == 429 {} };
    timeout(HANG, again).await.expect("room again");
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_with_403() {
    let allowed = Origins::Listed(vec!["https://app.example".into()]);
    let server = start(Config::default().origins(allowed)).await;
    assert_eq!(upgrade(server.local_addr(), None).await, 101);
    assert_eq!(upgrade(server.local_addr(), Some("https://app.example")).await, 101);
    assert_eq!(upgrade(server.local_addr(), Some("https://evil.example")).await, 403);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_cut() {
    let server = start(Config::default().handshake_timeout(Duration::from_millis(50))).await;
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let end = timeout(HANG, stream.read(&mut [0; 1024])).await.expect("no hang");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_given_up_with_1013() {
    let idle = Duration::from_millis(200);
    let config = Config::default().ping_interval(Duration::from_millis(20)).idle_timeout(idle);
    let (server, [mut a]) = meeting(config).await;
    // It sends nothing, but reads and so answers pings: it stays.
    let (_, ping) = (a.settle().await, a.ping().await);
    assert!(ping.is_empty());
    // One that does not even read its pings is gone after a while.
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let url = format!("ws://{}/ws/wsrooms", server.local_addr());
    let (mut silent, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let close = [0x88, 2 + 15, 0x03, 0xf5];
    let mut raw = Vec::new();
    while !raw.windows(4).any(|bytes| bytes == close) {
        let read = timeout(HANG, silent.get_mut().read_buf(&mut raw)).await.expect("no hang");
        assert_ne!(read.unwrap(), 0, "{raw:?}");
    }
}

/// A client that has joined a room and reads no more, and whose socket holds little.
async fn slow(server: &wscengine_rooms_server::RunningServer) -> Peer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(server.local_addr()).await.unwrap();
    let mut slow = Peer::over(stream, "/ws/wsrooms").await;
    slow.join("lobby").await;
    slow
}

#[tokio::test]
async fn a_slow_client_is_closed_with_1013_and_delays_nobody() {
    let (server, [mut a, mut b]) = meeting(Config::default()).await;
    for peer in [&mut a, &mut b] {
        peer.join("lobby").await;
    }
    let mut slow = slow(&server).await;
    a.forget().await;
    b.forget().await;
    let large = "x".repeat(60_000);
    let mut told = 0;
    // The others get everything, until the slow one is out.
    let left = loop {
        a.say("lobby", "chat", &large).await;
        let message = b.receive().await;
        if message.event == "member_left" {
            break message;
        }
        told += 1;
        assert_eq!(message.payload.len(), large.len());
    };
    assert_eq!(left.payload, slow.id.as_bytes());
    assert!(told >= 1);
    assert_eq!(slow.close_code().await, Some(1013));
    assert!(server.rooms().metrics().contains("rooms_slow_closes_total{protocol=\"wsrooms\"} 1"));
}

#[tokio::test]
async fn where_the_oldest_is_dropped_a_slow_client_stays_and_hears_the_latest() {
    let config = Config::default().queue_messages(8).slow_clients(SlowClients::DropOldest);
    let (server, [mut a, mut b]) = meeting(config).await;
    for peer in [&mut a, &mut b] {
        peer.join("lobby").await;
    }
    let mut slow = slow(&server).await;
    a.forget().await;
    b.forget().await;
    let large = "x".repeat(60_000);
    while !server.rooms().metrics().contains("rooms_dropped_total{direction=\"out\"") || {
        let dropped = "rooms_dropped_total{direction=\"out\",protocol=\"wsrooms\"} 0";
        server.rooms().metrics().contains(dropped)
    } {
        a.say("lobby", "chat", &large).await;
        b.receive().await;
    }
    a.say("lobby", "chat", "the last").await;
    b.receive().await;
    while slow.receive().await.payload != "the last" {}
}

#[tokio::test]
async fn what_is_counted_can_be_seen() {
    let (server, [mut a, mut b]) = meeting(Config::default()).await;
    for peer in [&mut a, &mut b] {
        peer.join("lobby").await;
    }
    a.expect(&new_member("lobby", &b.id)).await;
    a.say("lobby", "chat", "x").await;
    a.send_frame(Ws::text("malformed")).await;
    a.settle().await;
    let get = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let metrics = http(server.local_addr(), get).await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4\r\n"), "{metrics}");
    for line in [
        "rooms_connections{protocol=\"wsrooms\"} 2",
        "rooms_connections_total{protocol=\"wsrooms\"} 2",
        "rooms_rooms 2",
        "rooms_messages_total{direction=\"in\",protocol=\"wsrooms\"} 4",
        "rooms_dropped_total{direction=\"in\",protocol=\"wsrooms\"} 1",
        "# TYPE rooms_bytes_total counter",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn without_announcements_in_root_a_client_hears_only_of_itself_there() {
    let server = start(Config::default().announce_root(false)).await;
    let addr = server.local_addr();
    let mut a = Peer::connect(addr, "/ws/wsrooms").await;
    let mut b = Peer::connect(addr, "/ws/wsrooms").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
    a.join("lobby").await;
    b.join("lobby").await;
    a.expect(&new_member("lobby", &b.id)).await;
    assert_eq!(b.join("root").await.len(), 2);
}
