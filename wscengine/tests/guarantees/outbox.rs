//! The outbox: what becomes of messages for which there is no connection, and what is told of each.

use futures_util::FutureExt;
use wscengine::testing::memory::Fault;
use wscengine::{
    ConnectErrorKind, Delivery, Engine, EnqueueOptions, Fate, NoBackoff, Outbox, Overflow, Scope,
    SendErrorKind, Status,
};

use crate::support::{
    Probe, Rig, assert_at_once, assert_took, rest_of, secs, settle, start, start_with, timed,
    within,
};

async fn start_outbox(outbox: Outbox) -> Rig {
    start_with(Probe::default(), |builder| builder.outbox(outbox).backoff(NoBackoff)).await
}

/// Cuts the session, and returns when the engine knows.
async fn cut(rig: &Rig) {
    let mut status = rig.engine.status();
    rig.peer.reset();
    within(status.wait_for(|status| !matches!(status, Status::Open { .. }))).await.unwrap();
}

async fn enqueue(engine: &Engine, text: &'static str) -> Delivery {
    engine.enqueue(text).await.unwrap()
}

async fn next_text(rig: &mut Rig) -> String {
    within(rig.peer.next_message()).await.text().unwrap().to_owned()
}

fn not_sent(fate: Fate) -> (SendErrorKind, String) {
    match fate {
        Fate::NotSent(error) => {
            (error.kind(), error.into_message().unwrap().text().unwrap().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_without_a_connection_goes_out_in_order_after_on_open_of_the_next_session() {
    let probe = Probe::default().on_open(|conn, _| {
        async move {
            conn.send("log in").await?;
            tokio::time::sleep(secs(1)).await;
            conn.send("subscribe").await?;
            Ok(())
        }
        .boxed()
    });
    let outbox = Outbox::new();
    let mut rig = start_with(probe, |builder| builder.outbox(outbox).backoff(NoBackoff)).await;
    assert_eq!(next_text(&mut rig).await, "log in");
    assert_eq!(next_text(&mut rig).await, "subscribe");
    cut(&rig).await;
    rig.engine.send("1").await.unwrap();
    rig.engine.try_send("2").unwrap();
    let delivery = enqueue(&rig.engine, "3").await;
    rig.reopened().await;
    rig.engine.send("4").await.unwrap();
    for wanted in ["log in", "subscribe", "1", "2", "3", "4"] {
        assert_eq!(next_text(&mut rig).await, wanted);
    }
    let session = rig.engine.session().unwrap().id();
    assert_eq!(within(delivery).await, Fate::Written { session });
}

#[tokio::test(start_paused = true)]
async fn send_flushed_returns_when_the_message_was_written_in_whichever_session() {
    let mut rig = start_outbox(Outbox::new()).await;
    cut(&rig).await;
    let engine = rig.engine.clone();
    let flushed = tokio::spawn(async move { engine.send_flushed("late").await });
    rig.reopened().await;
    assert_eq!(next_text(&mut rig).await, "late");
    within(flushed).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_given_to_a_socket_that_takes_nothing_has_an_unknown_fate_and_is_not_sent_again() {
    let mut rig = start_outbox(Outbox::new()).await;
    let first = rig.engine.session().unwrap().id();
    rig.peer.stall_writes(true);
    let mut deliveries = Vec::new();
    for text in ["1", "2", "3"] {
        deliveries.push(enqueue(&rig.engine, text).await);
        settle().await;
    }
    assert!(deliveries.iter_mut().all(|delivery| delivery.now_or_never().is_none()));
    cut(&rig).await;
    rig.reopened().await;
    let second = rig.engine.session().unwrap().id();
    // The transport took the first, and no more.
    let mut fates = Vec::new();
    for delivery in deliveries {
        fates.push(within(delivery).await);
    }
    let written = Fate::Written { session: second };
    assert_eq!(fates, [Fate::Unknown { session: first }, written.clone(), written]);
    assert_eq!(next_text(&mut rig).await, "2");
    assert_eq!(next_text(&mut rig).await, "3");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waited_too_long_is_told_so_in_that_moment_and_never_sent() {
    let mut rig = start_outbox(Outbox::new().max_age(secs(10))).await;
    cut(&rig).await;
    let default = enqueue(&rig.engine, "ten").await;
    let options = EnqueueOptions::new().max_age(secs(3));
    let short = rig.engine.enqueue_with("three", options).await.unwrap();
    let (fate, took) = timed(short).await;
    assert_eq!(not_sent(fate), (SendErrorKind::Expired, "three".to_owned()));
    assert_took(took, secs(3));
    let (fate, took) = timed(default).await;
    assert_eq!(not_sent(fate), (SendErrorKind::Expired, "ten".to_owned()));
    assert_took(took, secs(7));
    rig.reopened().await;
    rig.engine.send("now").await.unwrap();
    assert_eq!(next_text(&mut rig).await, "now");
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_refuses_at_once_while_disconnected() {
    let rig = start_outbox(Outbox::new().capacity(2, 100)).await;
    cut(&rig).await;
    let first = enqueue(&rig.engine, "1").await;
    rig.engine.send("2").await.unwrap();
    let (result, took) = timed(rig.engine.send("3")).await;
    assert_at_once(took);
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.into_message().unwrap().text()),
        (SendErrorKind::Full, Some("3"))
    );
    rig.stop().await;
    assert_eq!(not_sent(within(first).await), (SendErrorKind::Stopped, "1".to_owned()));
    assert_eq!(rig.engine.send("4").await.unwrap_err().kind(), SendErrorKind::Stopped);
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_drops_the_oldest_tells_its_sender() {
    let mut rig = start_outbox(Outbox::new().capacity(2, 100).overflow(Overflow::DropOldest)).await;
    cut(&rig).await;
    let oldest = enqueue(&rig.engine, "1").await;
    rig.engine.send("2").await.unwrap();
    rig.engine.send("3").await.unwrap();
    assert_eq!(not_sent(within(oldest).await), (SendErrorKind::Overflow, "1".to_owned()));
    rig.reopened().await;
    assert_eq!(next_text(&mut rig).await, "2");
    assert_eq!(next_text(&mut rig).await, "3");
}

#[tokio::test(start_paused = true)]
async fn while_a_session_is_open_a_full_outbox_makes_send_wait_and_holds_no_more_than_it_may() {
    let outbox = Outbox::new().capacity(2, 100).overflow(Overflow::DropOldest);
    let mut rig = start_outbox(outbox).await;
    rig.peer.stall_writes(true);
    // One is with the transport, two wait.
    for text in ["1", "2", "3"] {
        rig.engine.send(text).await.unwrap();
        settle().await;
    }
    assert_eq!(rig.engine.try_send("x").unwrap_err().kind(), SendErrorKind::Full);
    let engine = rig.engine.clone();
    let waiting = tokio::spawn(async move { engine.send("4").await });
    settle().await;
    assert!(!waiting.is_finished());
    rig.peer.stall_writes(false);
    for wanted in ["1", "2", "3", "4"] {
        assert_eq!(next_text(&mut rig).await, wanted);
    }
    within(waiting).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_of_this_session_is_not_sent_in_the_next_one() {
    let mut rig = start_outbox(Outbox::new()).await;
    rig.peer.stall_writes(true);
    enqueue(&rig.engine, "taken by the transport").await.now_or_never();
    settle().await;
    let this = EnqueueOptions::new().scope(Scope::ThisSession);
    let bound = rig.engine.enqueue_with("unsubscribe", this).await.unwrap();
    let free = enqueue(&rig.engine, "order").await;
    cut(&rig).await;
    let (fate, took) = timed(bound).await;
    assert_at_once(took);
    assert_eq!(not_sent(fate), (SendErrorKind::SessionEnded, "unsubscribe".to_owned()));
    let refused = rig.engine.enqueue_with("unsubscribe", this).await.unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::NotConnected);
    rig.reopened().await;
    assert_eq!(next_text(&mut rig).await, "order");
    assert!(matches!(within(free).await, Fate::Written { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_stop_writes_what_the_outbox_took_before_the_close_frame() {
    let mut rig = start_outbox(Outbox::new()).await;
    let mut deliveries = Vec::new();
    for text in ["1", "2", "3"] {
        deliveries.push(enqueue(&rig.engine, text).await);
    }
    let session = rig.engine.session().unwrap().id();
    rig.stop().await;
    let texts: Vec<_> = rest_of(&mut rig.peer).await;
    assert_eq!(texts.len(), 5, "three messages, the close frame, the end: {texts:?}");
    for delivery in deliveries {
        assert_eq!(within(delivery).await, Fate::Written { session });
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_gives_up_says_of_each_message_that_it_was_not_sent() {
    let rig = start_with(Probe::default(), |builder| {
        builder.outbox(Outbox::new()).backoff(NoBackoff).max_attempts(Some(2))
    })
    .await;
    let refuse = || Fault::Refuse(ConnectErrorKind::Connect.into());
    rig.server.script([refuse(), refuse(), refuse()]);
    rig.peer.stall_writes(true);
    rig.engine.send("taken by the transport").await.unwrap();
    settle().await;
    let delivery = enqueue(&rig.engine, "1").await;
    rig.peer.reset();
    within(rig.engine.stopped()).await;
    // It is told by the time the engine has stopped.
    let fate = delivery.now_or_never().unwrap();
    assert_eq!(not_sent(fate), (SendErrorKind::Stopped, "1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_nobody_waits_for_is_made_all_the_same() {
    let mut rig = start_outbox(Outbox::new()).await;
    cut(&rig).await;
    drop(enqueue(&rig.engine, "1").await);
    rig.reopened().await;
    assert_eq!(next_text(&mut rig).await, "1");
}

#[tokio::test(start_paused = true)]
async fn without_an_outbox_nothing_is_held() {
    let rig = start(Probe::default()).await;
    let error = rig.engine.enqueue("1").await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::NoOutbox);
    cut(&rig).await;
    let (result, took) = timed(rig.engine.send("2")).await;
    assert_at_once(took);
    assert_eq!(result.unwrap_err().kind(), SendErrorKind::NotConnected);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_is_counted_whether_or_not_anybody_asks_for_its_fate() {
    let outbox = Outbox::new().max_age(secs(2)).capacity(2, 100).overflow(Overflow::DropOldest);
    let rig = start_outbox(outbox).await;
    cut(&rig).await;
    for text in ["1", "2", "3"] {
        rig.engine.send(text).await.unwrap();
    }
    assert_eq!(rig.engine.stats().outbox_not_sent, 1, "displaced");
    let asked = enqueue(&rig.engine, "4").await;
    assert_eq!(not_sent(within(asked).await), (SendErrorKind::Expired, "4".to_owned()));
    assert_eq!(rig.engine.stats().outbox_not_sent, 4, "two displaced, two too old");
}
