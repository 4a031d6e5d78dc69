//! Answers that are no acceptance: another status, no HTTP, too much, nothing.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use wscengine::transport::HandshakeResponse;
use wscengine::{ConnectErrorKind, Phase};
use wscengine_dial::handshake;

use crate::support::{Then, answered, answered_with, read_request, request};

const KIB_64: usize = 64 * 1024;

/// The response of a refusal.
async fn refused(answer: impl Into<Vec<u8>>, then: Then) -> HandshakeResponse {
    let answer = answer.into();
    let error = answered(&request("ws://example.com/"), |_| answer, then).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Status, "{error}");
    error.response().unwrap().clone()
}

#[tokio::test]
async fn another_status_keeps_status_headers_and_body() {
    for (line, status) in [
        ("200 OK", StatusCode::OK),
        ("302 Found", StatusCode::FOUND),
        ("401 Unauthorized", StatusCode::UNAUTHORIZED),
        ("404 Not Found", StatusCode::NOT_FOUND),
        ("503 Service Unavailable", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let answer = format!(
            "HTTP/1.1 {line}\r\nX-Why: because\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nhello"
        );
        let response = refused(answer, Then::StayOpen).await;
        assert_eq!(response.status, status);
        assert_eq!(response.headers["x-why"], "because");
        assert_eq!(response.headers["retry-after"], "7");
        assert_eq!(&response.body[..], b"hello");
        assert_eq!(response.subprotocol, None);
    }
}

#[tokio::test]
async fn a_refusal_in_http_1_0_is_a_refusal() {
    let response = refused("HTTP/1.0 502 Bad Gateway\r\n\r\noops", Then::Close).await;
    assert_eq!((response.status, &response.body[..]), (StatusCode::BAD_GATEWAY, &b"oops"[..]));
}

#[tokio::test]
async fn a_body_without_length_lasts_until_the_end_of_the_stream() {
    let response = refused("HTTP/1.1 403 Forbidden\r\n\r\nno, not you", Then::Close).await;
    assert_eq!(&response.body[..], b"no, not you");
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let answer = "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 3\r\n\r\n\
                  4\r\nWiki\r\n6;ext=1\r\npedia \r\nF\r\nin\r\n\r\nchunks...\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let response = refused(answer, Then::StayOpen).await;
    assert_eq!(&response.body[..], b"Wikipedia in\r\n\r\nchunks...");
}

#[tokio::test]
async fn a_chunked_body_that_makes_no_sense_is_kept_as_far_as_it_did() {
    for tail in ["zz\r\nabc", "3\r\nabcdef\r\n", "\r\n", "fffffffffffffffff\r\nabc", "g"] {
        let answer =
            format!("HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n{tail}");
        let response = refused(answer, Then::StayOpen).await;
        assert!(response.body.starts_with(b"one"), "{tail:?}: {:?}", response.body);
        assert!(response.body.len() <= 6, "{tail:?}: {:?}", response.body);
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_kept_as_far_as_it_came() {
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let start = if framing.starts_with('C') { "half" } else { "40\r\nhalf" };
        let response =
            refused(format!("HTTP/1.1 500 x\r\n{framing}\r\n\r\n{start}"), Then::Close).await;
        assert_eq!(&response.body[..], b"half", "{framing}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_long_body_64_kib_are_kept() {
    let begun = Instant::now();
    let long = "x".repeat(3 * KIB_64);
    for (framing, body) in [
        ("Content-Length: 196608", long.clone()),
        ("Content-Length: 99999999999999999999999999", long.clone()),
        ("X: y", long.clone()),
        ("Transfer-Encoding: chunked", format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len())),
        ("Transfer-Encoding: chunked", format!("ffffffffffffffff\r\n{long}")),
    ] {
        let response =
            refused(format!("HTTP/1.1 500 x\r\n{framing}\r\n\r\n{body}"), Then::StayOpen).await;
        assert_eq!(response.body, long[..KIB_64], "{framing}");
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "the rest is not waited for");
}

#[tokio::test]
async fn a_chunked_body_of_nothing_but_overhead_comes_to_an_end() {
    let line = format!("1;{}\r\nx\r\n", "e".repeat(900)).repeat(2000);
    let response = refused(
        format!("HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n{line}"),
        Then::StayOpen,
    )
    .await;
    assert!(!response.body.is_empty() && response.body.len() < 2000, "{}", response.body.len());
}

#[tokio::test(start_paused = true)]
async fn a_status_without_body_does_not_wait_for_one() {
    let begun = Instant::now();
    assert!(refused("HTTP/1.1 204 No Content\r\n\r\n", Then::StayOpen).await.body.is_empty());
    assert!(
        refused("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", Then::StayOpen)
            .await
            .body
            .is_empty()
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_reported_with_what_came_when_time_is_over() {
    for start in [
        "Content-Length: 100\r\n\r\npart",
        "X: y\r\n\r\npart",
        "Transfer-Encoding: chunked\r\n\r\n9\r\npart",
    ] {
        let begun = Instant::now();
        let response = refused(format!("HTTP/1.1 503 x\r\n{start}"), Then::StayOpen).await;
        assert_eq!(&response.body[..], b"part", "{start:?}");
        assert_eq!(begun.elapsed().as_secs(), 15, "the time-out of the request");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_times_out() {
    let begun = Instant::now();
    let error = answered_with("").await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Upgrade));
    assert_eq!(begun.elapsed().as_secs(), 15);
    assert!(error.response().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_header_block_that_does_not_end_times_out() {
    let error = answered_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Upgrade));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_reads_times_out() {
    let (mut client, _server) = tokio::io::duplex(16);
    let error = handshake(&mut client, &request("ws://example.com/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Upgrade));
}

#[tokio::test]
async fn a_time_out_without_end_is_no_overflow() {
    let mut request = request("ws://example.com/");
    request.timeout = Duration::MAX;
    let error =
        answered(&request, |_| b"HTTP/1.1 404 x\r\n\r\n".to_vec(), Then::Close).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Status);
}

#[tokio::test]
async fn a_stream_that_ends_in_the_header_block_is_an_io_error() {
    for answer in
        ["", "H", "HTTP/1.1", "HTTP/1.1 101 Switching Protocols\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n"]
    {
        let error = answered(&request("ws://example.com/"), |_| answer.into(), Then::Close)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Io, "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_the_request_was_sent_is_an_io_error() {
    let (mut client, server) = tokio::io::duplex(16);
    drop(server);
    let error = handshake(&mut client, &request("ws://example.com/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Io);
}

#[tokio::test]
async fn an_answer_to_a_request_that_was_not_read_to_its_end_counts() {
    let (mut client, mut server) = tokio::io::duplex(64);
    let serving = async {
        let mut start = [0; 16];
        server.read_exact(&mut start).await.unwrap();
        server.write_all(b"HTTP/1.1 431 x\r\n\r\n").await.unwrap();
        drop(server);
    };
    let request = request("ws://example.com/");
    let (outcome, ()) = tokio::join!(handshake(&mut client, &request), serving);
    let error = outcome.unwrap_err();
    assert_eq!(error.response().unwrap().status, 431, "{error}");
}

#[tokio::test]
async fn what_is_no_http_is_an_invalid_handshake_at_once() {
    for answer in [
        &b"\x15\x03\x03\x00\x02\x02\x46"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0",
        b"HTTP/2 200\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.12 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
    ] {
        let error = answered_with(answer).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Handshake, "{}: {error}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn what_is_no_http_is_told_from_what_is_cut_short() {
    let answer = || b"HTTP/1.1 200 OK\r\n\x01\x02\x03garbage".to_vec();
    let error =
        answered(&request("ws://example.com/"), |_| answer(), Then::Close).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Handshake);
}

#[tokio::test]
async fn a_header_block_of_64_kib_is_taken() {
    let frame = "HTTP/1.1 400 x\r\nContent-Length: 0\r\nX-Long: \r\n\r\n";
    let fitting =
        frame.replace("X-Long: ", &format!("X-Long: {}", "a".repeat(KIB_64 - frame.len())));
    assert_eq!(fitting.len(), KIB_64);
    let longer = fitting.replace("X-Long: ", "X-Long: a");
    refused(fitting, Then::StayOpen).await;
    let error = answered_with(longer).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::ResponseTooLarge);
}

#[tokio::test]
async fn a_header_block_of_the_most_headers_is_taken() {
    let answer = format!("HTTP/1.1 400 x\r\nContent-Length: 0\r\n{}\r\n", "a:\n".repeat(21_000));
    assert_eq!(refused(answer, Then::StayOpen).await.headers.len(), 21_001);
}

#[tokio::test]
async fn a_header_block_of_10_mb_is_refused_after_the_first_64_kib() {
    let (mut client, mut server) = tokio::io::duplex(4096);
    let serving = async {
        read_request(&mut server).await;
        let mut written = 0;
        let mut piece = format!("HTTP/1.1 101 x\r\nX-Long: {}", "a".repeat(1000)).into_bytes();
        while written < 10_000_000 {
            if server.write_all(&piece).await.is_err() {
                break;
            }
            written += piece.len();
            piece = vec![b'a'; 1000];
        }
        written
    };
    let request = request("ws://example.com/");
    let dialing = async {
        let outcome = handshake(&mut client, &request).await;
        drop(client);
        outcome
    };
    let (outcome, written) = tokio::join!(dialing, serving);
    assert_eq!(outcome.unwrap_err().kind(), ConnectErrorKind::ResponseTooLarge);
    assert!(written < 3 * KIB_64, "{written} bytes were taken");
}
