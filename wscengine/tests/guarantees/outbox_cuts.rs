//! The outbox under a thousand random cuts: what the peer saw, compared with what was told of each message.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::timeout;
use uuid::Uuid;
use wscengine::testing::memory::{Fault, MemoryPeer, MemoryServer, PeerEvent};
use wscengine::{
    ConnectErrorKind, Delivery, Engine, EnqueueOptions, Fate, NoBackoff, Outbox, Overflow, Scope,
    SendErrorKind, Status,
};

use crate::support::{Probe, builder, frame, millis, secs, within};

/// One life of an engine for each.
const SEEDS: u64 = 1_000;
const SENDERS: u64 = 2;
const MESSAGES: u64 = 15;

/// How one connection went, from the peer's side.
struct Seen {
    messages: Vec<String>,
    /// The peer stopped reading before it had read all that arrived.
    stopped_early: bool,
}

/// What one sender did and heard.
struct Sent {
    /// What was accepted, and what was told of it.
    deliveries: Vec<(String, Scope, Delivery)>,
    refused: Vec<String>,
}

/// How often each fate was met, over all seeds.
type Tally = BTreeMap<String, usize>;

#[tokio::test(start_paused = true)]
async fn under_a_thousand_random_cuts_none_is_seen_twice_order_is_kept_and_every_fate_is_true() {
    let mut tally = Tally::new();
    for seed in 0..SEEDS {
        live(seed, &mut tally).await;
    }
    println!("{tally:?}");
    // What a connection in memory has not flushed never arrives: "unknown, seen" is for sockets.
    for fate in [
        "cut",
        "refused",
        "written, seen",
        "written, not seen",
        "unknown, not seen",
        "Expired",
        "Overflow",
        "SessionEnded",
        "Stopped",
    ] {
        assert!(tally.contains_key(fate), "{fate} was never met: {tally:?}");
    }
    assert!(tally["cut"] >= 1_000);
}

async fn live(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::with_seed(seed);
    let sessions = Arc::new(Mutex::new(Vec::new()));
    let (engine, mut server, peer) = open(&mut rng, &sessions).await;
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::spawn(send_all(engine.clone(), rng.fork(), sender)))
        .collect();
    let cuts = rng.usize(1..=3);
    let mut seen = vec![serve(&engine, peer, &mut rng).await];
    for _ in 1..cuts {
        refuse_some(&server, &mut rng);
        let peer = within(server.accept()).await;
        seen.push(serve(&engine, peer, &mut rng).await);
    }
    *tally.entry("cut".to_owned()).or_default() += cuts;
    // The last one stays, and the engine stops when all is accepted.
    let mut last = within(server.accept()).await;
    let mut status = engine.status();
    let open = status.wait_for(|status| matches!(status, Status::Open { .. }));
    within(open).await.unwrap();
    let mut messages = Vec::new();
    let mut all_sent = pin!(join_all(senders));
    let mut sent: Vec<_> = within(async {
        loop {
            tokio::select! {
                sent = &mut all_sent => break sent.into_iter().map(Result::unwrap).collect(),
                Some(event) = last.recv() => messages.extend(text_of(event)),
            }
        }
    })
    .await;
    let stopped_early = rng.bool();
    if stopped_early {
        last.stall_writes(true);
        sent.push(send_two(&engine).await);
    }
    let read = async {
        while let Some(event) = last.recv().await {
            messages.extend(text_of(event));
        }
    };
    within(async { tokio::join!(engine.stop(), read) }).await;
    seen.push(Seen { messages, stopped_early });
    let sessions = sessions.lock().unwrap().clone();
    judge(seed, &sessions, &seen, sent, tally);
}

