//! Pause: a hold is a lease. It ends by being dropped, by its time, by a stop, a restart or the loss of the connection.

use wscengine::testing::memory::PeerEvent;
use wscengine::{Exclusive, NoBackoff, PingError, RecvError, Revoked, SendErrorKind};

use crate::support::{
    Probe, Rig, assert_took, frame, rest_of, secs, settle, start, start_with, timed, within,
    within_real,
};

/// That every call on a hold that was taken back fails, and says why.
async fn assert_revoked(held: &mut Exclusive, reason: Revoked) {
    assert_eq!(held.revoked(), Some(reason));
    let received = within(held.recv()).await;
    assert!(matches!(received, Err(RecvError::Revoked(why)) if why == reason), "{received:?}");
    let received = within(held.recv_matching(|_| true)).await;
    assert!(matches!(received, Err(RecvError::Revoked(why)) if why == reason), "{received:?}");
    let sent = within(held.send("refused")).await.unwrap_err();
    assert_eq!(sent.kind(), SendErrorKind::Revoked);
    assert_eq!(sent.into_message().unwrap().text(), Some("refused"));
    assert_eq!(
        within(held.send_flushed("refused")).await.unwrap_err().kind(),
        SendErrorKind::Revoked
    );
    assert_eq!(within(held.ping()).await.unwrap_err(), PingError::Revoked);
}

