//! Servers that cut off who does not answer their pings: automatic pongs reach the wire whatever the engine is at.

use std::sync::Arc;

use e2e::within;
use serde_json::{Value, json};

use super::{open, quick};
use crate::harness::{Busy, Peer, Server, for_each_server};

for_each_server! {
    an_idle_engine_that_never_sends_answers_each_ping,
    a_paused_engine_answers_each_ping,
    an_engine_whose_worker_is_busy_answers_each_ping,
}

/// Both servers ping every half a second, and end the connection if the pong is not there half a second later.
fn demanding() -> Value {
    json!({ "ping": 500 })
}

/// Some periods of the server's pings, each answered.
async fn answered(peer: &mut Peer) {
    for _ in 0..5 {
        peer.event("pong").await;
    }
}

async fn an_idle_engine_that_never_sends_answers_each_ping(server: Server) {
    let mut peer = server.start(demanding()).await;
    let (engine, mut events) = open(&peer.url()).await;
    answered(&mut peer).await;
    assert!(events.already().is_none(), "the session goes on");
    assert_eq!((engine.stats().sessions, engine.stats().messages_sent), (1, 0));
    within(engine.stop()).await;
}

async fn a_paused_engine_answers_each_ping(server: Server) {
    let mut peer = server.start(demanding()).await;
    let (engine, mut events) = open(&peer.url()).await;
    let mut conn = within(engine.pause()).await.unwrap();
    answered(&mut peer).await;
    conn.send("request").await.unwrap();
    assert_eq!(within(conn.recv()).await.unwrap().text(), Some("request"));
    drop(conn);
    assert!(events.already().is_none(), "the session goes on");
    assert_eq!(engine.stats().sessions, 1);
    within(engine.stop()).await;
}

async fn an_engine_whose_worker_is_busy_answers_each_ping(server: Server) {
    let mut peer = server.start(demanding()).await;
    let busy = Arc::new(Busy::new());
    let prepared = quick(&peer.url(), busy.clone()).workers(1).build().unwrap();
    let engine = within(prepared.start()).await.unwrap();
    engine.send("work").await.unwrap();
    within(busy.begun.notified()).await;
    answered(&mut peer).await;
    busy.gate.add_permits(1);
    within(busy.done.notified()).await;
    assert_eq!(engine.stats().sessions, 1, "the session goes on");
    within(engine.stop()).await;
}
