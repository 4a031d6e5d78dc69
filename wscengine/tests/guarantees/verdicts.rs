//! The verdict on a failure, carried out: plain starts, restarts by the user, rows, and what is shown.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use wscengine::testing::memory::Fault;
use wscengine::transport::HandshakeResponse;
use wscengine::{
    BearerToken, Classifier, ConnectError, ConnectErrorKind, DefaultClassifier, Failure,
    FailureCause, HandshakeRequest, NoBackoff, OutcomeKind, Verdict,
};

use crate::support::{Probe, builder, secs, settle, start_with, within};

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

#[tokio::test(start_paused = true)]
async fn without_a_factory_refresh_is_the_same_as_retry_and_a_plain_start_fails_at_once() {
    let (builder, server) = builder(Probe::default());
    server.script([503, 503].map(|status| Fault::Refuse(refusal(status))));
    let classifier = DefaultClassifier::new().rule(|_| Some(Verdict::refresh()));
    let prepared = builder.classifier(classifier).build().unwrap();
    within(prepared.start()).await.unwrap_err();
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_plain_start_does_not_wait_for_an_hour() {
    let (tokens, _) = counted_tokens();
    let (builder, mut server) = builder(Probe::default());
    let mut response = HandshakeResponse::accepted();
    response.status = http::StatusCode::FORBIDDEN;
    response.headers.insert("retry-after", "3600".parse().unwrap());
    let error = ConnectError::new(ConnectErrorKind::Status).with_response(response);
    server.script([Fault::Refuse(error)]);
    let prepared = builder.request_factory(tokens).build().unwrap();
    let began = tokio::time::Instant::now();
    let _ = tokio::time::timeout(secs(7200), async {
        tokio::select! { _ = prepared.start() => (), _ = server.accept() => () }
    })
    .await;
    assert!(began.elapsed() < secs(60), "{:?}", began.elapsed());
}

#[derive(Debug)]
struct Attempts(std::sync::mpsc::Sender<(u32, bool)>);

impl Classifier for Attempts {
    fn classify(&self, failure: &Failure<'_>) -> Verdict {
        self.0.send((failure.attempt, failure.refreshed)).unwrap();
        Verdict::refresh()
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_numbered_from_1_for_a_stable_session_too() {
    let (sender, told) = std::sync::mpsc::channel();
    let mut rig =
        start_with(Probe::default(), |builder| builder.classifier(Attempts(sender))).await;
    tokio::time::sleep(secs(10)).await;
    rig.peer.close(None);
    rig.reopened().await;
    assert_eq!(told.try_recv().unwrap().0, 1);
}

#[test]
fn an_invalid_acceptance_is_no_refusal_with_a_status() {
    // As the dial layer makes it of a 101 with a wrong `Sec-WebSocket-Accept`.
    let error =
        ConnectError::new(ConnectErrorKind::Handshake).with_response(HandshakeResponse::accepted());
    let cause = FailureCause::Attempt(error.into());
    assert_eq!(Failure::new(&cause).status(), None);
}

#[test]
fn what_a_proxy_answered_is_no_status_of_the_server() {
    let mut response = HandshakeResponse::accepted();
    response.status = http::StatusCode::FORBIDDEN;
    for kind in [ConnectErrorKind::Proxy, ConnectErrorKind::ProxyAuth] {
        let cause =
            FailureCause::Attempt(ConnectError::new(kind).with_response(response.clone()).into());
        // A rule for the server's 403 would fire.
        assert_eq!(Failure::new(&cause).status(), None, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_on_restart_error_undoes_a_fatal_verdict_as_one_in_on_close_does() {
    let probe = Probe::default().on_restart_error(|control, _, _| {
        async move {
            control.restart();
        }
        .boxed()
    });
    let mut rig = start_with(probe, |builder| builder).await;
    rig.server.script([Fault::Refuse(refusal(403))]);
    rig.peer.reset();
    let again = tokio::time::timeout(secs(600), rig.server.accept()).await;
    assert!(again.is_ok(), "{:?}", rig.engine.stopped().await.kind());
}

#[tokio::test(start_paused = true)]
async fn a_session_in_between_breaks_the_row_of_404s() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    for _ in 0..3 {
        rig.server.script([Fault::Refuse(refusal(404))]);
        rig.engine.restart();
        let accepted = tokio::time::timeout(secs(60), rig.server.accept()).await;
        let Ok(peer) = accepted else {
            panic!("{:?}", within(rig.engine.stopped()).await.kind());
        };
        rig.peer = peer;
        settle().await;
    }
    assert_eq!(within(rig.engine.stop()).await.kind(), OutcomeKind::Requested);
}

#[test]
fn a_token_in_a_subprotocol_is_not_shown() {
    // As Kubernetes wants it, and everybody who serves browsers.
    let token = "base64url.bearer.authorization.k8s.io.c2VjcmV0";
    let request = HandshakeRequest::new("ws://a/").unwrap().subprotocol(token);
    assert!(!format!("{request:?}").contains("c2VjcmV0"), "{request:?}");
}

#[tokio::test(start_paused = true)]
async fn a_token_in_a_subprotocol_that_is_wrong_is_not_shown_by_the_error() {
    let (builder, _server) = builder(Probe::default());
    let error = builder.subprotocol("bearer.c2VjcmV0=@").build().unwrap_err();
    assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_first_restart_that_is_asked_for_is_done_at_once_after_failures_too() {
    let mut rig = start_with(Probe::default(), |builder| builder).await;
    rig.peer.reset();
    rig.reopened().await;
    let began = tokio::time::Instant::now();
    rig.engine.restart();
    rig.reopened().await;
    assert!(began.elapsed() < Duration::from_millis(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_to_wait_for_an_attempt_that_will_not_come() {
    let seen = Arc::new(Mutex::new(None));
    let shown = seen.clone();
    let probe = Probe::default().on_restart_error(move |control, _, _| {
        let shown = shown.clone();
        async move {
            settle().await;
            *shown.lock().unwrap() = Some(format!("{:?}", *control.status().borrow()));
        }
        .boxed()
    });
    let mut rig = start_with(probe, |builder| builder).await;
    rig.peer.reset();
    within(rig.server.next_dial()).await.refuse(refusal(403));
    within(rig.engine.stopped()).await;
    let seen = seen.lock().unwrap().clone().unwrap();
    assert!(!seen.contains("attempt: 3"), "{seen}");
}
