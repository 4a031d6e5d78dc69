//! What is agreed upon in the opening handshake, and servers that refuse it.

use e2e::{Event, Reporter, within};
use serde_json::{Value, json};
use wscengine::{AttemptError, ConnectErrorKind, StartError};

use super::quick;
use crate::harness::{Server, for_each_server};

for_each_server! {
    a_subprotocol_is_agreed_upon,
    no_common_subprotocol_is_no_subprotocol,
    a_401_fails_the_start_and_shows_the_answer,
}

/// The subprotocol as both sides see it.
async fn agreed(server: Server, spoken: &[&str], offered: &[&str]) -> (Value, Option<String>) {
    let mut peer = server.start(json!({ "subprotocols": spoken })).await;
    let (reporter, mut events) = Reporter::new();
    let builder = quick(&peer.url(), reporter);
    let builder = offered.iter().fold(builder, |builder, name| builder.subprotocol(*name));
    let engine = within(builder.build().unwrap().start()).await.unwrap();
    let Event::Open { response, .. } = events.next().await else { panic!("not on_open") };
    let seen = peer.event("open").await["subprotocol"].clone();
    engine.send("in any case").await.unwrap();
    assert_eq!(events.message().await.text(), Some("in any case"));
    within(engine.stop()).await;
    (seen, response.subprotocol)
}

async fn a_subprotocol_is_agreed_upon(server: Server) {
    let (theirs, ours) = agreed(server, &["chat.v1", "chat.v2"], &["chat.v3", "chat.v2"]).await;
    assert_eq!((theirs, ours.as_deref()), (json!("chat.v2"), Some("chat.v2")));
}

async fn no_common_subprotocol_is_no_subprotocol(server: Server) {
    assert_eq!(agreed(server, &["chat.v1"], &["chat.v2"]).await, (Value::Null, None));
    assert_eq!(agreed(server, &["chat.v1"], &[]).await, (Value::Null, None));
}

async fn a_401_fails_the_start_and_shows_the_answer(server: Server) {
    let challenge = json!({ "status": 401, "headers": { "WWW-Authenticate": "Bearer" } });
    let mut peer = server.start(json!({ "refuse": [challenge] })).await;
    let prepared = quick(&peer.url(), Reporter::new().0).build().unwrap();
    let error = match within(prepared.start()).await.unwrap_err() {
        StartError::Attempt(AttemptError::Connect(error)) => error,
        other => panic!("not a failed dial: {other:?}"),
    };
    assert_eq!(error.kind(), ConnectErrorKind::Status);
    let response = error.response().unwrap();
    assert_eq!(response.status.as_u16(), 401);
    assert_eq!(response.headers["www-authenticate"], "Bearer");
    assert_eq!(peer.event("refused").await["status"], 401);
}
