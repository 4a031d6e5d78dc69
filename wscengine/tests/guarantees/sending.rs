//! Sending: what `send`, `try_send` and `send_flushed` promise, and what becomes of messages when a session ends.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::join_all;
use wscengine::testing::memory::{Fault, MemoryPeer, PeerEvent};
use wscengine::{Message, SendErrorKind};

use crate::support::{
    Journal, Probe, assert_at_once, frame, rest_of, secs, settle, start, start_with, timed, within,
};

/// The texts among events, and whether a close frame follows the last of them.
fn texts(events: &[PeerEvent]) -> Vec<String> {
    let text = |event: &PeerEvent| match event {
        PeerEvent::Message(message) => message.text().map(str::to_owned),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

async fn next_texts(peer: &mut MemoryPeer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(within(peer.next_message()).await.text().unwrap().to_owned());
    }
    texts
}

#[tokio::test(start_paused = true)]
async fn text_and_binary_arrive_as_they_were_sent_and_in_order() {
    let mut rig = start(Probe::default()).await;
    rig.engine.send("text").await.unwrap();
    rig.engine.try_send(vec![0_u8, 255]).unwrap();
    rig.engine.send_flushed(Message::from_text("")).await.unwrap();
    rig.engine.session().unwrap().send("by the session").await.unwrap();
    for wanted in
        [Message::from("text"), Message::from(vec![0_u8, 255]), "".into(), "by the session".into()]
    {
        assert_eq!(within(rig.peer.next_message()).await, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_messages_sent_before_a_stop_all_arrive_before_the_close_frame() {
    let mut rig = start(Probe::default()).await;
    for number in numbers(100) {
        rig.engine.send(number).await.unwrap();
    }
    rig.stop().await;
    let events = rest_of(&mut rig.peer).await;
    assert_eq!(texts(&events), numbers(100));
    assert!(
        matches!(&events[100..], [PeerEvent::Close(Some(_)), PeerEvent::Dropped]),
        "{:?}",
        &events[100..]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_messages_sent_before_a_restart_all_arrive_before_the_close_frame() {
    let mut rig = start(Probe::default()).await;
    for number in numbers(100) {
        rig.engine.try_send(number).unwrap();
    }
    rig.engine.restart();
    let events = rest_of(&mut rig.peer).await;
    assert_eq!(texts(&events), numbers(100));
    assert!(matches!(&events[100..], [PeerEvent::Close(Some(_)), PeerEvent::Dropped]));
}

/// The peer takes nothing for a while, less than the drain may take.
#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_slow_peer_to_take_what_was_sent() {
    let mut rig = start(Probe::default()).await;
    rig.peer.stall_writes(true);
    for number in numbers(100) {
        rig.engine.send(number).await.unwrap();
    }
    let unstall = async {
        tokio::time::sleep(secs(4)).await;
        rig.peer.stall_writes(false);
    };
    let (outcome, ()) = within(async { tokio::join!(rig.engine.stop(), unstall) }).await;
    assert!(!outcome.is_forced());
    assert_eq!(texts(&rest_of(&mut rig.peer).await), numbers(100));
}

#[tokio::test(start_paused = true)]
async fn what_on_close_sends_follows_what_was_sent_before_and_comes_before_the_close_frame() {
    let probe = Probe::default().on_close(|conn, _| {
        async move {
            conn.send("log out").await.unwrap();
            conn.send_flushed("really").await.unwrap();
            Some(frame(4000, "done"))
        }
        .boxed()
    });
    let mut rig = start(probe).await;
    rig.engine.send("last").await.unwrap();
    rig.stop().await;
    let events = rest_of(&mut rig.peer).await;
    assert_eq!(texts(&events), ["last", "log out", "really"]);
    assert_eq!(events[3], PeerEvent::Close(Some(frame(4000, "done"))));
}

#[tokio::test(start_paused = true)]
async fn try_send_takes_what_fits_and_returns_what_does_not() {
    let mut rig = start_with(Probe::default(), |builder| builder.send_queue(3, 1 << 20)).await;
    // Nothing is written before this task waits: the queue holds just what it may.
    for number in numbers(3) {
        rig.engine.try_send(number).unwrap();
    }
    let error = rig.engine.try_send("too many").unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Full);
    assert_eq!(error.into_message().unwrap().text(), Some("too many"));
    assert_eq!(next_texts(&mut rig.peer, 3).await, numbers(3));
    rig.engine.try_send("now").unwrap();
    assert_eq!(next_texts(&mut rig.peer, 1).await, ["now"]);
}

#[tokio::test(start_paused = true)]
async fn send_does_not_wait_for_the_socket_but_send_flushed_does() {
    let mut rig = start(Probe::default()).await;
    rig.peer.stall_writes(true);
    let (sent, took) = timed(rig.engine.send("queued")).await;
    sent.unwrap();
    assert_at_once(took);
    let unstall = async {
        tokio::time::sleep(secs(3)).await;
        assert!(rig.peer.recv().now_or_never().is_none(), "it was written already");
        rig.peer.stall_writes(false);
    };
    let engine = rig.engine.clone();
    let flushed = async {
        engine.send_flushed("flushed").await.unwrap();
        tokio::time::Instant::now()
    };
    let start = tokio::time::Instant::now();
    let (at, ()) = within(async { tokio::join!(flushed, unstall) }).await;
    assert!(at - start >= secs(3));
    assert_eq!(next_texts(&mut rig.peer, 2).await, ["queued", "flushed"]);
}

#[tokio::test(start_paused = true)]
async fn what_send_flushed_says_is_there_the_peer_has() {
    let mut rig = start(Probe::default()).await;
    for number in numbers(50) {
        rig.engine.send_flushed(number.clone()).await.unwrap();
        let event = rig.peer.recv().now_or_never().expect("it was not handed over");
        assert_eq!(event, Some(PeerEvent::Message(number.into())));
    }
}

#[tokio::test(start_paused = true)]
async fn send_flushed_says_so_when_the_connection_is_lost_before_the_bytes_are_handed_over() {
    let losses: [fn(&MemoryPeer); 3] = [
        |peer| peer.reset(),
        |peer| peer.stall_reads(true),
        |peer| {
            peer.close(Some(frame(1011, "")));
        },
    ];
    for lose in losses {
        let rig = start(Probe::default()).await;
        rig.peer.stall_writes(true);
        let flushes = join_all((0..5).map(|number| rig.engine.send_flushed(number.to_string())));
        let loss = async {
            settle().await;
            lose(&rig.peer);
        };
        let (results, ()) = within(async { tokio::join!(flushes, loss) }).await;
        for result in results {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), SendErrorKind::Lost);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_written_is_counted_as_unsent() {
    let unsent = Arc::new(Mutex::new(Vec::new()));
    let counts = unsent.clone();
    let probe = Probe::default().on_close(move |_, closed| {
        counts.lock().unwrap().push(closed.unsent);
        async { None }.boxed()
    });
    let mut rig = start(probe).await;
    rig.engine.send_flushed("written").await.unwrap();
    rig.peer.stall_writes(true);
    for number in numbers(40) {
        rig.engine.send(number).await.unwrap();
    }
    settle().await;
    rig.peer.reset();
    rig.reopened().await;
    rig.engine.send_flushed("written").await.unwrap();
    rig.stop().await;
    assert_eq!(*unsent.lock().unwrap(), [40, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_the_drain_timeout_cuts_off_is_counted_as_unsent() {
    let unsent = Arc::new(Mutex::new(None));
    let counts = unsent.clone();
    let probe = Probe::default().on_close(move |_, closed| {
        *counts.lock().unwrap() = Some(closed.unsent);
        async { None }.boxed()
    });
    let rig = start(probe).await;
    rig.peer.stall_writes(true);
    for number in numbers(40) {
        rig.engine.send(number).await.unwrap();
    }
    rig.stop().await;
    assert_eq!(*unsent.lock().unwrap(), Some(40));
}

#[tokio::test(start_paused = true)]
async fn a_session_of_the_past_never_writes_into_the_next_connection() {
    let mut rig = start(Probe::default()).await;
    let old = rig.engine.session().unwrap();
    rig.peer.stall_writes(true);
    // Some wait in the queue, some wait for room in it.
    let waiting: Vec<_> = (0..1_100)
        .map(|number| {
            let old = old.clone();
            tokio::spawn(async move { old.send(format!("old {number}")).await })
        })
        .collect();
    settle().await;
    rig.peer.reset();
    rig.reopened().await;
    for result in join_all(waiting).await {
        let result = result.unwrap();
        assert!(result.is_ok() || result.unwrap_err().kind() == SendErrorKind::SessionEnded);
    }
    for error in [
        old.send("old").await.unwrap_err(),
        old.try_send("old").unwrap_err(),
        old.send_flushed("old").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), SendErrorKind::SessionEnded);
        assert_eq!(error.into_message().unwrap().text(), Some("old"));
    }
    rig.engine.send("new").await.unwrap();
    rig.stop().await;
    assert_eq!(texts(&rest_of(&mut rig.peer).await), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn the_engine_says_at_once_that_it_is_not_connected() {
    let rig = start(Probe::default()).await;
    rig.server.script([Fault::Hang]);
    rig.close_by_peer();
    rig.journal.until("close closed by the peer with 1012").await;
    settle().await;
    for _ in 0..2 {
        let (error, took) = timed(rig.engine.send("held")).await;
        assert_at_once(took);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::NotConnected);
        assert_eq!(error.into_message().unwrap().text(), Some("held"));
        assert_eq!(rig.engine.try_send("held").unwrap_err().kind(), SendErrorKind::NotConnected);
        assert_eq!(
            rig.engine.send_flushed("held").await.unwrap_err().kind(),
            SendErrorKind::NotConnected
        );
        assert!(rig.engine.session().is_none());
        tokio::time::sleep(secs(2)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_send_after_a_stop_fails_at_once() {
    let rig = start(Probe::default()).await;
    let session = rig.engine.session().unwrap();
    rig.stop().await;
    assert_eq!(rig.engine.send("late").await.unwrap_err().kind(), SendErrorKind::Stopped);
    assert_eq!(rig.engine.try_send("late").unwrap_err().kind(), SendErrorKind::Stopped);
    assert_eq!(rig.engine.send_flushed("late").await.unwrap_err().kind(), SendErrorKind::Stopped);
    assert_eq!(session.send("late").await.unwrap_err().kind(), SendErrorKind::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_comes_while_the_stop_goes_on_fails_at_once() {
    let probe =
        Probe::default().on_close(|_, _| tokio::time::sleep(secs(3)).map(|()| None).boxed());
    let rig = start(probe).await;
    let session = rig.engine.session().unwrap();
    rig.engine.control().exit();
    rig.journal.until("close stopped").await;
    let (sent, took) = timed(session.send("late")).await;
    assert_at_once(took);
    assert_eq!(sent.unwrap_err().kind(), SendErrorKind::SessionEnded);
    assert!(rig.engine.send("late").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn on_message_may_send_more_than_the_queue_holds() {
    // With one worker the callback waits for room that the same task makes.
    for workers in [1, 2] {
        let probe = Probe::default().on_message(|session, _| async move {
            for number in 0..100 {
                session.send(number.to_string()).await.unwrap();
            }
        });
        let mut rig =
            start_with(probe, |builder| builder.workers(workers).send_queue(2, 1 << 20)).await;
        rig.peer.send("go");
        assert_eq!(next_texts(&mut rig.peer, 100).await, numbers(100));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_overtakes_what_waits_to_be_written() {
    let mut rig = start(Probe::default()).await;
    rig.peer.stall_writes(true);
    for number in numbers(100) {
        rig.engine.send(number).await.unwrap();
    }
    settle().await;
    rig.peer.ping("now");
    settle().await;
    rig.peer.stall_writes(false);
    rig.stop().await;
    let events = rest_of(&mut rig.peer).await;
    let at = events.iter().position(|event| matches!(event, PeerEvent::Pong(_))).unwrap();
    assert!(at < 50, "the pong came behind {at} messages");
}

#[tokio::test(start_paused = true)]
async fn the_echo_of_the_peers_close_overtakes_what_waits_to_be_written() {
    let mut rig = start(Probe::default()).await;
    rig.peer.stall_writes(true);
    for number in numbers(100) {
        rig.engine.send(number).await.unwrap();
    }
    settle().await;
    rig.peer.close(Some(frame(1000, "")));
    settle().await;
    rig.peer.stall_writes(false);
    let events = rest_of(&mut rig.peer).await;
    assert!(texts(&events).len() < 50, "{} messages came before the echo", texts(&events).len());
}

/// Many tasks on several threads, one connection: all arrives, and each task's messages in its own order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_of_many_tasks_all_arrive_each_tasks_own_in_order() {
    let journal = Journal::default();
    let mut rig = start_with(Probe::new(&journal), |builder| builder.send_queue(8, 1 << 20)).await;
    let tasks: Vec<_> = (0..10)
        .map(|task| {
            let engine = rig.engine.clone();
            tokio::spawn(async move {
                for number in 0..100 {
                    engine.send(format!("{task} {number}")).await.unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; 10];
    for _ in 0..1_000 {
        let message = crate::support::within_real(rig.peer.next_message()).await;
        let (task, number) = message.text().unwrap().split_once(' ').unwrap();
        let expected = &mut next[task.parse::<usize>().unwrap()];
        assert_eq!(number.parse(), Ok(*expected));
        *expected += 1;
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_after_a_stop_fails_at_once_even_while_on_read_error_runs() {
    let probe = Probe::default().on_read_error(|_, _| tokio::time::sleep(secs(3)));
    let rig = start(probe).await;
    let session = rig.engine.session().unwrap();
    rig.peer.read_error(wscengine::ReadError::new(wscengine::ReadErrorKind::Codec).survivable());
    rig.journal.until("read error Codec fatal=false").await;
    rig.engine.control().exit();
    settle().await;
    let (sent, took) = timed(session.send("late")).await;
    assert_at_once(took);
    assert_eq!(sent.unwrap_err().kind(), SendErrorKind::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn on_close_hears_at_once_that_nothing_can_be_written_any_more() {
    let probe = Probe::default().on_close(|conn, _| {
        async move {
            let _ = conn.recv().await;
            let (sent, took) = timed(conn.send_flushed("log out")).await;
            assert!(sent.is_err());
            assert_at_once(took);
            None
        }
        .boxed()
    });
    let rig = start(probe).await;
    rig.engine.control().exit();
    rig.journal.until("close stopped").await;
    rig.peer.reset();
    let (_, took) = timed(rig.engine.stopped()).await;
    assert!(took < secs(1), "it took {took:?}");
    assert_eq!(rig.engine.stats().panics, 0);
}

/// The peer closes while much waits to be written: the close is what ended the session, and its code is not lost.
#[tokio::test(start_paused = true)]
async fn a_close_by_the_peer_is_the_cause_though_we_are_busy_sending() {
    let mut rig = start(Probe::default()).await;
    for number in numbers(500) {
        rig.engine.try_send(number).unwrap();
    }
    rig.close_by_peer();
    let events = rest_of(&mut rig.peer).await;
    let close = events.iter().position(|event| matches!(event, PeerEvent::Close(_))).unwrap();
    assert_eq!(events[close + 1..], [PeerEvent::Dropped], "data follows the close frame");
    assert_eq!(rig.journal.after("close "), ["closed by the peer with 1012"]);
}