/// An engine whose first session is open. Its sessions are noted in the order of their connections.
async fn open(
    rng: &mut Rng,
    sessions: &Arc<Mutex<Vec<Uuid>>>,
) -> (Engine, MemoryServer, MemoryPeer) {
    let noted = Arc::clone(sessions);
    let probe = Probe::default().on_open(move |conn, _| {
        noted.lock().unwrap().push(conn.session().id());
        async { Ok(()) }.boxed()
    });
    let (builder, mut server) = builder(probe);
    let outbox = Outbox::new()
        .capacity(rng.usize(1..8), rng.usize(10..200))
        .max_age(millis(rng.u64(3..30)))
        .overflow(if rng.bool() { Overflow::Reject } else { Overflow::DropOldest });
    let prepared =
        builder.backoff(NoBackoff).outbox(outbox).drain_timeout(millis(50)).build().unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    (engine.unwrap(), server, peer)
}

/// To a peer that takes nothing more: the transport takes one, the other waits.
async fn send_two(engine: &Engine) -> Sent {
    let mut sent = Sent { deliveries: Vec::new(), refused: Vec::new() };
    for text in ["last 1", "last 2"] {
        let options = EnqueueOptions::new().max_age(secs(60));
        let delivery = engine.enqueue_with(text, options).await.unwrap();
        sent.deliveries.push((text.to_owned(), Scope::AnySession, delivery));
        tokio::task::yield_now().await;
    }
    sent
}

async fn send_all(engine: Engine, mut rng: Rng, sender: u64) -> Sent {
    let mut sent = Sent { deliveries: Vec::new(), refused: Vec::new() };
    for number in 0..MESSAGES {
        pause(&mut rng).await;
        let text = format!("{sender} {number}");
        let scope = if rng.u8(..8) == 0 { Scope::ThisSession } else { Scope::AnySession };
        let mut options = EnqueueOptions::new().scope(scope);
        if rng.u8(..8) == 0 {
            options = options.max_age(millis(rng.u64(..3)));
        }
        match engine.enqueue_with(text.clone(), options).await {
            Ok(delivery) => sent.deliveries.push((text, scope, delivery)),
            Err(error) => {
                let kinds =
                    [SendErrorKind::Full, SendErrorKind::NotConnected, SendErrorKind::SessionEnded];
                assert!(kinds.contains(&error.kind()), "{error:?}");
                sent.refused.push(text);
            }
        }
    }
    sent
}

/// Reads, stalls, and cuts at last.
async fn serve(engine: &Engine, mut peer: MemoryPeer, rng: &mut Rng) -> Seen {
    let mut messages = Vec::new();
    for _ in 0..rng.usize(..6) {
        match rng.u8(..6) {
            0 => peer.stall_writes(true),
            1 => peer.stall_writes(false),
            2 => pause(rng).await,
            _ => {
                let limit = millis(rng.u64(1..3));
                while let Ok(Some(event)) = timeout(limit, peer.recv()).await {
                    messages.extend(text_of(event));
                    if rng.u8(..4) == 0 {
                        break;
                    }
                }
            }
        }
    }
    match rng.u8(..5) {
        0 => peer.eof(),
        1 => peer.close(Some(frame(1012, "restart"))),
        2 => {
            // One that is asked for before is asked in vain.
            let mut status = engine.status();
            let open = status.wait_for(|status| matches!(status, Status::Open { .. }));
            within(open).await.unwrap();
            engine.restart();
        }
        _ => peer.reset(),
    }
    let stopped_early = rng.bool();
    if !stopped_early {
        within(async {
            while let Some(event) = peer.recv().await {
                messages.extend(text_of(event));
            }
        })
        .await;
    }
    Seen { messages, stopped_early }
}

fn refuse_some(server: &MemoryServer, rng: &mut Rng) {
    let refused = rng.usize(..3);
    server.script((0..refused).map(|_| Fault::Refuse(ConnectErrorKind::Connect.into())));
}

async fn pause(rng: &mut Rng) {
    match rng.u8(..3) {
        0 => {}
        1 => tokio::task::yield_now().await,
        _ => tokio::time::sleep(Duration::from_micros(rng.u64(..4_000))).await,
    }
}

