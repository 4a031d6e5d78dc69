//! Peers that are killed, and peers that are frozen.

use std::time::Duration;

use e2e::within;
use serde_json::json;
use wscengine::{CloseCause, Initiator, ReadErrorKind};

use super::started;
use crate::harness::{Server, for_each_server, reopened};

for_each_server! {
    a_killed_peer_is_a_reset_and_is_found_again_on_its_port,
    a_frozen_peer_is_left_when_the_heartbeat_is_lost_and_found_again_when_it_thaws,
    a_frozen_peer_that_is_sent_to_ends_the_session_after_the_write_timeout,
}

/// The pings of tests in which a peer falls silent.
const BEAT: Duration = Duration::from_millis(500);

async fn a_killed_peer_is_a_reset_and_is_found_again_on_its_port(server: Server) {
    let mut peer = server.start(json!({})).await;
    let (engine, mut events) = started(&peer.url(), |builder| builder).await;
    for _ in 0..3 {
        peer.event("open").await;
        peer.freeze();
        engine.send_flushed("never read").await.unwrap();
        peer.kill();
        assert_eq!(events.read_error().await, ReadErrorKind::Io);
        let closed = events.closed().await;
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
        assert!(closed.frame.is_none());
        // Nobody is at home for at least one attempt.
        events.restart_error().await;
        peer = server.start_again(peer, json!({})).await;
        reopened(&engine, &mut events).await;
    }
    within(engine.stop()).await;
}

async fn a_frozen_peer_is_left_when_the_heartbeat_is_lost_and_found_again_when_it_thaws(
    server: Server,
) {
    let peer = server.start(json!({})).await;
    let (engine, mut events) = started(&peer.url(), |builder| {
        builder.ping_interval(Some(BEAT)).ping_timeout(BEAT).connect_timeout(BEAT)
    })
    .await;
    peer.freeze();
    let closed = events.closed().await;
    assert!(matches!(closed.cause, CloseCause::HeartbeatLost), "{closed:?}");
    assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
    // The system accepts the new connection, but nobody answers the handshake.
    events.restart_error().await;
    peer.thaw();
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}

async fn a_frozen_peer_that_is_sent_to_ends_the_session_after_the_write_timeout(server: Server) {
    let peer = server.start(json!({})).await;
    let (engine, mut events) = started(&peer.url(), |builder| {
        builder.ping_interval(None).write_timeout(BEAT).connect_timeout(2 * BEAT)
    })
    .await;
    peer.freeze();
    // Until all buffers on the way are full and the session has ended.
    within(async { while engine.send(vec![0; 256 << 10]).await.is_ok() {} }).await;
    let closed = events.closed().await;
    assert!(matches!(closed.cause, CloseCause::WriteStalled), "{closed:?}");
    peer.thaw();
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}
