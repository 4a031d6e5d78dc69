//! Messages to `rooms-server` and back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::{Reporter, within};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use wscengine::{Handler, Message, OutcomeKind, Session};
use wscengine_rooms_server::Config;

use super::{builder, open};
use crate::rooms;

#[tokio::test]
async fn text_and_binary_of_any_size_come_back_as_they_were() {
    let server = rooms(Config::default()).await;
    let (engine, mut events) = open(&server.echo_url()).await;
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 8 << 20] {
        let text: String = "aé世🦀".chars().cycle().take(length / 4).collect();
        engine.send(text.clone()).await.unwrap();
        assert!(
            events.message().await.text() == Some(text.as_str()),
            "text of about {length} bytes"
        );
        let binary: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        engine.send(binary.clone()).await.unwrap();
        let back = events.message().await;
        assert!(back.is_binary() && back.payload() == binary, "binary of {length} bytes");
    }
    assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
    within(server.shutdown()).await;
}

#[tokio::test]
async fn ten_thousand_messages_come_back_in_order() {
    let server = rooms(Config::default()).await;
    let (engine, mut events) = open(&server.echo_url()).await;
    let sender = engine.clone();
    let sending = tokio::spawn(async move {
        for n in 0..10_000 {
            sender.send(format!("message {n}")).await.unwrap();
        }
    });
    for n in 0..10_000 {
        assert_eq!(events.message().await.text(), Some(format!("message {n}").as_str()));
    }
    within(sending).await.unwrap();
    within(engine.stop()).await;
    assert_eq!((engine.stats().messages_sent, engine.stats().messages_received), (10_000, 10_000));
}

/// Waits in each callback until this many run at once.
struct Together {
    workers: usize,
    running: AtomicUsize,
    all_here: Semaphore,
    handled: AtomicUsize,
    done: Notify,
}

impl Handler for Together {
    async fn on_message(&self, _: &Session, _: Message<'_>) {
        if self.running.fetch_add(1, Ordering::SeqCst) + 1 == self.workers {
            self.all_here.add_permits(usize::MAX >> 8);
        }
        self.all_here.acquire().await.unwrap().forget();
        if self.handled.fetch_add(1, Ordering::SeqCst) + 1 == 1_000 {
            self.done.notify_one();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_or_four_handle_every_message() {
    let server = rooms(Config::default()).await;
    for workers in [1, 4] {
        let handler = Arc::new(Together {
            workers,
            running: AtomicUsize::new(0),
            all_here: Semaphore::new(0),
            handled: AtomicUsize::new(0),
            done: Notify::new(),
        });
        let prepared =
            builder(&server.echo_url(), handler.clone()).workers(workers).build().unwrap();
        let engine = within(prepared.start()).await.unwrap();
        for n in 0..1_000 {
            engine.send(format!("{n}")).await.unwrap();
        }
        within(handler.done.notified()).await;
        within(engine.stop()).await;
        assert_eq!(handler.handled.load(Ordering::SeqCst), 1_000, "{workers} workers");
    }
}

#[tokio::test]
async fn a_stop_writes_what_was_sent_before_it() {
    let server = e2e::RawServer::bind().await;
    let prepared = builder(&server.url(), Reporter::new().0).build().unwrap();
    let (engine, mut connection) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    let engine = engine.unwrap();
    for n in 0..1_000 {
        engine.send(format!("{n}")).await.unwrap();
    }
    let reads = async {
        for n in 0..1_000 {
            assert_eq!(connection.frame().await.unwrap().payload, format!("{n}").as_bytes());
        }
        let close = connection.frame().await.unwrap();
        assert_eq!(close.close_code(), Some(1001));
        connection.close(1001, "").await;
        assert_eq!(connection.frame().await, None);
    };
    let (outcome, ()) = within(async { tokio::join!(engine.stop(), reads) }).await;
    assert!(!outcome.is_forced());
}

#[tokio::test]
async fn a_pause_makes_request_and_response_while_on_message_is_silent() {
    let server = rooms(Config::default()).await;
    let (engine, mut events) = open(&server.echo_url()).await;
    engine.send("before").await.unwrap();
    assert_eq!(events.message().await.text(), Some("before"));
    let mut conn = within(engine.pause()).await.unwrap();
    for n in 0..100 {
        conn.send(format!("noise {n}")).await.unwrap();
        conn.send(format!("request {n}")).await.unwrap();
        let is_answer =
            |message: &Message<'_>| message.text() == Some(format!("request {n}").as_str());
        within(conn.recv_matching(is_answer)).await.unwrap();
    }
    within(conn.ping()).await.unwrap();
    assert!(events.already().is_none());
    drop(conn);
    for n in 0..100 {
        assert_eq!(events.message().await.text(), Some(format!("noise {n}").as_str()));
    }
    within(engine.stop()).await;
}

/// Handles nothing before the gate opens.
struct Gated {
    gate: Semaphore,
    seen: AtomicUsize,
    told: Notify,
}

impl Handler for Gated {
    async fn on_message(&self, _: &Session, message: Message<'_>) {
        self.gate.acquire().await.unwrap().forget();
        let expected = self.seen.fetch_add(1, Ordering::SeqCst) as u64;
        assert_eq!(message.payload()[..8], expected.to_be_bytes());
        self.told.notify_one();
    }
}

#[tokio::test]
async fn a_consumer_slower_than_the_heartbeat_stops_the_flood_and_keeps_its_connection() {
    const SIZE: usize = 64 << 10;
    let server = rooms(Config::default()).await;
    let handler =
        Arc::new(Gated { gate: Semaphore::new(0), seen: AtomicUsize::new(0), told: Notify::new() });
    let beat = Duration::from_millis(250);
    let prepared =
        builder(&server.echo_url(), handler.clone()).ping_interval(Some(beat)).ping_timeout(beat);
    let engine = within(prepared.build().unwrap().start()).await.unwrap();
    let mut sent = 0_u64;
    loop {
        let mut payload = vec![0; SIZE];
        payload[..8].copy_from_slice(&sent.to_be_bytes());
        // Far longer than a heartbeat: all buffers on the way there and back are full.
        if timeout(4 * beat, engine.send(payload)).await.is_err() {
            break;
        }
        sent += 1;
        assert!(sent < 2_048, "128 MiB are held somewhere");
    }
    let held = engine.stats().bytes_received;
    assert!(held <= (1 << 20) + 4 * SIZE as u64, "{held} bytes were read ahead");
    handler.gate.add_permits(sent as usize);
    while (handler.seen.load(Ordering::SeqCst) as u64) < sent {
        within(handler.told.notified()).await;
    }
    let stats = engine.stats();
    assert_eq!((stats.sessions, stats.attempts, stats.panics), (1, 1, 0));
    within(engine.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_engines_at_once_do_not_meet() {
    let server = rooms(Config::default()).await;
    let url = server.echo_url();
    let clients = (0..20).map(|client| {
        let url = url.clone();
        tokio::spawn(async move {
            let (engine, mut events) = open(&url).await;
            let id = engine.session().unwrap().id();
            for n in 0..50 {
                let text = format!("{client}: {n}");
                engine.send(text.clone()).await.unwrap();
                assert_eq!(events.message().await.text(), Some(text.as_str()));
            }
            assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
            id
        })
    });
    let mut ids = BTreeSet::new();
    for client in clients.collect::<Vec<_>>() {
        ids.insert(within(client).await.unwrap());
    }
    assert_eq!(ids.len(), 20);
    within(server.shutdown()).await;
}
