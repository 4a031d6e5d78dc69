//! `ping`: dropped, its pong is ignored, and nobody else's.

use wscengine::PingError;
use wscengine::testing::memory::{MemoryPeer, PeerEvent};

use crate::cut::at_each_await;
use crate::kit::{From, ends, goes_on};
use crate::support::{Probe, Rig, secs, settle, start, within};

/// Answers all pings that have come, after a second.
async fn answers_after_a_second(peer: &mut MemoryPeer) {
    tokio::time::sleep(secs(1)).await;
    peer.auto_pong(true);
    while let Ok(Some(event)) = tokio::time::timeout(secs(0), peer.recv()).await {
        if let PeerEvent::Ping(payload) = event {
            peer.pong(payload);
        }
    }
}

async fn waits_for_its_pong(from: From) {
    let reached = at_each_await(|cut| async move {
        let mut rig = start(Probe::default()).await;
        let mut caller = from.of(&rig).await;
        rig.peer.auto_pong(false);
        let engine = rig.engine.clone();
        let (before, pinged, behind, ()) = tokio::join!(
            engine.ping(),
            cut.call(caller.ping()),
            engine.ping(),
            answers_after_a_second(&mut rig.peer)
        );
        for round_trip in [Some(before), pinged, Some(behind)].into_iter().flatten() {
            assert!(round_trip.unwrap() >= secs(1));
        }
        drop(caller);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

async fn waits_for_a_pong_that_does_not_come(from: From) {
    let reached = at_each_await(|cut| async move {
        let rig = start(Probe::default()).await;
        let mut caller = from.of(&rig).await;
        rig.peer.auto_pong(false);
        if let Some(result) = cut.call(caller.ping()).await {
            assert_eq!(result, Err(PingError::Timeout));
        }
        rig.peer.auto_pong(true);
        drop(caller);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

async fn waits_while_the_session_ends(from: From, end: fn(&Rig), stopped: bool) {
    let reached = at_each_await(|cut| async move {
        let mut rig = start(Probe::default()).await;
        let mut caller = from.of(&rig).await;
        rig.peer.auto_pong(false);
        let ends_session = async {
            settle().await;
            end(&rig);
        };
        let (pinged, ()) = tokio::join!(cut.call(caller.ping()), ends_session);
        if let Some(result) = pinged {
            assert_eq!(result, Err(PingError::SessionEnded));
        }
        drop(caller);
        if stopped {
            return ends(rig).await;
        }
        rig.reopened().await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

async fn at_every_await(from: From) {
    waits_for_its_pong(from).await;
    waits_for_a_pong_that_does_not_come(from).await;
    waits_while_the_session_ends(from, Rig::close_by_peer, false).await;
    waits_while_the_session_ends(from, |rig| rig.peer.reset(), false).await;
    waits_while_the_session_ends(from, |rig| rig.engine.restart(), false).await;
    waits_while_the_session_ends(from, |rig| rig.engine.control().exit(), true).await;
}

#[tokio::test(start_paused = true)]
async fn engine_ping_dropped_at_any_await_disturbs_no_other_ping() {
    at_every_await(From::Engine).await;
}

#[tokio::test(start_paused = true)]
async fn session_ping_dropped_at_any_await_disturbs_no_other_ping() {
    at_every_await(From::Session).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_ping_dropped_at_any_await_disturbs_no_other_ping() {
    at_every_await(From::Exclusive).await;
}

/// Dropped pings take up room only until their pongs have come.
#[tokio::test(start_paused = true)]
async fn session_ping_dropped_a_thousand_times_leaves_no_trace() {
    let rig = start(Probe::default()).await;
    let session = rig.engine.session().unwrap();
    for _ in 0..1_000 {
        assert!(tokio::time::timeout(secs(0), session.ping()).await.is_err());
        settle().await;
    }
    within(session.ping()).await.unwrap();
    goes_on(rig).await;
}
