//! A message from an engine through the rooms to another engine, in one trace.

use std::net::Ipv4Addr;

use e2e::{Events, Reporter, within};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::net::TcpListener;
use tracing::subscriber::DefaultGuard;
use tracing::{Instrument as _, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use wscengine::Engine;
use wscengine_rooms_server::wsrooms::{Conn, Message, Wsrooms};
use wscengine_rooms_server::{Config, Rooms};

use super::builder;

/// All that is traced on this thread. One subscriber for the three programs, since a thread cannot have more: where
/// they come from tells their spans apart.
struct Traces {
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
    _current: DefaultGuard,
}

impl Traces {
    fn here() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        Self { provider, exporter, _current: tracing::subscriber::set_default(subscriber) }
    }

    fn all(&self) -> Vec<SpanData> {
        self.provider.force_flush().unwrap();
        self.exporter.get_finished_spans().unwrap()
    }
}

/// The only one of this name that `is_wanted`.
fn one<'a>(
    spans: &'a [SpanData],
    name: &str,
    is_wanted: impl Fn(&SpanData) -> bool,
) -> &'a SpanData {
    let mut found = spans.iter().filter(|span| span.name == name && is_wanted(span));
    let span = found.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(found.next().is_none(), "several of {name}");
    span
}

/// A client of the rooms, whose application is at `work` when it starts the engine.
async fn join(url: &str, work: Span) -> (Engine, Events) {
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(url, reporter).build().unwrap();
    let engine = within(prepared.start().instrument(work)).await.unwrap();
    events.opened().await;
    let join = Message::new("lobby", "join", "", "", "");
    engine.send(join.to_bytes().unwrap()).await.unwrap();
    while heard(&mut events).await.room != "lobby" {}
    (engine, events)
}

async fn heard(events: &mut Events) -> Message {
    Message::from_bytes(events.message().await.payload()).unwrap()
}

/// What a program puts into a message, so that the next one can go on with the trace.
fn context_of(span: &Span) -> String {
    let context = span.context();
    let context = context.span().span_context().clone();
    format!("{}-{}", context.trace_id(), context.span_id())
}

/// Goes on with the trace that a message names.
fn continue_trace(span: &Span, context: &[u8]) {
    let context = std::str::from_utf8(context).unwrap();
    let (trace, parent) = context.split_once('-').unwrap();
    let (trace, parent) = (TraceId::from_hex(trace).unwrap(), SpanId::from_hex(parent).unwrap());
    let remote = SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::NONE);
    span.set_parent(Context::new().with_remote_span_context(remote)).unwrap();
}

/// The server of an application whose handler says in the message that it passes on what trace it is part of.
async fn serve() -> (Rooms, String) {
    let pass_on = async |conn: Conn, message: Message| {
        conn.send_to_room(&message.room, "task", context_of(&Span::current()).as_bytes());
        Ok(())
    };
    let rooms = Rooms::new(Config::default());
    let wsrooms = Wsrooms::new().on("task", pass_on).unwrap();
    let app = axum::Router::new().route("/ws", rooms.wsrooms(wsrooms));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (rooms, url)
}

#[tokio::test]
async fn a_message_is_seen_from_engine_to_server_to_engine_in_one_trace() {
    let traces = Traces::here();
    let (rooms, url) = serve().await;
    let (b, mut b_events) = join(&url, Span::none()).await;
    let order = info_span!("order");
    let (a, _a_events) = join(&url, order.clone()).await;
    let task = Message::new("lobby", "task", "", "", "");
    within(a.send(task.to_bytes().unwrap())).await.unwrap();
    let told = loop {
        let message = heard(&mut b_events).await;
        if message.event == "task" {
            break message;
        }
    };
    let done = info_span!(parent: None, "done");
    continue_trace(&done, &told.payload);
    drop((done, order));
    for engine in [a, b] {
        within(engine.stop()).await;
    }
    within(rooms.close()).await;

    let spans = traces.all();
    let order = one(&spans, "order", |_| true);
    let trace = order.span_context.trace_id();
    let of_trace = |span: &SpanData| span.span_context.trace_id() == trace;
    let dial = one(&spans, "websocket.dial", of_trace);
    let connection = one(&spans, "rooms.connection", of_trace);
    assert_eq!(connection.parent_span_id, dial.span_context.span_id());
    let done = one(&spans, "done", of_trace);
    let is_cause = |span: &SpanData| span.span_context.span_id() == done.parent_span_id;
    let message = one(&spans, "rooms.message", is_cause);
    assert!(of_trace(message));
    assert_eq!(message.parent_span_id, connection.span_context.span_id());
    // The receiver's own connection is part of another trace.
    one(&spans, "rooms.connection", |span| !of_trace(span));
}