fn text_of(event: PeerEvent) -> Option<String> {
    match event {
        PeerEvent::Message(message) => Some(message.text().unwrap().to_owned()),
        _ => None,
    }
}

/// Compares what was told with what was seen.
fn judge(seed: u64, sessions: &[Uuid], seen: &[Seen], sent: Vec<Sent>, tally: &mut Tally) {
    let mut count = |what: &str| *tally.entry(what.to_owned()).or_default() += 1;
    assert_eq!(sessions.len(), seen.len(), "seed {seed}: a connection without an on_open");
    let mut seen_in = HashMap::new();
    for (session, messages) in sessions.iter().zip(seen) {
        for message in &messages.messages {
            let before = seen_in.insert(message.clone(), *session);
            assert_eq!(before, None, "seed {seed}: {message:?} was seen twice");
        }
    }
    for sender in 0..SENDERS {
        let prefix = format!("{sender} ");
        let all = seen.iter().flat_map(|seen| &seen.messages);
        let numbers: Vec<u64> =
            all.filter_map(|text| text.strip_prefix(&prefix)?.parse().ok()).collect();
        assert!(numbers.is_sorted(), "seed {seed}: out of order: {numbers:?}");
    }
    let early = |session: &Uuid| {
        let at = sessions.iter().position(|it| it == session);
        seen[at.expect("a session that was opened")].stopped_early
    };
    for sent in sent {
        for text in sent.refused {
            count("refused");
            assert!(!seen_in.contains_key(&text), "seed {seed}: {text:?} was refused and seen");
        }
        for (text, scope, delivery) in sent.deliveries {
            // Told by now, once: a receipt cannot speak twice.
            let fate = delivery.now_or_never().expect("each message has a fate");
            let seen = seen_in.get(&text);
            match (&fate, seen) {
                (Fate::Written { session }, Some(seen)) => {
                    count("written, seen");
                    assert_eq!(session, seen, "seed {seed}: {text:?}");
                }
                (Fate::Written { session }, None) => {
                    count("written, not seen");
                    assert!(
                        early(session),
                        "seed {seed}: {text:?} was written to one who read all"
                    );
                }
                (Fate::Unknown { session }, seen) => {
                    count(if seen.is_some() { "unknown, seen" } else { "unknown, not seen" });
                    let cut = sessions.last() != Some(session) || early(session);
                    assert!(cut, "seed {seed}: {text:?}: that session was not cut");
                    assert!(seen.is_none_or(|seen| seen == session), "seed {seed}: {text:?}");
                }
                (Fate::NotSent(error), seen) => {
                    count(&format!("{:?}", error.kind()));
                    assert_eq!(seen, None, "seed {seed}: {text:?} was not sent and seen");
                    let bound = scope == Scope::ThisSession;
                    assert!(error.kind() != SendErrorKind::SessionEnded || bound, "seed {seed}");
                    let message = error.clone().into_message().expect("it comes back");
                    assert_eq!(message.text(), Some(&*text));
                }
                other => panic!("seed {seed}: {text:?}: {other:?}"),
            }
        }
    }
}

/// The drop of a receiver, of the engine's last handle, of the runtime's tasks: a fate all the same.
#[tokio::test(start_paused = true)]
async fn an_engine_whose_last_handle_is_dropped_says_of_each_message_what_became_of_it() {
    let (engine, _server, peer) = open(&mut Rng::with_seed(1), &Arc::default()).await;
    peer.stall_writes(true);
    let taken = engine.enqueue("taken").await.unwrap();
    tokio::time::sleep(millis(1)).await;
    let waits = engine.enqueue("waits").await.unwrap();
    drop(engine);
    let (taken, waits) =
        within(async { tokio::join!(timeout(secs(60), taken), timeout(secs(60), waits)) }).await;
    assert!(matches!(taken.unwrap(), Fate::Unknown { .. }));
    assert!(matches!(waits.unwrap(), Fate::NotSent(_)));
}
