//! Pause: who is granted the connection, when, and who is refused.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::join_all;
use wscengine::testing::memory::{Fault, PeerEvent};
use wscengine::{PauseError, Session, Status};

use crate::support::{
    Journal, Probe, assert_at_once, builder, millis, secs, settle, start, start_with, timed, within,
};

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_granted_at_once_without_any_message_arriving() {
    for workers in [1, 4] {
        let mut rig = start_with(Probe::default(), |builder| builder.workers(workers)).await;
        tokio::time::sleep(secs(5)).await;
        for _ in 0..10 {
            let (held, took) = timed(rig.engine.pause()).await;
            assert_at_once(took);
            drop(held.unwrap());
        }
        assert_eq!(rig.engine.stats().messages_received, 0);
        assert!(rig.peer.recv().now_or_never().is_none(), "something was sent for it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_grants_like_the_engine_does() {
    let rig = start(Probe::default()).await;
    let session = rig.engine.session().unwrap();
    let (held, took) = timed(session.pause()).await;
    assert_at_once(took);
    assert_eq!(held.unwrap().session().id(), session.id());
}

#[tokio::test(start_paused = true)]
async fn the_grant_waits_for_no_callback_that_runs() {
    for workers in [1, 3] {
        let probe = Probe::default().on_message(|_, _| std::future::pending());
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        for _ in 0..workers {
            rig.peer.send("busy");
        }
        rig.journal.until_messages(workers).await;
        let (held, took) = timed(rig.engine.pause()).await;
        assert_at_once(took);
        let mut held = held.unwrap();
        rig.peer.send("for the holder");
        assert_eq!(within(held.recv()).await.unwrap().text(), Some("for the holder"));
        assert_eq!(rig.journal.running(), workers);
    }
}

/// The use that the documentation shows: ask and receive the answer, inside `on_message`.
#[tokio::test(start_paused = true)]
async fn on_message_may_pause_ask_and_receive_with_any_number_of_workers() {
    for workers in [1, 2, 5] {
        let journal = Journal::default();
        let seen = journal.clone();
        let probe = Probe::new(&journal).on_message(move |session, message| {
            let journal = seen.clone();
            async move {
                if message.text() == Some("go") {
                    let mut conn = session.pause().await.unwrap();
                    conn.send("question").await.unwrap();
                    let answer = conn.recv().await.unwrap();
                    journal.note(format!("answer {}", answer.text().unwrap()));
                }
            }
        });
        let mut rig = start_with(probe, |builder| builder.workers(workers)).await;
        for round in 0..10 {
            rig.peer.send("go");
            assert_eq!(within(rig.peer.next_message()).await.text(), Some("question"));
            rig.peer.send(round.to_string());
            journal.until(&format!("answer {round}")).await;
        }
        assert_eq!(journal.messages(), vec!["go"; 10], "{workers} workers");
    }
}

#[tokio::test(start_paused = true)]
async fn on_message_may_pause_again_after_it_gave_the_connection_back() {
    let probe = Probe::default().on_message(|session, _| async move {
        for round in 0..3 {
            let mut conn = session.pause().await.unwrap();
            conn.send(format!("question {round}")).await.unwrap();
            conn.recv().await.unwrap();
        }
    });
    let mut rig = start(probe).await;
    rig.peer.send("go");
    for round in 0..3 {
        assert_eq!(
            within(rig.peer.next_message()).await.text(),
            Some(&*format!("question {round}"))
        );
        rig.peer.send("answer");
    }
    settle().await;
    assert_eq!(rig.journal.messages(), ["go"]);
}

#[tokio::test(start_paused = true)]
async fn several_requests_are_served_in_turn_and_no_message_slips_through_between_them() {
    let mut rig = start(Probe::default()).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let first = within(rig.engine.pause()).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..5 {
        let (engine, order) = (rig.engine.clone(), order.clone());
        tasks.push(tokio::spawn(async move {
            let mut held = engine.pause().await.unwrap();
            order.lock().unwrap().push(number);
            held.send("next").await.unwrap();
            held.recv().await.unwrap().text().unwrap().to_owned()
        }));
        settle().await;
    }
    assert!(order.lock().unwrap().is_empty(), "two hold it at once");
    for number in 0..5 {
        rig.peer.send(number.to_string());
    }
    rig.peer.send("for on_message");
    drop(first);
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(within(task).await.unwrap(), number.to_string());
        assert_eq!(within(rig.peer.next_message()).await.text(), Some("next"));
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
    rig.journal.until("message for on_message").await;
    assert_eq!(rig.journal.messages(), ["for on_message"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_is_skipped() {
    let rig = start(Probe::default()).await;
    let held = within(rig.engine.pause()).await.unwrap();
    for _ in 0..3 {
        assert!(tokio::time::timeout(secs(1), rig.engine.pause()).await.is_err());
    }
    let engine = rig.engine.clone();
    let last = tokio::spawn(async move { engine.pause().await });
    settle().await;
    drop(held);
    let (last, took) = timed(last).await;
    assert_at_once(took);
    drop(last.unwrap().unwrap());
    rig.peer.send("flows again");
    rig.journal.until("message flows again").await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_as_it_is_granted_gives_the_connection_back() {
    let rig = start(Probe::default()).await;
    for _ in 0..20 {
        // Asked for, and dropped before the grant could arrive.
        assert!(rig.engine.pause().now_or_never().is_none());
    }
    rig.peer.send("flows");
    rig.journal.until("message flows").await;
    assert!(matches!(&*rig.engine.status().borrow(), Status::Open { .. }));
}

/// What pausing gives inside a callback that holds the connection.
async fn refusal(session: &Session) -> PauseError {
    within(session.pause()).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn on_open_and_on_close_hold_the_connection_already() {
    let journal = Journal::default();
    let (opening, closing) = (journal.clone(), journal.clone());
    let probe = Probe::new(&journal)
        .on_open(move |conn, _| {
            let journal = opening.clone();
            async move {
                journal.note(format!("in on_open {:?}", refusal(conn.session()).await));
                Ok(())
            }
            .boxed()
        })
        .on_close(move |conn, _| {
            let journal = closing.clone();
            async move {
                journal.note(format!("in on_close {:?}", refusal(conn.session()).await));
                None
            }
            .boxed()
        });
    let mut rig = start(probe).await;
    rig.close_by_peer();
    rig.reopened().await;
    rig.stop().await;
    assert_eq!(journal.after("in on_open "), ["AlreadyHeld", "AlreadyHeld"]);
    assert_eq!(journal.after("in on_close "), ["AlreadyHeld", "AlreadyHeld"]);
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_engine_has_nothing_to_pause() {
    let rig = start(Probe::default()).await;
    let session = rig.engine.session().unwrap();
    rig.server.script([Fault::Hang]);
    rig.close_by_peer();
    rig.journal.until("close closed by the peer with 1012").await;
    settle().await;
    // Backing off, then dialing.
    for _ in 0..2 {
        let (refused, took) = timed(rig.engine.pause()).await;
        assert_at_once(took);
        assert!(matches!(refused, Err(PauseError::NotConnected)), "{refused:?}");
        assert_eq!(refusal(&session).await, PauseError::SessionEnded);
        tokio::time::sleep(secs(1)).await;
    }
    rig.stop().await;
    assert!(matches!(
        within(rig.engine.pause()).await,
        Err(PauseError::Stopped | PauseError::NotConnected)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_session_of_the_past_cannot_pause_the_present_one() {
    let mut rig = start(Probe::default()).await;
    let old = rig.engine.session().unwrap();
    rig.close_by_peer();
    rig.reopened().await;
    assert_eq!(refusal(&old).await, PauseError::SessionEnded);
    assert!(matches!(&*rig.engine.status().borrow(), Status::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn pausing_before_the_start_is_done_is_refused() {
    let (starting, server) = builder(Probe::default());
    server.script([Fault::Hang]);
    let prepared = starting.build().unwrap();
    let control = prepared.control();
    let start = tokio::spawn(prepared.start());
    settle().await;
    control.exit();
    assert!(within(start).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_status_says_paused_while_somebody_holds_the_connection() {
    let rig = start(Probe::default()).await;
    let mut status = rig.engine.status();
    let held = within(rig.engine.pause()).await.unwrap();
    within(status.wait_for(|status| matches!(status, Status::Paused { .. }))).await.unwrap();
    drop(held);
    within(status.wait_for(|status| matches!(status, Status::Open { .. }))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_holder_sends_pings_and_sends_flushed() {
    let mut rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    assert_at_once(within(held.ping()).await.unwrap());
    within(held.send("1")).await.unwrap();
    within(held.send_flushed("2")).await.unwrap();
    // Others may send too: only reading is exclusive.
    within(rig.engine.send_flushed("3")).await.unwrap();
    let mut messages = Vec::new();
    while messages.len() < 3 {
        if let Some(PeerEvent::Message(message)) = within(rig.peer.recv()).await {
            messages.push(message.text().unwrap().to_owned());
        }
    }
    assert_eq!(messages, ["1", "2", "3"]);
}

/// Holders of all kinds compete on several threads: each question gets its own answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_may_ask_at_once_and_each_gets_its_own_answer() {
    let mut rig = start_with(Probe::default(), |builder| builder.workers(3)).await;
    let askers = (0..8).map(|asker| {
        let engine = rig.engine.clone();
        tokio::spawn(async move {
            for round in 0..20 {
                let question = format!("{asker}/{round}");
                let mut held = engine.pause().await.unwrap();
                held.send(question.clone()).await.unwrap();
                assert_eq!(held.recv().await.unwrap().text(), Some(&*question));
            }
        })
    });
    let all = tokio::spawn(join_all(askers.collect::<Vec<_>>()));
    for _ in 0..160 {
        let question = crate::support::within_real(rig.peer.next_message()).await;
        rig.peer.send(question);
    }
    for asker in crate::support::within_real(all).await.unwrap() {
        asker.unwrap();
    }
    assert!(rig.journal.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn pause_for_does_not_make_the_grant_any_later() {
    let rig = start(Probe::default()).await;
    let (held, took) = timed(rig.engine.pause_for(millis(1))).await;
    assert_at_once(took);
    drop(held.unwrap());
}
