//! Guarantee 8: a panic in a callback is caught and reported; it ends neither the process nor, except in `on_open`, the
//! session.

use futures_util::FutureExt;
use wscengine::testing::memory::Fault;
use wscengine::{
    AttemptError, ConnectErrorKind, OutcomeKind, ReadError, ReadErrorKind, StartError,
};

use crate::support::{Probe, builder, farewell_of, settle, start, start_with, within};

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_on_message_costs_that_message_only() {
    for workers in [1, 3] {
        let probe = Probe::default().on_message(|_, message| async move {
            tokio::task::yield_now().await;
            assert!(message.text() != Some("bad"), "on purpose");
        });
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        for text in ["1", "bad", "2", "bad", "bad", "3"] {
            rig.peer.send(text);
        }
        rig.journal.until("message 3").await;
        settle().await;
        assert_eq!(rig.engine.stats().panics, 3);
        assert_eq!(rig.stop().await.kind(), OutcomeKind::Requested);
        assert_eq!(rig.journal.after("close "), ["stopped"]);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_before_the_first_await_of_on_message_is_caught_too() {
    let rig = start(Probe::default().on_message(|_, message| {
        assert!(message.text() != Some("bad"), "on purpose");
        async {}
    }))
    .await;
    rig.peer.send("bad");
    rig.peer.send("good");
    rig.journal.until("message good").await;
    assert_eq!(rig.engine.stats().panics, 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_on_open_fails_the_start_and_closes_with_1001() {
    let (builder, mut server) =
        builder(Probe::default().on_open(|_, _| async { panic!("on purpose") }.boxed()));
    let (result, mut peer) =
        within(async { tokio::join!(builder.build().unwrap().start(), server.accept()) }).await;
    assert!(matches!(result, Err(StartError::Attempt(AttemptError::OnOpenPanicked))), "{result:?}");
    assert_eq!(farewell_of(&mut peer).await.unwrap().code().0, 1001);
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_on_open_of_a_restart_fails_that_attempt_only() {
    let probe = Probe::default().on_open(|_, opened| {
        async move { if opened.attempt == 2 { panic!("on purpose") } else { Ok(()) } }.boxed()
    });
    let mut rig = start(probe).await;
    rig.close_by_peer();
    let _panicked = within(rig.server.accept()).await;
    rig.reopened().await;
    rig.peer.send("works");
    rig.journal.until("message works").await;
    assert_eq!(rig.journal.count("restart error 2"), 1);
    assert_eq!(rig.engine.stats().panics, 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_on_read_error_leaves_the_session_open() {
    let rig = start(Probe::default().on_read_error(|_, _| async { panic!("on purpose") })).await;
    rig.peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    rig.peer.send("after");
    rig.journal.until("message after").await;
    assert_eq!(rig.journal.lines(), ["open", "read error Codec fatal=false", "message after"]);
    assert_eq!(rig.engine.stats().panics, 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_on_close_does_not_keep_the_engine_from_closing_or_reconnecting() {
    let mut rig =
        start(Probe::default().on_close(|_, _| async { panic!("on purpose") }.boxed())).await;
    rig.close_by_peer();
    rig.reopened().await;
    assert_eq!(rig.stop().await.kind(), OutcomeKind::Requested);
    assert_eq!(farewell_of(&mut rig.peer).await.unwrap().code().0, 1001);
    assert_eq!(rig.engine.stats().panics, 2);
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_on_close_error_does_not_keep_the_engine_from_ending() {
    let rig = start(Probe::default().on_close_error(|_, _| async { panic!("on purpose") })).await;
    rig.peer.auto_close(false);
    assert_eq!(rig.stop().await.kind(), OutcomeKind::Requested);
    assert_eq!(rig.journal.count("close error Timeout"), 1);
    assert_eq!(rig.engine.stats().panics, 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_on_restart_error_does_not_keep_the_engine_from_coming_back() {
    let mut rig =
        start(Probe::default().on_restart_error(|_, _, _| async { panic!("on purpose") })).await;
    rig.server.script([
        Fault::Refuse(ConnectErrorKind::Connect.into()),
        Fault::Refuse(ConnectErrorKind::Tls.into()),
    ]);
    rig.close_by_peer();
    rig.reopened().await;
    assert_eq!(rig.engine.stats().panics, 2);
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_while_holding_the_connection_gives_it_back() {
    let probe = Probe::default().on_message(|session, message| async move {
        if message.text() == Some("bad") {
            let _held = session.pause().await.unwrap();
            panic!("on purpose");
        }
    });
    let rig = start(probe).await;
    rig.peer.send("bad");
    rig.peer.send("good");
    rig.journal.until("message good").await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_the_key_of_ordered_by_loses_no_message() {
    let rig = start_with(Probe::default(), |builder| {
        builder
            .workers(2)
            .ordered_by(|message| assert!(message.text() != Some("bad"), "on purpose"))
    })
    .await;
    rig.peer.send("bad");
    rig.peer.send("good");
    rig.journal.until_messages(2).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_8_a_panic_in_the_predicate_of_recv_matching_harms_nobody_else() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.send("1");
    let task =
        tokio::spawn(async move { held.recv_matching(|_| panic!("on purpose")).await.map(drop) });
    assert!(within(task).await.unwrap_err().is_panic());
    rig.journal.until("message 1").await;
}
