//! Pause: what goes to the holder, what to `on_message`, and in which order: nothing is lost or reordered.

use std::sync::Arc;

use tokio::sync::Notify;
use wscengine::{Exclusive, MessageKind, ReadError, ReadErrorKind, RecvError, Revoked};

use crate::support::{Journal, Probe, Rig, frame, secs, settle, start, start_with, within};

/// An `on_message` that waits until it is let go, once for each message.
fn gated(journal: &Journal) -> (Probe, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let opens = gate.clone();
    let probe = Probe::new(journal).on_message(move |_, _| {
        let gate = opens.clone();
        async move { gate.notified().await }
    });
    (probe, gate)
}

fn send_all(rig: &Rig, texts: &[&str]) {
    texts.iter().for_each(|text| rig.peer.send(*text));
}

async fn recv(held: &mut Exclusive) -> String {
    within(held.recv()).await.unwrap().text().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_on_message_was_not_given_yet_goes_to_the_holder_in_order() {
    let journal = Journal::default();
    let (probe, _gate) = gated(&journal);
    let rig = start(probe).await;
    send_all(&rig, &["1", "2", "3", "4"]);
    rig.journal.until("message 1").await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    send_all(&rig, &["5", "6"]);
    for text in ["2", "3", "4", "5", "6"] {
        assert_eq!(recv(&mut held).await, text);
    }
    assert_eq!(rig.journal.messages(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn what_workers_have_not_started_goes_to_the_holder_in_order() {
    let journal = Journal::default();
    let (probe, _gate) = gated(&journal);
    let rig = start_with(probe, |builder| builder.workers(3)).await;
    send_all(&rig, &["1", "2", "3", "4", "5", "6"]);
    rig.journal.until_messages(3).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    send_all(&rig, &["7"]);
    for text in ["4", "5", "6", "7"] {
        assert_eq!(recv(&mut held).await, text);
    }
    let mut started = rig.journal.messages();
    started.sort_unstable();
    assert_eq!(started, ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_key_goes_to_the_holder_in_order_too() {
    let journal = Journal::default();
    let (probe, _gate) = gated(&journal);
    let rig =
        start_with(probe, |builder| builder.workers(4).ordered_by(|message| message.payload()[0]))
            .await;
    send_all(&rig, &["a1", "a2", "b1", "a3", "b2"]);
    rig.journal.until_messages(2).await;
    settle().await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    for text in ["a2", "a3", "b2"] {
        assert_eq!(recv(&mut held).await, text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_lent_goes_to_a_holder_inside_on_message_in_order() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_message(move |session, message| {
        let journal = seen.clone();
        async move {
            if message.text() == Some("1") {
                let mut held = session.pause().await.unwrap();
                for _ in 0..2 {
                    let message = held.recv().await.unwrap();
                    journal.note(format!("held {}", message.text().unwrap()));
                }
            }
        }
    });
    let rig = start(probe).await;
    let texts = [
        (MessageKind::Text, &b"1"[..]),
        (MessageKind::Text, b"2"),
        (MessageKind::Text, b"3"),
        (MessageKind::Text, b"4"),
    ];
    rig.peer.send_lent(&texts);
    rig.journal.until("message 4").await;
    assert_eq!(rig.journal.lines(), ["open", "message 1", "held 2", "held 3", "message 4"]);
}

#[tokio::test(start_paused = true)]
async fn no_callback_starts_while_somebody_holds_the_connection() {
    for workers in [1, 3] {
        let rig = start_with(Probe::default(), |builder| builder.workers(workers)).await;
        let held = within(rig.engine.pause()).await.unwrap();
        send_all(&rig, &["1", "2", "3"]);
        tokio::time::sleep(secs(100)).await;
        assert!(rig.journal.messages().is_empty());
        drop(held);
        rig.journal.until_messages(3).await;
        assert_eq!(rig.journal.messages(), ["1", "2", "3"]);
    }
}

#[tokio::test(start_paused = true)]
async fn recv_matching_passes_over_and_a_later_recv_gets_what_it_passed_over_in_order() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    send_all(&rig, &["1", "2", "answer", "3"]);
    let answer =
        within(held.recv_matching(|message| message.text() == Some("answer"))).await.unwrap();
    assert_eq!(answer.text(), Some("answer"));
    for text in ["1", "2", "3"] {
        assert_eq!(recv(&mut held).await, text);
    }
}

#[tokio::test(start_paused = true)]
async fn recv_matching_waits_for_what_has_not_come_yet() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.send("1");
    let later = async {
        for text in ["2", "3", "answer"] {
            tokio::time::sleep(secs(1)).await;
            rig.peer.send(text);
        }
    };
    let find = held.recv_matching(|message| message.text() == Some("answer"));
    let (answer, ()) = within(async { tokio::join!(find, later) }).await;
    assert_eq!(answer.unwrap().text(), Some("answer"));
    assert_eq!(recv(&mut held).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_second_recv_matching_sees_what_the_first_passed_over() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    send_all(&rig, &["b", "a"]);
    for text in ["a", "b"] {
        let found =
            within(held.recv_matching(|message| message.text() == Some(text))).await.unwrap();
        assert_eq!(found.text(), Some(text));
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_release_what_was_passed_over_goes_to_on_message_in_order_before_newer_messages() {
    for workers in [1, 4] {
        let rig = start_with(Probe::default(), |builder| builder.workers(workers)).await;
        let mut held = within(rig.engine.pause()).await.unwrap();
        send_all(&rig, &["1", "2", "answer", "3"]);
        within(held.recv_matching(|message| message.text() == Some("answer"))).await.unwrap();
        send_all(&rig, &["4"]);
        drop(held);
        send_all(&rig, &["5"]);
        rig.journal.until("message 5").await;
        assert_eq!(rig.journal.messages(), ["1", "2", "3", "4", "5"], "{workers} workers");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_holder_left_the_next_one_gets_first() {
    let rig = start(Probe::default()).await;
    let mut first = within(rig.engine.pause()).await.unwrap();
    send_all(&rig, &["1", "2", "3"]);
    within(first.recv_matching(|message| message.text() == Some("2"))).await.unwrap();
    let engine = rig.engine.clone();
    let second = tokio::spawn(async move { engine.pause().await });
    settle().await;
    drop(first);
    let mut second = within(second).await.unwrap().unwrap();
    assert_eq!(recv(&mut second).await, "1");
    assert_eq!(recv(&mut second).await, "3");
    assert!(rig.journal.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn recv_matching_says_so_when_the_read_ahead_is_full_of_others_and_recv_helps() {
    let rig = start_with(Probe::default(), |builder| builder.read_ahead(4, 1 << 20)).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    for number in 0..200 {
        rig.peer.send(number.to_string());
    }
    rig.peer.send("answer");
    let full = within(held.recv_matching(|message| message.text() == Some("answer"))).await;
    assert!(matches!(full, Err(RecvError::ReadAheadFull)), "{full:?}");
    // Nothing was lost by it.
    for number in 0..200 {
        assert_eq!(recv(&mut held).await, number.to_string());
    }
    let found = within(held.recv_matching(|message| message.text() == Some("answer"))).await;
    assert_eq!(found.unwrap().text(), Some("answer"));
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_the_read_ahead_bound_recv_matching_too() {
    let rig = start_with(Probe::default(), |builder| builder.read_ahead(1_000, 1_000)).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    for _ in 0..5 {
        rig.peer.send("x".repeat(500));
    }
    let full = within(held.recv_matching(|message| message.len() == 1)).await;
    assert!(matches!(full, Err(RecvError::ReadAheadFull)), "{full:?}");
}

#[tokio::test(start_paused = true)]
async fn a_survivable_read_error_goes_to_the_holder_first_and_in_its_place() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.send("1");
    rig.peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    rig.peer.send("2");
    assert_eq!(recv(&mut held).await, "1");
    let error = within(held.recv()).await.unwrap_err();
    assert!(
        matches!(&error, RecvError::Read(error) if error.kind() == ReadErrorKind::Codec && !error.is_fatal())
    );
    assert_eq!(recv(&mut held).await, "2");
    drop(held);
    rig.peer.send("3");
    rig.journal.until("message 3").await;
    assert_eq!(rig.journal.lines(), ["open", "message 3"]);
}

#[tokio::test(start_paused = true)]
async fn recv_matching_gives_a_survivable_read_error_too() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.send("1");
    rig.peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    rig.peer.send("answer");
    let mut wanted = |message: &wscengine::Message<'static>| message.text() == Some("answer");
    assert!(matches!(within(held.recv_matching(&mut wanted)).await, Err(RecvError::Read(_))));
    assert_eq!(within(held.recv_matching(&mut wanted)).await.unwrap().text(), Some("answer"));
    assert_eq!(recv(&mut held).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_read_error_that_the_holder_left_goes_to_on_read_error_in_its_place() {
    let rig = start(Probe::default()).await;
    let held = within(rig.engine.pause()).await.unwrap();
    rig.peer.send("1");
    rig.peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    rig.peer.send("2");
    settle().await;
    drop(held);
    rig.journal.until("message 2").await;
    assert_eq!(
        rig.journal.lines(),
        ["open", "message 1", "read error Codec fatal=false", "message 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_holder_did_not_receive_before_the_peer_closed_goes_to_on_message() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    send_all(&rig, &["1", "2", "3"]);
    assert_eq!(recv(&mut held).await, "1");
    rig.peer.close(Some(frame(1012, "")));
    rig.journal.until("close closed by the peer with 1012").await;
    assert_eq!(
        rig.journal.lines(),
        ["open", "message 2", "message 3", "close closed by the peer with 1012"]
    );
    assert!(matches!(within(held.recv()).await, Err(RecvError::Revoked(Revoked::ConnectionEnded))));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_messages_under_pauses_that_come_and_go_keep_their_order() {
    let journal = Journal::default();
    let probe = Probe::new(&journal).on_message(|_, _| tokio::task::yield_now());
    let rig = start_with(probe, |builder| builder.read_ahead(16, 1 << 20)).await;
    for number in 0..1_000 {
        rig.peer.send(number.to_string());
    }
    // What a holder receives is written to the same journal, so that it shows one order.
    let mut round = 0;
    while journal.messages().len() < 1_000 {
        let mut held = within(rig.engine.pause()).await.unwrap();
        for _ in 0..round % 5 {
            match tokio::time::timeout(secs(1), held.recv()).await {
                Ok(message) => {
                    journal.note(format!("message {}", message.unwrap().text().unwrap()));
                }
                Err(_) => break,
            }
        }
        drop(held);
        tokio::task::yield_now().await;
        round += 1;
    }
    assert_eq!(journal.messages(), (0..1_000).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(round > 3, "there were no pauses in between");
}

/// Taking one message out of a full read-ahead makes room for the next: the search must get to see it.
#[tokio::test(start_paused = true)]
async fn recv_matching_goes_on_reading_when_there_is_room_for_one_message_only() {
    let rig = start_with(Probe::default(), |builder| builder.read_ahead(64, 1 << 20)).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    for number in 0..64 {
        rig.peer.send(number.to_string());
    }
    settle().await;
    rig.peer.send("answer");
    assert_eq!(recv(&mut held).await, "0");
    let found = held.recv_matching(|message| message.text() == Some("answer"));
    let found = tokio::time::timeout(secs(1), found).await.expect("nobody reads on");
    assert_eq!(found.unwrap().text(), Some("answer"));
}
