//! Who comes in, and in which words the others are refused: E036 to E040.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use wscengine_rooms_server::easy::{Conn, Cookie, Easy, Message};
use wscengine_rooms_server::{Config, Origins, Rooms};

use crate::common::{Talker, host, http, start};
use crate::peer::{come, serve};

/// A request that a correct client makes, but for what `change` does to its lines.
fn request(path: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let lines = [
        &*format!("GET {path} HTTP/1.1"),
        "Host: chat.example",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Cookie: auth=valid",
    ];
    let mut request: String =
        lines.iter().filter_map(|line| change(line)).map(|line| line + "\r\n").collect();
    request.push_str("Content-Length: 0\r\n\r\n");
    request
}

/// The request without the line that begins so, or with another in its place.
fn with(start: &str, other: Option<&str>) -> String {
    request("/ws/easy", |line| {
        if line.starts_with(start) { other.map(Into::into) } else { Some(line.into()) }
    })
}

/// The request without the cookie and the upgrade.
fn plain(start: &str) -> String {
    request("/ws/easy", |line| match line {
        "Connection: Upgrade" => Some("Connection: close".into()),
        "Upgrade: websocket" => None,
        line if line.starts_with(start) => None,
        line => Some(line.into()),
    })
}

/// What it refuses a request with: the status line and the headers in small letters, and the body.
async fn refusal(addr: std::net::SocketAddr, request: &str) -> (String, String) {
    // The server keeps the connection otherwise.
    let request = request.replace("Content-Length: 0", "Content-Length: 0\r\nConnection: close");
    let response = http(addr, &request).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase() + "\r\n", body.to_owned())
}

#[tokio::test]
async fn e036_who_has_no_good_token_is_refused_with_403_before_anything_else() {
    let server = start(Config::default()).await;
    let addr = server.local_addr();
    let requests = [
        with("Cookie", None),
        with("Cookie", Some("Cookie: auth=wrong")),
        with("Cookie", Some("Cookie: other=valid")),
        // Whatever else is wrong with them.
        plain("Cookie"),
        with("Cookie", Some("Origin: http://evil.example")),
        with("Cookie", None).replace("GET", "POST"),
    ];
    for request in requests {
        let (head, body) = refusal(addr, &request).await;
        assert!(head.starts_with("http/1.1 403 "), "{request}{head}");
        assert!(head.contains("content-type: text/plain; charset=utf-8\r\n"), "{head}");
        assert_eq!(body, "Authentication failed\n", "{request}");
    }
}

#[tokio::test]
async fn e037_the_subprotocol_is_confirmed_when_it_is_offered() {
    let server = start(Config::default()).await;
    let addr = server.local_addr();
    for offered in ["foo, cmd.fossores.de", "cmd.fossores.de"] {
        // The client checks that it has offered what is confirmed.
        let headers = [("cookie", "auth=valid"), ("sec-websocket-protocol", offered)];
        let mut talker = Talker::connect(addr, "/ws/easy", &headers).await.unwrap();
        assert_eq!(talker.headers["sec-websocket-protocol"], "cmd.fossores.de");
        talker.expect("hello: Connected").await;
    }
}

#[tokio::test]
async fn e038_who_offers_no_subprotocol_or_others_comes_in_without_one() {
    let server = start(Config::default()).await;
    let addr = server.local_addr();
    let mut talker = come(addr, "/ws/easy", "valid").await;
    assert_eq!(talker.headers.get("sec-websocket-protocol"), None);
    talker.expect("hello: Connected").await;
    // Clients that offer something may want something: ours would not go on.
    let offers = with("Cookie", Some("Cookie: auth=valid\r\nSec-WebSocket-Protocol: foo, bar"));
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (head, _) = upgrade(&mut stream, &offers).await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
}

/// The head of the answer in small letters, and what came behind it.
async fn upgrade(stream: &mut tokio::net::TcpStream, request: &str) -> (String, Vec<u8>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = answer.split_off(end + 4);
            return (String::from_utf8(answer).unwrap().to_lowercase(), rest);
        }
        let read = stream.read_buf(&mut answer);
        let count = tokio::time::timeout(crate::common::HANG, read).await.unwrap().unwrap();
        assert!(count > 0, "the end of the stream");
    }
}

#[tokio::test]
async fn e039_what_is_no_upgrade_is_told_to_with_426() {
    let server = start(Config::default()).await;
    let requests = [
        plain("-"),
        with("Upgrade", None),
        with("Upgrade", Some("Upgrade: h2c")),
        with("Sec-WebSocket-Version", None),
        with("Sec-WebSocket-Version", Some("Sec-WebSocket-Version: 8")),
    ];
    for request in requests {
        let (head, body) = refusal(server.local_addr(), &request).await;
        assert!(head.starts_with("http/1.1 426 "), "{request}{head}");
        assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
        assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
        assert_eq!(body, "Upgrade Required\n");
    }
}

