//! Close frames, both ways, and servers that shut down in order.

use e2e::within;
use serde_json::json;
use wscengine::{CloseFrame, Initiator, OutcomeKind};

use super::{quick, started};
use crate::harness::{Farewell, Server, for_each_server, reopened};

for_each_server! {
    the_peers_code_and_reason_reach_on_close,
    our_code_and_reason_reach_the_peer,
    a_stop_says_1001_to_the_peer_unless_told_otherwise,
    a_graceful_shutdown_with_1001_or_1012_is_followed_by_a_reconnect,
}

async fn the_peers_code_and_reason_reach_on_close(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = started(&peer.url(), |builder| builder).await;
    let longest = "r".repeat(123);
    for (code, reason) in [
        (1000, ""),
        (1001, "moving house"),
        (1011, "grüße, 世界"),
        (1012, "restart"),
        (3000, "registered"),
        (4001, "kicked"),
        (4999, longest.as_str()),
    ] {
        peer.event("open").await;
        peer.tell(&json!({ "do": "close", "code": code, "reason": reason }));
        let closed = events.closed().await;
        let frame = closed.frame.as_ref().unwrap();
        assert_eq!((frame.code().0, frame.reason()), (code, reason));
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Peer, true));
        let seen = peer.event("close").await;
        assert_eq!(seen["code"], code, "our answer completes the handshake");
        reopened(&engine, &mut events).await;
    }
    within(engine.stop()).await;
}

async fn our_code_and_reason_reach_the_peer(server: Server) {
    let mut peer = server.start(json!({})).await;
    let longest = "r".repeat(123);
    for (code, reason) in
        [(1000, ""), (1011, "grüße, 世界"), (4001, "logged out"), (4999, &longest)]
    {
        let farewell = Farewell(CloseFrame::new(code, reason).unwrap());
        let prepared = quick(&peer.url(), farewell).build().unwrap();
        let engine = within(prepared.start()).await.unwrap();
        let outcome = within(engine.stop()).await;
        assert_eq!((outcome.kind(), outcome.is_forced()), (OutcomeKind::Requested, false));
        let seen = peer.event("close").await;
        assert_eq!((&seen["code"], &seen["reason"]), (&json!(code), &json!(reason)));
    }
}

async fn a_stop_says_1001_to_the_peer_unless_told_otherwise(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = started(&peer.url(), |builder| builder).await;
    within(engine.stop()).await;
    assert_eq!(peer.event("close").await["code"], 1001);
    assert_eq!(events.closed().await.initiator, Initiator::Local);
    assert!(events.already().is_none(), "the closing handshake went well");
}

async fn a_graceful_shutdown_with_1001_or_1012_is_followed_by_a_reconnect(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = started(&peer.url(), |builder| builder).await;
    for (code, reason) in [(1001, "bye"), (1012, "back soon")] {
        peer.event("open").await;
        peer.tell(&json!({ "do": "shutdown", "code": code, "reason": reason }));
        let closed = events.closed().await;
        let frame = closed.frame.as_ref().unwrap();
        assert_eq!((frame.code().0, frame.reason()), (code, reason));
        peer.ended().await;
        peer = server.start_again(peer, json!({})).await;
        reopened(&engine, &mut events).await;
    }
    within(engine.stop()).await;
}
