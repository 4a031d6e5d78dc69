//! Guarantee 1: at most one live connection; no dial after `stop()` was called.

use wscengine::testing::memory::{Fault, PeerEvent};
use wscengine::{ConnectErrorKind, NoBackoff, OutcomeKind};

use crate::support::{Journal, Probe, builder, rest_of, secs, settle, start, start_with, within};

#[tokio::test(start_paused = true)]
async fn guarantee_1_a_reconnect_dials_only_when_the_last_connection_is_gone() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    for round in 0..50 {
        match round % 3 {
            0 => rig.close_by_peer(),
            1 => rig.peer.reset(),
            _ => rig.peer.eof(),
        }
        let dial = within(rig.server.next_dial()).await;
        assert_eq!(rig.server.live(), 0, "round {round}: dialled beside a live connection");
        rig.peer = dial.accept();
    }
    rig.stop().await;
    assert_eq!((rig.server.dials(), rig.server.live(), rig.server.max_live()), (51, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_a_restart_dials_only_when_the_last_connection_is_gone() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    for _ in 0..20 {
        rig.engine.restart();
        let dial = within(rig.server.next_dial()).await;
        assert_eq!(rig.server.live(), 0);
        rig.peer = dial.accept();
        rig.journal.until_count("reopen", rig.server.dials() as usize - 1).await;
    }
    assert_eq!(rig.server.max_live(), 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_a_peer_that_never_answers_the_close_is_gone_before_the_next_dial() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_close(false);
    rig.engine.restart();
    let dial = within(rig.server.next_dial()).await;
    assert_eq!(rig.server.live(), 0);
    rig.peer = dial.accept();
    assert_eq!(rig.journal.count("close error Timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_a_dial_that_timed_out_is_gone_before_the_next_begins() {
    let (builder, mut server) = builder(Probe::default());
    let prepared = builder.retry_first(true).backoff(NoBackoff).build().unwrap();
    let accept = async {
        let mut hanging = server.next_dial().await;
        let second = async {
            hanging.abandoned().await;
            server.next_dial().await
        };
        let peer = second.await.accept();
        // What the server answers so late reaches nobody.
        let mut late = hanging.accept();
        assert_eq!(late.recv().await, Some(PeerEvent::Dropped));
        peer
    };
    let (engine, _peer) = within(async { tokio::join!(prepared.start(), accept) }).await;
    within(engine.unwrap().stop()).await;
    assert_eq!((server.dials(), server.max_live(), server.live()), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_no_dial_after_stop_was_called_while_backing_off() {
    let rig = start(Probe::default()).await;
    rig.server.script([
        Fault::Refuse(ConnectErrorKind::Connect.into()),
        Fault::Refuse(ConnectErrorKind::Connect.into()),
    ]);
    rig.close_by_peer();
    rig.journal.until("restart error 2").await;
    let dials = rig.server.dials();
    assert_eq!(rig.stop().await.kind(), OutcomeKind::Requested);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(rig.server.dials(), dials);
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_no_dial_after_stop_was_called_while_a_restart_goes_on() {
    let rig = start(Probe::default()).await;
    rig.peer.auto_close(false);
    rig.engine.restart();
    settle().await;
    assert_eq!(rig.stop().await.kind(), OutcomeKind::Requested);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!((rig.server.dials(), rig.server.live()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_no_dial_after_exit_and_restart_in_one_breath() {
    for restart_first in [true, false] {
        let rig = start(Probe::default()).await;
        if restart_first {
            rig.engine.restart();
            rig.engine.control().exit();
        } else {
            rig.engine.control().exit();
            rig.engine.restart();
        }
        within(rig.engine.stopped()).await;
        tokio::time::sleep(secs(3_600)).await;
        assert_eq!(
            (rig.server.dials(), rig.server.live()),
            (1, 0),
            "restart first: {restart_first}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_no_dial_after_exit_before_the_start() {
    let (builder, server) = builder(Probe::default());
    let prepared = builder.build().unwrap();
    prepared.control().exit();
    within(prepared.start()).await.unwrap_err();
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(server.live(), 0);
    assert!(server.dials() <= 1, "a dial that was begun may only be dropped");
}

#[tokio::test(start_paused = true)]
async fn guarantee_1_a_dial_that_succeeds_after_the_stop_is_dropped_unopened() {
    let journal = Journal::default();
    let (builder, mut server) = builder(Probe::new(&journal));
    let prepared = builder.build().unwrap();
    let control = prepared.control();
    let accept = async {
        let dial = server.next_dial().await;
        control.exit();
        // The answer crosses the stop.
        dial.accept()
    };
    let (result, mut peer) = within(async { tokio::join!(prepared.start(), accept) }).await;
    assert!(result.is_err());
    assert_eq!(rest_of(&mut peer).await, [PeerEvent::Dropped]);
    assert_eq!(server.live(), 0);
    assert!(journal.lines().is_empty(), "{:?}", journal.lines());
}
