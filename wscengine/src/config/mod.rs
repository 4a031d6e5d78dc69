//! The configuration: every option with its default and the reason for it, all of it checked once, in `build`.

mod builder;
mod options;
mod request;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use tracing::Dispatch;

use crate::dispatch::KeyFn;
use crate::error::ConfigError;
use crate::inbox::Order;
use crate::lifecycle::Policy;
use crate::outbound::QueueLimits;
use crate::transport::ConnectRequest;

pub use builder::EngineBuilder;

/// The configuration, checked.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) request: ConnectRequest,
    pub(crate) policy: Policy,
    pub(crate) data_plane: Arc<DataPlane>,
    pub(crate) propagate: bool,
    pub(crate) subscriber: Dispatch,
    pub(crate) meter: Option<Meter>,
}

/// The part of it that a connection's task needs.
#[derive(Clone)]
pub(crate) struct DataPlane {
    pub(crate) workers: usize,
    pub(crate) key: Option<KeyFn>,
    pub(crate) read_ahead: QueueLimits,
    pub(crate) send_queue: QueueLimits,
    pub(crate) message_timeout: Option<Duration>,
    pub(crate) write_timeout: Duration,
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) ping_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
}

impl DataPlane {
    pub(crate) fn order(&self) -> Order {
        if self.key.is_some() { Order::ByKey } else { Order::Free }
    }
}

/// Says what is wrong with an option.
fn wrong<V>(option: &'static str, problem: impl Into<String>) -> Result<V, ConfigError> {
    Err(ConfigError::new(option, problem))
}
