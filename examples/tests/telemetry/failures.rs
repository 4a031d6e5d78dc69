//! A span carries the true status of its work.

use std::future::{Future, pending};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use wscengine::testing::memory::{self, Fault, MemoryServer, MemoryTransport};
use wscengine::{
    CloseFrame, ConnectError, ConnectErrorKind, Engine, EngineBuilder, Exclusive, Handler,
    HandlerError, Message, NoBackoff, Opened, PingError, Session,
};

use crate::collector::{Collector, LIMIT};
use crate::trace::{Trace, attribute, error, error_type};

/// How a callback goes.
#[derive(Clone, Copy)]
enum Course {
    Well,
    Fails,
    Hangs,
    Panics,
}

/// Its `on_open` goes as planned, `on_message` as the message says.
struct Planned {
    opens: Mutex<Vec<Course>>,
}

impl Course {
    async fn run(self) -> Result<(), HandlerError> {
        match self {
            Self::Well => Ok(()),
            Self::Fails => Err("the login was refused".into()),
            Self::Hangs => pending().await,
            Self::Panics => panic!("as planned"),
        }
    }
}

impl Handler for Planned {
    async fn on_open(&self, _conn: &mut Exclusive, _opened: Opened) -> Result<(), HandlerError> {
        let course = self.opens.lock().unwrap().pop().unwrap_or(Course::Well);
        course.run().await
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let course = match message.text() {
            Some("hang") => Course::Hangs,
            Some("panic") => Course::Panics,
            Some("exit") => return session.exit(),
            _ => Course::Well,
        };
        let _ = course.run().await;
    }
}

type Builder = EngineBuilder<MemoryTransport, Planned>;

/// Runs a scenario, and gives its trace.
async fn traced<F: Future>(
    opens: &[Course],
    scenario: impl FnOnce(Builder, MemoryServer) -> F,
) -> Trace {
    let collector = Collector::grpc().await;
    let (transport, server) = memory::transport();
    let opens = Mutex::new(opens.iter().rev().copied().collect());
    let run = async {
        // The subscriber is taken when the engine is built: inside.
        let builder = Engine::builder(transport, Planned { opens })
            .url("ws://example.com/")
            .backoff(NoBackoff);
        scenario(builder, server).await
    };
    timeout(LIMIT, run.with_subscriber(collector.subscriber())).await.expect("the scenario ends");
    collector.trace().await
}

fn refused() -> Fault {
    Fault::Refuse(ConnectError::new(ConnectErrorKind::Connect))
}

