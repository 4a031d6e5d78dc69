//! An engine whose requests have numbers: "17 balance" is answered by "17 100".

use std::time::Duration;

use wscengine::request::{CallError, CallErrorKind, Requests};
use wscengine::{Message, Session};

use crate::support::{Probe, Rig, secs, start_with, within};

pub(crate) type Calls = Requests<u64>;

/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(1_000);

pub(crate) fn id_of(message: &Message<'_>) -> Option<u64> {
    message.text()?.split(' ').next()?.parse().ok()
}

pub(crate) fn calls() -> Calls {
    Requests::new(id_of)
}

/// One whose callbacks make no calls.
pub(crate) async fn start(calls: &Calls) -> Rig {
    start_probe(Probe::default(), calls).await
}

pub(crate) async fn start_probe(probe: Probe, calls: &Calls) -> Rig {
    start_with(probe, |builder| builder.requests(calls)).await
}

/// The text of a reply.
pub(crate) fn text(reply: Result<Message<'static>, CallError>) -> String {
    reply.unwrap().text().unwrap().to_owned()
}

/// Why there was none.
#[track_caller]
pub(crate) fn kind(reply: Result<Message<'static>, CallError>) -> CallErrorKind {
    reply.unwrap_err().kind()
}

/// Takes the next request, and gives its number.
pub(crate) async fn next_request(rig: &mut Rig) -> u64 {
    id_of(&within(rig.peer.next_message()).await).unwrap()
}

/// A call as a task.
pub(crate) fn spawn(
    calls: &Calls,
    request: &'static str,
) -> tokio::task::JoinHandle<Result<Message<'static>, CallError>> {
    let calls = calls.clone();
    tokio::spawn(async move { calls.call(request, LONG).await })
}

/// A call inside a callback.
pub(crate) async fn call_on(calls: &Calls, session: &Session, request: &'static str) -> String {
    text(calls.on(session).call(request, secs(10)).await)
}
