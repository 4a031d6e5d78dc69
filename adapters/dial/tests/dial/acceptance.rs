//! Answers of status 101, right and wrong.

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wscengine::ConnectErrorKind;
use wscengine::transport::ConnectRequest;
use wscengine_dial::handshake;

use crate::support::{Outcome, Then, accept_of, accepted, answered, read_request, request};

/// Answers with these lines after `HTTP/1.1 `, with `{accept}` replaced by the right value.
async fn lines(request: &ConnectRequest, lines: &[&str]) -> Outcome {
    let answer = |seen: &str| {
        format!("HTTP/1.1 {}\r\n\r\n", lines.join("\r\n"))
            .replace("{accept}", &accept_of(seen))
            .into_bytes()
    };
    answered(request, answer, Then::StayOpen).await
}

fn offering(subprotocols: &[&str]) -> ConnectRequest {
    let mut request = request("ws://example.com/");
    request.subprotocols = subprotocols.iter().map(|&name| name.to_owned()).collect();
    request
}

const UPGRADE: &str = "Upgrade: websocket";
const CONNECTION: &str = "Connection: Upgrade";
const ACCEPT: &str = "Sec-WebSocket-Accept: {accept}";

#[tokio::test]
async fn a_right_answer_opens() {
    let answer = |seen: &str| accepted(seen, "X-Server: s\r\nX-More: 1\r\nX-More: 2\r\n");
    let (response, leftover) =
        answered(&request("ws://example.com/"), answer, Then::StayOpen).await.unwrap();
    assert_eq!(response.status, StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers["x-server"], "s");
    assert_eq!(response.headers.get_all("x-more").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(response.subprotocol, None);
    assert!(response.body.is_empty());
    assert!(leftover.is_empty());
}

#[tokio::test]
async fn case_and_lists_in_the_answer_do_not_matter() {
    let request = request("ws://example.com/");
    for rows in [
        ["101 x", "UPGRADE: WebSocket", "CONNECTION: upgrade", "SEC-WEBSOCKET-ACCEPT: {accept}"],
        [
            "101",
            "Upgrade: h2c, websocket",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Accept:   {accept}  ",
        ],
        ["101 ", "upgrade:websocket", "connection:a,UPGRADE ,b", "sec-websocket-accept:{accept}"],
    ] {
        lines(&request, &rows).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_fails_a_check_is_an_invalid_handshake() {
    let request = offering(&["a", "b"]);
    let rows: &[(&str, &[&str])] = &[
        ("no upgrade", &["101", CONNECTION, ACCEPT]),
        ("another upgrade", &["101", "Upgrade: h2c", CONNECTION, ACCEPT]),
        (
            "an upgrade that only contains the word",
            &["101", "Upgrade: websockets", CONNECTION, ACCEPT],
        ),
        ("no connection", &["101", UPGRADE, ACCEPT]),
        ("another connection", &["101", UPGRADE, "Connection: close", ACCEPT]),
        ("no accept", &["101", UPGRADE, CONNECTION]),
        ("an empty accept", &["101", UPGRADE, CONNECTION, "Sec-WebSocket-Accept:"]),
        (
            "a wrong accept",
            &["101", UPGRADE, CONNECTION, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
        ),
        ("an accept and more", &["101", UPGRADE, CONNECTION, "Sec-WebSocket-Accept: {accept}x"]),
        ("the accept twice", &["101", UPGRADE, CONNECTION, ACCEPT, ACCEPT]),
        (
            "an extension",
            &["101", UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Extensions: permessage-deflate"],
        ),
        (
            "a subprotocol not offered",
            &["101", UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Protocol: c"],
        ),
        (
            "a subprotocol in another case",
            &["101", UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Protocol: A"],
        ),
        ("an empty subprotocol", &["101", UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Protocol:"]),
        ("two subprotocols", &["101", UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Protocol: a, b"]),
        (
            "two headers of subprotocol",
            &[
                "101",
                UPGRADE,
                CONNECTION,
                ACCEPT,
                "Sec-WebSocket-Protocol: a",
                "Sec-WebSocket-Protocol: b",
            ],
        ),
    ];
    for (what, rows) in rows {
        let error = lines(&request, rows).await.expect_err(what);
        assert_eq!(error.kind(), ConnectErrorKind::Handshake, "{what}: {error}");
        let response = error.response().expect(what);
        assert_eq!(response.status, StatusCode::SWITCHING_PROTOCOLS, "{what}");
    }
}

#[tokio::test]
async fn an_acceptance_in_http_1_0_is_an_invalid_handshake() {
    let answer = |seen: &str| {
        String::from_utf8(accepted(seen, "")).unwrap().replace("HTTP/1.1", "HTTP/1.0").into_bytes()
    };
    let error = answered(&request("ws://example.com/"), answer, Then::StayOpen).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Handshake);
}

#[tokio::test]
async fn the_servers_choice_of_subprotocol_is_reported() {
    let rows = ["101", UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Protocol: b"];
    let (response, _) = lines(&offering(&["a", "b"]), &rows).await.unwrap();
    assert_eq!(response.subprotocol.as_deref(), Some("b"));
}

#[tokio::test]
async fn a_server_need_not_choose_a_subprotocol() {
    let (response, _) =
        lines(&offering(&["a"]), &["101", UPGRADE, CONNECTION, ACCEPT]).await.unwrap();
    assert_eq!(response.subprotocol, None);
}

#[tokio::test]
async fn a_subprotocol_where_none_was_offered_is_an_invalid_handshake() {
    let rows = ["101", UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Protocol: a"];
    let error = lines(&request("ws://example.com/"), &rows).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Handshake);
}

#[tokio::test]
async fn bytes_after_the_answer_are_handed_on() {
    let (mut client, mut server) = tokio::io::duplex(1 << 20);
    let frames: Vec<u8> = (0..3000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let serving = async {
        let mut answer = accepted(&read_request(&mut server).await, "");
        answer.extend_from_slice(&frames);
        server.write_all(&answer).await.unwrap();
        drop(server);
    };
    let request = request("ws://example.com/");
    let (outcome, ()) = tokio::join!(handshake(&mut client, &request), serving);
    let mut received = outcome.unwrap().1.to_vec();
    assert!(!received.is_empty(), "they came with the answer");
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, frames);
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_opens() {
    // A pipe of one byte: each write is one byte, each read too.
    let (mut client, mut server) = tokio::io::duplex(1);
    let serving = async {
        let request = read_request(&mut server).await;
        let mut answer = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
        answer.extend(accepted(&request, &format!("X-Long: {}\r\n", "a".repeat(10_000))));
        server.write_all(&answer).await.unwrap();
        server
    };
    let request = request("ws://example.com/");
    let (outcome, _server) = tokio::join!(handshake(&mut client, &request), serving);
    let (response, leftover) = outcome.unwrap();
    assert_eq!(response.headers["x-long"].len(), 10_000);
    assert!(leftover.is_empty());
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = |seen: &str| {
        let mut answer =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_vec();
        answer.extend(accepted(seen, ""));
        answer
    };
    let (response, _) =
        answered(&request("ws://example.com/"), answer, Then::StayOpen).await.unwrap();
    assert_eq!(response.status, StatusCode::SWITCHING_PROTOCOLS);
    assert!(!response.headers.contains_key("link"));
}

#[tokio::test]
async fn interim_answers_without_end_are_an_invalid_handshake() {
    let answer = |_: &str| b"HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000);
    let error = answered(&request("ws://example.com/"), answer, Then::StayOpen).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Handshake);
}
