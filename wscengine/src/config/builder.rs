//! The builder: one method for each option.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use tracing::Dispatch;

use super::Base;
use super::options::Options;
use super::request::{parse_headers, parse_url};
use crate::classify::Classifier;
use crate::dispatch::key_fn;
use crate::engine::Prepared;
use crate::error::ConfigError;
use crate::factory::RequestFactory;
use crate::handler::Handler;
use crate::lifecycle::{AfterSession, FirstAttempt};
use crate::message::Message;
use crate::outbound::QueueLimits;
use crate::outbox::Outbox;
use crate::request::Requests;
use crate::retry::Backoff;
use crate::transport::Transport;

/// Sets an engine up. Made by [`Engine::builder`](crate::Engine::builder); only [`url`](Self::url) must be given, or
/// a [`request_factory`](Self::request_factory).
///
/// Everything is checked by [`build`](Self::build); no value is silently corrected. A duration must not be 0 (only
/// `stable_after` may) nor longer than a year; a queue holds 1 to 2^30 messages and bytes. An option that is set twice
/// has the last value; headers and subprotocols add up.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use wscengine::{Engine, ExponentialBackoff, Handler, Message, Session};
/// # use wscengine::testing::memory;
/// # struct Feed;
/// # impl Handler for Feed { async fn on_message(&self, _: &Session, _: Message<'_>) {} }
/// # let (transport, _server) = memory::transport();
///
/// let prepared = Engine::builder(transport, Feed)
///     .url("wss://example.com/feed")
///     .header("authorization", "Bearer ...")
///     .subprotocol("quotes.v2")
///     .workers(4)
///     .ping_interval(Some(Duration::from_secs(15)))
///     .backoff(ExponentialBackoff::new().cap(Duration::from_secs(10)))
///     .build()?;
/// # drop(prepared);
///
/// # let (transport, _server) = memory::transport();
/// let error = Engine::builder(transport, Feed).url("https://example.com/").build().unwrap_err();
/// assert_eq!(error.option(), "url");
/// # Ok::<(), wscengine::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until it is built and started"]
pub struct EngineBuilder<T, H> {
    transport: T,
    handler: H,
    url: Option<String>,
    headers: Vec<(String, String)>,
    options: Options,
}

impl<T: Transport, H: Handler> EngineBuilder<T, H> {
    pub(crate) fn new(transport: T, handler: H) -> Self {
        Self { transport, handler, url: None, headers: Vec::new(), options: Options::default() }
    }

