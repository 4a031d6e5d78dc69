//! Which failures are retried, and how: the engine as a whole, with the default classifier and with others.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, StatusCode};
use tokio::time::Instant;
use wscengine::testing::memory::Fault;
use wscengine::transport::HandshakeResponse;
use wscengine::{
    AttemptError, Classifier, CloseCause, ConnectError, ConnectErrorKind, DefaultClassifier,
    Failure, FailureCause, FailureKind, MessageKind, NoBackoff, OutcomeKind, StartError, Verdict,
};

use crate::support::{Probe, Rig, assert_took, builder, frame, secs, start_with, within};

fn refusal(status: u16, header: Option<(&'static str, String)>) -> ConnectError {
    let mut response = HandshakeResponse::accepted();
    response.status = StatusCode::from_u16(status).unwrap();
    response.body = "what the server said".into();
    if let Some((name, value)) = header {
        response.headers.insert(name, HeaderValue::try_from(value).unwrap());
    }
    ConnectError::new(ConnectErrorKind::Status).with_response(response)
}

/// A session that was lost, its next dials refused so; gives how long the engine then waits for a dial.
async fn wait_after(error: ConnectError) -> Duration {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    rig.peer.reset();
    within(rig.server.next_dial()).await.refuse(error);
    let began = Instant::now();
    let _next = within(rig.server.next_dial()).await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn retry_after_in_seconds_is_a_floor_for_the_delay() {
    for status in [429, 503] {
        let error = refusal(status, Some(("retry-after", "17".into())));
        assert_took(wait_after(error).await, secs(17));
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_as_a_date_is_a_floor_for_the_delay() {
    let response_date = SystemTime::UNIX_EPOCH + secs(1_000_000_000);
    let later = httpdate::fmt_http_date(response_date + secs(90));
    let mut error = refusal(503, Some(("retry-after", later)));
    let mut response = error.response().unwrap().clone();
    response.headers.insert("date", httpdate::fmt_http_date(response_date).parse().unwrap());
    error = error.with_response(response);
    assert_took(wait_after(error).await, secs(90));
}

#[tokio::test(start_paused = true)]
async fn the_backoff_comes_on_top_of_retry_after_so_that_clients_do_not_come_back_at_once() {
    let mut delays = Vec::new();
    for seed in 0..20 {
        let mut rig = start_with(Probe::default(), |builder| builder.seed(seed)).await;
        rig.peer.reset();
        let error = refusal(503, Some(("retry-after", "10".into())));
        within(rig.server.next_dial()).await.refuse(error);
        let began = Instant::now();
        let _next = within(rig.server.next_dial()).await;
        delays.push(began.elapsed());
    }
    assert!(delays.iter().all(|delay| (secs(10)..=secs(11)).contains(delay)), "{delays:?}");
    let (first, last) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*last - *first > Duration::from_millis(500), "{delays:?}");
}

#[tokio::test(start_paused = true)]
async fn a_close_with_1013_keeps_the_engine_away_for_ten_seconds() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    rig.peer.close(Some(frame(1013, "later")));
    let began = Instant::now();
    rig.reopened().await;
    assert_took(began.elapsed(), secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_403_at_a_reconnect_ends_the_engine_as_fatal_with_the_answer() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    rig.peer.reset();
    within(rig.server.next_dial()).await.refuse(refusal(403, None));
    let outcome = within(rig.engine.stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::Fatal);
    let Some(AttemptError::Connect(error)) = outcome.error() else { panic!("{outcome:?}") };
    assert_eq!(&error.response().unwrap().body[..], b"what the server said");
    assert_eq!(rig.journal.after("restart error "), ["2"]);
    assert_eq!(rig.server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_close_with_1008_ends_the_engine_as_fatal_and_on_close_knows_it() {
    let rig = start_with(Probe::default(), |builder| builder).await;
    rig.peer.close(Some(frame(1008, "banned")));
    let outcome = within(rig.engine.stopped()).await;
    assert_eq!((outcome.kind(), outcome.error().is_none()), (OutcomeKind::Fatal, true));
    let Some(CloseCause::PeerClosed(Some(frame))) = outcome.cause() else { panic!("{outcome:?}") };
    assert_eq!(frame.reason(), "banned");
    assert_eq!(rig.server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn three_sessions_in_a_row_that_break_the_protocol_are_the_last() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(NoBackoff)).await;
    for _ in 0..2 {
        rig.peer.send_lent(&[(MessageKind::Text, b"\xff")]);
        rig.reopened().await;
    }
    rig.peer.close(Some(frame(1007, "you too")));
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Fatal);
    assert_eq!(rig.server.dials(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_retried_ends_at_once_where_the_server_knows_no_such_path() {
    let (builder, server) = builder(Probe::default());
    server.script([
        Fault::Refuse(refusal(503, None)),
        Fault::Refuse(ConnectErrorKind::Connect.into()),
        Fault::Refuse(refusal(404, None)),
    ]);
    let prepared = builder.retry_first(true).build().unwrap();
    let error = within(prepared.start()).await.unwrap_err();
    let StartError::Attempt(AttemptError::Connect(error)) = error else { panic!("{error}") };
    assert_eq!(error.response().unwrap().status, 404);
    assert_eq!(server.dials(), 3);
}

#[tokio::test(start_paused = true)]
async fn later_a_404_is_retried_twice_as_it_may_be_a_deployment() {
    let mut rig = start_with(Probe::default(), |builder| builder).await;
    rig.server.script(std::iter::repeat_n(404, 2).map(|code| Fault::Refuse(refusal(code, None))));
    rig.peer.reset();
    rig.reopened().await;
    rig.server.script(std::iter::repeat_n(404, 9).map(|code| Fault::Refuse(refusal(code, None))));
    rig.peer.reset();
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Fatal);
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_the_users_goes_before_the_table() {
    let classifier = DefaultClassifier::new().rule(|failure| match failure.close_code()?.0 {
        4001 => Some(Verdict::Fatal),
        4002 => Some(Verdict::retry_after(secs(60))),
        _ => None,
    });
    let mut rig =
        start_with(Probe::default(), |builder| builder.backoff(NoBackoff).classifier(classifier))
            .await;
    rig.peer.close(Some(frame(4002, "wait")));
    let began = Instant::now();
    rig.reopened().await;
    assert_took(began.elapsed(), secs(60));
    rig.peer.close(Some(frame(4001, "go away")));
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Fatal);
}

/// Writes down what it is told, and retries.
#[derive(Debug)]
struct Recorder(std::sync::mpsc::Sender<String>);

impl Classifier for Recorder {
    fn classify(&self, failure: &Failure<'_>) -> Verdict {
        let body = failure.response().map(|response| String::from_utf8_lossy(&response.body));
        self.0
            .send(format!(
                "{:?} attempt {} in a row {} starting {} {:?} {body:?} {:?}",
                failure.kind(),
                failure.attempt,
                failure.in_a_row,
                failure.starting,
                failure.status().map(|status| status.as_u16()),
                failure.retry_after,
            ))
            .unwrap();
        Verdict::retry()
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_is_told_status_body_and_what_went_before_first_and_later() {
    let (sender, told) = std::sync::mpsc::channel();
    let (builder, mut server) = builder(Probe::default());
    server.script([
        Fault::Refuse(ConnectErrorKind::Resolve.into()),
        Fault::Refuse(ConnectErrorKind::Resolve.into()),
        Fault::Refuse(refusal(401, Some(("retry-after", "3".into())))),
    ]);
    let prepared =
        builder.retry_first(true).classifier(Recorder(sender)).backoff(NoBackoff).build().unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    peer.close(None);
    let _second = within(server.accept()).await;
    within(engine.unwrap().stop()).await;
    assert_eq!(
        told.iter().collect::<Vec<_>>(),
        [
            "Resolve attempt 1 in a row 1 starting true None None None",
            "Resolve attempt 2 in a row 2 starting true None None None",
            "Unauthorized attempt 3 in a row 1 starting true Some(401) Some(\"what the server said\") Some(3s)",
            "Closed attempt 4 in a row 1 starting false None None None",
        ]
    );
}

#[derive(Debug)]
struct Panics;

impl Classifier for Panics {
    fn classify(&self, _: &Failure<'_>) -> Verdict {
        panic!("as a test wants it")
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_that_panics_leaves_the_decision_to_the_default() {
    let mut rig: Rig =
        start_with(Probe::default(), |builder| builder.classifier(Panics).backoff(NoBackoff)).await;
    rig.peer.reset();
    rig.reopened().await;
    rig.peer.close(Some(frame(1008, "")));
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Fatal);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_on_open_can_be_classified_by_its_type() {
    use futures_util::FutureExt;

    #[derive(Debug, thiserror::Error)]
    #[error("the account is closed")]
    struct AccountClosed;

    let classifier = DefaultClassifier::new().rule(|failure| match failure.cause {
        FailureCause::Attempt(AttemptError::OnOpen(error)) if error.is::<AccountClosed>() => {
            Some(Verdict::Fatal)
        }
        cause => {
            assert_ne!(cause.kind(), FailureKind::OnOpen);
            None
        }
    });
    let probe = Probe::default().on_open(|_, opened| {
        async move { if opened.restarting { Err(AccountClosed.into()) } else { Ok(()) } }.boxed()
    });
    let mut rig = start_with(probe, |builder| builder.classifier(classifier)).await;
    rig.peer.reset();
    rig.accept().await;
    let outcome = within(rig.engine.stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::Fatal);
    assert!(matches!(outcome.error(), Some(AttemptError::OnOpen(_))));
}
