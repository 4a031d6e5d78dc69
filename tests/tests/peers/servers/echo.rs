//! Messages and pings, both ways.

use e2e::within;
use serde_json::{Value, json};
use wscengine::OutcomeKind;

use super::open;
use crate::harness::{Server, for_each_server};

for_each_server! {
    text_and_binary_of_any_size_come_back_as_they_were,
    fragments_with_pings_between_them_arrive_as_one_message,
    a_thousand_messages_come_back_in_order_among_pings_of_both_sides,
    pings_are_answered_both_ways,
    a_server_that_would_compress_does_not_since_nobody_offers_it,
}

async fn text_and_binary_of_any_size_come_back_as_they_were(server: Server) {
    let peer = server.start(json!({})).await;
    let (engine, mut events) = open(&peer.url()).await;
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 5 << 20] {
        let text: String = "aé世🦀".chars().cycle().take(length / 4).collect();
        engine.send(text.clone()).await.unwrap();
        assert!(
            events.message().await.text() == Some(text.as_str()),
            "text of about {length} bytes"
        );
        let binary: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        engine.send(binary.clone()).await.unwrap();
        let back = events.message().await;
        assert!(back.is_binary() && back.payload() == binary, "binary of {length} bytes");
    }
    assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
}

async fn fragments_with_pings_between_them_arrive_as_one_message(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = open(&peer.url()).await;
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

async fn a_thousand_messages_come_back_in_order_among_pings_of_both_sides(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = open(&peer.url()).await;
    let sender = engine.clone();
    let sending = tokio::spawn(async move {
        for n in 0..1_000 {
            sender.send(format!("message {n}")).await.unwrap();
            if n % 100 == 0 {
                sender.ping().await.unwrap();
            }
        }
    });
    for n in 0..1_000 {
        if n % 100 == 0 {
            peer.tell(&json!({ "do": "ping", "data": format!("ping {n}") }));
        }
        assert_eq!(events.message().await.text(), Some(format!("message {n}").as_str()));
    }
    within(sending).await.unwrap();
    for n in (0..1_000).step_by(100) {
        assert_eq!(peer.event("pong").await["data"], format!("ping {n}"));
    }
    within(engine.stop()).await;
}

async fn pings_are_answered_both_ways(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = open(&peer.url()).await;
    let longest = "p".repeat(125);
    for data in ["", "hello", &longest] {
        peer.tell(&json!({ "do": "ping", "data": data }));
        assert_eq!(peer.event("pong").await["data"], data);
        within(engine.ping()).await.unwrap();
        peer.event("ping").await;
    }
    assert!(events.already().is_none(), "pings are no business of the handler");
    within(engine.stop()).await;
}

async fn a_server_that_would_compress_does_not_since_nobody_offers_it(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = open(&peer.url()).await;
    let opened = peer.event("open").await;
    assert_eq!((&opened["offered"], &opened["extensions"]), (&Value::Null, &Value::Null));
    // As compressible as can be.
    let zeros = vec![0; 1 << 20];
    engine.send(zeros.clone()).await.unwrap();
    assert!(events.message().await.payload() == zeros);
    within(engine.stop()).await;
}
