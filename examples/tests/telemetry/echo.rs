//! The spans of the echo example's run: five messages, and a connection dropped after two.

use std::future::pending;

use examples::echo::{Settings, run};
use examples::narration::Narrator;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::{Instrument, info_span};

use crate::collector::{Collector, LIMIT};
use crate::trace::{Trace, attribute, error, error_type};

fn quick() -> Settings {
    Settings { interval: std::time::Duration::from_millis(10), ..Settings::default() }
}

fn silent() -> Narrator {
    Narrator::new(|_, _| {})
}

/// The whole example, traced.
async fn traced(settings: &Settings, collector: Collector) -> Trace {
    let example = run(settings, silent(), pending()).with_subscriber(collector.subscriber());
    timeout(LIMIT, example).await.expect("it ends").expect("it ends well");
    collector.trace().await
}

async fn echo_trace() -> Trace {
    traced(&quick(), Collector::grpc().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_collector_receives_every_span_of_the_example() {
    let trace = echo_trace().await;
    check_all_names(&trace);
    assert_eq!(trace.service().as_deref(), Some("a-test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_collector_receives_every_span_of_the_example() {
    let trace = traced(&quick(), Collector::http().await).await;
    check_all_names(&trace);
    assert_eq!(trace.service().as_deref(), Some("a-test"));
}

fn check_all_names(trace: &Trace) {
    let mut names = trace.names();
    names.sort_unstable();
    let expected = [
        vec!["echo.send_next"; 4],
        vec!["websocket.close"],
        vec!["websocket.dial"; 2],
        vec!["wscengine.background.restart"],
        vec!["wscengine.background.run"; 2],
        vec!["wscengine.background.shutdown"; 2],
        vec!["wscengine.background.start"; 2],
        vec!["wscengine.callback.on_close"; 2],
        vec!["wscengine.callback.on_message"; 5],
        vec!["wscengine.callback.on_open"; 2],
        vec!["wscengine.callback.on_read_error"],
        vec!["wscengine.start"],
        vec!["wscengine.stop"],
    ];
    assert_eq!(names, expected.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_holds_the_dial_and_on_open() {
    let trace = echo_trace().await;
    let start = trace.one("wscengine.start");
    assert!(start.parent_span_id.is_empty());
    assert_eq!(trace.children(start), ["wscengine.background.start"]);
    assert_eq!(attribute(start, "wscengine.auto_reconnect").as_deref(), Some("true"));
    assert_eq!(attribute(start, "server.address").as_deref(), Some("127.0.0.1"));
    assert_eq!(error(start), None);

    let attempt = trace.all("wscengine.background.start")[0];
    check_attempt(&trace, attempt, "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconnect_is_a_restart_with_a_start_of_its_own_in_it() {
    let trace = echo_trace().await;
    let restart = trace.one("wscengine.background.restart");
    assert_eq!(trace.children(restart), ["wscengine.background.start"]);
    assert!(attribute(restart, "wscengine.retry_count").is_some());
    assert_eq!(error(restart), None);

    let attempt = trace.all("wscengine.background.start")[1];
    assert_eq!(trace.parent_name(attempt), Some("wscengine.background.restart"));
    check_attempt(&trace, attempt, "true");
}

fn check_attempt(trace: &Trace, attempt: &Span, restart: &str) {
    let children = ["websocket.dial", "wscengine.background.run", "wscengine.callback.on_open"];
    assert_eq!(trace.children(attempt), children);
    assert_eq!(attribute(attempt, "wscengine.restart").as_deref(), Some(restart));
    assert_eq!(attribute(attempt, "wscengine.session_id").map(|id| id.len()), Some(36));
    for name in children {
        let child = trace
            .all(name)
            .into_iter()
            .find(|span| span.parent_span_id == attempt.span_id)
            .unwrap();
        assert_eq!(error(child), None, "{name}");
        if name == "websocket.dial" {
            assert_eq!(child.kind(), SpanKind::Client);
            assert!(attribute(child, "url.full").unwrap().starts_with("ws://127.0.0.1:"));
            assert!(attribute(child, "server.port").is_some());
        } else {
            assert_eq!(
                attribute(child, "wscengine.session_id"),
                attribute(attempt, "wscengine.session_id")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_has_a_span_and_user_code_is_inside_of_it() {
    let trace = echo_trace().await;
    let sessions: Vec<_> =
        trace.all("wscengine.background.run").into_iter().map(session_id).collect();
    assert_ne!(sessions[0], sessions[1]);
    let messages = trace.all("wscengine.callback.on_message");
    for (at, message) in messages.iter().enumerate() {
        assert_eq!(session_id(message), sessions[usize::from(at >= 2)]);
        assert_eq!(attribute(message, "wscengine.worker_id").as_deref(), Some("0"));
        assert_eq!(attribute(message, "wscengine.message.length").as_deref(), Some("9"));
        assert_eq!(attribute(message, "wscengine.message.opcode").as_deref(), Some("text"));
        assert_eq!(error(message), None);
        let inside: &[&str] = if at < 4 { &["echo.send_next"] } else { &[] };
        assert_eq!(trace.children(message), inside);
    }
}

fn session_id(span: &Span) -> String {
    attribute(span, "wscengine.session_id").expect("the span has a session")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_a_shutdown_that_failed() {
    let trace = echo_trace().await;
    let shutdown = trace.all("wscengine.background.shutdown")[0];
    assert!(shutdown.parent_span_id.is_empty());
    assert_eq!(
        trace.children(shutdown),
        ["wscengine.callback.on_close", "wscengine.callback.on_read_error"]
    );
    assert_eq!(error_type(shutdown).as_deref(), Some("read_failed"));
    assert_eq!(attribute(shutdown, "wscengine.restart").as_deref(), Some("true"));
    assert_eq!(attribute(shutdown, "wscengine.has_close_message").as_deref(), Some("false"));
    assert_eq!(
        error_type(trace.one("wscengine.callback.on_read_error")).as_deref(),
        Some("read_error")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_holds_the_last_shutdown() {
    let trace = echo_trace().await;
    let stop = trace.one("wscengine.stop");
    assert_eq!(trace.children(stop), ["wscengine.background.shutdown"]);
    let shutdown = trace.all("wscengine.background.shutdown")[1];
    assert_eq!(trace.children(shutdown), ["websocket.close", "wscengine.callback.on_close"]);
    assert_eq!(attribute(shutdown, "wscengine.restart").as_deref(), Some("false"));
    let close = trace.one("websocket.close");
    assert_eq!(attribute(close, "wscengine.close_code").as_deref(), Some("1001"));
    assert_eq!(attribute(close, "wscengine.close_reason").as_deref(), Some("Going away"));
    for span in [stop, shutdown, close] {
        assert_eq!(error(span), None, "{}", span.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_span_that_start_is_called_in_is_the_parent_of_the_start() {
    let collector = Collector::grpc().await;
    let settings = quick();
    let example = async {
        // Made here, where the collector's subscriber is the current one.
        let outer = info_span!(target: "examples", "outer");
        run(&settings, silent(), pending()).instrument(outer).await
    };
    timeout(LIMIT, example.with_subscriber(collector.subscriber())).await.unwrap().unwrap();
    let trace = collector.trace().await;
    let outer = trace.one("outer");
    assert_eq!(trace.children(outer), ["wscengine.start", "wscengine.stop"]);
    // What goes on in the background later is no part of it.
    assert!(trace.one("wscengine.background.restart").parent_span_id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_engine_s_and_the_example_s_spans_is_exported() {
    for trace in [echo_trace().await, traced(&quick(), Collector::http().await).await] {
        let foreign: Vec<_> = trace
            .spans()
            .iter()
            .map(|span| &span.name)
            .filter(|name| {
                !["wscengine.", "websocket.", "echo."].iter().any(|ours| name.starts_with(ours))
            })
            .collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }
}
