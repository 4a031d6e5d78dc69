//! A subscriber as in the example `echo`, whose exporter throws away what it gets: the cost of making spans, not of a
//! network.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Which spans are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spans {
    /// No subscriber at all.
    None,
    Info,
    Debug,
}

impl Spans {
    /// For the whole process, which is one contestant.
    pub(super) fn subscribe(self) {
        let level = match self {
            Self::None => return,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        };
        let provider = SdkTracerProvider::builder().with_batch_exporter(Discard).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("benches"));
        let ours = Targets::new().with_target("wscengine", level);
        tracing_subscriber::registry().with(layer.with_filter(ours)).init();
    }
}

#[derive(Debug)]
struct Discard;

impl SpanExporter for Discard {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}
