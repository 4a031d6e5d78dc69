//! Metrics through an OpenTelemetry meter, recorded once for a batch, not for each message.

use std::fmt;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

use crate::handler::Callback;

/// The instruments of one engine.
pub(crate) struct Metrics {
    sessions: Counter<u64>,
    attempts: Counter<u64>,
    messages: Counter<u64>,
    io: Counter<u64>,
    callback_duration: Histogram<f64>,
    queue_depth: Gauge<u64>,
    round_trip: Histogram<f64>,
    received: [KeyValue; 1],
    sent: [KeyValue; 1],
    read_ahead: [KeyValue; 1],
    send_queue: [KeyValue; 1],
    /// A clock is read twice for each message only if somebody asked for it.
    each_message: EachMessage,
}

/// Whether the duration of each `on_message` is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EachMessage {
    Timed,
    Untimed,
}

impl Metrics {
    /// The instruments of `meter`, or of the global provider's if none was given.
    pub(crate) fn new(meter: Option<&Meter>) -> Self {
        let each_message = if meter.is_some() { EachMessage::Timed } else { EachMessage::Untimed };
        let meter =
            meter.cloned().unwrap_or_else(|| opentelemetry::global::meter(env!("CARGO_PKG_NAME")));
        let counter = |name, unit, about| {
            meter.u64_counter(name).with_unit(unit).with_description(about).build()
        };
        let histogram =
            |name, about| meter.f64_histogram(name).with_unit("s").with_description(about).build();
        Self {
            sessions: counter("wscengine.sessions", "{session}", "Sessions opened"),
            attempts: counter("wscengine.attempts", "{attempt}", "Connection attempts, by outcome"),
            messages: counter("wscengine.messages", "{message}", "Messages, by direction"),
            io: counter("wscengine.io", "By", "Payload bytes of messages, by direction"),
            callback_duration: histogram("wscengine.callback.duration", "How long callbacks took"),
            queue_depth: meter
                .u64_gauge("wscengine.queue.depth")
                .with_unit("{message}")
                .with_description("Messages waiting when a queue was last looked at")
                .build(),
            round_trip: histogram("wscengine.ping.round_trip", "From a ping to its pong"),
            received: [KeyValue::new("network.io.direction", "receive")],
            sent: [KeyValue::new("network.io.direction", "transmit")],
            read_ahead: [KeyValue::new("wscengine.queue", "read_ahead")],
            send_queue: [KeyValue::new("wscengine.queue", "send_queue")],
            each_message,
        }
    }

    pub(crate) fn session(&self) {
        self.sessions.add(1, &[]);
        self.attempts.add(1, &[KeyValue::new("wscengine.outcome", "opened")]);
    }

    pub(crate) fn failed_attempt(&self) {
        self.attempts.add(1, &[KeyValue::new("wscengine.outcome", "failed")]);
    }

    pub(crate) fn received(&self, messages: u64, bytes: u64) {
        self.messages.add(messages, &self.received);
        self.io.add(bytes, &self.received);
    }

    pub(crate) fn sent(&self, messages: u64, bytes: u64) {
        self.messages.add(messages, &self.sent);
        self.io.add(bytes, &self.sent);
    }

    pub(crate) fn read_ahead(&self, messages: usize) {
        self.queue_depth.record(messages as u64, &self.read_ahead);
    }

    pub(crate) fn send_queue(&self, messages: usize) {
        self.queue_depth.record(messages as u64, &self.send_queue);
    }

    pub(crate) fn round_trip(&self, time: Duration) {
        self.round_trip.record(time.as_secs_f64(), &[]);
    }

    pub(crate) fn callback(&self, callback: Callback, took: Duration) {
        let attributes = [KeyValue::new("wscengine.callback", callback.name())];
        self.callback_duration.record(took.as_secs_f64(), &attributes);
    }

    /// Whether `on_message` is to be timed.
    pub(crate) fn each_message(&self) -> EachMessage {
        self.each_message
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("each_message", &self.each_message).finish_non_exhaustive()
    }
}
