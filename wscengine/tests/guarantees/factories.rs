//! Request factories that fail, hang, block or are shared by engines.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use wscengine::testing::memory::Fault;
use wscengine::transport::HandshakeResponse;
use wscengine::{
    BearerToken, ConnectError, ConnectErrorKind, DefaultClassifier, Endpoints, HandlerError,
    HandshakeRequest, NextAttempt, NoBackoff, RequestFactory, Verdict, request_fn,
};

use crate::support::{Probe, Rig, builder, frame, secs, start_with, within};

fn refusal(status: u16) -> ConnectError {
    let mut response = HandshakeResponse::accepted();
    response.status = status.to_string().parse().unwrap();
    ConnectError::new(ConnectErrorKind::Status).with_response(response)
}

fn counted_tokens() -> (BearerToken, Arc<AtomicU32>) {
    let fetched = Arc::new(AtomicU32::new(0));
    let count = fetched.clone();
    let tokens = BearerToken::new(move || {
        let number = fetched.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("token-{number}")) }
    });
    (tokens, count)
}

fn host(rig: &Rig) -> String {
    rig.peer.request().url.host_str().unwrap().to_owned()
}

async fn refreshes_told(second: &'static str) -> Vec<bool> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    let factory = request_fn(move |next: NextAttempt| {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(next.refresh);
            seen.len()
        };
        async move {
            match (number, second) {
                (2, "fails") => Err("the login service is down".into()),
                (2, "hangs") => std::future::pending().await,
                _ => Ok::<_, HandlerError>(HandshakeRequest::new("ws://server.test/")?),
            }
        }
    });
    let (builder, mut server) = builder(Probe::default());
    server.script([Fault::Refuse(refusal(401))]);
    let prepared = builder.retry_first(true).request_factory(factory).build().unwrap();
    let (engine, _peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    within(engine.unwrap().stop()).await;
    told.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_refresh_stays_asked_for_until_a_request_was_made_after_a_failure() {
    assert_eq!(refreshes_told("fails").await, [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_stays_asked_for_until_a_request_was_made_after_a_time_out() {
    assert_eq!(refreshes_told("hangs").await, [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_sent_again_when_the_factory_below_failed_in_between() {
    let asked = AtomicU32::new(0);
    let below = request_fn(move |_| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            match number {
                1 => Err("no server is known".into()),
                _ => Ok::<_, HandlerError>(HandshakeRequest::new("ws://server.test/")?),
            }
        }
    });
    let (tokens, _) = counted_tokens();
    let (builder, mut server) = builder(Probe::default());
    let prepared = builder.retry_first(true).request_factory(tokens.over(below)).build().unwrap();
    let starting = tokio::spawn(prepared.start());
    within(server.next_dial()).await.refuse(refusal(401));
    let dial = within(server.next_dial()).await;
    assert_eq!(dial.request().headers[AUTHORIZATION], "Bearer token-1");
    starting.abort();
}

#[tokio::test(start_paused = true)]
async fn engines_that_share_a_token_refresh_it_once() {
    let (tokens, fetched) = counted_tokens();
    let tokens = Arc::new(tokens);
    let (one, two) = (tokens.clone(), tokens.clone());
    let mut one = start_with(Probe::default(), |builder| builder.request_factory(one)).await;
    let mut two = start_with(Probe::default(), |builder| builder.request_factory(two)).await;
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    for rig in [&one, &two] {
        rig.peer.close(Some(frame(1008, "expired")));
    }
    one.reopened().await;
    two.reopened().await;
    assert_eq!(one.peer.request().headers[AUTHORIZATION], "Bearer token-1");
    assert_eq!(two.peer.request().headers[AUTHORIZATION], "Bearer token-1");
    assert_eq!(fetched.load(Ordering::SeqCst), 2);
}

/// A hundred engines, a login service that takes 200 ms: the last ones wait for longer than `request_timeout`.
#[tokio::test(start_paused = true)]
async fn engines_that_share_a_token_do_not_queue_up_for_their_refresh() {
    let fetched = Arc::new(AtomicU32::new(0));
    let count = fetched.clone();
    let tokens = Arc::new(BearerToken::new(move || {
        let number = fetched.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(format!("token-{number}"))
        }
    }));
    let mut rigs = Vec::new();
    for _ in 0..100 {
        let tokens = tokens.clone();
        rigs.push(start_with(Probe::default(), |builder| builder.request_factory(tokens)).await);
    }
    for rig in &rigs {
        rig.peer.close(Some(frame(1008, "expired")));
    }
    for rig in &mut rigs {
        rig.reopened().await;
    }
    let failed: u64 = rigs.iter().map(|rig| rig.engine.stats().failed_attempts).sum();
    assert_eq!((failed, count.load(Ordering::SeqCst)), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_fetched_is_no_failure_of_the_server() {
    let asked = AtomicU32::new(0);
    let tokens = BearerToken::new(move || {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            match number {
                0 => Err("the login service is down".into()),
                _ => Ok("token".to_owned()),
            }
        }
    });
    let servers = Endpoints::new(["ws://a.test/", "ws://b.test/"]).unwrap();
    let rig = start_with(Probe::default(), |builder| {
        builder.retry_first(true).request_factory(tokens.over(servers))
    })
    .await;
    assert_eq!(host(&rig), "a.test", "nobody had dialled it");
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_no_failure_of_the_server() {
    let (tokens, _) = counted_tokens();
    let servers = Endpoints::new(["ws://a.test/", "ws://b.test/"]).unwrap();
    let (builder, mut server) = builder(Probe::default());
    server.script([Fault::Refuse(refusal(401))]);
    let prepared = builder.request_factory(tokens.over(servers)).build().unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    assert_eq!(peer.request().url.host_str(), Some("a.test"));
    within(engine.unwrap().stop()).await;
}

#[tokio::test(start_paused = true)]
async fn engines_that_share_endpoints_count_failures_for_the_right_server() {
    let servers = Arc::new(Endpoints::new(["ws://a.test/", "ws://b.test/"]).unwrap());
    let (first, second) = (servers.clone(), servers.clone());
    let mut one = start_with(Probe::default(), |builder| builder.request_factory(first)).await;
    let mut two = start_with(Probe::default(), |builder| builder.request_factory(second)).await;
    assert_eq!((host(&one), host(&two)), ("a.test".into(), "a.test".into()));
    // a goes down: both lose it, and b is well.
    one.peer.reset();
    one.reopened().await;
    assert_eq!(host(&one), "b.test");
    two.peer.reset();
    two.reopened().await;
    assert_eq!((host(&two), servers.failures()), ("b.test".into(), vec![2, 0]));
}

#[tokio::test(start_paused = true)]
async fn the_start_of_another_engine_forgives_no_server() {
    let servers = Arc::new(Endpoints::new(["ws://a.test/", "ws://b.test/"]).unwrap());
    let (first, second) = (servers.clone(), servers.clone());
    let (builder, mut server) = builder(Probe::default());
    server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
    let prepared =
        builder.retry_first(true).backoff(NoBackoff).request_factory(first).build().unwrap();
    let starting = tokio::spawn(prepared.start());
    // a refused; b hangs, and its failure is not known yet.
    let dial = within(server.next_dial()).await;
    assert_eq!(dial.request().url.host_str(), Some("b.test"));
    dial.refuse(ConnectErrorKind::Connect.into());
    let dial = within(server.next_dial()).await;
    assert_eq!(dial.request().url.host_str(), Some("a.test"));
    assert_eq!(servers.failures(), [1, 1]);
    let _two = start_with(Probe::default(), |builder| builder.request_factory(second)).await;
    assert_eq!(servers.failures(), [1, 1], "nothing was learned of a");
    starting.abort();
}

#[tokio::test(start_paused = true)]
async fn all_servers_are_tried_however_long_an_attempt_takes() {
    let servers = Endpoints::new(["ws://a.test/", "ws://b.test/", "ws://c.test/"]).unwrap();
    let (builder, mut server) = builder(Probe::default());
    // Say: a hanging dial and a backoff near a cap of a minute; or a Retry-After of a minute.
    let classifier = DefaultClassifier::new().rule(|_| Some(Verdict::retry_after(secs(60))));
    let prepared = builder
        .retry_first(true)
        .classifier(classifier)
        .backoff(NoBackoff)
        .request_factory(servers)
        .build()
        .unwrap();
    let starting = tokio::spawn(prepared.start());
    let mut dialled = Vec::new();
    for _ in 0..9 {
        let dial = within(server.next_dial()).await;
        dialled.push(dial.request().url.host_str().unwrap().to_owned());
        dial.refuse(ConnectErrorKind::Connect.into());
    }
    starting.abort();
    assert!(dialled.contains(&"c.test".to_owned()), "{dialled:?}");
}

/// Blocks until the other end is dropped.
fn blocking() -> (impl RequestFactory, std::sync::mpsc::Sender<()>, Arc<AtomicU32>) {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let running = Arc::new(AtomicU32::new(0));
    let count = running.clone();
    let factory = request_fn(move |_| {
        let (held, running) = (held.clone(), running.clone());
        async move {
            running.fetch_add(1, Ordering::SeqCst);
            let _ = held.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
            running.fetch_sub(1, Ordering::SeqCst);
            Err("released".into())
        }
    });
    (factory, release, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_factory_that_blocks_its_thread_is_not_asked_again_meanwhile() {
    let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let seen = most.clone();
    let factory = request_fn(move |_| {
        let (running, most) = (running.clone(), most.clone());
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(secs(3));
            running.fetch_sub(1, Ordering::SeqCst);
            Err("released".into())
        }
    });
    let (builder, _server) = builder(Probe::default());
    let prepared = builder
        .retry_first(true)
        .backoff(NoBackoff)
        .request_factory(factory)
        .request_timeout(Duration::from_millis(20))
        .max_attempts(Some(2))
        .build()
        .unwrap();
    let starting = tokio::spawn(prepared.start());
    let _ = tokio::time::timeout(secs(20), starting).await;
    assert_eq!(seen.load(Ordering::SeqCst), 1, "threads of the runtime that it blocks at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_says_that_something_of_the_engine_still_runs() {
    let (factory, release, running) = blocking();
    let (builder, _server) = builder(Probe::default());
    let prepared =
        builder.request_factory(factory).stop_timeout(Duration::from_millis(200)).build().unwrap();
    let control = prepared.control();
    let starting = tokio::spawn(prepared.start());
    while running.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    control.exit();
    let mut status = control.status();
    let outcome = loop {
        if let wscengine::Status::Stopped { outcome } = &*status.borrow_and_update() {
            break outcome.clone();
        }
        status.changed().await.unwrap();
    };
    assert_eq!(running.load(Ordering::SeqCst), 1);
    drop(release);
    let _ = starting.await;
    assert!(outcome.is_forced() || outcome.blocked().is_some(), "{outcome:?}");
}
