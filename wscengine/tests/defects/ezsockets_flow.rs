//! ezsockets: slow callbacks, full queues, what a sender learns.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use wscengine::SendErrorKind;
use wscengine::testing::memory::PeerEvent;

use crate::support::{Probe, setup, start, within};

#[tokio::test(start_paused = true)]
async fn e08_a_slow_callback_delays_neither_sends_nor_pings() {
    let probe = Probe::new().on_message(|_, _| sleep(Duration::from_secs(300)));
    let (builder, log, mut server) = setup(probe);
    let (engine, mut peer) = start(builder.ping_interval(None), &mut server).await;
    peer.send("slow");
    log.wait("message slow", 1).await;
    let began = Instant::now();
    within(engine.send_flushed("meanwhile")).await.unwrap();
    assert_eq!(within(peer.next_message()).await.text(), Some("meanwhile"));
    within(engine.ping()).await.unwrap();
    assert!(matches!(within(peer.recv()).await, Some(PeerEvent::Ping(_))));
    peer.ping("are you there");
    assert_eq!(within(peer.recv()).await, Some(PeerEvent::Pong("are you there".into())));
    assert!(began.elapsed() < Duration::from_millis(1), "{:?}", began.elapsed());
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn e09_a_slow_handler_slows_the_peer_and_a_full_send_queue_its_senders() {
    let gate = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&gate);
    let probe = Probe::new().on_message(move |_, _| {
        let gate = waits.clone();
        async move { gate.acquire().await.unwrap().forget() }
    });
    let (builder, log, mut server) = setup(probe);
    let builder = builder.read_ahead(8, 1 << 20).send_queue(4, 1 << 20);
    let (engine, peer) = start(builder, &mut server).await;
    for n in 0..1_000 {
        peer.send(format!("{n}"));
    }
    log.wait("message 0", 1).await;
    // On the paused clock this is over when nobody has anything to do.
    sleep(Duration::from_secs(1)).await;
    // The bound, and what one read gives on top.
    assert!(peer.unread() >= 900, "{} of 1000 were read ahead", 1_000 - peer.unread());
    gate.add_permits(1_000);
    log.wait("done 999", 1).await;

    peer.stall_writes(true);
    let flood = async {
        loop {
            engine.send("x").await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(1), flood).await.is_err());
    assert_eq!(engine.try_send("x").unwrap_err().kind(), SendErrorKind::Full);
    assert!(engine.stats().messages_sent < 32, "{:?}", engine.stats());
    peer.stall_writes(false);
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn e13_a_sender_can_await_that_its_message_was_written() {
    let (builder, _, mut server) = setup(Probe::new());
    let (engine, mut peer) = start(builder, &mut server).await;
    peer.stall_writes(true);
    let mut sent = Box::pin(engine.send_flushed("slow"));
    assert!(timeout(Duration::from_secs(5), &mut sent).await.is_err());
    peer.stall_writes(false);
    within(sent).await.unwrap();
    assert_eq!(within(peer.next_message()).await.text(), Some("slow"));
    within(engine.stop()).await;
}
