//! Calls that are given up, and replies that come too late.

use wscengine::request::CallErrorKind;

use crate::kit::{Calls, LONG, calls, kind, next_request, spawn, start, text};
use crate::support::{Probe, Rig, assert_took, secs, settle, start_with, timed, within};

async fn nothing_is_waiting(rig: &Rig, calls: &Calls) {
    // Were anything waiting, the function would take this for its reply.
    rig.peer.send("4 in between");
    rig.journal.until("message 4 in between").await;
    assert_eq!(kind(calls.call("4 none", secs(0)).await), CallErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_reply_fails_when_its_time_is_over() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let (reply, took) = timed(calls.call("1 a", secs(5))).await;
    let error = reply.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Timeout);
    assert_eq!(error.into_message(), None);
    assert_took(took, secs(5));
    assert_eq!(next_request(&mut rig).await, 1);
    nothing_is_waiting(&rig, &calls).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_goes_to_on_message_and_to_no_new_call() {
    let calls = calls();
    let mut rig = start(&calls).await;
    assert_eq!(kind(calls.call("1 a", secs(5)).await), CallErrorKind::Timeout);
    // The same id is refused: which of the two would a reply be for?
    assert_eq!(kind(calls.call("1 again", LONG).await), CallErrorKind::IdInUse);
    let other = spawn(&calls, "2 b");
    assert_eq!((next_request(&mut rig).await, next_request(&mut rig).await), (1, 2));
    rig.peer.send("1 late");
    rig.peer.send("2 B");
    assert_eq!(text(within(other).await.unwrap()), "2 B");
    rig.journal.until("message 1 late").await;
    assert_eq!(kind(calls.call("1 again", LONG).await), CallErrorKind::IdInUse);
    assert_eq!(rig.journal.lines(), ["open", "message 1 late"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_given_up_like_one_that_timed_out() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let dropped = spawn(&calls, "1 a");
    next_request(&mut rig).await;
    dropped.abort();
    assert!(within(dropped).await.is_err());
    assert_eq!(kind(calls.call("1 again", LONG).await), CallErrorKind::IdInUse);
    let other = spawn(&calls, "2 b");
    next_request(&mut rig).await;
    rig.peer.send("1 late");
    rig.peer.send("2 B");
    assert_eq!(text(within(other).await.unwrap()), "2 B");
    rig.journal.until("message 1 late").await;
}

#[tokio::test(start_paused = true)]
async fn an_id_that_was_given_up_is_free_again_in_the_next_session() {
    let calls = calls();
    let mut rig = start(&calls).await;
    assert_eq!(kind(calls.call("1 a", secs(5)).await), CallErrorKind::Timeout);
    rig.close_by_peer();
    rig.reopened().await;
    let reply = spawn(&calls, "1 again");
    next_request(&mut rig).await;
    rig.peer.send("1 A");
    assert_eq!(text(within(reply).await.unwrap()), "1 A");
}

/// A rig whose send queue is full: how many messages "0 filler" it took.
async fn start_full(calls: &Calls) -> (Rig, usize) {
    let rig = start_with(Probe::default(), |builder| {
        builder.requests(calls).send_queue(1, 1_000).write_timeout(LONG)
    })
    .await;
    rig.peer.stall_writes(true);
    let mut fillers = 0;
    while rig.engine.try_send("0 filler").is_ok() {
        fillers += 1;
        settle().await;
    }
    (rig, fillers)
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_room_to_send_counts_and_what_found_none_is_not_sent() {
    let calls = calls();
    let (mut rig, fillers) = start_full(&calls).await;
    let (reply, took) = timed(calls.call("1 a", secs(5))).await;
    assert_eq!(kind(reply), CallErrorKind::Timeout);
    assert_took(took, secs(5));
    rig.peer.stall_writes(false);
    rig.engine.send("9 last").await.unwrap();
    for _ in 0..fillers {
        assert_eq!(next_request(&mut rig).await, 0);
    }
    assert_eq!(next_request(&mut rig).await, 9);
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_call_that_was_given_up_before_there_was_room_is_free_at_once() {
    let calls = calls();
    let (mut rig, fillers) = start_full(&calls).await;
    assert_eq!(kind(calls.call("1 a", secs(5)).await), CallErrorKind::Timeout);
    let dropped = spawn(&calls, "2 b");
    settle().await;
    dropped.abort();
    assert!(within(dropped).await.is_err());
    let again = [spawn(&calls, "2 again"), spawn(&calls, "1 again")];
    settle().await;
    rig.peer.stall_writes(false);
    for _ in 0..fillers {
        assert_eq!(next_request(&mut rig).await, 0);
    }
    for (reply, (number, wanted)) in again.into_iter().zip([(2, "2 B"), (1, "1 A")]) {
        assert_eq!(next_request(&mut rig).await, number);
        rig.peer.send(wanted);
        assert_eq!(text(within(reply).await.unwrap()), wanted);
    }
}
