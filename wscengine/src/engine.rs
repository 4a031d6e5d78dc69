//! The handles: [`Prepared`], [`Engine`], [`Control`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_channel::mpsc;
use tokio::sync::{oneshot, watch};
use tokio::task::futures::TaskLocalFuture;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Instrument, dispatcher};

use crate::config::{Config, EngineBuilder};
use crate::driver::Driver;
use crate::error::{PauseError, PingError, SendError, SendErrorKind, StartError};
use crate::exclusive::Exclusive;
use crate::handler::Handler;
use crate::lifecycle::{Epoch, HoldId};
use crate::message::Message;
use crate::metrics::Metrics;
use crate::outbox::{Delivery, EnqueueOptions, Fate, SharedOutbox};
use crate::request::EngineHandles;
use crate::session::Session;
use crate::status::{Counters, Outcome, OutcomeKind, Stats, Status};
use crate::telemetry;
use crate::transport::Transport;

/// A running engine. A cheap handle: clone it as you like; when the last one is dropped, the engine stops, without
/// waiting.
///
/// # Examples
/// ```
/// use wscengine::{Engine, Handler, Message, Session};
/// # use wscengine::testing::memory;
///
/// struct Printer;
///
/// impl Handler for Printer {
///     async fn on_message(&self, _session: &Session, message: Message<'_>) {
///         println!("{:?}", message.text());
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (transport, mut server) = memory::transport();
/// # let server = tokio::spawn(async move { let mut peer = server.accept().await; peer.send("hi"); while peer.recv().await.is_some() {} });
/// let engine = Engine::builder(transport, Printer).url("wss://example.com/feed").build()?.start().await?;
/// engine.send("subscribe").await?;
/// let outcome = engine.stop().await;
/// assert_eq!(outcome.kind(), wscengine::OutcomeKind::Requested);
/// # server.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    control: Control,
    session: watch::Receiver<Option<Session>>,
    counters: Arc<Counters>,
    outbox: Option<Arc<SharedOutbox>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.control.exit();
    }
}

impl Engine {
    /// Begins to set an engine up: it will dial with `transport` and tell `handler`. A handler that you want to reach
    /// from elsewhere too goes in as an `Arc`.
    pub fn builder<T: Transport, H: Handler>(transport: T, handler: H) -> EngineBuilder<T, H> {
        EngineBuilder::new(transport, handler)
    }

    /// Sends a message on the connection there is: waits for room in the send queue, not for the socket. With an
    /// [`Outbox`](crate::Outbox): the message waits there until it can be written, behind those that came before; `send` waits
    /// for room in it while a session is open.
    ///
    /// # Errors
    /// [`SendError`], with the message: [`SendErrorKind::NotConnected`] at once while there is no open session. With an
    /// outbox [`SendErrorKind::Full`] instead, if it is full and drops nothing.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped while it waits, it has sent nothing.
    pub async fn send(&self, message: impl Into<Message<'static>>) -> Result<(), SendError> {
        let message = message.into();
        if let Some(outbox) = &self.inner.outbox {
            return outbox.send(message).await;
        }
        match self.session() {
            Some(session) => session.send(message).await,
            None => Err(SendError::returning(self.no_session(), message)),
        }
    }

    /// Sends a message if there is a connection, and room in the send queue now; or room in the
    /// [`Outbox`](crate::Outbox).
    ///
    /// # Errors
    /// [`SendError`], with the message.
    pub fn try_send(&self, message: impl Into<Message<'static>>) -> Result<(), SendError> {
        let message = message.into();
        if let Some(outbox) = &self.inner.outbox {
            return outbox.try_send(message);
        }
        match &*self.inner.session.borrow() {
            Some(session) => session.try_send(message),
            None => Err(SendError::returning(self.no_session(), message)),
        }
    }

