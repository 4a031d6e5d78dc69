//! The configuration: every option with its default and the reason for it, all of it checked once, in `build`.

mod builder;
mod options;
mod request;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::metrics::Meter;
use tracing::Dispatch;
use url::Url;

use crate::dispatch::KeyFn;
use crate::error::ConfigError;
use crate::factory::{HandshakeRequest, RequestFactory};
use crate::inbox::Order;
use crate::lifecycle::Policy;
use crate::outbound::QueueLimits;
use crate::outbox::SharedOutbox;
use crate::request::Correlator;
use crate::transport::{ConnectRequest, Limits};

pub use builder::EngineBuilder;
pub(crate) use request::{add_header, check_request, parse_url};

/// The configuration, checked.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) base: Base,
    pub(crate) factory: Option<Arc<dyn RequestFactory>>,
    pub(crate) policy: Policy,
    pub(crate) data_plane: Arc<DataPlane>,
    pub(crate) propagate: bool,
    pub(crate) subscriber: Dispatch,
    pub(crate) meter: Option<Meter>,
}

/// What every request has, unless the factory's says otherwise.
#[derive(Clone)]
pub(crate) struct Base {
    /// There is none only where a factory gives it.
    pub(crate) url: Option<Url>,
    pub(crate) headers: HeaderMap,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) timeout: Duration,
    pub(crate) limits: Limits,
}

impl Base {
    /// What to dial: the request that a factory made, if there is one, upon what the builder was given. `None` only if
    /// neither has a URL, which `build` does not let pass.
    pub(crate) fn request(&self, made: Option<HandshakeRequest>) -> Option<ConnectRequest> {
        let made = match made {
            Some(made) => made,
            None => HandshakeRequest::from(self.url.clone()?),
        };
        let mut headers = self.headers.clone();
        // All values of a name that the factory has come in place of the builder's.
        headers.extend(made.headers);
        let subprotocols = match made.subprotocols {
            none if none.is_empty() => self.subprotocols.clone(),
            some => some,
        };
        let (timeout, limits) = (self.timeout, self.limits);
        Some(ConnectRequest { url: made.url, headers, subprotocols, timeout, limits })
    }
}

/// The part of it that a connection's task needs.
#[derive(Clone)]
pub(crate) struct DataPlane {
    pub(crate) workers: usize,
    pub(crate) key: Option<KeyFn>,
    pub(crate) requests: Option<Arc<dyn Correlator>>,
    pub(crate) read_ahead: QueueLimits,
    pub(crate) send_queue: QueueLimits,
    pub(crate) outbox: Option<Arc<SharedOutbox>>,
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
