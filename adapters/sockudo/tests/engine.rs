//! The engine with this adapter: handshakes that go wrong, echoes, and what the peer hears of a violation.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;
mod peer;

use std::time::Duration;

use common::frame;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use wscengine::transport::{ConnectRequest, Transport};
use wscengine::{ConnectErrorKind, Engine, Handler, Message, OutcomeKind, Session};
use wscengine_rooms_server::{Config, Server};
use wscengine_sockudo::{Deflate, SockudoTransport, WindowBits};

const SOON: Duration = Duration::from_secs(20);

/// Passes on what it gets.
struct Collector(UnboundedSender<Message<'static>>);

impl Handler for Collector {
    async fn on_message(&self, _: &Session, message: Message<'_>) {
        let _ = self.0.send(message.into_owned());
    }
}

#[tokio::test]
async fn answers_that_were_not_offered_fail_the_handshake() {
    let offered = SockudoTransport::new().deflate(Deflate::new().server_window(WindowBits::MIN));
    let cases = [
        (SockudoTransport::new(), "permessage-deflate"),
        (offered.clone(), "permessage-deflate"),
        (offered.clone(), "permessage-deflate; server_max_window_bits=10"),
        (offered.clone(), "permessage-deflate; server_max_window_bits=9; mystery"),
        (offered, "x-webkit-deflate-frame"),
    ];
    for (transport, answer) in cases {
        let (url, listener) = peer::listen().await;
        let request = ConnectRequest::new(url.parse().unwrap());
        let (connected, _peer) =
            tokio::join!(transport.connect(request), peer::accept(&listener, answer));
        let error = connected.err().unwrap_or_else(|| panic!("accepted: {answer}"));
        assert_eq!(error.kind(), ConnectErrorKind::Handshake, "{answer}");
    }
}

/// The echo server does not know permessage-deflate: what is offered is not accepted, and nothing is compressed.
#[tokio::test]
async fn messages_come_back_from_the_echo_server_with_and_without_an_offer() {
    for transport in [SockudoTransport::new(), SockudoTransport::new().deflate(Deflate::new())] {
        let server = Server::bind("127.0.0.1:0", Config::default()).await.unwrap().spawn();
        let (sender, mut messages) = unbounded_channel();
        let engine = Engine::builder(transport, Collector(sender)).url(server.echo_url());
        let engine = engine.build().unwrap().start().await.unwrap();
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
            engine.send("é".repeat(length / 2)).await.unwrap();
            engine.send(vec![length as u8; length]).await.unwrap();
            let text = timeout(SOON, messages.recv()).await.unwrap().unwrap();
            assert!(text.text() == Some("é".repeat(length / 2).as_str()), "{length}");
            let binary = timeout(SOON, messages.recv()).await.unwrap().unwrap();
            assert!(binary.is_binary() && binary.payload() == vec![length as u8; length]);
        }
        assert_eq!(engine.stop().await.kind(), OutcomeKind::Requested);
    }
}

/// What the server hears last when it sends these bytes: the code of the only close frame.
async fn answered(extensions: &str, bytes: &[u8]) -> u16 {
    let (url, listener) = peer::listen().await;
    let (sender, _messages) = unbounded_channel();
    let transport = match extensions {
        "" => SockudoTransport::new(),
        _ => SockudoTransport::new().deflate(Deflate::new()),
    };
    let builder = Engine::builder(transport, Collector(sender)).url(&url).max_message_size(1_000);
    let prepared = builder.build().unwrap();
    let (engine, mut stream) = tokio::join!(prepared.start(), peer::accept(&listener, extensions));
    stream.write_all(bytes).await.unwrap();
    let code = timeout(SOON, peer::read_close(&mut stream)).await.unwrap();
    drop(engine);
    code
}

#[tokio::test]
async fn the_server_is_told_which_rule_it_broke() {
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for (extensions, bytes, code) in [
        ("", frame(0x81, b"\xff"), 1007),
        ("", frame(0x82, &[0; 1_001]), 1009),
        ("", frame(0x88, &[0x03, 0xed]), 1002),
        ("", frame(0xc1, &hello), 1002),
        ("permessage-deflate", frame(0xc9, b""), 1002),
        ("permessage-deflate", frame(0xc1, &[0xff; 9]), 1002),
        ("permessage-deflate", [frame(0x41, &hello), frame(0xc0, b"")].concat(), 1002),
    ] {
        assert_eq!(answered(extensions, &bytes).await, code, "{bytes:x?}");
    }
}

#[tokio::test]
async fn the_first_violation_counts_though_more_comes_behind_it() {
    for behind in [frame(0x88, &[0x03, 0xe8]), frame(0xf1, b""), frame(0x82, &[0; 1_001])] {
        let bytes = [frame(0x81, b"\xff"), behind].concat();
        assert_eq!(answered("", &bytes).await, 1007, "{bytes:x?}");
    }
}
