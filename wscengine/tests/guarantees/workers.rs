//! Workers: what `on_message` may rely on with one and with many of them.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use tokio::sync::Notify;
use wscengine::{Message, MessageKind};

use crate::support::{
    Journal, Probe, assert_took, millis, secs, settle, start, start_with, timed, within_real,
};

#[tokio::test(start_paused = true)]
async fn n_workers_take_an_nth_of_the_time() {
    for (workers, expected) in [(1, 40), (2, 20), (4, 10), (8, 5)] {
        let probe = Probe::default().on_message(|_, _| tokio::time::sleep(secs(1)));
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        for number in 0..40 {
            rig.peer.send(number.to_string());
        }
        let ((), took) = timed(async {
            rig.journal.until_messages(40).await;
            while rig.journal.running() > 0 {
                settle().await;
            }
        })
        .await;
        assert!(
            took >= secs(expected) && took <= secs(expected) + millis(100),
            "{workers} workers took {took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_holds_up_only_its_own_worker() {
    let gate = Arc::new(Notify::new());
    let opens = gate.clone();
    let probe = Probe::default().on_message(move |_, message| {
        let gate = opens.clone();
        async move {
            if message.text() == Some("slow") {
                gate.notified().await;
            }
        }
    });
    let rig = start_with(probe, |builder| builder.workers(2)).await;
    rig.peer.send("slow");
    for number in 0..50 {
        rig.peer.send(number.to_string());
    }
    rig.journal.until("message 49").await;
    assert_eq!(rig.journal.running(), 1);
    gate.notify_one();
}

#[tokio::test(start_paused = true)]
async fn workers_that_come_to_rest_take_what_comes_later() {
    let rig = start_with(Probe::default(), |builder| builder.workers(4)).await;
    for number in 0..200 {
        rig.peer.send(number.to_string());
        if number % 7 == 0 {
            tokio::time::sleep(millis(1)).await;
        }
    }
    rig.journal.until_messages(200).await;
    assert_eq!(rig.journal.messages().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn with_one_worker_a_callback_that_waits_does_not_stop_sends_of_others() {
    let probe = Probe::default().on_message(|_, _| pending());
    let mut rig = start(probe).await;
    rig.peer.send("stuck");
    rig.journal.until("message stuck").await;
    for number in 0..50 {
        rig.engine.send_flushed(number.to_string()).await.unwrap();
    }
    assert_eq!(rig.peer.next_message().await.text(), Some("0"));
}

#[tokio::test(start_paused = true)]
async fn ordered_by_with_one_worker_is_plain_order_and_ends_properly() {
    let probe = Probe::default().on_message(|_, _| tokio::task::yield_now());
    let rig =
        start_with(probe, |builder| builder.ordered_by(|message| message.payload().len())).await;
    for number in 0..100 {
        rig.peer.send(number.to_string());
    }
    rig.journal.until_messages(100).await;
    assert_eq!(
        rig.journal.messages(),
        (0..100).map(|number| number.to_string()).collect::<Vec<_>>()
    );
    let (outcome, took) = timed(rig.engine.stop()).await;
    crate::support::assert_at_once(took);
    assert_eq!(outcome.blocked(), None);
}

#[tokio::test(start_paused = true)]
async fn a_keyed_callback_that_is_dropped_for_its_time_lets_its_key_go_on() {
    let probe = Probe::default().on_message(|_, message| async move {
        if message.text() == Some("a slow") {
            pending::<()>().await;
        }
    });
    let rig = start_with(probe, |builder| {
        builder
            .workers(2)
            .ordered_by(|message| message.payload()[0])
            .on_message_timeout(Some(secs(3)))
    })
    .await;
    rig.peer.send("a slow");
    rig.peer.send("a next");
    let ((), took) = timed(rig.journal.until("message a next")).await;
    assert_took(took, secs(3));
}

#[tokio::test(start_paused = true)]
async fn lent_messages_are_whole_for_workers_and_for_those_who_keep_them() {
    for workers in [1, 3] {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keeps = kept.clone();
        let probe = Probe::default().on_message(move |_, message| {
            keeps.lock().unwrap().push(message.to_compact());
            let owned: Message<'static> = message;
            let keeps = keeps.clone();
            async move {
                tokio::task::yield_now().await;
                keeps.lock().unwrap().push(owned);
            }
        });
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        rig.peer.send_lent(&[
            (MessageKind::Text, "é1".as_bytes()),
            (MessageKind::Binary, &[0, 255]),
            (MessageKind::Text, b""),
        ]);
        rig.peer.send_lent(&[(MessageKind::Text, b"next chunk")]);
        rig.journal.until_messages(4).await;
        settle().await;
        let kept = kept.lock().unwrap();
        assert_eq!(kept.len(), 8);
        for wanted in
            [Message::from("é1"), Message::from(vec![0_u8, 255]), "".into(), "next chunk".into()]
        {
            assert_eq!(kept.iter().filter(|message| **message == wanted).count(), 2);
        }
    }
}

/// Everything at once on real threads: nothing is lost, nothing twice, keys in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keyed_messages_on_many_threads_are_handled_once_each_and_in_order() {
    let journal = Journal::default();
    let probe = Probe::new(&journal).on_message(|_, _| tokio::task::yield_now());
    let rig = start_with(probe, |builder| {
        builder.workers(4).read_ahead(32, 1 << 20).ordered_by(|message| message.payload()[0])
    })
    .await;
    for number in 0..500 {
        for key in ["a", "b", "c"] {
            rig.peer.send(format!("{key}{number}"));
        }
    }
    rig.peer.send("z");
    within_real(async {
        while journal.messages().len() < 1_501 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let messages = journal.messages();
    assert_eq!(messages.len(), 1_501);
    for key in ["a", "b", "c"] {
        let of_key: Vec<_> =
            messages.iter().filter(|text| text.starts_with(key)).cloned().collect();
        assert_eq!(of_key, (0..500).map(|number| format!("{key}{number}")).collect::<Vec<_>>());
    }
    rig.stop().await;
}

/// Each of the two blocks its thread until the other one is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn callbacks_that_block_their_threads_run_in_parallel_on_a_multi_thread_runtime() {
    let both = Arc::new(std::sync::Barrier::new(2));
    let meets = both.clone();
    let probe = Probe::default().on_message(move |_, _| {
        meets.wait();
        std::future::ready(())
    });
    let rig = start_with(probe, |builder| builder.workers(2)).await;
    for _ in 0..20 {
        rig.peer.send("met");
    }
    within_real(rig.journal.until_messages(20)).await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_back_in_order_what_workers_were_handed_and_did_not_begin() {
    let probe = Probe::default().on_message(|_, _| pending());
    let rig = start_with(probe, |builder| builder.workers(2)).await;
    for number in 0..50 {
        rig.peer.send(number.to_string());
    }
    rig.journal.until_messages(2).await;
    settle().await;
    let mut held = crate::support::within(rig.engine.pause()).await.unwrap();
    for number in 2..50 {
        let message = crate::support::within(held.recv()).await.unwrap();
        assert_eq!(message.text(), Some(&*number.to_string()));
    }
}

/// `ORDERED_MESSAGES=10000000 cargo test --release .. no_message_overtakes` is the long run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_overtakes_another_of_its_key_while_callbacks_take_their_time_unevenly() {
    const KEYS: usize = 61;
    let count: usize =
        std::env::var("ORDERED_MESSAGES").map_or(20_000, |count| count.parse().unwrap());
    let seen: Arc<[AtomicUsize; KEYS]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
    let (handled, inversions) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let handler = Uneven { seen, handled: handled.clone(), inversions: inversions.clone() };
    let (transport, mut server) = wscengine::testing::memory::transport();
    let engine = wscengine::Engine::builder(transport, handler)
        .url("ws://localhost/")
        .workers(4)
        .ordered_by(|message: &Message<'_>| numbers(message).0)
        .build()
        .unwrap()
        .start();
    let (engine, peer) = tokio::join!(engine, server.accept());
    let engine = engine.unwrap();
    for sent in 0..count {
        // Uneven keys too: a third of all messages is of one.
        peer.send(format!("{} {sent}", if sent % 3 == 0 { 0 } else { sent % KEYS }));
        while sent % 1_000 == 0 && sent > handled.load(Ordering::Acquire) + 10_000 {
            tokio::task::yield_now().await;
        }
    }
    while handled.load(Ordering::Acquire) < count {
        tokio::task::yield_now().await;
    }
    assert_eq!(inversions.load(Ordering::Relaxed), 0, "inversions among {count} messages");
    engine.stop().await;

    /// The key, and the number in the order of all.
    fn numbers(message: &Message<'_>) -> (usize, usize) {
        let (key, number) = message.text().unwrap().split_once(' ').unwrap();
        (key.parse().unwrap(), number.parse().unwrap())
    }

    struct Uneven {
        /// The last number of each key.
        seen: Arc<[AtomicUsize; KEYS]>,
        handled: Arc<AtomicUsize>,
        inversions: Arc<AtomicUsize>,
    }

    impl wscengine::Handler for Uneven {
        async fn on_message(&self, _: &wscengine::Session, message: Message<'_>) {
            let (key, number) = numbers(&message);
            let seen = &self.seen[key];
            // Larger than any number while a callback of this key runs.
            if seen.swap(usize::MAX, Ordering::AcqRel) > number {
                self.inversions.fetch_add(1, Ordering::Relaxed);
            }
            for _ in 0..number % 7 % 4 {
                tokio::task::yield_now().await;
            }
            if number % 13 == 0 {
                std::hint::black_box((0..2_000_u64).sum::<u64>());
            }
            seen.store(number, Ordering::Release);
            self.handled.fetch_add(1, Ordering::Release);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_woken_when_it_is_gone_keeps_no_other_worker_asleep() {
    let left_behind = Arc::new(Mutex::new(Vec::<Waker>::new()));
    let wakers = left_behind.clone();
    let probe = Probe::default().on_message(move |_, message| {
        let wakers = wakers.clone();
        async move {
            match message.text() {
                Some("leaves its waker") => {
                    poll_fn(|cx| {
                        wakers.lock().unwrap().push(cx.waker().clone());
                        Poll::Ready(())
                    })
                    .await;
                }
                _ => pending().await,
            }
        }
    });
    let rig = start_with(probe, |builder| builder.workers(2)).await;
    rig.peer.send("leaves its waker");
    rig.journal.until_messages(1).await;
    for _ in 0..3 {
        settle().await;
        left_behind.lock().unwrap().iter().for_each(Waker::wake_by_ref);
    }
    for slow in ["slow 1", "slow 2"] {
        settle().await;
        rig.peer.send(slow);
    }
    settle().await;
    assert_eq!(rig.journal.running(), 2);
}
