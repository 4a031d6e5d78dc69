//! Guarantee 5: nothing is read that cannot be held; every queue has bounds in messages and bytes, with a stated policy
//! when full.

use wscengine::SendErrorKind;

use crate::support::{Probe, millis, secs, settle, start, start_with, within};

/// What one read of the in-memory transport gives at most.
const ONE_READ: u64 = 32;

fn never(_: wscengine::Session, _: wscengine::Message<'static>) -> impl Future<Output = ()> + Send {
    std::future::pending()
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_what_exceeds_the_read_ahead_in_messages_stays_with_the_peer() {
    for workers in [1, 3] {
        let rig = start_with(Probe::default().on_message(never), |builder| {
            builder.workers(workers).read_ahead(8, 1 << 20)
        })
        .await;
        for number in 0..1_000 {
            rig.peer.send(number.to_string());
        }
        tokio::time::sleep(secs(15)).await;
        let received = rig.engine.stats().messages_received;
        assert!(received <= 8 + ONE_READ + workers as u64, "{received} of 1000 were read");
        assert_eq!(rig.peer.unread() as u64, 1_000 - received);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_what_exceeds_the_read_ahead_in_bytes_stays_with_the_peer() {
    let rig =
        start_with(Probe::default().on_message(never), |builder| builder.read_ahead(1_000, 10_000))
            .await;
    for _ in 0..1_000 {
        rig.peer.send("x".repeat(5_000));
    }
    tokio::time::sleep(secs(15)).await;
    // A read gives 64 KiB at most, and none is begun with 10,000 bytes held.
    let bytes = rig.engine.stats().bytes_received;
    assert!(bytes <= 10_000 + 70_000, "{bytes} bytes were read");
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_a_message_larger_than_the_read_ahead_still_passes() {
    let rig = start_with(Probe::default(), |builder| builder.read_ahead(1, 1)).await;
    for number in 0..100 {
        rig.peer.send(format!("{number} {}", "x".repeat(10_000)));
    }
    rig.journal.until_messages(100).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_reading_goes_on_when_there_is_room_again_and_nothing_is_lost() {
    let probe = Probe::default().on_message(|_, _| tokio::time::sleep(millis(10)));
    let rig = start_with(probe, |builder| builder.read_ahead(4, 1 << 20)).await;
    for number in 0..500 {
        rig.peer.send(number.to_string());
    }
    rig.journal.until_messages(500).await;
    assert_eq!(
        rig.journal.messages(),
        (0..500).map(|number| number.to_string()).collect::<Vec<_>>()
    );
    assert_eq!(rig.peer.unread(), 0);
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_a_holder_that_does_not_receive_leaves_the_rest_with_the_peer() {
    let rig = start_with(Probe::default(), |builder| builder.read_ahead(8, 1 << 20)).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    for number in 0..1_000 {
        rig.peer.send(number.to_string());
    }
    tokio::time::sleep(secs(15)).await;
    let received = rig.engine.stats().messages_received;
    assert!(received <= 8 + ONE_READ, "{received} of 1000 were read");
    for number in 0..1_000 {
        assert_eq!(within(held.recv()).await.unwrap().text(), Some(&*number.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_a_full_send_queue_makes_try_send_return_the_message() {
    let rig = start_with(Probe::default(), |builder| builder.send_queue(5, 1 << 20)).await;
    rig.peer.stall_writes(true);
    let mut taken = 0;
    let error = loop {
        settle().await;
        match rig.engine.try_send(format!("message {taken}")) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100, "the queue has no bound");
    };
    assert_eq!(error.kind(), SendErrorKind::Full);
    assert_eq!(error.into_message().unwrap().text(), Some(&*format!("message {taken}")));
    assert!(taken >= 5, "only {taken} of 5 were taken");
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_a_send_queue_is_bounded_in_bytes_too() {
    let rig = start_with(Probe::default(), |builder| builder.send_queue(1_000_000, 1_000)).await;
    rig.peer.stall_writes(true);
    let mut bytes = 0;
    while rig.engine.try_send("x".repeat(400)).is_ok() {
        settle().await;
        bytes += 400;
        assert!(bytes < 100_000, "the queue has no bound in bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_a_send_waits_for_room_and_goes_on_when_the_peer_does() {
    let mut rig = start_with(Probe::default(), |builder| builder.send_queue(4, 1 << 20)).await;
    rig.peer.stall_writes(true);
    let engine = rig.engine.clone();
    let sending = tokio::spawn(async move {
        for number in 0..200 {
            engine.send(number.to_string()).await.unwrap();
        }
    });
    tokio::time::sleep(secs(5)).await;
    assert!(!sending.is_finished(), "200 messages went into a queue of 4");
    rig.peer.stall_writes(false);
    for number in 0..200 {
        assert_eq!(within(rig.peer.next_message()).await.text(), Some(&*number.to_string()));
    }
    within(sending).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_a_message_larger_than_the_send_queue_still_goes_out() {
    let mut rig = start_with(Probe::default(), |builder| builder.send_queue(1, 1)).await;
    for _ in 0..10 {
        within(rig.engine.send("x".repeat(10_000))).await.unwrap();
    }
    for _ in 0..10 {
        assert_eq!(within(rig.peer.next_message()).await.len(), 10_000);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_5_a_slow_handler_slows_down_nothing_but_reading() {
    let mut rig = start(Probe::default().on_message(never)).await;
    rig.peer.send("stuck");
    rig.journal.until("message stuck").await;
    within(rig.engine.send("still written")).await.unwrap();
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("still written"));
}
