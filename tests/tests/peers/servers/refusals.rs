//! Servers that refuse, and when the engine asks them again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use e2e::{Event, Reporter, within};
use serde_json::json;
use wscengine::{AttemptError, BearerToken, Initiator, OutcomeKind};

use super::{quick, started};
use crate::harness::{Server, for_each_server, reopened};

for_each_server! {
    a_401_is_answered_with_a_fresh_token,
    a_401_after_a_session_ends_the_engine_that_has_no_other_credentials,
    a_503_with_retry_after_is_tried_again_and_not_before,
}

async fn a_401_is_answered_with_a_fresh_token(server: Server) {
    let mut peer = server.start(json!({ "refuse": [{ "status": 401 }] })).await;
    let fetched = Arc::new(AtomicU32::new(0));
    let counter = fetched.clone();
    let tokens = BearerToken::new(move || {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("token-{number}")) }
    });
    let (reporter, mut events) = Reporter::new();
    let prepared = quick(&peer.url(), reporter).request_factory(tokens).build().unwrap();
    let engine = within(prepared.start()).await.unwrap();
    events.restart_error().await;
    assert!(!events.opened().await);
    assert_eq!(peer.event("refused").await["status"], 401);
    assert_eq!(peer.event("open").await["authorization"], "Bearer token-1");
    assert_eq!(fetched.load(Ordering::SeqCst), 2);
    within(engine.stop()).await;
}

async fn a_401_after_a_session_ends_the_engine_that_has_no_other_credentials(server: Server) {
    let peer = server.start(json!({})).await;
    let (engine, mut events) = started(&peer.url(), |builder| builder).await;
    let refusal = json!({ "status": 401 });
    let mut peer = server.start_again(peer, json!({ "refuse": [refusal] })).await;
    assert_eq!(peer.event("refused").await["status"], 401);
    let outcome = within(engine.stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::Fatal);
    let Some(AttemptError::Connect(error)) = outcome.error() else { panic!("{outcome:?}") };
    assert_eq!(error.response().unwrap().status.as_u16(), 401);
    within(async {
        loop {
            if let Event::Close(closed) = events.next().await {
                break assert_eq!(closed.initiator, Initiator::Lost);
            }
        }
    })
    .await;
}

async fn a_503_with_retry_after_is_tried_again_and_not_before(server: Server) {
    let busy = json!({ "status": 503, "headers": { "Retry-After": "1" } });
    let mut peer = server.start(json!({ "refuse": [busy, busy] })).await;
    let (reporter, mut events) = Reporter::new();
    let prepared = quick(&peer.url(), reporter).retry_first(true).build().unwrap();
    let began = Instant::now();
    let engine = within(prepared.start()).await.unwrap();
    // The backoff by itself is over in a tenth of a second.
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    for _ in 0..2 {
        assert_eq!(peer.event("refused").await["status"], 503);
    }
    peer.event("open").await;
    within(async { while !matches!(events.next().await, Event::Open { .. }) {} }).await;
    // A refusal of a later attempt is waited out likewise.
    let mut peer = server.start_again(peer, json!({ "refuse": [busy] })).await;
    peer.event("refused").await;
    let refused = Instant::now();
    within(async { while !matches!(events.next().await, Event::Close(_)) {} }).await;
    assert!(reopened(&engine, &mut events).await >= 1);
    assert!(refused.elapsed() >= Duration::from_millis(900), "{:?}", refused.elapsed());
    within(engine.stop()).await;
}
