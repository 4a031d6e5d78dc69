//! Liveness where it meets something else: pauses, slow drips, older pongs, and the sessions that follow.

use tokio::time::Instant;
use wscengine::testing::memory::{MemoryPeer, PeerEvent};
use wscengine::{RecvError, Revoked};

use crate::support::{
    Probe, assert_at_once, assert_took, rest_of, secs, settle, start, start_with, timed, within,
};

const HEARTBEAT_LOST: &str = "close nothing came after a ping";
const WRITE_STALLED: &str = "close the socket took no byte in time";
const IDLE: &str = "close no message came in time";

async fn next_ping(peer: &mut MemoryPeer) -> bytes::Bytes {
    loop {
        match within(peer.recv()).await {
            Some(PeerEvent::Ping(payload)) => return payload,
            Some(PeerEvent::Message(_) | PeerEvent::Pong(_)) => {}
            other => panic!("waited for a ping, got {other:?}"),
        }
    }
}

async fn assert_answers_at_once(peer: &mut MemoryPeer) {
    let begun = Instant::now();
    peer.ping("still there?");
    assert_eq!(within(peer.recv()).await, Some(PeerEvent::Pong("still there?".into())));
    assert_at_once(begun.elapsed());
}

/// Idle, busy, then paused: the answers are on the wire at once though the user never sends.
#[tokio::test(start_paused = true)]
async fn pongs_reach_the_wire_though_the_user_never_sends() {
    let busy = Probe::default().on_message(|_, _| std::future::pending());
    let mut rig = start_with(busy, |builder| builder.ping_interval(None)).await;
    tokio::time::sleep(secs(100)).await;
    assert_answers_at_once(&mut rig.peer).await;
    rig.peer.send("busy");
    rig.journal.until("message busy").await;
    tokio::time::sleep(secs(100)).await;
    assert_answers_at_once(&mut rig.peer).await;
    let _held = within(rig.engine.pause()).await.unwrap();
    tokio::time::sleep(secs(100)).await;
    assert_answers_at_once(&mut rig.peer).await;
}

/// A message that takes six times the time-out to arrive.
#[tokio::test(start_paused = true)]
async fn a_message_that_drips_in_for_longer_than_the_timeout_arrives() {
    let rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    for _ in 0..12 {
        tokio::time::sleep(secs(5)).await;
        rig.peer.drip(1_000);
    }
    rig.peer.send("at last");
    rig.journal.until("message at last").await;
    assert_eq!(rig.journal.lines(), ["open", "message at last"]);
}

/// The pong of an older ping proves life, and answers no younger one.
#[tokio::test(start_paused = true)]
async fn the_pong_of_an_older_ping_answers_that_one_only_and_proves_life() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    let engine = rig.engine.clone();
    tokio::time::sleep(secs(15)).await;
    let older = tokio::spawn(async move { engine.ping().await });
    let old = next_ping(&mut rig.peer).await;
    // The heartbeat's own ping at 20 s, and its time is over at 30 s.
    let heartbeat = next_ping(&mut rig.peer).await;
    assert_ne!(old, heartbeat);
    tokio::time::sleep(secs(4)).await;
    rig.peer.pong(old);
    assert!(within(older).await.unwrap().unwrap() >= secs(9));
    tokio::time::sleep(secs(15)).await;
    assert_eq!(rig.journal.lines(), ["open"], "at 39 s");
    // It proved life for the ping of 20 s; nothing came after that of 40 s.
    let ((), took) = timed(rig.journal.until(HEARTBEAT_LOST)).await;
    assert_took(took, secs(11));
}

/// The holder receives all there is, and the peer is silent: lost as without a holder, who is told.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_lost_while_paused_too() {
    let mut rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.stall_reads(true);
    let (received, took) = timed(held.recv()).await;
    assert_took(took, secs(30));
    assert!(matches!(received, Err(RecvError::Revoked(Revoked::ConnectionEnded))), "{received:?}");
    rig.journal.until(HEARTBEAT_LOST).await;
    let events = rest_of(&mut rig.peer).await;
    assert!(!events.iter().any(|event| matches!(event, PeerEvent::Close(_))), "{events:?}");
    drop(held);
    rig.reopened().await;
}

/// A holder that does not receive, with the read-ahead full: no clock runs, neither the heartbeat's nor the watchdog's.
/// They begin anew when it lets go.
#[tokio::test(start_paused = true)]
async fn with_a_full_read_ahead_all_clocks_stand_still_until_the_holder_lets_go() {
    let mut rig = start_with(Probe::default(), |builder| {
        builder.read_ahead(1, 1 << 20).idle_timeout(Some(secs(50)))
    })
    .await;
    let held = within(rig.engine.pause()).await.unwrap();
    for number in 0..40 {
        rig.peer.send(number.to_string());
    }
    rig.peer.auto_pong(false);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(held.revoked(), None);
    assert!(tokio::time::timeout(secs(0), rig.peer.recv()).await.is_err(), "it pings in vain");
    drop(held);
    rig.journal.until_messages(40).await;
    next_ping(&mut rig.peer).await;
    let ((), took) = timed(rig.journal.until(HEARTBEAT_LOST)).await;
    assert_took(took, secs(10));
}

#[tokio::test(start_paused = true)]
async fn the_idle_watchdog_counts_what_a_holder_receives() {
    let rig = start_with(Probe::default(), |builder| builder.idle_timeout(Some(secs(50)))).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    for number in 0..5 {
        tokio::time::sleep(secs(40)).await;
        rig.peer.send(number.to_string());
        within(held.recv()).await.unwrap();
    }
    let (received, took) = timed(held.recv()).await;
    assert!(received.is_err());
    assert_took(took, secs(50));
    rig.journal.until(IDLE).await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_no_byte_is_given_up_while_paused_too() {
    let rig = start_with(Probe::default(), |builder| builder.ping_interval(None)).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.stall_writes(true);
    let (sent, took) = timed(held.send_flushed("stuck")).await;
    assert!(sent.is_err());
    assert_took(took, secs(30));
    rig.journal.until(WRITE_STALLED).await;
}

/// A session that ends between a ping and its deadline leaves neither to the next one.
#[tokio::test(start_paused = true)]
async fn a_ping_without_its_pong_dies_with_its_session() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    let old = next_ping(&mut rig.peer).await;
    tokio::time::sleep(secs(5)).await;
    rig.close_by_peer();
    rig.reopened().await;
    rig.peer.auto_pong(false);
    let begun = Instant::now();
    settle().await;
    // A pong of the old session's ping is one that nobody asked for.
    rig.peer.pong(old.clone());
    let new = next_ping(&mut rig.peer).await;
    assert_ne!(new, old);
    assert_took(begun.elapsed(), secs(20));
    rig.journal.until(HEARTBEAT_LOST).await;
    assert_took(begun.elapsed(), secs(30));
}
