//! Guarantee 4: one worker handles messages in the order they arrived; N workers run up to N callbacks at once, CPU-bound
//! ones in parallel; `ordered_by` keeps the order per key.

use std::sync::{Arc, Barrier};

use wscengine::{Message, MessageKind};

use crate::support::{Journal, Probe, millis, start, start_with};

/// Texts from `0` on.
fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn guarantee_4_one_worker_handles_messages_in_the_order_they_arrived() {
    // Some at once, some after a while, some after a yield: the order must not depend on it.
    let probe = Probe::default().on_message(|_, message| async move {
        match message.text().unwrap().parse::<u64>().unwrap() % 7 {
            0 => tokio::time::sleep(millis(3)).await,
            1 => tokio::task::yield_now().await,
            _ => {}
        }
    });
    let rig = start_with(probe, |builder| builder.read_ahead(16, 1 << 20)).await;
    for number in numbers(1_000) {
        rig.peer.send(number);
    }
    rig.journal.until_messages(1_000).await;
    assert_eq!(rig.journal.messages(), numbers(1_000));
    assert_eq!(rig.journal.most_messages_at_once(), 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_4_lent_and_owned_messages_keep_one_order() {
    let probe = Probe::default().on_message(|_, message| async move {
        if message.text().unwrap().ends_with('5') {
            tokio::time::sleep(millis(1)).await;
        }
    });
    let rig = start(probe).await;
    for (at, pair) in numbers(400).chunks(4).enumerate() {
        if at % 2 == 0 {
            pair.iter().for_each(|text| rig.peer.send(text.clone()));
        } else {
            let lent: Vec<_> =
                pair.iter().map(|text| (MessageKind::Text, text.as_bytes())).collect();
            rig.peer.send_lent(&lent);
        }
    }
    rig.journal.until_messages(400).await;
    assert_eq!(rig.journal.messages(), numbers(400));
}

#[tokio::test(start_paused = true)]
async fn guarantee_4_n_workers_run_n_callbacks_at_once_and_no_more() {
    for workers in [2, 3, 8] {
        let probe = Probe::default().on_message(|_, _| tokio::time::sleep(millis(10)));
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        for number in numbers(64) {
            rig.peer.send(number);
        }
        rig.journal.until_messages(64).await;
        assert_eq!(rig.journal.most_messages_at_once(), workers);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_4_n_workers_begin_messages_in_the_order_they_arrived() {
    let probe = Probe::default().on_message(|_, _| tokio::time::sleep(millis(10)));
    let rig = start_with(probe, |builder| builder.workers(4)).await;
    for number in numbers(100) {
        rig.peer.send(number);
    }
    rig.journal.until_messages(100).await;
    assert_eq!(rig.journal.messages(), numbers(100));
}

/// The part before the colon.
fn key(message: &Message<'_>) -> String {
    message.text().unwrap().split(':').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn guarantee_4_ordered_by_keeps_the_order_of_each_key_with_all_workers_busy() {
    let journal = Journal::default();
    let ends = journal.clone();
    // Later messages of a key are quicker than earlier ones: without the order they would overtake.
    let probe = Probe::new(&journal).on_message(move |_, message| {
        let journal = ends.clone();
        async move {
            let text = message.text().unwrap().to_owned();
            let number: u64 = text.split(':').nth(1).unwrap().parse().unwrap();
            tokio::time::sleep(millis(50 - number)).await;
            journal.note(format!("handled {text}"));
        }
    });
    let rig = start_with(probe, |builder| builder.workers(4).ordered_by(key)).await;
    for number in 0..40 {
        for key in ["a", "b", "c", "d", "e"] {
            rig.peer.send(format!("{key}:{number}"));
        }
    }
    journal.until_messages(200).await;
    rig.stop().await;
    assert_eq!(journal.most_messages_at_once(), 4, "the workers were not all busy");
    let handled = journal.after("handled ");
    assert_eq!(handled.len(), 200);
    for key in ["a", "b", "c", "d", "e"] {
        let of_key: Vec<_> = handled.iter().filter(|text| text.starts_with(key)).cloned().collect();
        let in_order: Vec<_> = (0..40).map(|number| format!("{key}:{number}")).collect();
        assert_eq!(of_key, in_order);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_4_messages_of_one_key_never_run_at_once_and_do_not_hold_up_others() {
    let probe = Probe::default().on_message(|_, _| tokio::time::sleep(millis(10)));
    let rig = start_with(probe, |builder| builder.workers(4).ordered_by(key)).await;
    for number in 0..20 {
        rig.peer.send(format!("same:{number}"));
    }
    rig.peer.send("other:0");
    rig.journal.until("message other:0").await;
    assert!(
        rig.journal.messages().len() <= 3,
        "the other key waited: {:?}",
        rig.journal.messages()
    );
    rig.journal.until_messages(21).await;
    assert!(rig.journal.most_messages_at_once() <= 2);
}

/// Four callbacks meet at a barrier that blocks their threads: they pass only if all four run in parallel.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn guarantee_4_cpu_bound_callbacks_run_in_parallel_on_a_multi_thread_runtime() {
    let journal = Journal::default();
    let passed = journal.clone();
    let barrier = Arc::new(Barrier::new(4));
    let probe = Probe::new(&journal).on_message(move |_, _| {
        let (barrier, journal) = (barrier.clone(), passed.clone());
        async move {
            barrier.wait();
            journal.note("passed");
        }
    });
    let rig = start_with(probe, |builder| builder.workers(4)).await;
    for number in numbers(4) {
        rig.peer.send(number);
    }
    journal.until_real("passed", 4).await;
    rig.stop().await;
}
