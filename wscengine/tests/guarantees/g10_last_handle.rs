//! Guarantee 10: dropping the last `Engine` handle stops the engine, without waiting.

use futures_util::FutureExt;
use tokio::time::Instant;
use wscengine::testing::memory::PeerEvent;
use wscengine::{Control, Outcome, OutcomeKind, Status};

use crate::support::{
    Journal, Probe, assert_at_once, farewell_of, rest_of, secs, settle, start_loose, within,
};

/// Waits for the end, by a handle that does not keep the engine alive.
async fn end_of(control: &Control) -> Outcome {
    let mut status = control.status();
    let end = within(status.wait_for(|status| matches!(status, Status::Stopped { .. })))
        .await
        .unwrap()
        .clone();
    let Status::Stopped { outcome } = end else { panic!("{end:?}") };
    outcome
}

#[tokio::test(start_paused = true)]
async fn guarantee_10_dropping_the_last_handle_stops_the_engine_as_stop_does() {
    let journal = Journal::default();
    let (engine, server, mut peer) = start_loose(Probe::new(&journal), |builder| builder).await;
    let control = engine.control();
    engine.send("sent before").await.unwrap();
    drop(engine);
    assert_eq!(end_of(&control).await.kind(), OutcomeKind::Requested);
    assert_eq!(within(peer.next_message()).await.text(), Some("sent before"));
    assert_eq!(farewell_of(&mut peer).await.unwrap().code().0, 1001);
    assert_eq!(journal.lines(), ["open", "close stopped"]);
    assert_eq!((server.live(), server.dials()), (0, 1));
    journal.assert_orderly();
}

#[tokio::test(start_paused = true)]
async fn guarantee_10_the_drop_does_not_wait() {
    let probe = Probe::default()
        .on_message(|_, _| tokio::time::sleep(secs(2)))
        .on_close(|_, _| tokio::time::sleep(secs(2)).map(|()| None).boxed());
    let journal = probe.journal.clone();
    let (engine, _server, peer) = start_loose(probe, |builder| builder).await;
    let control = engine.control();
    peer.send("slow");
    journal.until("message slow").await;
    let start = Instant::now();
    drop(engine);
    assert_at_once(start.elapsed());
    assert_eq!(journal.lines(), ["open", "message slow"]);
    end_of(&control).await;
    assert_eq!(journal.lines(), ["open", "message slow", "close stopped"]);
}

#[tokio::test(start_paused = true)]
async fn guarantee_10_a_clone_keeps_the_engine_running() {
    let journal = Journal::default();
    let (engine, _server, mut peer) = start_loose(Probe::new(&journal), |builder| builder).await;
    let clone = engine.clone();
    drop(engine);
    tokio::time::sleep(secs(600)).await;
    clone.send("still here").await.unwrap();
    assert_eq!(within(peer.next_message()).await.text(), Some("still here"));
    assert_eq!(journal.lines(), ["open"]);
    let control = clone.control();
    drop(clone);
    end_of(&control).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_10_sessions_controls_and_status_receivers_do_not_keep_the_engine_alive() {
    let (engine, server, mut peer) = start_loose(Probe::default(), |builder| builder).await;
    let (session, control, _status) =
        (engine.session().unwrap(), engine.control(), engine.status());
    let held = within(engine.pause()).await.unwrap();
    drop(engine);
    end_of(&control).await;
    assert!(session.send("too late").await.is_err());
    assert!(held.revoked().is_some());
    assert_eq!(rest_of(&mut peer).await.last(), Some(&PeerEvent::Dropped));
    assert_eq!(server.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn guarantee_10_dropping_the_last_handle_while_backing_off_ends_the_dialing() {
    let (engine, server, peer) = start_loose(Probe::default(), |builder| builder).await;
    let control = engine.control();
    peer.reset();
    settle().await;
    assert!(matches!(&*control.status().borrow(), Status::Waiting { .. }));
    drop(engine);
    assert_eq!(end_of(&control).await.kind(), OutcomeKind::Requested);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_10_the_last_handle_may_be_dropped_inside_a_callback() {
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None::<wscengine::Engine>));
    let kept = slot.clone();
    let probe = Probe::default().on_message(move |_, _| {
        drop(kept.lock().unwrap().take());
        async {}
    });
    let journal = probe.journal.clone();
    let (engine, _server, peer) = start_loose(probe, |builder| builder).await;
    let control = engine.control();
    *slot.lock().unwrap() = Some(engine);
    peer.send("drop it");
    end_of(&control).await;
    assert_eq!(journal.lines(), ["open", "message drop it", "close stopped"]);
}

/// A runtime that goes away takes the engine with it: nothing blocks, nothing panics.
#[test]
fn guarantee_10_a_runtime_that_is_shut_down_ends_the_engine() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (engine, server, _peer) =
        runtime.block_on(start_loose(Probe::default(), |builder| builder));
    drop(runtime);
    assert_eq!(server.live(), 0);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = other.block_on(engine.stopped());
    assert!(outcome.is_forced());
    drop(engine);
}
