//! What is answered to those who are not let in: G043 to G045 and the rest of the original's refusals.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use wscengine_rooms_server::grows::{ClientHandler, Grows, Routes, not_found};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{Talker, host, http};
use crate::setup::{beside, demo};

const HANDSHAKE: &str = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The status and the body of the answer, after a look at its head.
async fn refusal(addr: SocketAddr, request: &str, headers: &str) -> (u16, String, String) {
    let connection = if headers.contains("Upgrade:") { "Upgrade, close" } else { "close" };
    let request =
        format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n{headers}\r\n");
    let response = http(addr, &request).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn g043_a_plain_request_is_refused_with_400() {
    let (server, []) = demo("example").await;
    let (status, _, body) = refusal(server.local_addr(), "GET /ws/grows/example", "").await;
    assert_eq!((status, &*body), (400, "handshake error: bad \"Upgrade\" header"));
}

#[tokio::test]
async fn g044_another_version_is_refused_with_426_and_the_one_that_is_spoken() {
    let (server, []) = demo("example").await;
    let headers = HANDSHAKE.replace("13", "8");
    let (status, head, body) =
        refusal(server.local_addr(), "GET /ws/grows/example", &headers).await;
    let expected = "handshake error: bad \"Sec-WebSocket-Version\" header";
    assert_eq!((status, &*body), (426, expected));
    assert!(head.contains("sec-websocket-version: 13"), "{head}");
}

#[tokio::test]
async fn g045_an_unknown_path_is_refused_with_404() {
    let (server, []) = demo("example").await;
    for path in ["/ws/grows/nothing", "/ws/grows/user/1/2"] {
        let request = format!("GET {path}");
        let (status, _, body) = refusal(server.local_addr(), &request, HANDSHAKE).await;
        assert_eq!((status, &*body), (404, "404 page not found\n"), "{path}");
    }
}

#[tokio::test]
async fn a_missing_key_is_refused_with_400_and_another_method_with_405() {
    let (server, []) = demo("example").await;
    let (addr, path) = (server.local_addr(), "/ws/grows/example");
    let headers = HANDSHAKE.lines().take(2).map(|line| format!("{line}\r\n")).collect::<String>();
    let (status, _, body) = refusal(addr, &format!("GET {path}"), &headers).await;
    assert_eq!((status, &*body), (400, "handshake error: bad \"Sec-WebSocket-Key\" header"));
    let post = format!("POST {path}");
    let (status, _, body) = refusal(addr, &post, "Content-Length: 0\r\n").await;
    assert_eq!((status, &*body), (405, "handshake error: bad HTTP request method"));
}

#[tokio::test]
async fn an_offered_subprotocol_is_not_confirmed_and_any_origin_is_accepted() {
    let (server, []) = demo("example").await;
    let headers = [("sec-websocket-protocol", "chat"), ("origin", "http://elsewhere.example")];
    // Taken off the wire by hand: a client library gives up when its offer is not confirmed.
    let lines = headers.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    let request = format!(
        "GET /ws/grows/example HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{HANDSHAKE}{lines}\r\n"
    );
    let head = head_of(server.local_addr(), &request).await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
}

#[tokio::test]
async fn a_path_that_no_route_has_is_left_to_the_application_around() {
    let grows = || {
        let routes = Routes::new().route("/example", ClientHandler::new()).unwrap();
        Grows::new().router(routes).unwrap()
    };
    let others = Router::new().route("/page", get(async || "page")).fallback(async || "mine");
    let (addr, _tasks) = beside(grows(), others).await;
    for (path, expected) in [("/page", "page"), ("/nothing", "mine")] {
        assert_eq!(refusal(addr, &format!("GET {path}"), "").await.2, expected);
    }
    assert!(Talker::connect(addr, "/example", &[]).await.is_ok());

    let rooms = Rooms::new(Config::default());
    let (addr, _tasks) = host(rooms.grows(grows()).fallback(not_found)).await;
    let (status, _, body) = refusal(addr, "GET /nothing", "").await;
    assert_eq!((status, &*body), (404, "404 page not found\n"));
}

/// The head of an answer, in small letters; nothing is waited for behind it.
async fn head_of(addr: SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}