    /// Sends a message, and returns when its bytes were handed to the socket: with an [`Outbox`](crate::Outbox) in
    /// whichever session that is.
    ///
    /// # Errors
    /// As [`Session::send_flushed`]. With an outbox the message comes back if it was not sent; if it is not known whether
    /// the peer has seen it, [`SendErrorKind::Lost`].
    ///
    /// # Cancel safety
    /// As [`Session::send_flushed`].
    pub async fn send_flushed(
        &self,
        message: impl Into<Message<'static>>,
    ) -> Result<(), SendError> {
        let message = message.into();
        if let Some(outbox) = &self.inner.outbox {
            return match outbox.enqueue(message, EnqueueOptions::new()).await?.await {
                Fate::Written { .. } => Ok(()),
                Fate::NotSent(error) => Err(error),
                Fate::Unknown { .. } => Err(SendError::new(SendErrorKind::Lost)),
            };
        }
        match self.session() {
            Some(session) => session.send_flushed(message).await,
            None => Err(SendError::returning(self.no_session(), message)),
        }
    }

    /// Gives a message to the [`Outbox`](crate::Outbox), as [`send`](Self::send) does, and returns what will tell its fate.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendErrorKind::NoOutbox`] if there is none.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped while it waits for room, it has sent nothing.
    pub async fn enqueue(
        &self,
        message: impl Into<Message<'static>>,
    ) -> Result<Delivery, SendError> {
        self.enqueue_with(message, EnqueueOptions::new()).await
    }

    /// The same, with an age or a scope of the message's own.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue); [`SendErrorKind::NotConnected`] or [`SendErrorKind::SessionEnded`] for one of
    /// [`Scope::ThisSession`](crate::Scope::ThisSession).
    ///
    /// # Cancel safety
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_with(
        &self,
        message: impl Into<Message<'static>>,
        options: EnqueueOptions,
    ) -> Result<Delivery, SendError> {
        let message = message.into();
        match &self.inner.outbox {
            Some(outbox) => outbox.enqueue(message, options).await,
            None => Err(SendError::returning(SendErrorKind::NoOutbox, message)),
        }
    }

    /// Sends a ping, and returns the time until its pong came.
    ///
    /// # Errors
    /// [`PingError`]: no connection, or no pong within the ping time-out.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ping(&self) -> Result<Duration, PingError> {
        match self.session() {
            Some(session) => session.ping().await,
            None if self.no_session() == SendErrorKind::Stopped => Err(PingError::Stopped),
            None => Err(PingError::NotConnected),
        }
    }

    /// Pauses the engine: see [`Session::pause`].
    ///
    /// # Errors
    /// [`PauseError`]: [`PauseError::NotConnected`] while there is no open session.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, the request is withdrawn.
    pub async fn pause(&self) -> Result<Exclusive, PauseError> {
        self.inner.control.pause(None, None).await
    }

    /// The same, but taken back `hold` after the grant.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    ///
    /// # Cancel safety
    /// As [`pause`](Self::pause).
    pub async fn pause_for(&self, hold: Duration) -> Result<Exclusive, PauseError> {
        self.inner.control.pause(None, Some(hold)).await
    }

    /// The open session, if there is one: from the return of its `on_open` until it ends, paused or not.
    pub fn session(&self) -> Option<Session> {
        self.inner.session.borrow().clone()
    }

    /// Asks for a new connection in place of the one there is; see [`Control::restart`].
    pub fn restart(&self) {
        self.inner.control.restart();
    }

    /// Stops the engine, and waits until it has stopped: running callbacks finish, what was accepted for sending is
    /// written, `on_close` runs, the closing handshake is done. Bounded by `stop_timeout`; what still goes on then is
    /// dropped. When it returns, no callback of this engine runs, except one that blocks its thread, and then
    /// [`Outcome::blocked`] names it.
    ///
    /// Called inside a callback of this very engine it cannot wait for itself: it asks for the stop, as
    /// [`Control::exit`] does, and returns [`OutcomeKind::UnderWay`].
    ///
    /// # Cancel safety
    /// Cancel safe: the stop goes on.
    pub async fn stop(&self) -> Outcome {
        let span = dispatcher::with_default(&self.inner.control.shared.subscriber, telemetry::stop);
        self.inner.control.request(Request::Stop { cause: span.clone() });
        if inside_callback_of(self.inner.control.shared.id) {
            return Outcome::new(OutcomeKind::UnderWay);
        }
        let outcome = self.stopped().instrument(span.clone()).await;
        if outcome.is_forced() {
            telemetry::failed(&span, "timeout", "the stop took longer than it may");
        }
        outcome
    }

    /// Waits until the engine has stopped, for whatever reason.
    ///
    /// # Cancel safety
    /// Cancel safe; may be called any number of times.
    pub async fn stopped(&self) -> Outcome {
        stopped(self.inner.control.shared.status.clone()).await
    }

    /// What the engine does at the moment, and each change of it. Only the newest value is kept: a state that is left
    /// at once may never be seen.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.control.status()
    }

    /// Counters since the start, over all sessions. Each is exact; all together they are of no single moment.
    pub fn stats(&self) -> Stats {
        let outbox = self.inner.outbox.as_ref();
        let outbox_not_sent = outbox.map_or(0, |outbox| outbox.not_sent());
        Stats { outbox_not_sent, ..self.inner.counters.snapshot() }
    }

    /// A handle that may be kept anywhere, a handler included: it does not keep the engine alive.
    pub fn control(&self) -> Control {
        self.inner.control.clone()
    }

    fn no_session(&self) -> SendErrorKind {
        match &*self.inner.control.shared.status.borrow() {
            Status::Stopped { .. } => SendErrorKind::Stopped,
            _ => SendErrorKind::NotConnected,
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("control", &self.inner.control).finish_non_exhaustive()
    }
}