#[tokio::test]
async fn other_requests_are_refused_with_405_and_400() {
    let server = start(Config::default()).await;
    let post = plain("-").replace("GET", "POST");
    let (head, body) = refusal(server.local_addr(), &post).await;
    assert!(head.starts_with("http/1.1 405 "), "{head}");
    assert_eq!(body, "Method Not Allowed\n");
    for request in [
        with("Sec-WebSocket-Key", None),
        with("Sec-WebSocket-Key", Some("Sec-WebSocket-Key: short")),
    ] {
        let (head, body) = refusal(server.local_addr(), &request).await;
        assert!(head.starts_with("http/1.1 400 "), "{head}");
        assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
        assert_eq!(body, "Bad Request\n");
    }
}

#[tokio::test]
async fn e040_an_origin_has_the_host_of_the_request() {
    let server = start(Config::default()).await;
    let addr = server.local_addr();
    for origin in [
        "http://evil.example",
        "null",
        "http://chat.example.evil.example",
        "http://chat.example:81",
    ] {
        let origin = format!("Cookie: auth=valid\r\nOrigin: {origin}");
        let (head, body) = refusal(addr, &with("Cookie", Some(&origin))).await;
        assert!(head.starts_with("http/1.1 403 "), "{head}");
        assert_eq!(body, "Forbidden\n");
    }
    let own = format!("http://{addr}");
    let headers = [("cookie", "auth=valid"), ("origin", own.as_str())];
    Talker::connect(addr, "/ws/easy", &headers).await.unwrap().expect("hello: Connected").await;
}

#[tokio::test]
async fn pages_of_other_origins_may_connect_if_so_wished() {
    let (addr, _host) = serve(Easy::new().origins(Origins::Any)).await;
    let headers = [("cookie", "auth=x"), ("origin", "http://evil.example")];
    assert!(Talker::connect(addr, "/ws", &headers).await.is_ok());
}

#[tokio::test]
async fn a_server_that_cannot_hand_over_a_connection_says_500() {
    use axum::body::Body;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    // As under a server of somebody else's that knows no upgrades.
    let rooms = Rooms::new(Config::default());
    let app = Router::new().route("/ws", rooms.easy(Easy::new()));
    let request = axum::http::Request::get("/ws")
        .header("host", "x")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("cookie", "auth=x")
        .body(Body::empty())
        .unwrap();
    let response = TowerToHyperService::new(app).call(request).await.unwrap();
    assert_eq!(response.status(), 500);
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    assert_eq!(body, "Server failed to initialize session\n");
}

/// An endpoint that answers with the token.
fn whoami(easy: Easy) -> Easy {
    easy.on("whoami", async |conn: Conn, _| Ok(Some(Message::new("you", conn.token().to_owned())?)))
        .unwrap()
}

#[tokio::test]
async fn without_a_validation_any_token_is_good_and_the_cookie_is_required() {
    let (addr, _host) = serve(whoami(Easy::new())).await;
    for token in ["anything", ""] {
        let mut talker = come(addr, "/ws", token).await;
        talker.say("whoami: ").await;
        talker.expect(&format!("you: {token}")).await;
    }
    assert_eq!(Talker::connect(addr, "/ws", &[]).await.err(), Some(403));
}

#[tokio::test]
async fn an_optional_cookie_may_be_missing_and_the_token_is_empty_then() {
    let (addr, _host) = serve(whoami(Easy::new().cookie(Cookie::Optional))).await;
    let mut talker = Talker::connect(addr, "/ws", &[]).await.unwrap();
    talker.say("whoami: ").await;
    talker.expect("you: ").await;
    let strict =
        Easy::new().cookie(Cookie::Optional).validate(async |token: String| match &*token {
            "" => Err("no cookie".into()),
            _ => Ok(()),
        });
    let (addr, _host) = serve(whoami(strict)).await;
    assert_eq!(Talker::connect(addr, "/ws", &[]).await.err(), Some(403));
    come(addr, "/ws", "x").await.settle().await;
}

#[tokio::test]
async fn a_validation_is_asked_once_for_each_connection_with_its_token() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let easy = Easy::new().validate(move |token: String| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            if token == "good" { Ok(()) } else { Err("a bad one".into()) }
        }
    });
    let rooms = Rooms::new(Config::default());
    let (addr, _host) = host(Router::new().route("/ws", rooms.easy(easy))).await;
    come(addr, "/ws", "good").await.settle().await;
    assert_eq!(Talker::connect(addr, "/ws", &[("cookie", "auth=bad")]).await.err(), Some(403));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
