//! Guarantee 2: `on_open`, messages, exactly one `on_close`, at most one `on_close_error`; sessions never overlap; what
//! was read is handled, received or counted.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use wscengine::{Closed, Initiator, NoBackoff, ReadErrorKind};

use crate::support::{
    Journal, Probe, Rig, frame, millis, ok_after, secs, settle, start, start_with, within,
};

/// What `on_close` was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Closed>>>);

impl Told {
    fn probe(&self, journal: &Journal) -> Probe {
        let told = self.0.clone();
        Probe::new(journal).on_close(move |_, closed| {
            told.lock().unwrap().push(closed);
            async { None }.boxed()
        })
    }

    fn only(&self) -> Closed {
        let told = self.0.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_a_session_is_open_then_messages_then_close() {
    let mut rig = start(Probe::default()).await;
    rig.peer.send("1");
    rig.peer.send("2");
    rig.close_by_peer();
    rig.accept().await;
    rig.peer.send("3");
    rig.journal.until("message 3").await;
    rig.stop().await;
    assert_eq!(
        rig.journal.lines(),
        [
            "open",
            "message 1",
            "message 2",
            "close closed by the peer with 1012",
            "reopen",
            "message 3",
            "close stopped"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_messages_that_come_during_on_open_wait_for_it() {
    let journal = Journal::default();
    let opening = journal.clone();
    let probe = Probe::new(&journal).on_open(move |_, _| {
        let journal = opening.clone();
        async move {
            tokio::time::sleep(secs(2)).await;
            journal.note("opened");
            Ok(())
        }
        .boxed()
    });
    let (builder, mut server) = crate::support::builder(probe);
    let accept = async {
        let peer = server.accept().await;
        peer.send("early");
        peer
    };
    let (engine, _peer) =
        within(async { tokio::join!(builder.build().unwrap().start(), accept) }).await;
    journal.until("message early").await;
    within(engine.unwrap().stop()).await;
    assert_eq!(journal.lines(), ["open", "opened", "message early", "close stopped"]);
    journal.assert_orderly();
}

/// Ends a session in some way.
type End = fn(&Rig);

#[tokio::test(start_paused = true)]
async fn guarantee_2_on_close_is_called_exactly_once_however_the_session_ends() {
    let ends: [(&str, End); 8] = [
        ("peer closes", |rig| rig.peer.close(Some(frame(1000, "")))),
        ("peer closes without a code", |rig| rig.peer.close(None)),
        ("reset", |rig| rig.peer.reset()),
        ("end of stream", |rig| rig.peer.eof()),
        ("violation", |rig| rig.peer.read_error(ReadErrorKind::Protocol.into())),
        ("restart", |rig| rig.engine.restart()),
        ("close and restart and close", |rig| {
            rig.engine.restart();
            rig.peer.close(None);
            rig.engine.restart();
        }),
        ("vanished", |rig| rig.peer.stall_reads(true)),
    ];
    for (name, end) in ends {
        let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
        end(&rig);
        rig.accept().await;
        rig.journal.until("reopen").await;
        assert_eq!(rig.journal.after("close ").len(), 1, "{name}: {:?}", rig.journal.lines());
        rig.stop().await;
        assert_eq!(rig.journal.after("close ").len(), 2, "{name}: {:?}", rig.journal.lines());
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_an_attempt_whose_on_open_failed_has_no_on_close() {
    let journal = Journal::default();
    let probe = Probe::new(&journal).on_open(|_, opened| {
        let result = if opened.attempt == 2 { Err("not yet".into()) } else { Ok(()) };
        async move { result }.boxed()
    });
    let mut rig = start_with(probe, |builder| builder.backoff(NoBackoff)).await;
    rig.close_by_peer();
    let refused = within(rig.server.accept()).await;
    rig.accept().await;
    drop(refused);
    rig.journal.until_count("reopen", 2).await;
    settle().await;
    rig.stop().await;
    assert_eq!(
        rig.journal.lines(),
        [
            "open",
            "close closed by the peer with 1012",
            "reopen",
            "restart error 2",
            "reopen",
            "close stopped"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_a_session_that_is_closed_as_soon_as_it_is_open_still_has_its_messages_and_its_on_close()
 {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    rig.close_by_peer();
    rig.accept().await;
    rig.peer.send("no more than this");
    rig.peer.close(Some(frame(4001, "go away")));
    rig.reopened().await;
    let lines = rig.journal.lines();
    assert_eq!(
        lines[2..],
        ["reopen", "message no more than this", "close closed by the peer with 4001", "reopen"]
    );
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_a_hundred_messages_before_a_close_are_all_handled_first() {
    for workers in [1, 4] {
        let told = Told::default();
        let journal = Journal::default();
        let probe = told.probe(&journal).on_message(|_, _| tokio::time::sleep(millis(10)));
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        for number in 0..100 {
            rig.peer.send(number.to_string());
        }
        rig.close_by_peer();
        journal.until("close closed by the peer with 1012").await;
        let messages: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        let mut handled = journal.messages();
        if workers > 1 {
            // Several at once begin in no order that is promised.
            handled.sort_by_key(|number| number.parse::<u32>().unwrap());
        }
        assert_eq!(handled, messages, "{workers} workers");
        settle().await;
        let closed = told.only();
        assert_eq!((closed.unhandled, closed.initiator), (0, Initiator::Peer));
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_a_hundred_messages_before_a_loss_are_all_handled_first() {
    for lose in [(|rig| rig.peer.reset()) as End, |rig| rig.peer.eof()] {
        let told = Told::default();
        let journal = Journal::default();
        let probe = told.probe(&journal).on_message(|_, _| tokio::time::sleep(millis(10)));
        let rig = start(probe).await;
        for number in 0..100 {
            rig.peer.send(number.to_string());
        }
        lose(&rig);
        journal.until_messages(100).await;
        rig.stop().await;
        let closed = told.only();
        assert_eq!((closed.unhandled, closed.initiator), (0, Initiator::Lost));
        assert_eq!(journal.messages().len(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_what_the_drain_timeout_cuts_off_is_counted_as_unhandled() {
    let told = Told::default();
    let journal = Journal::default();
    let probe = told.probe(&journal).on_message(|_, _| tokio::time::sleep(secs(1)));
    let rig = start_with(probe, |builder| builder.drain_timeout(millis(3_500))).await;
    for number in 0..10 {
        rig.peer.send(number.to_string());
    }
    rig.close_by_peer();
    journal.until("close closed by the peer with 1012").await;
    // Three were handled, the fourth was dropped in the middle of it.
    assert_eq!(journal.messages(), ["0", "1", "2", "3"]);
    assert_eq!(journal.count("dropped on_message"), 1);
    settle().await;
    assert_eq!(told.only().unhandled, 6);
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_on_stop_what_was_read_ahead_is_what_on_close_receives_first() {
    guarantee_2_read_ahead_goes_to_on_close(|rig| rig.engine.control().exit(), "stopped").await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_on_restart_what_was_read_ahead_is_what_on_close_receives_first() {
    guarantee_2_read_ahead_goes_to_on_close(|rig| rig.engine.restart(), "restarted").await;
}

async fn guarantee_2_read_ahead_goes_to_on_close(end: End, cause: &str) {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_message(|_, _| tokio::time::sleep(secs(1))).on_close(
        move |conn, closed| {
            let journal = seen.clone();
            async move {
                journal.note(format!("unhandled {}", closed.unhandled));
                for _ in 0..closed.unhandled {
                    let message = conn.recv().await.unwrap();
                    journal.note(format!("received {}", message.text().unwrap()));
                }
                // And what comes after it.
                conn.send("bye").await.unwrap();
                let answer = conn.recv().await.unwrap();
                journal.note(format!("received {}", answer.text().unwrap()));
                None
            }
            .boxed()
        },
    );
    let mut rig = start(probe).await;
    for text in ["1", "2", "3", "4"] {
        rig.peer.send(text);
    }
    journal.until("message 1").await;
    settle().await;
    end(&rig);
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("bye"));
    rig.peer.send("bye too");
    journal.until("received bye too").await;
    assert_eq!(journal.messages(), ["1"]);
    assert_eq!(journal.after("close "), [cause]);
    assert_eq!(journal.after("unhandled "), ["3"]);
    assert_eq!(journal.after("received "), ["2", "3", "4", "bye too"]);
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_sessions_never_overlap_even_if_every_callback_is_slow() {
    let probe = Probe::default()
        .on_open(|_, _| ok_after(secs(1)).boxed())
        .on_message(|_, _| tokio::time::sleep(secs(1)))
        .on_close(|_, _| tokio::time::sleep(secs(1)).map(|()| None).boxed())
        .on_close_error(|_, _| tokio::time::sleep(secs(1)))
        .on_read_error(|_, _| tokio::time::sleep(secs(1)));
    let mut rig = start_with(probe, |builder| builder.workers(3).backoff(NoBackoff)).await;
    for round in 0..12 {
        for number in 0..5 {
            rig.peer.send(number.to_string());
        }
        rig.peer.auto_close(false);
        match round % 4 {
            0 => rig.close_by_peer(),
            1 => rig.engine.restart(),
            2 => rig.peer.reset(),
            _ => rig.peer.read_error(ReadErrorKind::TooBig.into()),
        }
        rig.reopened().await;
    }
    rig.stop().await;
    assert_eq!(rig.server.max_live(), 1);
    assert_eq!(rig.journal.after("reopen").len(), 12);
}

#[tokio::test(start_paused = true)]
async fn guarantee_2_on_close_error_follows_on_close_and_nothing_follows_it() {
    let rig = start(Probe::default()).await;
    rig.peer.auto_close(false);
    rig.stop().await;
    rig.peer.send("too late");
    tokio::time::sleep(secs(60)).await;
    assert_eq!(rig.journal.lines(), ["open", "close stopped", "close error Timeout"]);
}