/// An engine with a checked configuration, to be started.
#[must_use = "an engine does nothing until it is started"]
pub struct Prepared<T, H> {
    transport: T,
    handler: H,
    config: Config,
    control: Control,
    requests: mpsc::UnboundedReceiver<Request>,
    status: watch::Sender<Status>,
}

impl<T: Transport, H: Handler> Prepared<T, H> {
    pub(crate) fn new(transport: T, handler: H, config: Config) -> Self {
        let (sender, requests) = mpsc::unbounded();
        let (status, watched) = watch::channel(Status::Connecting { attempt: 1 });
        let id = NEXT_ENGINE.fetch_add(1, Ordering::Relaxed);
        let subscriber = config.subscriber.clone();
        let shared = Shared { id, requests: sender, status: watched, subscriber };
        let control = Control { shared: Arc::new(shared) };
        Self { transport, handler, config, control, requests, status }
    }

    /// A handle to the engine to be: it can be told to exit before and while it starts.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Connects, runs `on_open`, and returns the running engine.
    ///
    /// Must be called inside a tokio runtime with time and I/O enabled.
    ///
    /// # Errors
    /// [`StartError`], which says what failed and wraps the cause; or the engine was told to exit meanwhile.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping the future stops the attempt.
    pub async fn start(self) -> Result<Engine, StartError> {
        let Self { transport, handler, config, control, requests, status } = self;
        let span = dispatcher::with_default(&config.subscriber, || telemetry::start(&config));
        let (session, watched) = watch::channel(None);
        let counters = Arc::new(Counters::new(Metrics::new(config.meter.as_ref())));
        let engine = Engine {
            inner: Arc::new(Inner {
                control: control.clone(),
                session: watched,
                counters: counters.clone(),
                outbox: config.data_plane.outbox.clone(),
            }),
        };
        if let Some(requests) = &config.data_plane.requests {
            let (session, status) = (engine.inner.session.clone(), control.status());
            requests.attach(EngineHandles { session, status });
        }
        let (started, start) = oneshot::channel();
        let subscriber = config.subscriber.clone();
        let outlets = crate::driver::Outlets { status, session, started: Some(started), counters };
        let mut driver =
            Driver::new(transport, handler, config, control, requests, outlets, span.clone());
        tokio::spawn(async move { driver.run().await }.with_subscriber(subscriber));
        let result = async {
            match start.await {
                Ok(()) => Ok(engine),
                // It was dropped unused: the engine has ended.
                Err(_) => Err(engine.stopped().await.start_error()),
            }
        };
        let result = result.instrument(span.clone()).await;
        if let Err(error) = &result {
            telemetry::failed(&span, "start_error", &error.to_string());
        }
        result
    }
}

