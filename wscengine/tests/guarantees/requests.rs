//! The request factory: asked for each attempt, told what went before, bounded in time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use tokio::time::Instant;
use wscengine::testing::memory::Fault;
use wscengine::transport::HandshakeResponse;
use wscengine::{
    AttemptError, BearerToken, ConnectError, ConnectErrorKind, Endpoints, HandlerError,
    HandshakeRequest, NextAttempt, NoBackoff, OutcomeKind, RequestErrorKind, RequestFactory,
    StartError, Status, request_fn,
};

use crate::support::{
    Probe, assert_at_once, assert_took, builder, frame, secs, settle, start_with, timed, within,
};

/// Numbers its URLs, and writes down what it was told.
#[derive(Clone, Default)]
struct Numbered {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Numbered {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl RequestFactory for Numbered {
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
        let mut asked = self.asked.lock().unwrap();
        let failure = next.failure.as_ref().map(|failure| format!("{:?}", failure.kind()));
        let failure = failure.unwrap_or_else(|| "nothing".into());
        asked.push(format!("{} after {failure}, refresh {}", next.attempt, next.refresh));
        Ok(HandshakeRequest::new(&format!("ws://server.test/{}", asked.len()))?)
    }
}

fn refusal(status: u16) -> ConnectError {
    let mut response = HandshakeResponse::accepted();
    response.status = status.to_string().parse().unwrap();
    ConnectError::new(ConnectErrorKind::Status).with_response(response)
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_request_of_its_own_and_the_factory_knows_what_went_before() {
    let factory = Numbered::default();
    let given = factory.clone();
    let mut rig = start_with(Probe::default(), |builder| builder.request_factory(given)).await;
    assert_eq!(rig.peer.request().url.path(), "/1");
    rig.server.script([Fault::Refuse(ConnectErrorKind::Resolve.into())]);
    rig.peer.reset();
    rig.reopened().await;
    assert_eq!(rig.peer.request().url.path(), "/3");
    tokio::time::sleep(secs(10)).await;
    rig.engine.restart();
    rig.reopened().await;
    assert_eq!(rig.peer.request().url.path(), "/4");
    assert_eq!(
        factory.asked(),
        [
            "1 after nothing, refresh false",
            "2 after Lost, refresh false",
            "3 after Resolve, refresh false",
            "1 after nothing, refresh false"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_is_told_to_be_refreshed_once_after_a_401_and_a_second_is_fatal() {
    let factory = Numbered::default();
    let given = factory.clone();
    let rig = start_with(Probe::default(), |builder| builder.request_factory(given)).await;
    rig.server.script([401, 403].map(|status| Fault::Refuse(refusal(status))));
    rig.peer.reset();
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::Fatal);
    assert_eq!(
        factory.asked()[1..],
        ["2 after Lost, refresh false", "3 after Unauthorized, refresh true"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_plain_start_refreshes_a_stale_token_once_and_succeeds() {
    let (builder, mut server) = builder(Probe::default());
    server.script([Fault::Refuse(refusal(401)), Fault::Accept]);
    let fetched = AtomicU32::new(0);
    let tokens = BearerToken::new(move || {
        let token = format!("token-{}", fetched.fetch_add(1, Ordering::Relaxed));
        async move { Ok(token) }
    });
    let prepared = builder.request_factory(tokens).build().unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    assert_eq!(peer.request().headers[AUTHORIZATION], "Bearer token-1");
    within(engine.unwrap().stop()).await;
    assert_eq!(server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_plain_start_whose_fresh_token_is_refused_fails_with_that() {
    let (builder, server) = builder(Probe::default());
    server.script([401, 401, 401].map(|status| Fault::Refuse(refusal(status))));
    let prepared =
        builder.request_factory(BearerToken::new(|| async { Ok("wrong".into()) })).build().unwrap();
    let error = within(prepared.start()).await.unwrap_err();
    assert!(matches!(error, StartError::Attempt(AttemptError::Connect(_))), "{error}");
    assert_eq!(server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_closed_with_1008_brings_a_fresh_token() {
    let fetched = AtomicU32::new(0);
    let tokens = BearerToken::new(move || {
        let token = format!("token-{}", fetched.fetch_add(1, Ordering::Relaxed));
        async move { Ok(token) }
    });
    let mut rig = start_with(Probe::default(), |builder| builder.request_factory(tokens)).await;
    rig.peer.close(Some(frame(1012, "restart")));
    rig.reopened().await;
    assert_eq!(rig.peer.request().headers[AUTHORIZATION], "Bearer token-0");
    rig.peer.close(Some(frame(1008, "expired")));
    rig.reopened().await;
    assert_eq!(rig.peer.request().headers[AUTHORIZATION], "Bearer token-1");
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_fails_or_panics_fails_the_attempt_and_is_asked_again() {
    let asked = AtomicU32::new(0);
    let factory = request_fn(move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                1 => Err("the ticket office is closed".into()),
                2 => panic!("as a test wants it"),
                _ => Ok(HandshakeRequest::new("ws://server.test/")?),
            }
        }
    });
    let mut rig = start_with(Probe::default(), |builder| builder.request_factory(factory)).await;
    rig.peer.reset();
    rig.reopened().await;
    assert_eq!(rig.journal.after("restart error "), ["2", "3"]);
    assert_eq!((rig.server.dials(), rig.engine.stats().failed_attempts), (2, 2));
    assert_eq!(rig.engine.stats().attempts, 4);
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_factory_fails_says_so_with_the_cause() {
    let (builder, server) = builder(Probe::default());
    let factory = request_fn(|_| async { Err("closed today".into()) });
    let prepared = builder.request_factory(factory).build().unwrap();
    let error = within(prepared.start()).await.unwrap_err();
    let StartError::Attempt(AttemptError::Request(cause)) = &error else { panic!("{error}") };
    assert_eq!(cause.kind(), RequestErrorKind::Failed);
    assert!(error.to_string().ends_with("closed today"), "{error}");
    assert_eq!(server.dials(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_hangs_is_given_up_after_request_timeout() {
    let (builder, server) = builder(Probe::default());
    let factory = request_fn(|_| std::future::pending());
    let prepared = builder.request_factory(factory).request_timeout(secs(3)).build().unwrap();
    let (error, took) = timed(prepared.start()).await;
    let StartError::Attempt(AttemptError::Request(error)) = error.unwrap_err() else { panic!() };
    assert_eq!(error.kind(), RequestErrorKind::Timeout);
    assert_took(took, secs(3));
    assert_eq!(server.dials(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_connect_timeout_begins_when_the_request_is_made() {
    let (builder, server) = builder(Probe::default());
    server.script([Fault::Hang]);
    let factory = request_fn(|_| async {
        tokio::time::sleep(secs(8)).await;
        Ok(HandshakeRequest::new("ws://server.test/")?)
    });
    let prepared = builder.request_factory(factory).build().unwrap();
    let (error, took) = timed(prepared.start()).await;
    assert!(matches!(error, Err(StartError::Attempt(AttemptError::Connect(_)))));
    assert_took(took, secs(8 + 15));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_factory_is_asked_is_at_once_and_nothing_is_dialled() {
    let asked = AtomicU32::new(0);
    let factory = request_fn(move |_| {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if !first {
                std::future::pending::<()>().await;
            }
            Ok(HandshakeRequest::new("ws://server.test/")?)
        }
    });
    let rig =
        start_with(Probe::default(), |builder| builder.request_factory(factory).backoff(NoBackoff))
            .await;
    rig.peer.reset();
    settle().await;
    assert!(matches!(*rig.engine.status().borrow(), Status::Connecting { .. }));
    let (_, took) = timed(rig.engine.stop()).await;
    assert_at_once(took);
    assert_eq!(rig.server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_factory_gives_is_checked_as_the_builder_checks() {
    let with_reserved_header = || {
        let mut request = HandshakeRequest::new("ws://server.test/").unwrap();
        request.headers.insert("sec-websocket-key", "mine".parse().unwrap());
        request
    };
    let requests = [
        HandshakeRequest::from("http://server.test/".parse::<url::Url>().unwrap()),
        HandshakeRequest::from("ws://server.test/#part".parse::<url::Url>().unwrap()),
        HandshakeRequest::new("ws://server.test/").unwrap().subprotocol("two words"),
        HandshakeRequest::new("ws://server.test/").unwrap().subprotocol("a").subprotocol("a"),
        with_reserved_header(),
    ];
    for request in requests {
        let (builder, server) = builder(Probe::default());
        let factory = request_fn(move |_| {
            let request = request.clone();
            async { Ok(request) }
        });
        let prepared = builder.request_factory(factory).build().unwrap();
        let error = within(prepared.start()).await.unwrap_err();
        let StartError::Attempt(AttemptError::Request(error)) = error else { panic!("{error}") };
        assert_eq!(error.kind(), RequestErrorKind::Invalid);
        assert_eq!(server.dials(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn headers_and_subprotocols_of_the_builder_are_sent_unless_the_factory_has_its_own() {
    let asked = AtomicU32::new(0);
    let factory = request_fn(move |_| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        async move {
            let request = HandshakeRequest::new("ws://server.test/")?;
            Ok(match number {
                0 => request,
                _ => request.header("x-token", "fresh")?.subprotocol("v2"),
            })
        }
    });
    let mut rig = start_with(Probe::default(), |builder| {
        builder
            .header("x-token", "old")
            .header("x-token", "older")
            .header("x-app", "1")
            .subprotocol("v1")
            .request_factory(factory)
    })
    .await;
    let tokens = |rig: &crate::support::Rig| {
        let values = rig.peer.request().headers.get_all("x-token");
        values.iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(tokens(&rig), ["old", "older"]);
    assert_eq!(rig.peer.request().subprotocols, ["v1"]);
    rig.peer.reset();
    rig.reopened().await;
    assert_eq!(tokens(&rig), ["fresh"]);
    assert_eq!(rig.peer.request().headers["x-app"], "1");
    assert_eq!(rig.peer.request().subprotocols, ["v2"]);
}

#[tokio::test(start_paused = true)]
async fn endpoints_fail_over_and_fail_back() {
    let servers = Arc::new(Endpoints::new(["ws://a.test/", "ws://b.test/"]).unwrap());
    let given = servers.clone();
    let mut rig =
        start_with(Probe::default(), |builder| builder.request_factory(given).backoff(NoBackoff))
            .await;
    let host = |rig: &crate::support::Rig| rig.peer.request().url.host_str().unwrap().to_owned();
    assert_eq!(host(&rig), "a.test");
    // The loss of a session is a failure of its server.
    rig.peer.reset();
    rig.reopened().await;
    assert_eq!((host(&rig), servers.failures()), ("b.test".into(), vec![1, 0]));
    rig.peer.reset();
    rig.reopened().await;
    assert_eq!((host(&rig), servers.failures()), ("a.test".into(), vec![1, 1]));
    rig.peer.reset();
    rig.reopened().await;
    assert_eq!((host(&rig), servers.failures()), ("b.test".into(), vec![2, 1]));
    // Long after, the first one is wanted again.
    tokio::time::sleep(secs(60)).await;
    rig.engine.restart();
    rig.reopened().await;
    assert_eq!((host(&rig), servers.failures()), ("a.test".into(), vec![0, 0]));
}

#[tokio::test(start_paused = true)]
async fn a_factory_needs_no_url_and_without_one_a_url_must_be_given() {
    let began = Instant::now();
    let (transport, mut server) = wscengine::testing::memory::transport();
    let servers = Endpoints::new(["ws://a.test/"]).unwrap();
    let prepared = wscengine::Engine::builder(transport, Probe::default())
        .request_factory(servers)
        .build()
        .unwrap();
    let (engine, _peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    within(engine.unwrap().stop()).await;
    assert_at_once(began.elapsed());
}
