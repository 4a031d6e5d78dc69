//! `stop`: dropped, the stop goes on. `stopped`: dropped, nothing is changed.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wscengine::testing::memory::Fault;
use wscengine::{ConnectErrorKind, ExponentialBackoff, Outcome, OutcomeKind};

use crate::cut::{Cut, at_each_await, at_each_moment};
use crate::kit::{ends, goes_on};
use crate::support::{Probe, Rig, millis, ok_after, secs, settle, start_with, within};

/// What the engine is at when it is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Idle,
    OnMessage,
    Paused,
    PausesQueued,
    DialThatHangs,
    OnOpenOfARestart,
    OnReadError,
    OnRestartError,
    BackingOff,
    DrainingAfterALoss,
    OnCloseOfALoss,
    PeerThatDoesNotAnswerTheClose,
    SocketThatStalls,
    /// `stop_timeout` is over before `on_close` is.
    Forced,
}

const STATES: [At; 14] = [
    At::Idle,
    At::OnMessage,
    At::Paused,
    At::PausesQueued,
    At::DialThatHangs,
    At::OnOpenOfARestart,
    At::OnReadError,
    At::OnRestartError,
    At::BackingOff,
    At::DrainingAfterALoss,
    At::OnCloseOfALoss,
    At::PeerThatDoesNotAnswerTheClose,
    At::SocketThatStalls,
    At::Forced,
];

/// How long each thing takes that the stop has to wait for.
const BRIEFLY: Duration = Duration::from_millis(4);

/// An engine in this state, and what must live as long as the test.
async fn engine_at(at: At) -> (Rig, BoxFuture<'static, ()>) {
    let probe = Probe::default()
        .on_open(|_, opened| ok_after(if opened.restarting { BRIEFLY } else { millis(0) }).boxed())
        .on_message(|_, _| tokio::time::sleep(BRIEFLY))
        .on_read_error(|_, _| tokio::time::sleep(BRIEFLY))
        .on_restart_error(|_, _, _| tokio::time::sleep(BRIEFLY))
        .on_close(move |_, _| {
            let takes = if at == At::Forced { secs(3_600) } else { BRIEFLY };
            tokio::time::sleep(takes).map(|()| None).boxed()
        });
    let rig = start_with(probe, |builder| {
        builder
            .backoff(ExponentialBackoff::new().base(secs(60)).cap(secs(60)))
            .close_timeout(BRIEFLY)
            .drain_timeout(2 * BRIEFLY)
            .stop_timeout(if at == At::Forced { 2 * BRIEFLY } else { secs(30) })
            .on_close_timeout(secs(3_600))
    })
    .await;
    let mut keep: BoxFuture<'static, ()> = async {}.boxed();
    match at {
        At::Idle | At::Forced => {}
        At::OnMessage => {
            rig.peer.send("1");
            rig.peer.send("2");
            rig.journal.until("message 1").await;
        }
        At::Paused | At::PausesQueued => {
            let held = within(rig.engine.pause()).await.unwrap();
            if at == At::PausesQueued {
                let engine = rig.engine.clone();
                tokio::spawn(async move { engine.pause().await });
            }
            keep = async move { drop(held) }.boxed();
        }
        At::DialThatHangs => {
            rig.server.script([Fault::Hang]);
            rig.engine.restart();
        }
        At::OnOpenOfARestart => rig.engine.restart(),
        At::OnReadError => {
            let error = wscengine::ReadError::new(wscengine::ReadErrorKind::Codec).survivable();
            rig.peer.read_error(error);
        }
        At::OnRestartError | At::BackingOff => {
            rig.server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
            rig.engine.restart();
            rig.journal.until("restart error 2").await;
        }
        At::DrainingAfterALoss => {
            rig.peer.send("1");
            rig.peer.reset();
        }
        At::OnCloseOfALoss => rig.close_by_peer(),
        At::PeerThatDoesNotAnswerTheClose => rig.peer.auto_close(false),
        At::SocketThatStalls => {
            rig.peer.stall_writes(true);
            rig.engine.try_send("stuck").unwrap();
        }
    }
    (rig, keep)
}

/// Lets the engine come into its state.
async fn arrives(rig: &mut Rig, at: At) {
    match at {
        At::DialThatHangs => {
            while rig.server.dials() < 2 {
                settle().await;
            }
        }
        At::OnOpenOfARestart => {
            rig.accept().await;
            rig.journal.until("reopen").await;
        }
        At::BackingOff => tokio::time::sleep(2 * BRIEFLY).await,
        _ => settle().await,
    }
}

/// The engine is at what it is meant to be at, and this callback runs.
fn assert_is_there(rig: &Rig, at: At) {
    let (status, callback) = match at {
        At::Idle | At::PeerThatDoesNotAnswerTheClose | At::SocketThatStalls | At::Forced => {
            ("Open", None)
        }
        At::OnMessage => ("Open", Some("message 1")),
        At::Paused | At::PausesQueued => ("Paused", None),
        At::DialThatHangs => ("Connecting", None),
        At::OnOpenOfARestart => ("Opening", Some("reopen")),
        At::OnReadError => ("Open", Some("read error Codec fatal=false")),
        At::OnRestartError => ("Waiting", Some("restart error 2")),
        At::BackingOff => ("Waiting", None),
        At::DrainingAfterALoss => ("Closing", Some("message 1")),
        At::OnCloseOfALoss => ("Closing", Some("close closed by the peer with 1012")),
    };
    let now = format!("{:?}", &*rig.engine.status().borrow());
    assert_eq!(now.split([' ', '{']).next(), Some(status), "{at:?}");
    assert_eq!(rig.journal.running(), usize::from(callback.is_some()), "{at:?}");
    if callback.is_some() {
        assert_eq!(rig.journal.lines().last().map(String::as_str), callback, "{at:?}");
    }
}

