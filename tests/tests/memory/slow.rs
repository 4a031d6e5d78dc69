//! A consumer that is a hundred times slower than its producer, in each direction.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::{Adapter, RawServer, Sockudo, Tungstenite, builder, frame, within};
use tokio::time::sleep;
use wscengine::{Handler, Message, Session};

use crate::{allocated, alone, most_allocated};

const PAYLOAD: usize = 4_096;
const MESSAGES: usize = 1_000;
/// How long the consumer takes for each: a producer has one ready in a few microseconds.
const SLOW: Duration = Duration::from_millis(1);

/// Bounds of both queues.
const QUEUE: (usize, usize) = (64, 64 << 10);
/// Read and write buffers, a read's worth on top of the read-ahead, and what the test itself needs.
const CONSTANT: usize = 256 << 10;

struct Slow {
    handled: Arc<AtomicUsize>,
}

impl Handler for Slow {
    async fn on_message(&self, _: &Session, _: Message<'_>) {
        sleep(SLOW).await;
        self.handled.fetch_add(1, Ordering::SeqCst);
    }
}

/// Looks at what is allocated at each tenth of the way.
struct Watch {
    before: usize,
    most: Vec<usize>,
}

impl Watch {
    fn begin() -> Self {
        most_allocated();
        Self { before: allocated(), most: Vec::with_capacity(10) }
    }

    fn pass(&mut self, done: usize) {
        if done >= (self.most.len() + 1) * MESSAGES / 10 {
            self.most.push(most_allocated().saturating_sub(self.before));
        }
    }

    /// Nothing but the queue and a constant, and the last tenth no more than the first ones.
    fn assert_flat(&self, what: &str) {
        println!("{what}: bytes above the start at most, by tenths: {:?}", self.most);
        let (first, last) = self.most.split_at(5);
        let (first, last) = (first.iter().max().unwrap(), last.iter().max().unwrap());
        assert!(*last <= QUEUE.1 + CONSTANT, "{what}: {:?}", self.most);
        assert!(*last <= first + CONSTANT / 4, "{what} grows: {:?}", self.most);
    }
}

/// The server writes as fast as the socket takes it; the handler takes its time.
async fn in_slowly<A: Adapter>() {
    let _alone = alone().await;
    let server = RawServer::bind().await;
    let handled = Arc::new(AtomicUsize::new(0));
    let slow = Slow { handled: handled.clone() };
    let prepared =
        builder::<A, _>(&server.url(), slow).read_ahead(QUEUE.0, QUEUE.1).build().unwrap();
    let (engine, mut peer) = tokio::join!(within(prepared.start()), server.accept());
    let engine = engine.unwrap();
    let message = frame(0x82, &[0; PAYLOAD]);
    let mut watch = Watch::begin();
    let flood = tokio::spawn(async move { while peer.try_write(&message).await.is_ok() {} });
    while watch.most.len() < 10 {
        sleep(SLOW).await;
        watch.pass(handled.load(Ordering::SeqCst));
    }
    let read = engine.stats().messages_received as usize - handled.load(Ordering::SeqCst);
    assert!(read <= 2 * QUEUE.0, "{read} messages were read ahead");
    watch.assert_flat("in");
    flood.abort();
    within(engine.stop()).await;
}

/// Sends as fast as there is room; the server takes its time.
async fn out_slowly<A: Adapter>() {
    let _alone = alone().await;
    let server = RawServer::bind().await;
    let slow = Slow { handled: Arc::default() };
    let prepared = builder::<A, _>(&server.url(), slow)
        .send_queue(QUEUE.0, QUEUE.1)
        .drain_timeout(Duration::from_millis(10))
        .build()
        .unwrap();
    let (engine, mut peer) = tokio::join!(within(prepared.start()), server.accept());
    let engine = engine.unwrap();
    let mut watch = Watch::begin();
    let session = engine.session().unwrap();
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        while session.send(vec![0; PAYLOAD]).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let mut read = 0;
    while watch.most.len() < 10 {
        sleep(SLOW).await;
        peer.frame_but_pings().await.unwrap();
        read += 1;
        watch.pass(read);
    }
    watch.assert_flat("out");
    peer.reset();
    let sent: usize = within(sending).await.unwrap();
    println!("out: {read} read of {sent} accepted: the socket took the rest");
    within(engine.stop()).await;
}

#[tokio::test]
async fn memory_is_flat_while_a_handler_is_far_slower_than_the_server_tungstenite() {
    in_slowly::<Tungstenite>().await;
}

#[tokio::test]
async fn memory_is_flat_while_a_handler_is_far_slower_than_the_server_sockudo() {
    in_slowly::<Sockudo>().await;
}

#[tokio::test]
async fn memory_is_flat_while_the_server_is_far_slower_than_a_sender_tungstenite() {
    out_slowly::<Tungstenite>().await;
}

#[tokio::test]
async fn memory_is_flat_while_the_server_is_far_slower_than_a_sender_sockudo() {
    out_slowly::<Sockudo>().await;
}
