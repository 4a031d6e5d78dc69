//! What is traced: every span ends, failures say so, secrets and payloads are in none.

use std::future::pending;

use e2e::{RawServer, Recorded, Reporter, Spans, builder, open, within};
use wscengine::testing::memory::{self, Fault};
use wscengine::{ConnectErrorKind, Engine, Handler, Message, Session};
use wscengine_rooms_server::Config;

use crate::echo::rooms;

const CALLBACK: &str = "wscengine.callback.on_message";

fn failed(span: &Recorded) -> bool {
    span.fields.get("otel.status_code").is_some_and(|status| status == "ERROR")
}

#[tokio::test]
async fn g13_every_span_ends_where_its_work_ends() {
    let spans = Spans::default();
    let server = rooms(Config::default()).await;
    let (reporter, mut events) = Reporter::new();
    let prepared =
        builder(&server.echo_url(), reporter).subscriber(spans.subscriber()).build().unwrap();
    let engine = within(prepared.start()).await.unwrap();
    events.opened().await;
    for n in 0..2_000 {
        engine.send(format!("{n}")).await.unwrap();
        events.message().await;
    }
    // A session that stays open keeps no span of its own.
    within(engine.ping()).await.unwrap();
    assert!(spans.most_open() < 16, "{} spans were open at once", spans.most_open());
    within(engine.stop()).await;
    assert_eq!(spans.named(CALLBACK).len(), 2_000);
    // The driver has told its outcome; its task ends right after.
    drop(engine);
    let all_ended = async {
        while !spans.open().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(std::time::Duration::from_secs(10), all_ended).await.is_ok(),
        "{:?}",
        spans.open()
    );
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
    assert_eq!(statuses(CALLBACK), [false, true, false]);
    assert_eq!(statuses("wscengine.start"), [false]);
    assert_eq!(statuses("wscengine.stop"), [false]);
    assert!(statuses("wscengine.background.shutdown")[0]);
    let dial = &spans.named("websocket.dial")[0];
    assert_eq!(dial.fields.get("error.type").map(String::as_str), Some("connect"));
}

#[tokio::test]
async fn a10_e15_no_span_or_event_shows_credentials_query_values_headers_or_payloads() {
    let spans = Spans::default();
    // What is logged outside of the engine's own tasks counts too.
    let _here = tracing::subscriber::set_default(spans.subscriber());
    let server = RawServer::bind().await;
    let (reporter, mut events) = Reporter::new();
    let url = format!(
        "ws://SECRET-user:SECRET-password@127.0.0.1:{}/feed?token=SECRET-token&SECRET-bare",
        server.port()
    );
    let prepared =
        builder(&url, reporter).header("authorization", "Bearer SECRET-header").build().unwrap();
    let (engine, mut connection) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    let engine = engine.unwrap();
    events.opened().await;
    connection.send_text("SECRET-message").await;
    events.message().await;
    engine.send_flushed("SECRET-answer").await.unwrap();
    // A payload that fails, a dial that fails.
    connection.write(&e2e::frame(0x81, b"SECRET-invalid\xFF")).await;
    events.read_error().await;
    events.closed().await;
    drop(server.opening().await.answer(b"HTTP/1.1 403 No\r\nX-Session: SECRET-answer\r\nContent-Length: 11\r\n\r\nSECRET-body").await);
    events.restart_error().await;
    let third = server.accept().await;
    events.opened().await;
    drop(third);
    within(engine.stop()).await;
    let text = spans.text();
    assert!(text.contains("/feed?token=REDACTED"), "nothing was recorded: {text}");
    assert!(
        !text.contains("SECRET"),
        "{}",
        text.split_inclusive("SECRET").next().unwrap_or_default()
    );
}

#[tokio::test]
async fn g13_an_open_and_idle_session_has_no_open_span() {
    let spans = Spans::default();
    let _here = tracing::subscriber::set_default(spans.subscriber());
    let server = rooms(Config::default()).await;
    let (engine, mut events) = open(&server.echo_url()).await;
    engine.send("one").await.unwrap();
    events.message().await;
    within(engine.ping()).await.unwrap();
    let is_ours = |name: &&str| name.starts_with("wscengine.") || name.starts_with("websocket.");
    let names: Vec<_> = spans.open().iter().map(|span| span.name).filter(is_ours).collect();
    assert!(names.is_empty(), "{names:?}");
    within(engine.stop()).await;
}
