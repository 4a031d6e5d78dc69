//! A long session keeps nothing: neither spans nor memory. A binary of its own, since it looks at its process's memory.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Level};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use wscengine::testing::memory::{self, MemoryPeer};
use wscengine::{Engine, Handler, Message, Session};

const MESSAGES: u64 = 100_000;
const BATCH: u64 = 500;
const WARM_UP: u64 = 20_000;

/// Far below the 50 MB and more that as many open spans take, far above what an allocator may keep.
const MAY_GROW: u64 = 6 << 20;

const LIMIT: Duration = Duration::from_secs(120);

/// Counts spans, and keeps none.
#[derive(Clone, Debug, Default)]
struct Counting {
    started: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

impl Counting {
    fn subscriber(&self) -> Dispatch {
        let provider = SdkTracerProvider::builder().with_span_processor(self.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let every_level = Targets::new().with_target("wscengine", Level::TRACE);
        Dispatch::new(tracing_subscriber::registry().with(layer.with_filter(every_level)))
    }

    fn started(&self) -> u64 {
        self.started.load(Ordering::SeqCst)
    }

    fn open(&self) -> u64 {
        let ended = self.ended.load(Ordering::SeqCst);
        self.started() - ended
    }
}

impl SpanProcessor for Counting {
    fn on_start(&self, _span: &mut Span, _context: &Context) {
        self.started.fetch_add(1, Ordering::SeqCst);
    }

    fn on_end(&self, _span: SpanData) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Counts messages, and answers each.
struct Counter {
    heard: watch::Sender<u64>,
}

impl Handler for Counter {
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        session.send(message.into_owned()).await.unwrap();
        self.heard.send_modify(|heard| *heard += 1);
    }
}

/// Sends so many messages, and waits until all were handled and answered.
async fn exchange(peer: &mut MemoryPeer, heard: &mut watch::Receiver<u64>, messages: u64) {
    let mut before = *heard.borrow();
    for _ in 0..messages / BATCH {
        for _ in 0..BATCH {
            peer.send("a message of some bytes");
        }
        for _ in 0..BATCH {
            peer.next_message().await;
        }
        before += BATCH;
        heard.wait_for(|heard| *heard == before).await.unwrap();
    }
}

#[tokio::test]
async fn a_hundred_thousand_messages_leave_no_span_open_and_memory_flat() {
    let spans = Counting::default();
    let session = async {
        let (transport, mut server) = memory::transport();
        let (heard, mut watched) = watch::channel(0);
        let engine =
            Engine::builder(transport, Counter { heard }).url("ws://example.com/").build().unwrap();
        let (engine, mut peer) = tokio::join!(engine.start(), server.accept());
        let engine = engine.unwrap();

        exchange(&mut peer, &mut watched, WARM_UP).await;
        let (memory, started) = (resident_bytes(), spans.started());
        exchange(&mut peer, &mut watched, MESSAGES).await;
        let grown = resident_bytes().saturating_sub(memory);

        assert!(spans.started() - started >= MESSAGES, "each message has a span");
        assert!(spans.open() <= 2, "{} spans are open while nothing happens", spans.open());
        assert!(grown <= MAY_GROW, "memory has grown by {grown} bytes");
        engine.stop().await
    };
    timeout(LIMIT, session.with_subscriber(spans.subscriber())).await.unwrap();
    assert_eq!(spans.open(), 0, "of {}", spans.started());
}

/// The process's resident memory, where the system tells: 0 elsewhere, so that nothing is asserted.
fn resident_bytes() -> u64 {
    let Ok(statm) = std::fs::read_to_string("/proc/self/statm") else { return 0 };
    let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    // A lower bound where pages are larger than this.
    pages * 4096
}
