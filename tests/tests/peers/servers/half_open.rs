//! A link that goes dead without a word: the packets of both directions are dropped, and neither side is told.

use std::time::{Duration, Instant};

use e2e::within;
use serde_json::json;
use tokio::time::interval;
use wscengine::{CloseCause, Closed, Initiator};

use super::started;
use crate::harness::{Server, in_namespace, reopened};

const PING_INTERVAL: Duration = Duration::from_millis(500);
const PING_TIMEOUT: Duration = Duration::from_millis(500);
/// What a loaded machine may add. The system by itself would notice after a quarter of an hour.
const SLACK: Duration = Duration::from_secs(5);

#[test]
fn a_dead_link_is_noticed_by_the_heartbeat_and_left_and_replaced_when_it_is_healed() {
    in_namespace("peers: half_open, idle", async |link| {
        let peer = Server::Ws.start(json!({})).await;
        let (engine, mut events) = started(&peer.url(), |builder| {
            builder
                .ping_interval(Some(PING_INTERVAL))
                .ping_timeout(PING_TIMEOUT)
                .connect_timeout(PING_TIMEOUT)
        })
        .await;
        for _ in 0..2 {
            link.drop_packets(peer.port());
            let dropped = Instant::now();
            noticed(&events.closed().await, dropped);
            // Nobody can be reached either.
            events.restart_error().await;
            link.heal();
            reopened(&engine, &mut events).await;
        }
        within(engine.stop()).await;
    });
}

#[test]
fn a_client_that_sends_all_the_time_notices_a_dead_link_as_soon() {
    in_namespace("peers: half_open, sending", async |link| {
        let peer = Server::Ws.start(json!({})).await;
        let (engine, mut events) = started(&peer.url(), |builder| {
            builder
                .ping_interval(Some(PING_INTERVAL))
                .ping_timeout(PING_TIMEOUT)
                .connect_timeout(PING_TIMEOUT)
        })
        .await;
        link.drop_packets(peer.port());
        let dropped = Instant::now();
        // So little that the socket takes every byte: what goes out proves nothing.
        let mut pace = interval(Duration::from_millis(10));
        let mut sent = 0;
        within(async {
            while engine.send_flushed("anybody there?").await.is_ok() {
                sent += 1;
                pace.tick().await;
            }
        })
        .await;
        assert!(sent > 10, "{sent} messages were written before the end");
        noticed(&events.closed().await, dropped);
        link.heal();
        reopened(&engine, &mut events).await;
        within(engine.stop()).await;
    });
}

#[test]
fn a_dead_link_that_takes_no_more_bytes_ends_the_session_after_the_write_timeout() {
    in_namespace("peers: half_open, write stall", async |link| {
        let limit = Duration::from_millis(500);
        let peer = Server::Ws.start(json!({})).await;
        let (engine, mut events) = started(&peer.url(), |builder| {
            builder.ping_interval(None).write_timeout(limit).connect_timeout(PING_TIMEOUT)
        })
        .await;
        link.drop_packets(peer.port());
        // Until the socket's buffer is full and the session has ended.
        within(async { while engine.send(vec![0; 256 << 10]).await.is_ok() {} }).await;
        let closed = events.closed().await;
        assert!(matches!(closed.cause, CloseCause::WriteStalled), "{closed:?}");
        assert!(closed.unsent > 0, "what was not written is counted");
        link.heal();
        reopened(&engine, &mut events).await;
        within(engine.stop()).await;
    });
}

/// The heartbeat was lost, in time.
fn noticed(closed: &Closed, dropped: Instant) {
    let took = dropped.elapsed();
    assert!(matches!(closed.cause, CloseCause::HeartbeatLost), "{closed:?}");
    assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
    assert!(took < PING_INTERVAL + PING_TIMEOUT + SLACK, "noticed after {took:?}");
}
