//! The opening handshake of RFC 6455 section 4.2.1, check by check, and the plain HTTP route.

mod common;

use common::{http, start};
use wscengine_rooms_server::Config;

/// The handshake of RFC 6455 section 1.3; the key's answer is given there too.
const GOOD: &str = "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";

async fn ask(request: &str) -> String {
    let server = start(Config::default()).await;
    http(server.local_addr(), &format!("{request}Connection: close\r\n\r\n")).await
}

/// The good handshake with one piece replaced. Nothing follows, the server has to end it.
async fn refused(piece: &str, by: &str) -> String {
    assert!(GOOD.contains(piece), "the piece is there");
    ask(&GOOD.replace(piece, by)).await
}

fn assert_status(response: &str, status: &str) {
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
}

fn assert_header(response: &str, header: &str) {
    assert!(response.to_ascii_lowercase().contains(&format!("\r\n{header}\r\n")), "{response}");
}

#[tokio::test]
async fn healthz_says_ok() {
    let response = ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await;
    assert_status(&response, "200");
    assert!(response.ends_with("\r\n\r\nok"), "{response}");
}

#[tokio::test]
async fn an_unknown_path_of_grows_is_404_in_its_words() {
    for path in ["/ws/grows", "/ws/grows/", "/ws/grows/nothing", "/ws/grows/user/"] {
        let response = ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n")).await;
        assert_status(&response, "404");
        assert!(response.ends_with("\r\n\r\n404 page not found\n"), "{path}: {response}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    assert_status(&ask("GET /nothing HTTP/1.1\r\nHost: localhost\r\n").await, "404");
}

#[tokio::test]
async fn the_key_of_the_rfc_gets_the_answer_of_the_rfc() {
    // Any case, several tokens, several lines: what proxies and browsers send.
    let request = GOOD
        .replace("Upgrade: websocket", "upgrade: foo/1, WebSocket")
        .replace("Connection: Upgrade", "Connection: keep-alive\r\nConnection: foo, upgrade");
    let server = start(Config::default().drop_first_after(0)).await;
    let response = http(server.local_addr(), &format!("{request}\r\n")).await;
    assert_status(&response, "101");
    assert_header(&response, "upgrade: websocket");
    assert_header(&response, "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=");
}

#[tokio::test]
async fn a_plain_get_is_told_to_upgrade() {
    let response = ask("GET /echo HTTP/1.1\r\nHost: localhost\r\n").await;
    assert_status(&response, "426");
    assert_header(&response, "upgrade: websocket");
    assert_header(&response, "sec-websocket-version: 13");
}

#[tokio::test]
async fn a_method_other_than_get_is_405() {
    for method in ["POST", "HEAD"] {
        let response = refused("GET", method).await;
        assert_status(&response, "405");
        assert_header(&response, "allow: get");
    }
}

#[tokio::test]
async fn http_1_0_is_505() {
    let response = refused("HTTP/1.1", "HTTP/1.0").await;
    assert!(response.contains(" 505 "), "{response}");
}

#[tokio::test]
async fn a_missing_host_is_400() {
    assert_status(&refused("Host: localhost\r\n", "").await, "400");
}

#[tokio::test]
async fn a_connection_header_without_upgrade_is_400() {
    assert_status(&refused("Connection: Upgrade", "Connection: keep-alive").await, "400");
}

#[tokio::test]
async fn another_version_is_426_and_told_ours() {
    for version in ["12", "14", "8, 13", "013", ""] {
        let header = format!("Sec-WebSocket-Version: {version}");
        let response = refused("Sec-WebSocket-Version: 13", &header).await;
        assert_status(&response, "426");
        assert_header(&response, "sec-websocket-version: 13");
    }
    assert_status(&refused("Sec-WebSocket-Version: 13\r\n", "").await, "426");
}

#[tokio::test]
async fn a_key_that_is_not_16_bytes_in_base64_is_400() {
    for key in ["", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ", "!GhlIHNhbXBsZSBub25jZQ=="] {
        assert_status(&refused("dGhlIHNhbXBsZSBub25jZQ==", key).await, "400");
    }
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_status(&refused(key, "").await, "400");
    assert_status(&refused(key, &key.repeat(2)).await, "400");
}