    /// The URL to connect to: `ws` or `wss`, with a host. A fragment is refused (RFC 6455 section 3). Must be given,
    /// unless there is a [`request_factory`](Self::request_factory).
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Adds a header to the handshake; called again with the same name, adds another. At most 1,024.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol, after those offered before. What the server chose is in [`Opened`](crate::Opened).
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.options.subprotocols.push(name.into());
        self
    }

    /// Makes the request of each attempt: its URL, and headers and subprotocols besides those given here. Default: every
    /// attempt has the same request. See [`Endpoints`](crate::Endpoints) and [`BearerToken`](crate::BearerToken).
    pub fn request_factory(mut self, factory: impl RequestFactory) -> Self {
        self.options.factory = Some(Arc::new(factory));
        self
    }

    /// Limit for the request factory. Default 10 s: a token service that is slower is down. One over it is dropped at
    /// its next await, and the attempt has failed.
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.request = limit;
        self
    }

    /// How many `on_message` may run at once. Default 1: messages are handled one by one, in the order they
    /// arrived. With more, each worker is a task, and CPU-bound callbacks run in parallel on a multi-thread runtime.
    /// 1 to 1,024.
    pub fn workers(mut self, workers: usize) -> Self {
        self.options.workers = workers;
        self
    }

    /// Keeps the order of messages that have the same key, with several workers. Messages of different keys are
    /// handled at once. The function is called for each message as it is read: keep it cheap.
    pub fn ordered_by<K: Hash>(
        mut self,
        key: impl Fn(&Message<'_>) -> K + Send + Sync + 'static,
    ) -> Self {
        self.options.key = Some(key_fn(key));
        self
    }

    /// Lets requests be made by id: replies go to their calls, all other messages to `on_message`. See
    /// [`Requests`](crate::request::Requests).
    pub fn requests<K: Eq + Hash + Send + 'static>(mut self, requests: &Requests<K>) -> Self {
        self.options.requests = Some(requests.correlator());
        self
    }

    /// How much may be read and wait to be handled, in messages and payload bytes. Default 256 and 1 MiB: enough to
    /// keep workers busy, little enough that a slow handler slows the peer down instead of filling memory. When it is
    /// full, nothing more is read. The bound is checked before each read, so one read's worth comes on top.
    pub fn read_ahead(mut self, messages: usize, bytes: usize) -> Self {
        self.options.read_ahead = QueueLimits { messages, bytes };
        self
    }

    /// Lets messages wait for a connection while there is none. Default: none do, [`Engine::send`](crate::Engine::send)
    /// then fails with [`NotConnected`](crate::SendErrorKind::NotConnected), since a message that comes late may do harm. See
    /// [`Outbox`].
    pub fn outbox(mut self, outbox: Outbox) -> Self {
        self.options.outbox = Some(outbox);
        self
    }

    /// How much may wait to be written, in messages and payload bytes. Default 1,024 and 1 MiB. When it is full,
    /// `send` waits and `try_send` fails. One message always fits, however long it is.
    pub fn send_queue(mut self, messages: usize, bytes: usize) -> Self {
        self.options.send_queue = QueueLimits { messages, bytes };
        self
    }

    /// The largest message to accept, in payload bytes. Default 64 MiB; a larger one ends the session with 1009.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.options.limits.message = bytes;
        self
    }

    /// The largest frame to accept, in payload bytes. Default 16 MiB; a larger one ends the session with 1009.
    pub fn max_frame_size(mut self, bytes: usize) -> Self {
        self.options.limits.frame = bytes;
        self
    }

    /// Limit for a dial as a whole: name, TCP, TLS and handshake. Default 15 s: longer than a lost SYN that is sent
    /// three times.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.connect = limit;
        self
    }

    /// Limit for `on_open`. Default 30 s: a login may ask another service.
    pub fn on_open_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.on_open = limit;
        self
    }

    /// Limit for one `on_message`, or `None`, the default: how long a message takes is the user's business. One over
    /// it is dropped at its next await.
    pub fn on_message_timeout(mut self, limit: Option<Duration>) -> Self {
        self.options.message_timeout = limit;
        self
    }

    /// Limit for `on_read_error`. Default 5 s.
    pub fn on_read_error_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.on_read_error = limit;
        self
    }

    /// Limit for `on_close`. Default 5 s.
    pub fn on_close_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.on_close = limit;
        self
    }

    /// Limit for `on_close_error`. Default 5 s.
    pub fn on_close_error_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.on_close_error = limit;
        self
    }

    /// Limit for `on_restart_error`. Default 5 s.
    pub fn on_restart_error_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.on_restart_error = limit;
        self
    }

    /// How long the end of a session waits for running callbacks, for messages that were read to be handled, and for
    /// those accepted for sending to be written. Default 5 s.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.drain = limit;
        self
    }

    /// Limit for the closing handshake. Default 5 s. A peer that does not answer is dropped, and `on_close_error`
    /// called.
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.close = limit;
        self
    }

    /// Limit for a stop as a whole. Default 30 s: more than all its steps take. After it, what still goes on is
    /// dropped.
    pub fn stop_timeout(mut self, limit: Duration) -> Self {
        self.options.timeouts.stop = limit;
        self
    }

    /// How long the socket may take no byte while something waits to be written. Default 30 s. After it the session
    /// ends with [`CloseCause::WriteStalled`](crate::CloseCause::WriteStalled).
    pub fn write_timeout(mut self, limit: Duration) -> Self {
        self.options.write_timeout = limit;
        self
    }

    /// How often to ping, or `None` not to. Default 20 s: proxies commonly drop what is idle for 60 s.
    pub fn ping_interval(mut self, interval: Option<Duration>) -> Self {
        self.options.ping_interval = interval;
        self
    }

    /// How long after a ping nothing may come before the peer counts as lost. Default 10 s. Not longer than the
    /// interval. It is the limit for [`Session::ping`](crate::Session::ping) too.
    pub fn ping_timeout(mut self, limit: Duration) -> Self {
        self.options.ping_timeout = limit;
        self
    }

    /// Ends a session in which no message came for so long, though pongs may have. Default `None`: silence is
    /// normal for most protocols.
    pub fn idle_timeout(mut self, limit: Option<Duration>) -> Self {
        self.options.idle_timeout = limit;
        self
    }

    /// How long to wait before each attempt to reconnect. Default [`ExponentialBackoff::new`](crate::ExponentialBackoff::new).
    pub fn backoff(mut self, backoff: impl Backoff) -> Self {
        self.options.backoff = Arc::new(backoff);
        self
    }

    /// What follows which failure. Default [`DefaultClassifier`](crate::DefaultClassifier), which also takes single rules.
    pub fn classifier(mut self, classifier: impl Classifier) -> Self {
        self.options.classifier = Arc::new(classifier);
        self
    }

    /// How long a session must live for the backoff to start over. Default 10 s: a server that accepts and closes at
    /// once is not hammered.
    pub fn stable_after(mut self, uptime: Duration) -> Self {
        self.options.stable_after = uptime;
        self
    }

    /// How many attempts to reconnect may be made in a row, without a stable session, or `None`, the default, for any
    /// number. At least 1. After them the engine stops with [`GaveUp`](crate::OutcomeKind::GaveUp).
    ///
    /// With [`retry_first(true)`](Self::retry_first) the first attempt comes on top: `Some(n)` then allows 1 + n dials
    /// before `start()` fails.
    pub fn max_attempts(mut self, attempts: Option<u32>) -> Self {
        self.options.max_attempts = attempts;
        self
    }

    /// How long to go on trying without a stable session, or `None`, the default, for ever.
    pub fn max_elapsed(mut self, elapsed: Option<Duration>) -> Self {
        self.options.max_elapsed = elapsed;
        self
    }

    /// Whether to connect again when the peer closes or the connection is lost. Default true; with false, the engine
    /// stops by itself after the first session, and its outcome says why. A restart that is asked for is done anyway.
    pub fn auto_reconnect(mut self, yes: bool) -> Self {
        self.options.after_session = if yes { AfterSession::Reconnect } else { AfterSession::Stop };
        self
    }

    /// Whether a first attempt that fails is retried as the [classifier](Self::classifier) says. Default false: `start()`
    /// fails at once, since a wrong URL or password shows itself then; only where there is a
    /// [request factory](Self::request_factory), refused credentials are made anew once.
    pub fn retry_first(mut self, yes: bool) -> Self {
        self.options.first = if yes { FirstAttempt::Retry } else { FirstAttempt::FailFast };
        self
    }

    /// Seeds the jitter, so that a run can be repeated. Default: a random seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Whether to send `traceparent` (W3C Trace Context) with the handshake, when a sampled span is current. Default
    /// true. A `traceparent` header of the user's own is left as it is.
    pub fn propagate(mut self, yes: bool) -> Self {
        self.options.propagate = yes;
        self
    }

    /// The subscriber that the engine's tasks run under. Default: the one that is current when `build` is called.
    pub fn subscriber(mut self, subscriber: impl Into<Dispatch>) -> Self {
        self.options.subscriber = Some(subscriber.into());
        self
    }

    /// The OpenTelemetry meter provider for the engine's metrics. Default: the global one. Only with a provider given
    /// here is each `on_message` timed, since that costs two looks at a clock for each message.
    pub fn meter_provider(mut self, provider: &impl MeterProvider) -> Self {
        self.options.meter = Some(provider.meter(env!("CARGO_PKG_NAME")));
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// [`ConfigError`], which names the first option that is wrong, and what is wrong with it. Nothing was dialled.
    pub fn build(self) -> Result<Prepared<T, H>, ConfigError> {
        let Self { transport, handler, url, headers, options } = self;
        options.check()?;
        let url = match url {
            None if options.factory.is_some() => None,
            url => Some(parse_url(url.as_deref())?),
        };
        let base = Base {
            url,
            headers: parse_headers(headers)?,
            subprotocols: options.subprotocols.clone(),
            timeout: options.timeouts.connect,
            limits: options.limits,
        };
        Ok(Prepared::new(transport, handler, options.into_config(base)))
    }
}

impl<T, H> fmt::Debug for EngineBuilder<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URL and headers carry secrets.
        f.debug_struct("EngineBuilder")
            .field("workers", &self.options.workers)
            .finish_non_exhaustive()
    }
}
