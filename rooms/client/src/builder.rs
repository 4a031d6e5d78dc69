//! The builder of a client.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use wscengine::transport::Transport;
use wscengine::{Engine, EngineBuilder, Outbox};

use crate::callbacks::Callbacks;
use crate::client::{Client, Inner};
use crate::error::ConnectError;
use crate::event::State;
use crate::protocol::Protocol;
use crate::shared::Shared;
use crate::subscription::Bounds;
use crate::tasks;

type EngineOption<T, P> =
    Box<dyn FnOnce(EngineBuilder<T, Callbacks<P>>) -> EngineBuilder<T, Callbacks<P>> + Send>;

/// Sets a client up. Made by [`Client::builder`]; only the [`url`](Self::url) must be given.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use wscengine::{ExponentialBackoff, Outbox};
/// use wscengine_rooms_client::{Client, Wsrooms};
/// use wscengine_tungstenite::TungsteniteTransport;
///
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder(TungsteniteTransport::new(), Wsrooms::new())
///     .url("wss://example.com/ws")
///     .timeout(Duration::from_secs(5))
///     .queue(100, 1 << 20)
///     .engine(|engine| {
///         engine
///             .header("authorization", "Bearer ...")
///             .backoff(ExponentialBackoff::new().cap(Duration::from_secs(10)))
///             .outbox(Outbox::new().max_age(Duration::from_secs(30)))
///     })
///     .connect()
///     .await?;
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it connects"]
pub struct Builder<T, P> {
    transport: T,
    protocol: P,
    url: Option<String>,
    timeout: Duration,
    bounds: Bounds,
    options: Vec<EngineOption<T, P>>,
}

impl<T: Transport, P: Protocol> Builder<T, P> {
    pub(crate) fn new(transport: T, protocol: P) -> Self {
        let bounds = Bounds { events: 1_024, bytes: 4 << 20 };
        let (url, options) = Default::default();
        Self { transport, protocol, url, timeout: Duration::from_secs(10), bounds, options }
    }

    /// The URL to connect to: `ws` or `wss`. Must be given, unless the [engine](Self::engine) has a request factory.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// How long a join and a leave wait for the server's word, and after each connect the client for its id, and for its
    /// rooms. Default 10 s: a server that takes longer is as good as down. A join also waits so long for a connection.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How much may wait for one handler, in events and in bytes. Default 1,024 and 4 MiB. When a handler does not take
    /// them in time, the oldest are dropped, and it is told [`Missed`](crate::Missed). One always fits.
    pub fn queue(mut self, events: usize, bytes: usize) -> Self {
        self.bounds = Bounds { events, bytes };
        self
    }

    /// Sets options of the engine: headers, TLS, backoff, heartbeat, budgets. Called again, adds to them.
    ///
    /// The client brings an [`Outbox`] with its defaults, so that what is sent while there is no connection waits for the
    /// next; with [`Scope::ThisSession`](wscengine::Scope::ThisSession) it is refused instead. The number of workers is
    /// one, whatever is set here: it keeps the order of what is told. Close code 1008, with which servers refuse a room too
    /// many, ends the engine unless its classifier says otherwise.
    pub fn engine(
        mut self,
        options: impl FnOnce(EngineBuilder<T, Callbacks<P>>) -> EngineBuilder<T, Callbacks<P>>
        + Send
        + 'static,
    ) -> Self {
        self.options.push(Box::new(options));
        self
    }

    /// Connects, and waits until the client knows its id.
    ///
    /// Must be called inside a tokio runtime with time and I/O enabled.
    ///
    /// # Errors
    /// [`ConnectError`]: an option is wrong, or the first attempt failed.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping the future stops the attempt.
    pub async fn connect(self) -> Result<Client<P>, ConnectError> {
        let Self { transport, protocol, url, timeout, bounds, options } = self;
        let (orders, to_send) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(protocol, timeout, bounds, orders));
        let callbacks = Callbacks::new(Arc::clone(&shared));
        // The greeting, the rooms, and something to spare: the engine's own limit is for what hangs.
        let limit = timeout.saturating_mul(2).saturating_add(Duration::from_secs(10));
        let mut engine = Engine::builder(transport, callbacks)
            .outbox(Outbox::new())
            .on_open_timeout(limit.min(A_YEAR));
        if let Some(url) = url {
            engine = engine.url(url);
        }
        let engine = options.into_iter().fold(engine, |engine, option| option(engine));
        let prepared = engine.workers(1).build()?;
        let client = tasks::Handle::<P>::default();
        let sends = tasks::send(to_send, Arc::downgrade(&shared), Arc::clone(&client));
        tokio::spawn(sends);
        let engine = prepared.start().await?;
        let id = shared.read(|machine| machine.id().map(str::to_owned));
        let (state, states) = watch::channel(State::Open { id });
        tokio::spawn(tasks::watch(engine.status(), Arc::clone(&shared), state));
        let inner = Arc::new(Inner::new(engine, shared, states));
        // It is set here only.
        let _ = OnceLock::set(&client, Arc::downgrade(&inner));
        Ok(Client::new(inner))
    }
}

/// The longest time that the engine takes.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

impl<T, P> fmt::Debug for Builder<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may carry secrets.
        f.debug_struct("Builder")
            .field("timeout", &self.timeout)
            .field("queue", &self.bounds)
            .finish_non_exhaustive()
    }
}
