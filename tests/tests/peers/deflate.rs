//! permessage-deflate (RFC 7692) as the servers do it and as `wscengine-sockudo` does.

use e2e::{Events, Reporter, within};
use serde_json::json;
use wscengine::{Engine, OutcomeKind};
use wscengine_sockudo::{Deflate, SockudoTransport, WindowBits};

use crate::harness::{Peer, Server, for_each_server};

for_each_server! {
    compressed_messages_come_back_as_they_were,
    no_context_takeover_and_small_windows_are_agreed_to,
    fragments_that_are_compressed_arrive_as_one_message,
}

/// Starts an engine that offers `deflate`, and a peer that knows it; gives the extensions as the peer has them.
async fn open(server: Server, deflate: Deflate) -> (Engine, Events, Peer, String) {
    let mut peer = server.start(json!({})).await;
    let (reporter, mut events) = Reporter::new();
    let transport = SockudoTransport::new().deflate(deflate);
    let engine = Engine::builder(transport, reporter).url(peer.url()).build().unwrap();
    let engine = within(engine.start()).await.unwrap();
    assert!(!events.opened().await);
    let extensions = peer.event("open").await["extensions"].to_string();
    (engine, events, peer, extensions)
}

/// What compresses well, somewhat and not at all.
async fn echo_all(engine: &Engine, events: &mut Events) {
    for length in [0, 1, 63, 64, 125, 1_000, 1_100, 65_536, 1 << 20] {
        let text: String = "aé世🦀".chars().cycle().take(length / 4).collect();
        engine.send(text.clone()).await.unwrap();
        assert!(events.message().await.text() == Some(text.as_str()), "{length} bytes of text");
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.take(length).collect();
        engine.send(noise.clone()).await.unwrap();
        assert!(events.message().await.payload() == noise, "{length} bytes of noise");
    }
    for number in 0..200 {
        let text =
            json!({ "symbol": "WSC", "number": number, "note": "again and again ".repeat(9) });
        engine.send(text.to_string()).await.unwrap();
        assert_eq!(events.message().await.text(), Some(text.to_string().as_str()));
    }
}

async fn compressed_messages_come_back_as_they_were(server: Server) {
    let (engine, mut events, _peer, extensions) = open(server, Deflate::new()).await;
    assert!(extensions.contains("permessage-deflate"), "{extensions}");
    echo_all(&engine, &mut events).await;
    assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
}

async fn no_context_takeover_and_small_windows_are_agreed_to(server: Server) {
    let deflate = Deflate::new()
        .server_context_takeover(false)
        .client_context_takeover(false)
        .server_window(WindowBits::try_from(10).unwrap())
        .client_window(WindowBits::MIN);
    let (engine, mut events, _peer, extensions) = open(server, deflate).await;
    assert!(extensions.contains("permessage-deflate"), "{extensions}");
    echo_all(&engine, &mut events).await;
    within(engine.stop()).await;
}

async fn fragments_that_are_compressed_arrive_as_one_message(server: Server) {
    let (engine, mut events, mut peer, _) = open(server, Deflate::new()).await;
    let large = "x".repeat(200_000);
    for parts in [vec!["one", " two", " three"], vec!["", "", "grüße"], vec![&large, &large]] {
        peer.tell(&json!({ "do": "fragments", "parts": parts }));
        assert!(events.message().await.text() == Some(parts.concat().as_str()));
        for at in 0..parts.len() {
            assert_eq!(peer.event("pong").await["data"], format!("after {at}"));
        }
    }
    within(engine.stop()).await;
}
