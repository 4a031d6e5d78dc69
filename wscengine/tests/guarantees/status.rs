//! What the engine says about itself: the status of a whole life, and the counters.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tokio::sync::watch;
use wscengine::testing::memory::Fault;
use wscengine::{CloseCause, ConnectErrorKind, OutcomeKind, Status};

use crate::support::{Probe, Rig, builder, ok_after, secs, settle, start, start_with, within};

/// The name of a status, with what identifies it.
fn name(status: &Status) -> String {
    match status {
        Status::Connecting { attempt } => format!("Connecting {attempt}"),
        Status::Opening => "Opening".into(),
        Status::Open { .. } => "Open".into(),
        Status::Paused { .. } => "Paused".into(),
        Status::Closing { cause } => format!("Closing {cause}"),
        Status::Disconnecting => "Disconnecting".into(),
        Status::Waiting { attempt, .. } => format!("Waiting {attempt}"),
        Status::Stopped { outcome } => format!("Stopped {:?}", outcome.kind()),
        other => panic!("{other:?}"),
    }
}

/// Writes down each change that a watcher sees.
fn watching(mut status: watch::Receiver<Status>) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(vec![name(&status.borrow_and_update())]));
    let writes = seen.clone();
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            let now = name(&status.borrow_and_update());
            writes.lock().unwrap().push(now);
        }
    });
    seen
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_whole_life_is_seen_in_order() {
    // Every step takes its time, so that a watcher sees all of it.
    let probe = Probe::default()
        .on_open(|_, _| ok_after(secs(1)).boxed())
        .on_close(|_, _| tokio::time::sleep(secs(1)).map(|()| None).boxed());
    let (builder, mut server) = builder(probe);
    let prepared = builder.build().unwrap();
    let seen = watching(prepared.control().status());
    let accept = async {
        tokio::time::sleep(secs(1)).await;
        server.accept().await
    };
    let (engine, peer) = within(async { tokio::join!(prepared.start(), accept) }).await;
    let engine = engine.unwrap();
    settle().await;
    let held = within(engine.pause()).await.unwrap();
    settle().await;
    drop(held);
    settle().await;
    peer.close(None);
    let refused = within(server.next_dial()).await;
    tokio::time::sleep(secs(1)).await;
    refused.refuse(ConnectErrorKind::Connect.into());
    let peer = within(server.accept()).await;
    tokio::time::sleep(secs(2)).await;
    peer.auto_close(false);
    within(engine.stop()).await;
    settle().await;
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "Connecting 1",
            "Opening",
            "Open",
            "Paused",
            "Open",
            "Closing closed by the peer",
            "Disconnecting",
            "Waiting 2",
            "Connecting 2",
            "Waiting 3",
            "Connecting 3",
            "Opening",
            "Open",
            "Closing stopped",
            "Disconnecting",
            "Stopped Requested"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_ends_as_stopped_with_the_error() {
    let (builder, server) = builder(Probe::default());
    server.script([Fault::Refuse(ConnectErrorKind::Tls.into())]);
    let prepared = builder.build().unwrap();
    let status = prepared.control().status();
    assert_eq!(name(&status.borrow()), "Connecting 1");
    within(prepared.start()).await.unwrap_err();
    let last = status.borrow().clone();
    let Status::Stopped { outcome } = last else { panic!("{last:?}") };
    assert_eq!(outcome.kind(), OutcomeKind::FailedToStart);
    assert!(outcome.error().unwrap().to_string().contains("TLS"));
}

#[tokio::test(start_paused = true)]
async fn waiting_says_when_the_next_attempt_is_due() {
    let mut rig = start(Probe::default()).await;
    rig.peer.reset();
    let mut status = rig.engine.status();
    let waiting = within(status.wait_for(|status| matches!(status, Status::Waiting { .. })))
        .await
        .unwrap()
        .clone();
    let Status::Waiting { until, attempt } = waiting else { panic!("{waiting:?}") };
    assert_eq!(attempt, 2);
    within(rig.server.next_dial()).await.refuse(ConnectErrorKind::Connect.into());
    let now = tokio::time::Instant::now();
    assert!(
        now >= until && now - until <= crate::support::millis(2),
        "due {until:?}, dialled {now:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_session_in_the_status_is_the_session_of_the_engine() {
    let mut rig = start(Probe::default()).await;
    let id = |rig: &Rig| match &*rig.engine.status().borrow() {
        Status::Open { session } => *session,
        other => panic!("{other:?}"),
    };
    let first = id(&rig);
    assert_eq!(first, rig.engine.session().unwrap().id());
    rig.close_by_peer();
    rig.reopened().await;
    assert_eq!(id(&rig), rig.engine.session().unwrap().id());
    assert_ne!(id(&rig), first);
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_the_end_is_in_the_status_while_it_lasts() {
    let probe =
        Probe::default().on_close(|_, _| tokio::time::sleep(secs(1)).map(|()| None).boxed());
    let rig = start(probe).await;
    rig.peer.stall_reads(true);
    let mut status = rig.engine.status();
    let closing = within(status.wait_for(|status| matches!(status, Status::Closing { .. })))
        .await
        .unwrap()
        .clone();
    assert!(matches!(closing, Status::Closing { cause: CloseCause::HeartbeatLost }), "{closing:?}");
}

#[tokio::test(start_paused = true)]
async fn the_status_outlives_the_engine() {
    let rig = start(Probe::default()).await;
    let status = rig.engine.status();
    rig.stop().await;
    drop(rig);
    assert_eq!(name(&status.borrow()), "Stopped Requested");
}

#[tokio::test(start_paused = true)]
async fn the_counters_count() {
    let probe = Probe::default().on_message(|_, message| async move {
        assert!(message.text() != Some("panic"), "on purpose");
    });
    let mut rig = start_with(probe, |builder| builder.ping_interval(None)).await;
    assert_eq!(rig.engine.stats().attempts, 1);
    for text in ["12345", "panic", "1"] {
        rig.peer.send(text);
    }
    rig.journal.until_messages(3).await;
    rig.engine.send("123").await.unwrap();
    rig.engine.send_flushed(vec![0_u8; 7]).await.unwrap();
    assert_eq!(rig.engine.stats().round_trip, None);
    within(rig.engine.ping()).await.unwrap();
    rig.server.script([
        Fault::Refuse(ConnectErrorKind::Connect.into()),
        Fault::Refuse(ConnectErrorKind::Tls.into()),
    ]);
    rig.close_by_peer();
    rig.reopened().await;
    rig.stop().await;
    let stats = rig.engine.stats();
    assert_eq!((stats.attempts, stats.failed_attempts, stats.sessions), (4, 2, 2));
    assert_eq!((stats.messages_received, stats.bytes_received), (3, 11));
    assert_eq!((stats.messages_sent, stats.bytes_sent), (2, 10));
    assert_eq!((stats.panics, stats.dropped_callbacks), (1, 0));
    assert!(stats.round_trip.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_engine_in_a_new_life_counts_from_zero() {
    let first = start(Probe::default()).await;
    first.engine.send_flushed("x").await.unwrap();
    let second = start(Probe::default()).await;
    assert_eq!(second.engine.stats().messages_sent, 0);
    assert_eq!(first.engine.stats().messages_sent, 1);
}
