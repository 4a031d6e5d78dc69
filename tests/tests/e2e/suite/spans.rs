//! What is traced: every span ends, secrets and payloads are in none.

use e2e::{RawServer, Reporter, Spans, within};
use wscengine_rooms_server::Config;

use super::{builder, open};
use crate::rooms;

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
    assert_eq!(spans.named("wscengine.callback.on_message").len(), 2_000);
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