/// The stop is dropped at a moment, and takes as long and ends as one that is not.
async fn stop_at(cut: Cut, at: At) {
    let (mut rig, keep) = engine_at(at).await;
    arrives(&mut rig, at).await;
    assert_is_there(&rig, at);
    let begun = tokio::time::Instant::now();
    let outcome = cut.call(rig.engine.stop()).await;
    let outcome = match outcome {
        Some(outcome) => outcome,
        // It was never called.
        None if cut.polls() == 0 => within(rig.engine.stop()).await,
        None => within(rig.engine.stopped()).await,
    };
    let took = begun.elapsed();
    assert_outcome(at, &outcome);
    assert!(took <= 4 * BRIEFLY + millis(5), "{at:?}: {cut:?}: it took {took:?}");
    keep.await;
    let dials = rig.server.dials();
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!((rig.server.dials(), rig.server.live()), (dials, 0));
    assert_eq!(rig.journal.running(), 0);
}

fn assert_outcome(at: At, outcome: &Outcome) {
    assert_eq!(outcome.kind(), OutcomeKind::Requested, "{at:?}");
    assert_eq!(outcome.is_forced(), at == At::Forced, "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn engine_stop_dropped_at_any_moment_in_any_state_goes_on() {
    for at in STATES {
        let moments = at_each_moment(|cut| stop_at(cut, at)).await;
        assert!(moments >= 1, "{at:?} is over at once");
    }
}

/// What was accepted for sending is written though the stop is dropped.
#[tokio::test(start_paused = true)]
async fn engine_stop_dropped_at_any_moment_still_writes_what_was_accepted() {
    at_each_moment(|cut| async move {
        let mut rig = start_with(Probe::default(), |builder| builder).await;
        for number in 0..40 {
            rig.engine.try_send(number.to_string()).unwrap();
        }
        drop(cut.call(rig.engine.stop()).await);
        if cut.polls() == 0 {
            rig.engine.control().exit();
        }
        let sent = crate::kit::messages_of_the_rest(&mut rig).await;
        let wanted: Vec<_> = (0..40).map(|number| number.to_string()).collect();
        assert_eq!(sent, wanted);
        ends(rig).await;
    })
    .await;
}

/// Dropped before it is polled it was not called; polled, it never waits in a callback of its own engine.
#[tokio::test(start_paused = true)]
async fn engine_stop_inside_a_callback_has_no_await_to_be_dropped_at() {
    let reached = at_each_await(|cut| async move {
        let engine = std::sync::Arc::new(std::sync::OnceLock::<wscengine::Engine>::new());
        let (call, handle) = (cut.clone(), engine.clone());
        let probe = Probe::default().on_message(move |_, message| {
            let (cut, engine) = (call.clone(), handle.get().unwrap().clone());
            async move {
                if message.text() == Some("stop")
                    && let Some(outcome) = cut.call(engine.stop()).await
                {
                    assert_eq!(outcome.kind(), OutcomeKind::UnderWay);
                }
            }
        });
        let rig = start_with(probe, |builder| builder).await;
        assert!(engine.set(rig.engine.clone()).is_ok());
        rig.peer.send("stop");
        rig.journal.until("message stop").await;
        if cut.was_given_up() {
            goes_on(rig).await;
        } else {
            ends(rig).await;
        }
        drop(engine);
    })
    .await;
    assert_eq!(reached, 0);
}

#[tokio::test(start_paused = true)]
async fn engine_stopped_dropped_while_the_engine_runs_changes_nothing() {
    let reached = at_each_await(|cut| async move {
        let rig = start_with(Probe::default(), |builder| builder).await;
        let ends_later = async {
            // A call that is given up ends before; one that is not waits for this.
            if !cut.was_given_up() {
                settle().await;
                rig.engine.control().exit();
            }
        };
        let stopped = async {
            if cut.was_given_up() {
                tokio::time::timeout(secs(60), cut.call(rig.engine.stopped())).await.unwrap_or(None)
            } else {
                cut.call(rig.engine.stopped()).await
            }
        };
        match tokio::join!(stopped, ends_later).0 {
            Some(outcome) => {
                assert_eq!(outcome.kind(), OutcomeKind::Requested);
                ends(rig).await;
            }
            None => goes_on(rig).await,
        }
    })
    .await;
    assert!(reached >= 1, "{reached}");
}

#[tokio::test(start_paused = true)]
async fn engine_stopped_dropped_at_any_moment_of_the_end_may_be_called_again() {
    at_each_moment(|cut| async move {
        let probe =
            Probe::default().on_close(|_, _| tokio::time::sleep(BRIEFLY).map(|()| None).boxed());
        let rig = start_with(probe, |builder| builder).await;
        rig.engine.control().exit();
        drop(cut.call(rig.engine.stopped()).await);
        for _ in 0..2 {
            assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Requested);
        }
        ends(rig).await;
    })
    .await;
}
