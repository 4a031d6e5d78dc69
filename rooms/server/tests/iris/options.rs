//! What can be set.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::Response;
use tokio_tungstenite::tungstenite::Message;
use wscengine_rooms_protocol::iris::GO_WEBSOCKET;
use wscengine_rooms_server::iris::{
    Conn, DEFAULT_BUFFER_SIZE, DEFAULT_MAX_MESSAGE, DEFAULT_PING_PERIOD, DEFAULT_PONG_TIMEOUT,
    Iris, UpgradeError,
};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{Talker, assert_nothing_more, host, http};
use crate::peer::{Raw, come, head, meet, notes, serve};

fn echo() -> Iris {
    Iris::new().on_message(async |conn: Conn, message| Ok(conn.emit_message(message)?))
}

#[test]
fn conflict_29_and_the_other_defaults_are_those_of_the_document() {
    assert_eq!(DEFAULT_PING_PERIOD, Duration::from_secs(54));
    assert_eq!(DEFAULT_PONG_TIMEOUT, Duration::from_secs(60));
    assert_eq!((DEFAULT_MAX_MESSAGE, DEFAULT_BUFFER_SIZE), (1024, 4096));
}

#[tokio::test]
async fn conflict_24_the_prefix_is_m_unless_another_is_set() {
    let answer = |iris: Iris| iris.on("n", async |conn: Conn| Ok(conn.emit("n", 1)?));
    let (_addr, _host, [mut a]) = meet(answer(Iris::new())).await;
    a.say("m:n;0;").await;
    a.expect("m:n;1;1").await;
    // Events of the document, but with an iris setting of its own.
    let (_addr, _host, [mut a]) = meet(answer(Iris::new().prefix(GO_WEBSOCKET))).await;
    a.say("m:n;0;").await;
    a.say("go-websocket-message:n;0;").await;
    a.expect("go-websocket-message:n;1;1").await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn ids_are_made_by_the_application_if_it_likes() {
    let iris = Iris::new()
        .id_generator(|request| request.uri.query().unwrap_or("none").to_owned())
        .on("whoami", async |conn: Conn| Ok(conn.emit("whoami", conn.id())?));
    let (addr, _host) = serve(iris).await;
    let mut a = come(addr, "/ws?ada").await;
    a.say("m:whoami;0;").await;
    a.expect("m:whoami;0;ada").await;
    assert_eq!(Talker::connect(addr, "/ws?ada", &[]).await.err(), Some(409));
    a.say("m:whoami;0;").await;
    a.expect("m:whoami;0;ada").await;
}

#[tokio::test]
async fn an_origin_may_be_refused() {
    let iris = echo().check_origin(|request| {
        request.headers.get("origin").is_some_and(|origin| origin == "https://app.example")
    });
    let (addr, _host) = serve(iris).await;
    let connect = async |origin| Talker::connect(addr, "/ws", &[("origin", origin)]).await.err();
    assert_eq!(connect("https://evil.example").await, Some(403));
    assert_eq!(connect("https://app.example").await, None);
}

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn a_failed_upgrade_is_answered_as_fits() {
    let (addr, _host) = serve(echo()).await;
    let close = "Connection: close\r\n";
    for (request, status) in [
        (format!("GET /ws HTTP/1.1\r\nHost: x\r\n{close}"), "426 Upgrade Required"),
        (format!("POST /ws HTTP/1.1\r\nHost: x\r\n{close}"), "405 Method Not Allowed"),
        (format!("{UPGRADE}Sec-WebSocket-Version: 12\r\n{KEY}"), "426 Upgrade Required"),
        (format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n"), "400 Bad Request"),
    ] {
        let answer = http(addr, &format!("{request}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    }
}

#[tokio::test]
async fn a_failed_upgrade_is_told_to_the_error_function_which_may_answer() {
    let (pen, mut seen) = notes();
    let iris = echo().check_origin(|_| false).error(move |request, error| {
        pen.note(format!("{} {}", request.uri, error.status().as_u16()));
        let is_origin = *error == UpgradeError::Origin;
        is_origin.then(|| (StatusCode::IM_A_TEAPOT, "not here").into_response())
    });
    let (addr, _host) = serve(iris).await;
    assert_eq!(Talker::connect(addr, "/ws?a", &[]).await.err(), Some(418));
    let plain = http(addr, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(plain.starts_with("HTTP/1.1 426 "), "{plain}");
    seen.expect(&["/ws?a 403", "/ws 426"]).await;
}

#[tokio::test]
async fn the_first_subprotocol_of_the_server_that_the_client_offers_is_agreed_to() {
    let (pen, mut seen) = notes();
    let iris = echo().subprotocols(["v2", "v1"]).on_connection(move |conn: Conn| {
        pen.note(format!("{:?}", conn.subprotocol()));
        std::future::ready(Ok(()))
    });
    let (addr, _host) = serve(iris).await;
    for (offered, agreed) in
        [(&["v1, v2"][..], Some("v2")), (&["x", "v1"], Some("v1")), (&["x"], None), (&[], None)]
    {
        let lines: String =
            offered.iter().map(|line| format!("Sec-WebSocket-Protocol: {line}\r\n")).collect();
        let request = format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n{KEY}{lines}\r\n");
        let answer = head(addr, &request).await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        let line = agreed.map(|agreed| format!("sec-websocket-protocol: {agreed}\r\n"));
        assert_eq!(answer.contains("sec-websocket-protocol"), line.is_some(), "{answer}");
        assert!(line.is_none_or(|line| answer.contains(&line)), "{answer}");
        seen.expect(&[&*format!("{agreed:?}")]).await;
    }
}

#[tokio::test]
async fn headers_that_the_application_sets_go_out_with_the_answer() {
    let rooms = Rooms::new(Config::default());
    let with_cookie = |mut response: Response| async {
        response.headers_mut().insert("set-cookie", "seen=1".parse().unwrap());
        response
    };
    let app = Router::new()
        .route("/ws", rooms.iris(echo()))
        .layer(axum::middleware::map_response(with_cookie));
    let (addr, _host) = host(app).await;
    let mut a = Talker::connect(addr, "/ws", &[]).await.unwrap();
    assert_eq!(a.headers["set-cookie"], "seen=1");
    a.say("x").await;
    a.expect("x").await;
}

#[tokio::test]
async fn the_largest_message_can_be_set_and_zero_means_the_default() {
    for (set, largest) in [(0, DEFAULT_MAX_MESSAGE), (10, 10), (100_000, 100_000)] {
        let (_addr, _host, [mut a]) = meet(echo().max_message(set)).await;
        let message = "x".repeat(largest);
        a.say(&message).await;
        a.expect(&message).await;
        a.say(&(message + "x")).await;
        assert_eq!(a.close_code().await, Some(1009));
    }
}

#[tokio::test]
async fn messages_go_in_binary_frames_if_so_set() {
    let iris = echo()
        .binary_messages(true)
        .on("e", async |conn: Conn, text: String| Ok(conn.to(conn.id()).emit("e", text)?));
    let (_addr, _host, [mut a]) = meet(iris).await;
    for text in ["native", "m:e;0;x"] {
        a.send(Message::binary(text)).await;
        assert_eq!(a.receive().await, Message::binary(text));
    }
}

/// Pings go out all the time; nobody answers them.
#[tokio::test]
async fn conflict_28_a_client_that_answers_no_ping_is_given_up_after_the_pong_timeout() {
    let iris =
        echo().ping_period(Duration::from_millis(20)).pong_timeout(Duration::from_millis(200));
    let (addr, _host) = serve(iris).await;
    let mut deaf = Raw::connect(addr, &[]).await;
    let mut frame = deaf.frame().await;
    assert_eq!(frame, (0x89, vec![]));
    let mut pings = 0;
    while frame.0 == 0x89 {
        pings += 1;
        assert!(pings < 1_000, "it is not given up");
        frame = deaf.frame().await;
    }
    assert_eq!((frame.0, &frame.1[..2]), (0x88, &1013_u16.to_be_bytes()[..]));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_closed_after_the_write_timeout() {
    let (pen, mut seen) = notes();
    let iris = Iris::new()
        .write_timeout(Duration::from_millis(100))
        .on("flood", async |conn: Conn| {
            // More than sockets hold, and less than queues do here.
            let text = "x".repeat(1 << 20);
            Ok((0..20).try_for_each(|_| conn.emit("flood", &text))?)
        })
        .on_error(move |_, error| pen.note(error.to_string()));
    let config = Config::default().queue_bytes(usize::MAX).write_timeout(Duration::from_secs(3600));
    let (addr, _host) = host(Router::new().route("/ws", Rooms::new(config).iris(iris))).await;
    let mut a = come(addr, "/ws").await;
    a.say("m:flood;0;").await;
    // It reads nothing from here on.
    seen.expect(&["given up: too slow"]).await;
}

/// Buffers have no size of their own here: whatever is set, messages are what they are.
#[tokio::test]
async fn buffer_sizes_and_the_handshake_timeout_are_taken() {
    let iris = echo()
        .read_buffer_size(16)
        .write_buffer_size(16)
        .handshake_timeout(Duration::from_secs(30));
    let (_addr, _host, [mut a]) = meet(iris).await;
    let message = "x".repeat(1000);
    a.say(&message).await;
    a.expect(&message).await;
}