/// What a holder that waits in `recv` gets when the session ends in some way.
async fn waiting_holder(rig: &mut Rig, end: impl FnOnce(&Rig)) -> (Exclusive, Revoked) {
    let mut held = within(rig.engine.pause()).await.unwrap();
    let ends = async {
        settle().await;
        end(rig);
    };
    let (received, ()) = within(async { tokio::join!(held.recv(), ends) }).await;
    match received {
        Err(RecvError::Revoked(reason)) => (held, reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_the_connection_back_and_wakes_the_holder() {
    let mut rig = start(Probe::default()).await;
    let (mut held, reason) = waiting_holder(&mut rig, |rig| rig.engine.control().exit()).await;
    assert_eq!(reason, Revoked::Stopping);
    assert_revoked(&mut held, Revoked::Stopping).await;
    within(rig.engine.stopped()).await;
    assert!(!rest_of(&mut rig.peer).await.contains(&PeerEvent::Message("refused".into())));
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_the_connection_back_and_wakes_the_holder() {
    let mut rig = start(Probe::default()).await;
    let (mut held, reason) = waiting_holder(&mut rig, |rig| rig.engine.restart()).await;
    assert_eq!(reason, Revoked::Restarting);
    assert_revoked(&mut held, Revoked::Restarting).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_by_the_peer_takes_the_connection_back_and_wakes_the_holder() {
    let mut rig = start(Probe::default()).await;
    let (mut held, reason) =
        waiting_holder(&mut rig, |rig| rig.peer.close(Some(frame(1000, "")))).await;
    assert_eq!(reason, Revoked::ConnectionEnded);
    settle().await;
    assert_revoked(&mut held, Revoked::ConnectionEnded).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_takes_the_connection_back_and_wakes_the_holder() {
    let ends: [fn(&Rig); 3] =
        [|rig| rig.peer.reset(), |rig| rig.peer.eof(), |rig| rig.peer.stall_reads(true)];
    for end in ends {
        let mut rig = start(Probe::default()).await;
        let (mut held, reason) = waiting_holder(&mut rig, end).await;
        assert_eq!(reason, Revoked::ConnectionEnded);
        settle().await;
        assert_revoked(&mut held, Revoked::ConnectionEnded).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_the_past_does_nothing_to_the_next_session() {
    let mut rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.close_by_peer();
    rig.reopened().await;
    assert_revoked(&mut held, Revoked::ConnectionEnded).await;
    rig.peer.send("flows");
    rig.journal.until("message flows").await;
    drop(held);
    rig.peer.send("still flows");
    rig.journal.until("message still flows").await;
}

#[tokio::test(start_paused = true)]
async fn pause_for_takes_the_connection_back_when_its_time_is_over() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause_for(secs(3))).await.unwrap();
    rig.peer.send("unread");
    tokio::time::sleep(secs(2)).await;
    assert_eq!(held.revoked(), None);
    assert!(rig.journal.messages().is_empty());
    let ((), took) = timed(rig.journal.until("message unread")).await;
    assert_took(took, secs(1));
    assert_revoked(&mut held, Revoked::Expired).await;
}

#[tokio::test(start_paused = true)]
async fn pause_for_wakes_a_holder_that_waits() {
    let rig = start(Probe::default()).await;
    let session = rig.engine.session().unwrap();
    let mut held = within(session.pause_for(secs(3))).await.unwrap();
    let (received, took) = timed(held.recv()).await;
    assert!(matches!(received, Err(RecvError::Revoked(Revoked::Expired))), "{received:?}");
    assert_took(took, secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_pause_for_begins_with_the_grant() {
    let rig = start(Probe::default()).await;
    let first = within(rig.engine.pause()).await.unwrap();
    let engine = rig.engine.clone();
    let second = tokio::spawn(async move { engine.pause_for(secs(3)).await });
    tokio::time::sleep(secs(10)).await;
    drop(first);
    let mut second = within(second).await.unwrap().unwrap();
    let (received, took) = timed(second.recv()).await;
    assert!(matches!(received, Err(RecvError::Revoked(Revoked::Expired))));
    assert_took(took, secs(3));
}

#[tokio::test(start_paused = true)]
async fn an_expired_hold_makes_room_for_the_next_request() {
    let rig = start(Probe::default()).await;
    let _expires = within(rig.engine.pause_for(secs(3))).await.unwrap();
    let (next, took) = timed(rig.engine.pause()).await;
    assert_took(took, secs(3));
    assert_eq!(next.unwrap().revoked(), None);
}

#[tokio::test(start_paused = true)]
async fn an_expired_hold_that_is_dropped_later_does_not_end_the_next_one() {
    let rig = start(Probe::default()).await;
    let expires = within(rig.engine.pause_for(secs(1))).await.unwrap();
    let mut next = within(rig.engine.pause()).await.unwrap();
    drop(expires);
    settle().await;
    rig.peer.send("for the holder");
    assert_eq!(within(next.recv()).await.unwrap().text(), Some("for the holder"));
    assert!(rig.journal.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hold_dropped_in_its_time_resumes_at_once() {
    for workers in [1, 3] {
        let rig = start_with(Probe::default(), |builder| builder.workers(workers)).await;
        let held = within(rig.engine.pause()).await.unwrap();
        rig.peer.send("waits");
        settle().await;
        let ((), took) = timed(async {
            drop(held);
            rig.journal.until("message waits").await;
        })
        .await;
        crate::support::assert_at_once(took);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_are_refused_when_the_session_ends() {
    let mut rig = start(Probe::default()).await;
    let _held = within(rig.engine.pause()).await.unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let engine = rig.engine.clone();
            tokio::spawn(async move { engine.pause().await.map(drop) })
        })
        .collect();
    settle().await;
    rig.close_by_peer();
    for waits in waiting {
        assert_eq!(within(waits).await.unwrap(), Err(wscengine::PauseError::SessionEnded));
    }
    rig.reopened().await;
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_of_on_open_is_of_no_use_after_it() {
    use futures_util::FutureExt;
    use std::sync::{Arc, Mutex};

    // A clone of the session is all that a handler can keep; its hold went with the callback.
    let kept = Arc::new(Mutex::new(None));
    let keeps = kept.clone();
    let probe = Probe::default().on_open(move |conn, _| {
        *keeps.lock().unwrap() = Some(conn.session().clone());
        async { Ok(()) }.boxed()
    });
    let mut rig = start(probe).await;
    let session = kept.lock().unwrap().clone().unwrap();
    within(session.send("later")).await.unwrap();
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("later"));
    rig.peer.send("to on_message");
    rig.journal.until("message to on_message").await;
}

#[tokio::test(start_paused = true)]
async fn pause_for_may_be_of_any_length() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause_for(std::time::Duration::MAX)).await.unwrap();
    rig.peer.send("for the holder");
    assert_eq!(within(held.recv()).await.unwrap().text(), Some("for the holder"));
    drop(held);
    let held = within(rig.engine.pause_for(std::time::Duration::ZERO)).await;
    drop(held);
    rig.peer.send("for on_message");
    rig.journal.until("message for on_message").await;
}

/// On a real clock: a task that spins keeps a paused one from moving.
#[tokio::test]
async fn a_holder_that_took_the_last_message_before_the_close_leaves_nothing_to_wait_for() {
    let mut rig = start_with(Probe::default(), |builder| {
        builder.read_ahead(1, 1024).drain_timeout(secs(3_600)).backoff(NoBackoff)
    })
    .await;
    let mut held = within_real(rig.engine.pause()).await.unwrap();
    let holder = tokio::spawn(async move {
        let received = held.recv().await;
        (held, received)
    });
    tokio::task::yield_now().await;
    rig.peer.send("last");
    rig.close_by_peer();
    let (held, received) = within_real(holder).await.unwrap();
    assert_eq!(received.unwrap().text(), Some("last"));
    within_real(rig.accept()).await;
    assert_eq!(rig.journal.lines()[..2], ["open", "close closed by the peer with 1012"]);
    drop(held);
}
