//! No call outlives its session, and none waits for one.

use wscengine::request::CallErrorKind;
use wscengine::{OutcomeKind, Status};

use crate::kit::{LONG, calls, kind, next_request, spawn, start, start_probe, text};
use crate::support::{Probe, Rig, assert_at_once, secs, settle, timed, within};

/// Three calls are pending when the session ends: how long until all of them have failed?
async fn ends_at_once(end: impl AsyncFn(&Rig)) {
    let calls = calls();
    let mut rig = start(&calls).await;
    let pending = ["1 a", "2 b", "3 c"].map(|request| spawn(&calls, request));
    for _ in 0..3 {
        next_request(&mut rig).await;
    }
    end(&rig).await;
    for call in pending {
        let (reply, took) = timed(call).await;
        assert_at_once(took);
        assert_eq!(kind(reply.unwrap()), CallErrorKind::SessionEnded);
    }
}

#[tokio::test(start_paused = true)]
async fn pending_calls_fail_at_once_when_the_peer_closes() {
    ends_at_once(async |rig| rig.close_by_peer()).await;
}

#[tokio::test(start_paused = true)]
async fn pending_calls_fail_at_once_when_the_connection_is_reset() {
    ends_at_once(async |rig| rig.peer.reset()).await;
}

#[tokio::test(start_paused = true)]
async fn pending_calls_fail_at_once_when_the_peer_is_gone_without_a_word() {
    ends_at_once(async |rig| rig.peer.eof()).await;
}

#[tokio::test(start_paused = true)]
async fn pending_calls_fail_at_once_on_a_restart() {
    ends_at_once(async |rig| rig.engine.restart()).await;
}

/// The peer answers no close frame: the calls do not wait for it.
#[tokio::test(start_paused = true)]
async fn pending_calls_fail_at_once_on_a_stop() {
    ends_at_once(async |rig| {
        rig.peer.auto_close(false);
        let engine = rig.engine.clone();
        tokio::spawn(async move { engine.stop().await });
        tokio::task::yield_now().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pending_calls_fail_when_the_heartbeat_is_lost() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let call = spawn(&calls, "1 a");
    next_request(&mut rig).await;
    rig.peer.auto_pong(false);
    assert_eq!(kind(within(call).await.unwrap()), CallErrorKind::SessionEnded);
    rig.journal.until("close nothing came after a ping").await;
}

/// The last words of a peer that closes count.
#[tokio::test(start_paused = true)]
async fn a_reply_right_before_the_close_frame_is_given_to_its_call() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let (answered, unanswered) = (spawn(&calls, "1 a"), spawn(&calls, "2 b"));
    next_request(&mut rig).await;
    next_request(&mut rig).await;
    rig.peer.send("1 A");
    rig.close_by_peer();
    assert_eq!(text(within(answered).await.unwrap()), "1 A");
    assert_eq!(kind(within(unanswered).await.unwrap()), CallErrorKind::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn without_a_session_a_call_fails_at_once_and_returns_its_message() {
    let calls = calls();
    let error = calls.call("1 before any engine", LONG).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::NotConnected);
    let mut rig = start(&calls).await;
    rig.peer.reset();
    let mut status = rig.engine.status();
    within(status.wait_for(|status| matches!(status, Status::Waiting { .. }))).await.unwrap();
    let (reply, took) = timed(calls.call("1 while waiting", LONG)).await;
    assert_at_once(took);
    let error = reply.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::NotConnected);
    assert_eq!(error.into_message().unwrap().text(), Some("1 while waiting"));
    rig.reopened().await;
    let reply = spawn(&calls, "1 again");
    next_request(&mut rig).await;
    rig.peer.send("1 A");
    assert_eq!(text(within(reply).await.unwrap()), "1 A");
    rig.stop().await;
    assert_eq!(kind(calls.call("1 after", LONG).await), CallErrorKind::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_call_on_a_session_that_has_ended_is_not_sent_into_the_next_one() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let of_yesterday = calls.on(&rig.engine.session().unwrap());
    rig.close_by_peer();
    rig.reopened().await;
    let error = of_yesterday.call("1 a", LONG).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::SessionEnded);
    assert_eq!(error.into_message().unwrap().text(), Some("1 a"));
    rig.engine.send("2 today").await.unwrap();
    assert_eq!(next_request(&mut rig).await, 2);
}

/// A callback that waits for a reply does not hold up a stop.
#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_call_of_a_callback_and_waits_for_the_rest_of_it() {
    let calls = calls();
    let inside = calls.clone();
    let probe = Probe::default();
    let journal = probe.journal.clone();
    let probe = probe.on_message(move |session, _| {
        let (calls, journal) = (inside.on(&session), journal.clone());
        async move {
            let error = calls.call("1 a", LONG).await.unwrap_err();
            journal.note(format!("no reply: {error}"));
        }
    });
    let mut rig = start_probe(probe, &calls).await;
    rig.peer.send("go");
    next_request(&mut rig).await;
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert_at_once(took);
    assert_eq!((outcome.kind(), outcome.is_forced()), (OutcomeKind::Requested, false));
    assert_eq!(
        rig.journal.lines(),
        ["open", "message go", "no reply: the session has ended", "close stopped"]
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_engine_ends_calls_though_the_requests_are_kept() {
    let calls = calls();
    let (engine, _server, mut peer) =
        crate::support::start_loose(Probe::default(), |builder| builder.requests(&calls)).await;
    let call = spawn(&calls, "1 a");
    within(peer.next_message()).await;
    drop(engine);
    assert_eq!(kind(within(call).await.unwrap()), CallErrorKind::SessionEnded);
    tokio::time::sleep(secs(60)).await;
    settle().await;
    assert_eq!(kind(calls.call("2 b", LONG).await), CallErrorKind::Stopped);
}
