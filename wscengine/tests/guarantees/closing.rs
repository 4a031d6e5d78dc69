//! `on_close`, `on_close_error` and `on_restart_error`: what they are told, what they may do, what comes of it.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use wscengine::testing::memory::{Fault, PeerEvent};
use wscengine::{
    AttemptError, CloseCause, Closed, ConnectErrorKind, Initiator, OutcomeKind, ReadErrorKind,
    RecvError, Revoked, SendErrorKind,
};

use crate::support::{
    Journal, Probe, Rig, assert_took, farewell_of, frame, rest_of, secs, settle, start, start_with,
    timed, within,
};

/// A probe that keeps what `on_close` was told.
fn keeping(journal: &Journal) -> (Probe, Arc<Mutex<Vec<Closed>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = kept.clone();
    let probe = Probe::new(journal).on_close(move |_, closed| {
        keeps.lock().unwrap().push(closed);
        async { None }.boxed()
    });
    (probe, kept)
}

/// What `on_close` was told of a session that ended in this way, and the code that the peer got.
async fn ended(configure: bool, end: impl FnOnce(&Rig)) -> (Closed, Option<u16>) {
    let (probe, kept) = keeping(&Journal::default());
    let mut rig = start_with(probe, |builder| builder.auto_reconnect(configure)).await;
    end(&rig);
    let code = farewell_of(&mut rig.peer).await.map(|frame| frame.code().0);
    settle().await;
    let kept = kept.lock().unwrap();
    (kept[0].clone(), code)
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_local_and_1001_going_away_by_default() {
    let (closed, code) = ended(true, |rig| rig.engine.control().exit()).await;
    assert_eq!((closed.initiator, closed.restarting, code), (Initiator::Local, false, Some(1001)));
    assert!(matches!(closed.cause, CloseCause::Stopped) && closed.frame.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_local_and_says_that_another_session_follows() {
    let (closed, code) = ended(true, |rig| rig.engine.restart()).await;
    assert_eq!((closed.initiator, closed.restarting, code), (Initiator::Local, true, Some(1001)));
    assert!(matches!(closed.cause, CloseCause::Restarted));
}

#[tokio::test(start_paused = true)]
async fn a_close_of_the_peer_comes_with_its_frame_and_is_echoed() {
    let (closed, code) = ended(true, |rig| rig.peer.close(Some(frame(4007, "moved")))).await;
    assert_eq!((closed.initiator, closed.restarting, code), (Initiator::Peer, true, Some(4007)));
    let frame = closed.frame.unwrap();
    assert_eq!((frame.code().0, frame.reason()), (4007, "moved"));
}

#[tokio::test(start_paused = true)]
async fn a_close_of_the_peer_without_a_code_has_no_frame() {
    let (closed, _) = ended(true, |rig| rig.peer.close(None)).await;
    assert_eq!(closed.initiator, Initiator::Peer);
    assert!(closed.frame.is_none() && matches!(closed.cause, CloseCause::PeerClosed(None)));
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_nobodys_doing() {
    let (closed, code) = ended(true, |rig| rig.peer.reset()).await;
    assert_eq!((closed.initiator, code), (Initiator::Lost, None));
    assert!(
        matches!(closed.cause, CloseCause::ReadFailed(error) if error.kind() == ReadErrorKind::Io)
    );
}

#[tokio::test(start_paused = true)]
async fn without_auto_reconnect_no_session_follows() {
    let (closed, _) = ended(false, |rig| rig.peer.close(None)).await;
    assert!(!closed.restarting);
}

#[tokio::test(start_paused = true)]
async fn the_frame_that_on_close_returns_is_the_one_that_is_sent() {
    for restart in [false, true] {
        let probe =
            Probe::default().on_close(|_, _| async { Some(frame(4242, "so long")) }.boxed());
        let mut rig = start(probe).await;
        if restart {
            rig.engine.restart();
        } else {
            rig.engine.control().exit();
        }
        assert_eq!(farewell_of(&mut rig.peer).await, Some(frame(4242, "so long")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_frame_of_one_session_is_not_sent_in_the_next() {
    let probe = Probe::default().on_close(|_, closed| {
        async move { closed.restarting.then(|| frame(4242, "once")) }.boxed()
    });
    let mut rig = start(probe).await;
    rig.engine.restart();
    rig.reopened().await;
    rig.stop().await;
    assert_eq!(farewell_of(&mut rig.peer).await.unwrap().code().0, 1001);
}

#[tokio::test(start_paused = true)]
async fn the_frame_that_on_close_returns_is_ignored_when_the_peer_closed() {
    let probe = Probe::default().on_close(|_, _| async { Some(frame(4242, "ignored")) }.boxed());
    let mut rig = start(probe).await;
    rig.peer.close(Some(frame(1000, "bye")));
    let events = rest_of(&mut rig.peer).await;
    assert!(
        matches!(&events[..], [PeerEvent::Close(Some(echo)), PeerEvent::Dropped] if echo.code().0 == 1000),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn on_close_may_log_out_and_receive_the_answer_when_we_end_the_session() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_close(move |conn, _| {
        let journal = seen.clone();
        async move {
            conn.send("log out").await.unwrap();
            let answer =
                conn.recv_matching(|message| message.text() == Some("logged out")).await.unwrap();
            journal.note(format!("answer {}", answer.text().unwrap()));
            conn.ping().await.unwrap();
            None
        }
        .boxed()
    });
    let mut rig = start(probe).await;
    rig.engine.control().exit();
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("log out"));
    rig.peer.send("noise");
    rig.peer.send("logged out");
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Requested);
    assert_eq!(journal.after("answer "), ["logged out"]);
    assert!(journal.messages().is_empty(), "on_message was called beside on_close");
}

#[tokio::test(start_paused = true)]
async fn every_call_on_the_connection_fails_at_once_when_the_peer_ended_the_session() {
    let ends: [fn(&Rig); 3] = [
        |rig| rig.peer.close(None),
        |rig| rig.peer.reset(),
        |rig| rig.peer.read_error(ReadErrorKind::TooBig.into()),
    ];
    for end in ends {
        let journal = Journal::default();
        let seen = journal.clone();
        let probe = Probe::new(&journal).on_close(move |conn, _| {
            let journal = seen.clone();
            async move {
                let received = conn.recv().await;
                assert!(
                    matches!(received, Err(RecvError::Revoked(Revoked::ConnectionEnded))),
                    "{received:?}"
                );
                let kind = conn.send("x").await.unwrap_err().kind();
                assert!(
                    matches!(kind, SendErrorKind::Revoked | SendErrorKind::SessionEnded),
                    "{kind:?}"
                );
                assert!(conn.send_flushed("x").await.is_err() && conn.ping().await.is_err());
                journal.note("all failed");
                None
            }
            .boxed()
        });
        let rig = start(probe).await;
        end(&rig);
        let ((), took) = timed(journal.until("all failed")).await;
        crate::support::assert_at_once(took);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_while_on_close_runs_wakes_it() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_close(move |conn, _| {
        let journal = seen.clone();
        async move {
            journal.note(format!("received {}", conn.recv().await.is_ok()));
            None
        }
        .boxed()
    });
    let rig = start(probe).await;
    rig.engine.control().exit();
    journal.until("close stopped").await;
    rig.peer.close(None);
    let (outcome, took) = timed(rig.engine.stopped()).await;
    assert!(took < secs(2), "it took {took:?}");
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    assert_eq!(journal.after("received "), ["false"]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_the_close_is_a_close_error() {
    let rig = start_with(Probe::default(), |builder| builder.close_timeout(secs(3))).await;
    rig.peer.auto_close(false);
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert_took(took, secs(3));
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    assert_eq!(rig.journal.lines(), ["open", "close stopped", "close error Timeout"]);
    assert_eq!(rig.server.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_during_the_closing_handshake_is_a_close_error() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_close(false);
    rig.engine.control().exit();
    while !matches!(within(rig.peer.recv()).await, Some(PeerEvent::Close(_))) {}
    rig.peer.reset();
    let (_, took) = timed(rig.engine.stopped()).await;
    crate::support::assert_at_once(took);
    assert_eq!(rig.journal.lines(), ["open", "close stopped", "close error Io"]);
}

#[tokio::test(start_paused = true)]
async fn a_close_error_does_not_keep_a_restart_from_connecting_again() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_close(false);
    rig.engine.restart();
    rig.reopened().await;
    assert_eq!(rig.journal.lines(), ["open", "close restarted", "close error Timeout", "reopen"]);
}

#[tokio::test(start_paused = true)]
async fn what_arrives_between_our_close_frame_and_the_peers_is_let_go() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_close(false);
    rig.engine.control().exit();
    while !matches!(within(rig.peer.recv()).await, Some(PeerEvent::Close(_))) {}
    rig.peer.send("too late");
    rig.peer.close(Some(frame(1001, "")));
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Requested);
    assert_eq!(rig.journal.lines(), ["open", "close stopped"]);
}

#[tokio::test(start_paused = true)]
async fn on_restart_error_is_told_the_error_and_the_number_of_the_retry() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_restart_error(move |_, error, retry| {
        let kind = match error {
            AttemptError::Connect(error) => format!("{:?}", error.kind()),
            other => format!("{other:?}"),
        };
        seen.note(format!("told {retry} {kind}"));
        async {}
    });
    let mut rig = start_with(probe, |builder| builder.stable_after(secs(0))).await;
    let kinds = [
        ConnectErrorKind::Resolve,
        ConnectErrorKind::Connect,
        ConnectErrorKind::Tls,
        ConnectErrorKind::Status,
    ];
    rig.server.script(kinds.map(|kind| Fault::Refuse(kind.into())));
    rig.close_by_peer();
    rig.reopened().await;
    assert_eq!(journal.after("told "), ["1 Resolve", "2 Connect", "3 Tls", "4 Status"]);
}

#[tokio::test(start_paused = true)]
async fn exit_inside_on_restart_error_makes_that_attempt_the_last() {
    let probe = Probe::default().on_restart_error(|control, _, retry| async move {
        if retry == 3 {
            control.exit();
        }
    });
    let rig = start(probe).await;
    rig.server.script((0..10).map(|_| Fault::Refuse(ConnectErrorKind::Connect.into())));
    rig.close_by_peer();
    let outcome = within(rig.engine.stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    assert_eq!(rig.journal.after("restart error "), ["2", "3"]);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(rig.server.dials(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_waits_for_on_restart_error() {
    let probe = Probe::default().on_restart_error(|_, _, _| tokio::time::sleep(secs(4)));
    let mut rig = start_with(probe, |builder| builder.backoff(wscengine::NoBackoff)).await;
    rig.server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
    rig.close_by_peer();
    rig.journal.until("restart error 2").await;
    let ((), took) = timed(rig.reopened()).await;
    assert_took(took, secs(4));
}
