//! What is counted, and how it is told: [Prometheus' text
//! format](https://prometheus.io/docs/instrumenting/exposition_formats/).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// The instruments of one server. Each server has its own: nothing is global.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    rooms: IntGauge,
    refused: IntCounterVec,
    connections: IntGaugeVec,
    opened: IntCounterVec,
    messages: IntCounterVec,
    bytes: IntCounterVec,
    dropped: IntCounterVec,
    slow: IntCounterVec,
    /// Those that were asked for.
    protocols: Arc<Mutex<BTreeMap<String, Meters>>>,
}

/// The instruments of one protocol.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    pub(crate) connections: IntGauge,
    pub(crate) opened: IntCounter,
    pub(crate) messages_in: IntCounter,
    pub(crate) messages_out: IntCounter,
    pub(crate) bytes_in: IntCounter,
    pub(crate) bytes_out: IntCounter,
    /// Received, and of no use: malformed, or reserved.
    pub(crate) malformed: IntCounter,
    /// Not sent, since the client does not read.
    pub(crate) overflowed: IntCounter,
    /// Clients closed for that.
    pub(crate) slow: IntCounter,
}

/// The instruments of the dealings with other nodes.
#[derive(Clone, Debug)]
pub(crate) struct BrokerMeters {
    /// 1 while Redis is there.
    pub(crate) up: IntGauge,
    /// Nodes that live, this one too.
    pub(crate) nodes: IntGauge,
    pub(crate) connects: IntCounter,
    pub(crate) published: IntCounter,
    pub(crate) received: IntCounter,
    /// Not published: Redis is away, refuses or is too slow.
    pub(crate) dropped: IntCounter,
}

/// Why a request was refused before its upgrade.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    Draining,
    Address,
    Origin,
    Protocol,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self::register().expect("the names are different and well formed")
    }

    fn register() -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(format!("rooms_{name}"), help);
        let counter = |name, help, labels: &[&str]| IntCounterVec::new(opts(name, help), labels);
        let metrics = Self {
            registry: Registry::new(),
            rooms: IntGauge::with_opts(opts("rooms", "Rooms that have members."))?,
            refused: counter("refused_total", "Upgrades refused.", &["reason"])?,
            connections: IntGaugeVec::new(opts("connections", "Open connections."), &["protocol"])?,
            opened: counter("connections_total", "Connections opened.", &["protocol"])?,
            messages: counter(
                "messages_total",
                "Messages received from clients and written to them.",
                &["protocol", "direction"],
            )?,
            bytes: counter(
                "bytes_total",
                "Bytes of frames received from clients and written to them.",
                &["protocol", "direction"],
            )?,
            dropped: counter(
                "dropped_total",
                "Messages dropped: in, those that cannot be read; out, those for slow clients.",
                &["protocol", "direction"],
            )?,
            slow: counter("slow_closes_total", "Clients closed as too slow.", &["protocol"])?,
            protocols: Arc::default(),
        };
        metrics.registry.register(Box::new(metrics.rooms.clone()))?;
        metrics.registry.register(Box::new(metrics.connections.clone()))?;
        for family in [
            &metrics.refused,
            &metrics.opened,
            &metrics.messages,
            &metrics.bytes,
            &metrics.dropped,
            &metrics.slow,
        ] {
            metrics.registry.register(Box::new(family.clone()))?;
        }
        Ok(metrics)
    }

    /// Those of a protocol, shared by all its endpoints.
    pub(crate) fn of(&self, protocol: &str) -> Meters {
        let (incoming, outgoing) = ([protocol, "in"], [protocol, "out"]);
        let meters = Meters {
            connections: self.connections.with_label_values(&[protocol]),
            opened: self.opened.with_label_values(&[protocol]),
            messages_in: self.messages.with_label_values(&incoming),
            messages_out: self.messages.with_label_values(&outgoing),
            bytes_in: self.bytes.with_label_values(&incoming),
            bytes_out: self.bytes.with_label_values(&outgoing),
            malformed: self.dropped.with_label_values(&incoming),
            overflowed: self.dropped.with_label_values(&outgoing),
            slow: self.slow.with_label_values(&[protocol]),
        };
        let mut protocols = self.protocols.lock().unwrap_or_else(PoisonError::into_inner);
        protocols.insert(protocol.to_owned(), meters.clone());
        meters
    }

    /// Those of every protocol that has an endpoint, by its name.
    pub(crate) fn by_protocol(&self) -> Vec<(String, Meters)> {
        let protocols = self.protocols.lock().unwrap_or_else(PoisonError::into_inner);
        protocols.iter().map(|(name, meters)| (name.clone(), meters.clone())).collect()
    }

    /// Those of the dealings with other nodes, for a server that is to have some.
    pub(crate) fn broker(&self) -> BrokerMeters {
        self.register_broker().expect("the names are different and well formed")
    }

    fn register_broker(&self) -> Result<BrokerMeters, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(format!("rooms_redis_{name}"), help);
        let counter = |name, help| IntCounter::with_opts(opts(name, help));
        let gauge = |name, help| IntGauge::with_opts(opts(name, help));
        let meters = BrokerMeters {
            up: gauge("up", "Whether Redis is there: 1, or 0 while this node is alone.")?,
            nodes: gauge("nodes", "Nodes that live, this one included.")?,
            connects: counter("connects_total", "Connections made to Redis.")?,
            published: counter("published_total", "Messages published.")?,
            received: counter("received_total", "Messages heard, own ones included.")?,
            dropped: counter("dropped_total", "Messages that other nodes were not told.")?,
        };
        for gauge in [&meters.up, &meters.nodes] {
            self.registry.register(Box::new(gauge.clone()))?;
        }
        for counter in [&meters.connects, &meters.published, &meters.received, &meters.dropped] {
            self.registry.register(Box::new(counter.clone()))?;
        }
        Ok(meters)
    }

    pub(crate) fn refused(&self, why: Refused) {
        let reason = match why {
            Refused::Draining => "draining",
            Refused::Address => "address",
            Refused::Origin => "origin",
            Refused::Protocol => "protocol",
        };
        self.refused.with_label_values(&[reason]).inc();
    }

    /// All of them, with the number of rooms as it is now.
    pub(crate) fn text(&self, rooms: usize) -> String {
        self.rooms.set(i64::try_from(rooms).unwrap_or(i64::MAX));
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::warn!(%error, "the metrics cannot be written");
        }
        text
    }
}

#[cfg(test)]
impl Meters {
    /// For tests that do not look at them.
    pub(crate) fn unseen() -> Self {
        Metrics::new().of("test")
    }
}
