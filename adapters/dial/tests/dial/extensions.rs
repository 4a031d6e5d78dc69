//! Extensions offered, and the server's answer to them.

use tokio::io::{AsyncWriteExt, duplex};
use wscengine::{ConnectError, ConnectErrorKind};
use wscengine_dial::{Dialer, Extension, Upgraded, handshake_with};

use crate::support::{accepted, read_request, request};
use crate::tcp::Once;

/// Offers `offers` to a server that answers with these headers besides the necessary ones; also gives the request.
async fn negotiated(
    offers: &[Extension],
    headers: &str,
) -> (Result<Upgraded, ConnectError>, String) {
    let (mut client, mut server) = duplex(4096);
    let serving = async {
        let seen = read_request(&mut server).await;
        server.write_all(&accepted(&seen, headers)).await.unwrap();
        seen
    };
    let request = request("ws://example.com/");
    tokio::join!(handshake_with(&mut client, &request, offers), serving)
}

fn deflate() -> Extension {
    Extension::new("permessage-deflate")
}

#[tokio::test]
async fn offers_go_out_in_one_header_in_their_order() {
    let offers = [
        deflate().param("client_max_window_bits", None).param("server_max_window_bits", Some("9")),
        deflate(),
        Extension::new("x-other"),
    ];
    let (outcome, seen) = negotiated(&offers, "").await;
    assert_eq!(outcome.unwrap().extensions, []);
    assert!(
        seen.contains(
            "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; \
             server_max_window_bits=9, permessage-deflate, x-other\r\n"
        ),
        "{seen}"
    );
}

#[tokio::test]
async fn without_offers_there_is_no_header() {
    let (_, seen) = negotiated(&[], "").await;
    assert!(!seen.to_ascii_lowercase().contains("sec-websocket-extensions"), "{seen}");
}

#[tokio::test]
async fn what_the_server_accepts_is_reported_with_its_parameters() {
    let offers = [deflate(), Extension::new("x-other"), deflate()];
    let bits = || deflate().param("server_max_window_bits", Some("10"));
    for (headers, expected) in [
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", vec![deflate()]),
        (
            "sec-websocket-extensions: permessage-deflate; server_max_window_bits=\"10\" , x-other\r\n",
            vec![bits(), Extension::new("x-other")],
        ),
        (
            "Sec-WebSocket-Extensions: x-other\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
            vec![Extension::new("x-other"), deflate()],
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n",
            vec![deflate(), deflate()],
        ),
    ] {
        let (outcome, _) = negotiated(&offers, headers).await;
        assert_eq!(outcome.unwrap().extensions, expected, "{headers}");
    }
}

#[tokio::test]
async fn an_answer_that_goes_beyond_the_offers_or_is_malformed_is_an_invalid_handshake() {
    for (what, value) in [
        ("not offered", "x-webkit-deflate-frame"),
        ("one offered, one not", "permessage-deflate, x-other"),
        ("in another case", "Permessage-Deflate"),
        ("accepted twice", "permessage-deflate, permessage-deflate"),
        (
            "accepted twice in two headers",
            "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate",
        ),
        ("empty", ""),
        ("a parameter without a name", "permessage-deflate; =1"),
        ("a parameter without a value", "permessage-deflate; server_max_window_bits="),
        ("an open quote", "permessage-deflate; server_max_window_bits=\"10"),
        ("no separator", "permessage-deflate server_no_context_takeover"),
    ] {
        let headers = format!("Sec-WebSocket-Extensions: {value}\r\n");
        let error = negotiated(&[deflate()], &headers).await.0.expect_err(what);
        assert_eq!(error.kind(), ConnectErrorKind::Handshake, "{what}: {error}");
        assert!(error.response().is_some(), "{what}");
    }
}

#[tokio::test]
async fn an_offer_that_cannot_be_sent_is_found_before_anything_is() {
    for offer in [
        Extension::new(""),
        Extension::new("a b"),
        Extension::new("a\r\nX: y"),
        deflate().param("", None),
        deflate().param("a", Some("")),
        deflate().param("a", Some("1;b")),
    ] {
        let (mut client, _server) = duplex(16);
        let outcome =
            handshake_with(&mut client, &request("ws://h/"), std::slice::from_ref(&offer)).await;
        assert_eq!(outcome.unwrap_err().kind(), ConnectErrorKind::InvalidRequest, "{offer}");
    }
}

#[tokio::test]
async fn a_dial_with_offers_says_what_was_accepted() {
    let (client, mut server) = duplex(4096);
    let dialer = Dialer::default().connector(Once::new(Some(client)));
    let serving = async {
        let seen = read_request(&mut server).await;
        let answer = accepted(&seen, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        server.write_all(&answer).await.unwrap();
    };
    let (request, offers) = (request("ws://h/"), [deflate()]);
    let (dialed, ()) = tokio::join!(dialer.dial_with(&request, &offers), serving);
    assert_eq!(dialed.unwrap().extensions, offers);
}
