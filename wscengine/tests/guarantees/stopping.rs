//! Stopping from odd places: inside callbacks, twice, while other things begin; and outcomes in general.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use wscengine::testing::memory::Fault;
use wscengine::{
    Callback, ConnectErrorKind, Control, Engine, NoBackoff, OutcomeKind, ReadError, ReadErrorKind,
    Session,
};

use crate::support::{
    Journal, Probe, Rig, assert_at_once, frame, millis, ok_after, secs, start, start_with, timed,
    within, within_real,
};

/// Begins what leads to a callback.
type Begin = fn(&Rig);

/// A place for an engine, so that its own callbacks can reach it.
type Slot = Arc<Mutex<Option<Engine>>>;

/// Stops the engine in the slot from wherever this is called, and notes what that gave.
async fn stop_from_inside(slot: &Slot, journal: &Journal) {
    let engine = slot.lock().unwrap().clone();
    if let Some(engine) = engine {
        journal.note(format!("stop gave {:?}", engine.stop().await.kind()));
    }
}

/// A probe that stops the engine in one of its callbacks.
fn stopping_in(callback: Callback, journal: &Journal, slot: &Slot) -> Probe {
    let ends =
        move |slot: Slot, journal: Journal| async move { stop_from_inside(&slot, &journal).await };
    let (slot, journal, probe) = (slot.clone(), journal.clone(), Probe::new(journal));
    match callback {
        Callback::OnMessage => probe.on_message(move |_, _| ends(slot.clone(), journal.clone())),
        Callback::OnReadError => {
            probe.on_read_error(move |_, _| ends(slot.clone(), journal.clone()))
        }
        Callback::OnCloseError => {
            probe.on_close_error(move |_, _| ends(slot.clone(), journal.clone()))
        }
        Callback::OnRestartError => {
            probe.on_restart_error(move |_, _, _| ends(slot.clone(), journal.clone()))
        }
        Callback::OnClose => {
            probe.on_close(move |_, _| ends(slot.clone(), journal.clone()).map(|()| None).boxed())
        }
        Callback::OnOpen => {
            probe.on_open(move |_, _| ends(slot.clone(), journal.clone()).map(Ok).boxed())
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn stop_inside_any_callback_does_not_wait_for_itself() {
    for callback in [
        Callback::OnOpen,
        Callback::OnMessage,
        Callback::OnReadError,
        Callback::OnClose,
        Callback::OnCloseError,
        Callback::OnRestartError,
    ] {
        let (journal, slot) = (Journal::default(), Slot::default());
        let rig = start_with(stopping_in(callback, &journal, &slot), |builder| {
            builder.backoff(NoBackoff)
        })
        .await;
        *slot.lock().unwrap() = Some(rig.engine.clone());
        match callback {
            Callback::OnMessage => rig.peer.send("stop"),
            Callback::OnReadError => {
                rig.peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
            }
            Callback::OnCloseError => {
                rig.peer.auto_close(false);
                rig.engine.restart();
            }
            Callback::OnRestartError => {
                rig.server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
                rig.peer.reset();
            }
            _ => rig.peer.reset(),
        }
        if callback == Callback::OnOpen {
            // The second session's on_open stops the engine.
            rig.server.script([Fault::AcceptThenEof]);
        }
        let outcome = within(rig.engine.stopped()).await;
        assert_eq!(outcome.kind(), OutcomeKind::Requested, "{callback}");
        assert_eq!(journal.after("stop gave "), ["UnderWay"], "{callback}: {:?}", journal.lines());
        assert!(!outcome.is_forced(), "{callback}");
        assert_eq!(rig.server.live(), 0, "{callback}");
        slot.lock().unwrap().take();
    }
}

#[tokio::test(start_paused = true)]
async fn stop_inside_on_message_of_a_worker_task_does_not_wait_for_itself() {
    let (journal, slot) = (Journal::default(), Slot::default());
    let rig =
        start_with(stopping_in(Callback::OnMessage, &journal, &slot), |builder| builder.workers(3))
            .await;
    *slot.lock().unwrap() = Some(rig.engine.clone());
    rig.peer.send("stop");
    let (outcome, took) = timed(rig.engine.stopped()).await;
    assert_at_once(took);
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    assert_eq!(journal.after("stop gave "), ["UnderWay"]);
    slot.lock().unwrap().take();
}

#[tokio::test(start_paused = true)]
async fn exit_inside_any_callback_ends_the_engine() {
    let exits = |session: Session| async move { session.exit() };
    let ends: [(Probe, Begin); 4] = [
        (Probe::default().on_message(move |session, _| exits(session)), |rig| rig.peer.send("go")),
        (Probe::default().on_read_error(move |session, _| exits(session)), |rig| {
            rig.peer.read_error(ReadErrorKind::Protocol.into());
        }),
        (
            Probe::default().on_close(|conn, _| {
                conn.session().exit();
                async { None }.boxed()
            }),
            |rig| rig.engine.restart(),
        ),
        (Probe::default().on_close_error(move |session, _| exits(session)), |rig| {
            rig.peer.auto_close(false);
            rig.engine.restart();
        }),
    ];
    for (probe, begin) in ends {
        let rig = start(probe).await;
        begin(&rig);
        let outcome = within(rig.engine.stopped()).await;
        assert_eq!(outcome.kind(), OutcomeKind::Requested);
        tokio::time::sleep(secs(600)).await;
        assert_eq!(rig.server.dials(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn exit_inside_the_first_on_open_fails_the_start() {
    let probe = Probe::default().on_open(|conn, _| {
        conn.session().exit();
        ok_after(secs(20)).boxed()
    });
    let journal = probe.journal.clone();
    let (builder, mut server) = crate::support::builder(probe);
    let starting = async { tokio::join!(builder.build().unwrap().start(), server.accept()) };
    let ((result, _peer), took) = timed(starting).await;
    assert_at_once(took);
    assert!(matches!(result, Err(wscengine::StartError::Stopped)), "{result:?}");
    assert_eq!(journal.lines(), ["open", "dropped on_open"]);
}

#[tokio::test(start_paused = true)]
async fn many_stops_at_once_give_one_end_and_one_outcome() {
    let probe =
        Probe::default().on_close(|_, _| tokio::time::sleep(secs(1)).map(|()| None).boxed());
    let rig = start(probe).await;
    let stops: Vec<_> = (0..10)
        .map(|_| {
            let engine = rig.engine.clone();
            tokio::spawn(async move { engine.stop().await.kind() })
        })
        .collect();
    for stop in stops {
        assert_eq!(within(stop).await.unwrap(), OutcomeKind::Requested);
    }
    assert_eq!(rig.journal.lines(), ["open", "close stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_a_callback_that_is_nearly_done_finish() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_message(move |_, _| {
        let journal = seen.clone();
        async move {
            tokio::time::sleep(secs(2)).await;
            journal.note("finished");
        }
    });
    let rig = start(probe).await;
    rig.peer.send("work");
    journal.until("message work").await;
    let (_, took) = timed(rig.engine.stop()).await;
    assert!(took <= secs(2) + millis(5), "it took {took:?}");
    assert_eq!(journal.lines(), ["open", "message work", "finished", "close stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_begun_by_the_peers_close_and_by_us_at_once_is_one_end() {
    for we_first in [true, false] {
        let rig = start(Probe::default()).await;
        if we_first {
            rig.engine.control().exit();
            rig.peer.close(Some(frame(1000, "")));
        } else {
            rig.peer.close(Some(frame(1000, "")));
            rig.engine.control().exit();
        }
        assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Requested);
        assert_eq!(rig.journal.after("close ").len(), 1);
        assert_eq!(rig.server.dials(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_floods_does_not_delay_a_stop() {
    for workers in [1, 4] {
        let rig = start_with(Probe::default(), |builder| builder.workers(workers)).await;
        for number in 0..20_000 {
            rig.peer.send(number.to_string());
        }
        rig.journal.until_messages(1).await;
        let (outcome, took) = timed(rig.engine.stop()).await;
        assert!(took < secs(1), "it took {took:?}");
        assert!(!outcome.is_forced());
    }
}

#[tokio::test(start_paused = true)]
async fn a_control_of_a_stopped_engine_does_no_harm() {
    let rig = start(Probe::default()).await;
    let (control, session): (Control, Session) =
        (rig.engine.control(), rig.engine.session().unwrap());
    rig.stop().await;
    for _ in 0..3 {
        control.exit();
        control.restart();
        session.restart();
        session.exit();
    }
    tokio::time::sleep(secs(600)).await;
    assert_eq!(rig.server.dials(), 1);
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Requested);
}

#[tokio::test(start_paused = true)]
async fn an_engine_may_stop_another_inside_a_callback_and_wait_for_it() {
    let other = start(Probe::default()).await;
    let engine = other.engine.clone();
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_message(move |_, _| {
        let (engine, journal) = (engine.clone(), seen.clone());
        async move { journal.note(format!("other {:?}", engine.stop().await.kind())) }
    });
    let rig = start(probe).await;
    rig.peer.send("stop the other one");
    journal.until("other Requested").await;
    assert_eq!(other.journal.lines(), ["open", "close stopped"]);
}

/// Stops that race with sends, pauses, restarts and a peer that comes and goes, on real threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_in_the_middle_of_everything_ends_everything() {
    for round in 0..30 {
        let mut rig = start_with(Probe::default(), |builder| {
            builder.workers(1 + round % 3).backoff(NoBackoff)
        })
        .await;
        let busy: Vec<_> = (0..4)
            .map(|task| {
                let engine = rig.engine.clone();
                tokio::spawn(async move {
                    for _ in 0..50 {
                        match task {
                            0 => drop(engine.send("x").await),
                            1 => drop(engine.pause().await),
                            2 => engine.restart(),
                            _ => drop(engine.ping().await),
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for number in 0..20 {
            rig.peer.send(number.to_string());
        }
        let engine = rig.engine.clone();
        let serve = async {
            loop {
                rig.peer = rig.server.accept().await;
            }
        };
        let stop = async {
            for _ in 0..round * 10 {
                tokio::task::yield_now().await;
            }
            within_real(engine.stop()).await
        };
        let outcome = tokio::select! {
            outcome = stop => outcome,
            () = serve => unreachable!(),
        };
        assert_eq!((outcome.kind(), outcome.blocked()), (OutcomeKind::Requested, None));
        assert_eq!((rig.server.live(), rig.journal.running()), (0, 0));
        for task in busy {
            within_real(task).await.unwrap();
        }
    }
}
