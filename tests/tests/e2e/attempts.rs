//! What spans and logs say of what fails, and of an engine that gives up: over the in-memory transport.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::{Recorded, Spans, within};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use wscengine::testing::memory::{self, Fault};
use wscengine::transport::HandshakeResponse;
use wscengine::{
    BearerToken, CloseFrame, ConnectError, ConnectErrorKind, Engine, Handler, HandlerError,
    HandshakeRequest, Message, NoBackoff, OutcomeKind, Session, request_fn,
};

struct Quiet;

impl Handler for Quiet {
    async fn on_message(&self, _: &Session, _: Message<'_>) {}
}

fn error_type(spans: &Spans, name: &str) -> Vec<Option<String>> {
    spans.named(name).iter().map(|span| span.fields.get("error.type").cloned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_dial_over_its_time_is_a_time_out_in_its_span() {
    let spans = Spans::default();
    let (transport, server) = memory::transport();
    server.script([Fault::Hang]);
    let prepared = Engine::builder(transport, Quiet).url("ws://server.test/");
    let prepared = prepared.subscriber(spans.subscriber()).build().unwrap();
    within(prepared.start()).await.unwrap_err();
    assert_eq!(error_type(&spans, "websocket.dial"), [Some("timeout".to_owned())]);
}

/// Without a factory (a stop while dialling) the attempt's span has no error: nothing failed.
#[tokio::test(start_paused = true)]
async fn a_stop_while_the_request_is_made_is_no_error_of_the_attempt() {
    for with_factory in [false, true] {
        let spans = Spans::default();
        let (transport, server) = memory::transport();
        server.script([Fault::Hang]);
        let mut builder = Engine::builder(transport, Quiet).url("ws://server.test/");
        if with_factory {
            builder = builder.request_factory(request_fn(|_| pending()));
        }
        let prepared = builder.subscriber(spans.subscriber()).build().unwrap();
        let control = prepared.control();
        let started = tokio::spawn(prepared.start());
        tokio::time::sleep(Duration::from_secs(1)).await;
        control.exit();
        within(started).await.unwrap().unwrap_err();
        assert_eq!(error_type(&spans, "wscengine.background.start"), [None], "{with_factory}");
    }
}

fn failed(span: &Recorded) -> bool {
    span.fields.get("otel.status_code").is_some_and(|status| status == "ERROR")
}

struct Panics;

impl Handler for Panics {
    async fn on_message(&self, _: &Session, message: Message<'_>) {
        match message.text() {
            Some("panic") => panic!("as the test wants it"),
            Some("hang") => pending().await,
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g14_spans_of_what_failed_have_status_error_and_no_others() {
    let spans = Spans::default();
    let (transport, mut server) = memory::transport();
    server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
    let prepared = Engine::builder(transport, Panics).url("ws://server.test/").retry_first(true);
    let prepared = prepared.subscriber(spans.subscriber()).build().unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    let engine = engine.unwrap();
    peer.send("fine");
    peer.send("panic");
    peer.send("fine");
    within(engine.ping()).await.unwrap();
    peer.reset();
    let _second = within(server.accept()).await;
    within(engine.stop()).await;

    let statuses = |name: &str| spans.named(name).iter().map(failed).collect::<Vec<_>>();
    assert_eq!(statuses("websocket.dial"), [true, false, false]);
    assert_eq!(statuses("wscengine.callback.on_message"), [false, true, false]);
    assert_eq!(statuses("wscengine.start"), [false]);
    assert_eq!(statuses("wscengine.stop"), [false]);
    assert!(statuses("wscengine.background.shutdown")[0]);
    let dial = &spans.named("websocket.dial")[0];
    assert_eq!(dial.fields.get("error.type").map(String::as_str), Some("connect"));
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_made_request_is_shown() {
    let spans = Spans::default();
    let _here = tracing::subscriber::set_default(spans.subscriber());
    let (transport, mut server) = memory::transport();
    let mut response = HandshakeResponse::accepted();
    response.status = "401".parse().unwrap();
    response.body = "SECRET-body".into();
    response.headers.insert("set-cookie", "SECRET-cookie".parse().unwrap());
    let error = ConnectError::new(ConnectErrorKind::Status).with_response(response);
    server.script([Fault::Refuse(error), Fault::Hang, Fault::Accept]);
    let urls = request_fn(|_| async {
        let url = "ws://SECRET-u:SECRET-p@server.test/feed?token=SECRET-q&SECRET-bare";
        Ok::<_, HandlerError>(HandshakeRequest::new(url)?.header("x-key", "SECRET-h")?)
    });
    let tokens = BearerToken::new(|| async { Ok("SECRET-token".into()) }).over(urls);
    let prepared = Engine::builder(transport, Quiet)
        .request_factory(tokens)
        .retry_first(true)
        .subscriber(spans.subscriber())
        .build()
        .unwrap();
    let shown = format!("{prepared:?}");
    let (engine, _peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    within(engine.unwrap().stop()).await;
    let text = spans.text() + &shown;
    assert!(!text.contains("SECRET"), "{text}");
}

#[derive(Clone, Default)]
struct Loud(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Loud {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= tracing::Level::WARN {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_ends_by_itself_for_good_says_so_as_a_warning_at_least() {
    let loud = Loud::default();
    let subscriber = tracing_subscriber::registry().with(loud.clone());
    let (transport, mut server) = memory::transport();
    let prepared = Engine::builder(transport, Quiet)
        .url("ws://server.test/")
        .backoff(NoBackoff)
        .subscriber(subscriber)
        .build()
        .unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    peer.close(Some(CloseFrame::new(1008, "banned").unwrap()));
    let outcome = within(engine.unwrap().stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::Fatal);
    assert!(!loud.0.lock().unwrap().is_empty(), "nobody who looks at warnings hears of it");
}