fn check_failed_start(trace: &Trace, description: &str) {
    for name in ["wscengine.background.start", "wscengine.start"] {
        let (_, said) = error(trace.one(name)).expect(name);
        assert!(said.contains(description), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_that_fails_is_an_error_up_to_the_start() {
    let trace = traced(&[], async |builder, server| {
        server.script([refused()]);
        builder.build().unwrap().start().await.unwrap_err()
    })
    .await;
    assert_eq!(trace.spans().len(), 3, "{:?}", trace.names());
    assert_eq!(error_type(trace.one("websocket.dial")).as_deref(), Some("connect"));
    check_failed_start(&trace, "did not accept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_open_that_fails_is_an_error_up_to_the_start() {
    let trace = traced(&[Course::Fails], async |builder, mut server| {
        let (result, _peer) = tokio::join!(builder.build().unwrap().start(), server.accept());
        result.unwrap_err()
    })
    .await;
    assert_eq!(
        error_type(trace.one("wscengine.callback.on_open")).as_deref(),
        Some("handler_error")
    );
    assert_eq!(error(trace.one("websocket.dial")), None);
    let close = trace.one("websocket.close");
    assert_eq!(trace.parent_name(close), Some("wscengine.background.start"));
    assert_eq!(attribute(close, "wscengine.close_code").as_deref(), Some("1001"));
    check_failed_start(&trace, "the login was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_open_that_panics_is_an_error_up_to_the_start() {
    let trace = traced(&[Course::Panics], async |builder, mut server| {
        let (result, _peer) = tokio::join!(builder.build().unwrap().start(), server.accept());
        result.unwrap_err()
    })
    .await;
    assert_eq!(error_type(trace.one("wscengine.callback.on_open")).as_deref(), Some("panic"));
    check_failed_start(&trace, "panicked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_open_over_its_time_is_an_error_up_to_the_start() {
    let trace = traced(&[Course::Hangs], async |builder, mut server| {
        let builder = builder
            .on_open_timeout(Duration::from_millis(20))
            .close_timeout(Duration::from_millis(20));
        let (result, _peer) = tokio::join!(builder.build().unwrap().start(), server.accept());
        result.unwrap_err()
    })
    .await;
    assert_eq!(error_type(trace.one("wscengine.callback.on_open")).as_deref(), Some("cancelled"));
    check_failed_start(&trace, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_given_up_says_so() {
    let trace = traced(&[], async |builder, mut server| {
        let prepared = builder.build().unwrap();
        let control = prepared.control();
        let exit = async {
            let mut dial = server.next_dial().await;
            control.exit();
            dial.abandoned().await;
        };
        let (result, ()) = tokio::join!(prepared.start(), exit);
        result.unwrap_err()
    })
    .await;
    assert_eq!(error_type(trace.one("websocket.dial")).as_deref(), Some("cancelled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_message_that_fails_is_an_error_of_its_own_only() {
    let trace = traced(&[], async |builder, mut server| {
        let builder = builder.on_message_timeout(Some(Duration::from_millis(20)));
        let talk = async {
            let mut peer = server.accept().await;
            for text in ["hang", "panic", "well", "exit"] {
                peer.send(text);
            }
            while peer.recv().await.is_some() {}
        };
        let run = async { builder.build().unwrap().start().await.unwrap().stopped().await };
        tokio::join!(run, talk)
    })
    .await;
    let messages = trace.all("wscengine.callback.on_message");
    let errors: Vec<_> = messages.into_iter().map(error_type).collect();
    assert_eq!(errors, [Some("cancelled".to_owned()), Some("panic".to_owned()), None, None]);
    for name in ["wscengine.start", "wscengine.background.shutdown", "websocket.close"] {
        assert_eq!(error(trace.one(name)), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_that_fails_is_an_error_and_the_next_one_is_not() {
    let trace = traced(&[], async |builder, mut server| {
        let engine = builder.build().unwrap().start();
        let (engine, first) = tokio::join!(engine, server.accept());
        server.script([refused()]);
        first.reset();
        let second = server.accept().await;
        let engine = engine.unwrap();
        let mut status = engine.status();
        status.wait_for(|status| matches!(status, wscengine::Status::Open { .. })).await.unwrap();
        engine.stop().await;
        drop(second);
    })
    .await;
    let restarts = trace.all("wscengine.background.restart");
    assert_eq!(restarts.len(), 2);
    let children = ["wscengine.background.start", "wscengine.callback.on_restart_error"];
    assert_eq!(trace.children(restarts[0]), children);
    assert!(error(restarts[0]).is_some());
    assert_eq!(trace.children(restarts[1]), ["wscengine.background.start"]);
    assert_eq!(error(restarts[1]), None);
    let retry = |span| attribute(span, "wscengine.retry_count").unwrap().parse::<u32>().unwrap();
    let report = trace.one("wscengine.callback.on_restart_error");
    assert_eq!(retry(report), retry(restarts[0]));
    assert_eq!(retry(restarts[1]), retry(restarts[0]) + 1);
    assert_eq!(attribute(report, "wscengine.session_id"), None);

    let starts: Vec<_> =
        trace.all("wscengine.background.start").into_iter().map(error_type).collect();
    assert_eq!(starts, [None, Some("attempt_failed".to_owned()), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_succeeds_in_the_end_is_no_error() {
    let trace = traced(&[], async |builder, mut server| {
        server.script([refused()]);
        let start = builder.retry_first(true).build().unwrap().start();
        let (engine, _peer) = tokio::join!(start, server.accept());
        engine.unwrap().stop().await
    })
    .await;
    let start = trace.one("wscengine.start");
    assert_eq!(error(start), None);
    let children = [
        "wscengine.background.start",
        "wscengine.background.start",
        "wscengine.callback.on_restart_error",
    ];
    assert_eq!(trace.children(start), children);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_handshake_that_is_not_answered_is_an_error() {
    let trace = traced(&[], async |builder, mut server| {
        let start = builder.close_timeout(Duration::from_millis(20)).build().unwrap().start();
        let (engine, peer) = tokio::join!(start, server.accept());
        peer.auto_close(false);
        engine.unwrap().stop().await
    })
    .await;
    let close = trace.one("websocket.close");
    assert_eq!(error_type(close).as_deref(), Some("close_error"));
    let report = trace.one("wscengine.callback.on_close_error");
    assert_eq!(error_type(report).as_deref(), Some("close_error"));
    assert_eq!(trace.parent_name(report), Some("wscengine.background.shutdown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_by_the_peer_is_no_error_and_its_frame_is_shown() {
    let trace = traced(&[], async |builder, mut server| {
        let start = builder.auto_reconnect(false).build().unwrap().start();
        let (engine, peer) = tokio::join!(start, server.accept());
        peer.close(Some(CloseFrame::new(4001, "enough").unwrap()));
        engine.unwrap().stopped().await
    })
    .await;
    let shutdown = trace.one("wscengine.background.shutdown");
    assert_eq!(error(shutdown), None);
    assert_eq!(attribute(shutdown, "wscengine.has_close_message").as_deref(), Some("true"));
    assert_eq!(attribute(shutdown, "wscengine.close_code").as_deref(), Some("4001"));
    assert_eq!(attribute(shutdown, "wscengine.close_reason").as_deref(), Some("enough"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_lasts_until_its_pong_or_its_time_out() {
    let trace = traced(&[], async |builder, mut server| {
        let builder = builder
            .ping_interval(None)
            .ping_timeout(Duration::from_millis(200))
            .auto_reconnect(false);
        let (engine, peer) = tokio::join!(builder.build().unwrap().start(), server.accept());
        let engine = engine.unwrap();
        engine.ping().await.unwrap();
        peer.auto_pong(false);
        assert_eq!(engine.ping().await, Err(PingError::Timeout));
        engine.stop().await
    })
    .await;
    let pings: Vec<_> = trace.all("websocket.ping").into_iter().map(error_type).collect();
    assert_eq!(pings, [None, Some("timeout".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_heartbeat_is_the_error_of_the_shutdown() {
    let trace = traced(&[], async |builder, mut server| {
        let builder = builder
            .ping_interval(Some(Duration::from_millis(40)))
            .ping_timeout(Duration::from_millis(40))
            .auto_reconnect(false);
        let (engine, peer) = tokio::join!(builder.build().unwrap().start(), server.accept());
        peer.stall_reads(true);
        engine.unwrap().stopped().await
    })
    .await;
    let shutdown = trace.one("wscengine.background.shutdown");
    assert_eq!(error_type(shutdown).as_deref(), Some("heartbeat_lost"));
}
