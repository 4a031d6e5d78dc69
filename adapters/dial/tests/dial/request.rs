//! What goes out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName};
use http::{HeaderMap, HeaderValue};
use tokio::io::AsyncReadExt;
use wscengine::ConnectErrorKind;
use wscengine::transport::ConnectRequest;
use wscengine_dial::{Dialer, handshake};

use crate::support::{header, request, seen};

/// The kind of error for a request, of which not a byte may have gone out.
async fn refused(request: &ConnectRequest) -> ConnectErrorKind {
    let (mut client, mut server) = tokio::io::duplex(1024);
    let error = handshake(&mut client, request).await.unwrap_err();
    drop(client);
    let mut sent = Vec::new();
    server.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent, b"", "nothing is sent");
    error.kind()
}

fn with_header(name: &str, value: &str) -> ConnectRequest {
    let mut request = request("ws://example.com/");
    request.headers.append(
        HeaderName::from_bytes(name.as_bytes()).unwrap(),
        HeaderValue::from_str(value).unwrap(),
    );
    request
}

fn offering(subprotocols: &[&str]) -> ConnectRequest {
    let mut request = request("ws://example.com/");
    request.subprotocols = subprotocols.iter().map(|&name| name.to_owned()).collect();
    request
}

#[tokio::test]
async fn the_request_is_an_upgrade_of_version_13() {
    let seen = seen(&request("ws://example.com:81/chat?room=1")).await;
    assert!(seen.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{seen}");
    assert_eq!(header(&seen, "Host"), Some("example.com:81"));
    assert_eq!(header(&seen, "Upgrade"), Some("websocket"));
    assert_eq!(header(&seen, "Connection"), Some("Upgrade"));
    assert_eq!(header(&seen, "Sec-WebSocket-Version"), Some("13"));
    assert_eq!(header(&seen, "Sec-WebSocket-Extensions"), None);
    assert_eq!(header(&seen, "Sec-WebSocket-Protocol"), None);
    assert_eq!(header(&seen, "Authorization"), None);
    let key = STANDARD.decode(header(&seen, "Sec-WebSocket-Key").unwrap()).unwrap();
    assert_eq!(key.len(), 16);
}

#[tokio::test]
async fn the_users_headers_go_out_in_order_after_those_of_the_handshake() {
    let mut request = request("ws://example.com/");
    request.headers = HeaderMap::from_iter([
        (HeaderName::from_static("x-b"), HeaderValue::from_static("1")),
        (COOKIE, HeaderValue::from_static("a=b")),
        (HeaderName::from_static("x-a"), HeaderValue::from_static("2")),
    ]);
    let seen = seen(&request).await;
    assert!(seen.ends_with("\r\nx-b: 1\r\ncookie: a=b\r\nx-a: 2\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn the_user_may_set_host() {
    let mut request = request("ws://127.0.0.1/");
    request.headers.insert(HOST, HeaderValue::from_static("virtual.example"));
    assert_eq!(header(&seen(&request).await, "Host"), Some("virtual.example"));
}

#[tokio::test]
async fn two_hosts_are_an_invalid_request() {
    let mut request = with_header("host", "a");
    request.headers.append(HOST, HeaderValue::from_static("b"));
    assert_eq!(refused(&request).await, ConnectErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_header_of_the_handshake_from_the_user_is_an_invalid_request() {
    for name in [
        "Upgrade",
        "connection",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        assert_eq!(
            refused(&with_header(name, "0")).await,
            ConnectErrorKind::InvalidRequest,
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_invalid_request_is_found_before_anything_is_opened() {
    // The name would have to be resolved first.
    let mut request = request("ws://does-not-exist.invalid/");
    request.subprotocols = vec![String::new()];
    let error = Dialer::default().dial(&request).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::InvalidRequest);
}

#[tokio::test]
async fn subprotocols_are_offered_most_wanted_first() {
    let seen = seen(&offering(&["v2.chat", "v1.chat"])).await;
    assert_eq!(header(&seen, "Sec-WebSocket-Protocol"), Some("v2.chat, v1.chat"));
}

#[tokio::test]
async fn a_subprotocol_that_is_no_token_is_an_invalid_request() {
    for name in ["", "a b", "a,b", "a\r\nX: y", "a;b", "ä", "a/b", "\"a\"", "a\u{7f}"] {
        assert_eq!(
            refused(&offering(&["ok", name])).await,
            ConnectErrorKind::InvalidRequest,
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn a_subprotocol_offered_twice_is_an_invalid_request() {
    assert_eq!(refused(&offering(&["a", "b", "a"])).await, ConnectErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_url_that_is_not_of_websocket_is_an_invalid_request() {
    for url in [
        "http://example.com/",
        "https://example.com/",
        "ftp://example.com/",
        "mailto:a@b",
        "data:,x",
    ] {
        assert_eq!(refused(&request(url)).await, ConnectErrorKind::InvalidRequest, "{url}");
    }
}

#[tokio::test]
async fn credentials_in_the_url_become_basic_authorization() {
    for (url, plain) in [
        ("ws://user:secret@h/", "user:secret"),
        ("ws://user@h/", "user:"),
        ("ws://:secret@h/", ":secret"),
        ("ws://u%40x:p%3A%20%C3%A4@h/", "u@x:p: ä"),
    ] {
        let seen = seen(&request(url)).await;
        let expected = format!("Basic {}", STANDARD.encode(plain));
        assert_eq!(header(&seen, "Authorization"), Some(expected.as_str()), "{url}");
        assert_eq!(header(&seen, "Host"), Some("h"));
    }
}

#[tokio::test]
async fn a_colon_in_the_user_name_is_an_invalid_request() {
    assert_eq!(refused(&request("ws://a%3Ab:c@h/")).await, ConnectErrorKind::InvalidRequest);
}

#[tokio::test]
async fn authorization_of_the_user_wins_over_the_url() {
    let mut request = request("ws://user:secret@example.com/");
    request.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer token"));
    assert_eq!(header(&seen(&request).await, "Authorization"), Some("Bearer token"));
}
