//! Which spans there are at which level, and that those of worker tasks are among them.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Level};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use wscengine::testing::memory;
use wscengine::{Engine, Handler, Message, Session};

use crate::collector::LIMIT;

const MESSAGES: usize = 30;

/// Sends each message back.
struct Echo;

impl Handler for Echo {
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        session.send(message.into_owned()).await.unwrap();
    }
}

/// The spans of a session with some messages, of this level and the levels above it.
async fn spans(level: Level, workers: usize) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let filter = Targets::new().with_target("wscengine", level);
    let subscriber = Dispatch::new(tracing_subscriber::registry().with(layer.with_filter(filter)));
    let session = async {
        let (transport, mut server) = memory::transport();
        let builder = Engine::builder(transport, Echo).url("ws://example.com/").workers(workers);
        let (engine, mut peer) = tokio::join!(builder.build().unwrap().start(), server.accept());
        let engine = engine.unwrap();
        for _ in 0..MESSAGES {
            peer.send("a message");
            peer.next_message().await;
        }
        engine.stop().await
    };
    timeout(LIMIT, session.with_subscriber(subscriber)).await.unwrap();
    exporter.get_finished_spans().unwrap()
}

fn count(spans: &[SpanData], name: &str) -> usize {
    spans.iter().filter(|span| span.name == name).count()
}

fn number(span: &SpanData, key: &str) -> i64 {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
    found.expect(key).value.as_str().parse().unwrap()
}

#[tokio::test]
async fn the_lifecycle_is_info_messages_are_debug_reads_and_writes_are_trace() {
    let info = spans(Level::INFO, 1).await;
    let debug = spans(Level::DEBUG, 1).await;
    let trace = spans(Level::TRACE, 1).await;
    for spans in [&info, &debug, &trace] {
        assert_eq!(count(spans, "wscengine.start"), 1);
        assert_eq!(count(spans, "wscengine.background.shutdown"), 1);
    }
    let messages =
        [&info, &debug, &trace].map(|spans| count(spans, "wscengine.callback.on_message"));
    assert_eq!(messages, [0, MESSAGES, MESSAGES]);
    for name in ["websocket.read", "websocket.write"] {
        assert_eq!((count(&info, name), count(&debug, name)), (0, 0), "{name}");
        assert!(count(&trace, name) > 0, "{name}");
    }
}

#[tokio::test]
async fn there_is_one_span_for_each_batch_that_was_read_and_none_for_a_read_that_found_nothing() {
    let spans = spans(Level::TRACE, 1).await;
    let reads: Vec<_> = spans.iter().filter(|span| span.name == "websocket.read").collect();
    // One message at a time, so one batch for each, and one for the peer's close frame.
    assert!((MESSAGES..=MESSAGES + 1).contains(&reads.len()), "{}", reads.len());
    for read in reads {
        assert!(number(read, "wscengine.batch.entries") >= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spans_of_workers_reach_the_engine_s_subscriber_and_name_the_worker() {
    let spans = spans(Level::DEBUG, 3).await;
    assert_eq!(count(&spans, "wscengine.callback.on_message"), MESSAGES);
    for message in spans.iter().filter(|span| span.name == "wscengine.callback.on_message") {
        assert!((0..3).contains(&number(message, "wscengine.worker_id")));
    }
}
