//! The metrics of an engine, as a reader in memory sees them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, GaugeDataPoint, HistogramDataPoint, MetricData, ResourceMetrics,
    ScopeMetrics, SumDataPoint,
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use tokio::time::timeout;
use wscengine::testing::memory::{self, Fault};
use wscengine::{
    ConnectError, ConnectErrorKind, Engine, Handler, Message, NoBackoff, Session, Status,
};

const LIMIT: Duration = Duration::from_secs(20);

/// Sends each message back.
struct Echo;

impl Handler for Echo {
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        session.send(message.into_owned()).await.unwrap();
    }
}

/// Everything that was measured until now.
struct Measured(Vec<ResourceMetrics>);

impl Measured {
    fn take(provider: &SdkMeterProvider, exporter: &InMemoryMetricExporter) -> Self {
        exporter.reset();
        provider.force_flush().unwrap();
        Self(exporter.get_finished_metrics().unwrap())
    }

    fn data(&self, name: &str) -> &AggregatedMetrics {
        let scopes = self.0.iter().flat_map(ResourceMetrics::scope_metrics);
        let mut metrics = scopes
            .filter(|scope| scope.scope().name() == "wscengine")
            .flat_map(ScopeMetrics::metrics);
        metrics
            .find(|metric| metric.name() == name)
            .unwrap_or_else(|| panic!("{name} was measured"))
            .data()
    }

    /// The value of a counter, for this value of its one attribute.
    fn counter(&self, name: &str, attribute: Option<&str>) -> u64 {
        let AggregatedMetrics::U64(MetricData::Sum(sum)) = self.data(name) else {
            panic!("{name} is a counter")
        };
        let of = sum.data_points().filter(|point| has(point.attributes(), attribute));
        of.map(SumDataPoint::value).sum()
    }

    /// How often a duration was recorded.
    fn durations(&self, name: &str, attribute: Option<&str>) -> u64 {
        let AggregatedMetrics::F64(MetricData::Histogram(all)) = self.data(name) else {
            panic!("{name} is a histogram")
        };
        all.data_points()
            .filter(|point| has(point.attributes(), attribute))
            .map(HistogramDataPoint::count)
            .sum()
    }

    /// Which values of its one attribute a gauge was recorded with, sorted.
    fn gauges(&self, name: &str) -> Vec<String> {
        let AggregatedMetrics::U64(MetricData::Gauge(gauge)) = self.data(name) else {
            panic!("{name} is a gauge")
        };
        let values = gauge
            .data_points()
            .flat_map(GaugeDataPoint::attributes)
            .map(|key| key.value.as_str().into_owned());
        let mut values: Vec<_> = values.collect();
        values.sort();
        values
    }
}

fn has<'a>(mut attributes: impl Iterator<Item = &'a KeyValue>, value: Option<&str>) -> bool {
    value.is_none_or(|value| attributes.any(|attribute| attribute.value.as_str() == value))
}

#[tokio::test]
async fn sessions_attempts_messages_callbacks_queues_and_pings_are_measured() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter.clone()).build())
        .build();
    let run = async {
        let (transport, mut server) = memory::transport();
        let prepared = Engine::builder(transport, Echo)
            .url("ws://example.com/")
            .backoff(NoBackoff)
            .meter_provider(&provider)
            .build()
            .unwrap();
        let (engine, first) = tokio::join!(prepared.start(), server.accept());
        let engine = engine.unwrap();

        // Two dials fail between the two sessions.
        let refused = || Fault::Refuse(ConnectError::new(ConnectErrorKind::Connect));
        server.script([refused(), refused()]);
        first.reset();
        let mut second = server.accept().await;
        engine.status().wait_for(|status| matches!(status, Status::Open { .. })).await.unwrap();

        for text in ["one", "three"] {
            second.send(text);
            assert_eq!(second.next_message().await.text(), Some(text));
        }
        engine.ping().await.unwrap();
        let stats = engine.stats();
        engine.stop().await;
        stats
    };
    let stats = timeout(LIMIT, run).await.unwrap();

    let measured = Measured::take(&provider, &exporter);
    assert_eq!(measured.counter("wscengine.sessions", None), 2);
    assert_eq!(measured.counter("wscengine.attempts", Some("opened")), 2);
    assert_eq!(measured.counter("wscengine.attempts", Some("failed")), 2);
    for direction in ["receive", "transmit"] {
        assert_eq!(measured.counter("wscengine.messages", Some(direction)), 2, "{direction}");
        assert_eq!(measured.counter("wscengine.io", Some(direction)), 8, "{direction}");
    }
    let calls = [
        ("on_open", 2),
        ("on_message", 2),
        ("on_read_error", 1),
        ("on_restart_error", 2),
        ("on_close", 2),
    ];
    for (callback, times) in calls {
        assert_eq!(
            measured.durations("wscengine.callback.duration", Some(callback)),
            times,
            "{callback}"
        );
    }
    assert_eq!(measured.durations("wscengine.ping.round_trip", None), 1);
    assert_eq!(measured.gauges("wscengine.queue.depth"), ["read_ahead", "send_queue"]);
    // The engine's own counters say the same.
    assert_eq!((stats.sessions, stats.attempts, stats.failed_attempts), (2, 4, 2));
    assert_eq!((stats.messages_received, stats.messages_sent), (2, 2));
}