impl<T, H> fmt::Debug for Prepared<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("url", &self.config.base.url.as_ref().map(telemetry::redact))
            .finish_non_exhaustive()
    }
}

/// A handle with which an engine is told what to do, and that does not keep it alive. Cheap to clone; keep it in a
/// handler, or take it from [`Prepared::control`] before the start.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    id: u64,
    requests: mpsc::UnboundedSender<Request>,
    status: watch::Receiver<Status>,
    subscriber: Dispatch,
}

/// What a user asks of the driver.
pub(crate) enum Request {
    Stop {
        /// The span that waits for the stop.
        cause: tracing::Span,
    },
    Restart {
        epoch: Option<Epoch>,
    },
    Pause {
        epoch: Option<Epoch>,
        limit: Option<Duration>,
        reply: oneshot::Sender<Result<Exclusive, PauseError>>,
    },
    Release {
        hold: HoldId,
    },
}

impl Control {
    /// Asks the engine to stop. Does not wait, and may be called in any callback.
    pub fn exit(&self) {
        self.request(Request::Stop { cause: tracing::Span::none() });
    }

    /// Asks for a new connection in place of the one there is, as a session's end that we want: `on_close` runs, with
    /// [`CloseCause::Restarted`](crate::CloseCause::Restarted). Does not wait, and may be called in any callback.
    ///
    /// The new one is dialled at once; asked for again before a session was stable, after a backoff. While the engine
    /// backs off, the first request until a session was stable dials at once, later ones change nothing; nor does one
    /// while a dial is in flight.
    pub fn restart(&self) {
        self.request(Request::Restart { epoch: None });
    }

    /// What the engine does at the moment, and each change of it. Only the newest value is kept: a state that is left
    /// at once may never be seen.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.clone()
    }

    pub(crate) fn id(&self) -> u64 {
        self.shared.id
    }

    pub(crate) fn request(&self, request: Request) {
        // An engine that has ended has nothing more to do.
        let _ = self.shared.requests.unbounded_send(request);
    }

    pub(crate) async fn pause(
        &self,
        epoch: Option<Epoch>,
        limit: Option<Duration>,
    ) -> Result<Exclusive, PauseError> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Pause { epoch, limit, reply });
        // Dropped unanswered: the driver, or the session, has ended.
        answer.await.unwrap_or(Err(match &*self.shared.status.borrow() {
            Status::Stopped { .. } => PauseError::Stopped,
            _ => PauseError::SessionEnded,
        }))
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("status", &*self.shared.status.borrow())
            .finish_non_exhaustive()
    }
}

tokio::task_local! {
    /// The engine whose callbacks run on this task.
    static CALLBACKS_OF: u64;
}

/// Marks all that runs inside as callbacks of this engine. No async function: one would hold the future twice.
pub(crate) fn as_callbacks_of<F: Future>(engine: u64, future: F) -> TaskLocalFuture<u64, F> {
    CALLBACKS_OF.scope(engine, future)
}

fn inside_callback_of(engine: u64) -> bool {
    CALLBACKS_OF.try_with(|current| *current == engine).unwrap_or(false)
}

async fn stopped(mut status: watch::Receiver<Status>) -> Outcome {
    let outcome = |status: &Status| match status {
        Status::Stopped { outcome } => Some(outcome.clone()),
        _ => None,
    };
    let seen = status
        .wait_for(|status| outcome(status).is_some())
        .await
        .ok()
        .and_then(|status| outcome(&status));
    // The driver went away without a word: its runtime is shut down.
    seen.unwrap_or_else(|| Outcome::new(OutcomeKind::Requested).forced())
}

static NEXT_ENGINE: AtomicU64 = AtomicU64::new(1);
