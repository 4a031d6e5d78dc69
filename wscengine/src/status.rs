//! What an engine says about itself: its status, its outcome, its counters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::error::{AttemptError, StartError};
use crate::handler::{Callback, CloseCause};
use crate::metrics::Metrics;

/// What an engine does at the moment. See [`Engine::status`](crate::Engine::status).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// A connection is being dialled.
    Connecting {
        /// The number of the attempt since the last stable session, from 1.
        attempt: u32,
    },
    /// The connection is there and `on_open` runs.
    Opening,
    /// Messages flow.
    Open {
        /// The session's id.
        session: Uuid,
    },
    /// Somebody holds the connection.
    Paused {
        /// The session's id.
        session: Uuid,
    },
    /// The session ends.
    Closing {
        /// Why.
        cause: CloseCause,
    },
    /// The connection goes down: the closing handshake, the end of an attempt that was not to be a session, or the report
    /// of the last attempt of all.
    Disconnecting,
    /// Backing off.
    Waiting {
        /// When the next attempt is due.
        until: Instant,
        /// Its number since the last stable session, from 1.
        attempt: u32,
    },
    /// The end.
    Stopped {
        /// How it ended.
        outcome: Outcome,
    },
}

impl Status {
    /// Whether the two say the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Connecting { attempt: a }, Self::Connecting { attempt: b }) => a == b,
            (Self::Open { session: a }, Self::Open { session: b })
            | (Self::Paused { session: a }, Self::Paused { session: b }) => a == b,
            (Self::Waiting { until: a, .. }, Self::Waiting { until: b, .. }) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// How an engine ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    kind: OutcomeKind,
    error: Option<StartError>,
    forced: bool,
    blocked: Option<Callback>,
    cause: Option<CloseCause>,
}

/// The ways in which an engine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutcomeKind {
    /// `stop`, `exit`, or the drop of the last handle.
    Requested,
    /// A stop was asked for inside a callback of the same engine, and goes on when that returns.
    UnderWay,
    /// The peer closed the session, and `auto_reconnect(false)` was set.
    PeerClosed,
    /// The session's connection was lost, and `auto_reconnect(false)` was set.
    ConnectionLost,
    /// No session was ever opened: `start()` returned the error.
    FailedToStart,
    /// The budget of attempts or of time is spent.
    GaveUp,
    /// The classifier holds that another attempt is of no use. What failed is the [`error`](Outcome::error) of the last
    /// attempt, or the [`cause`](Outcome::cause) of the last session's end.
    Fatal,
}

impl Outcome {
    pub(crate) fn new(kind: OutcomeKind) -> Self {
        Self { kind, error: None, forced: false, blocked: None, cause: None }
    }

    pub(crate) fn failed_to_start(error: StartError) -> Self {
        Self { error: Some(error), ..Self::new(OutcomeKind::FailedToStart) }
    }

    pub(crate) fn with_error(mut self, error: AttemptError) -> Self {
        self.error = Some(StartError::Attempt(error));
        self
    }

    pub(crate) fn forced(mut self) -> Self {
        self.forced = true;
        self
    }

    pub(crate) fn blocked_by(mut self, callback: Option<Callback>) -> Self {
        self.blocked = callback;
        self
    }

    pub(crate) fn after_session(mut self, cause: Option<CloseCause>) -> Self {
        self.cause = cause;
        self
    }

    pub(crate) fn start_error(&self) -> StartError {
        self.error.clone().unwrap_or(StartError::Stopped)
    }

    /// In which way the engine ended.
    pub fn kind(&self) -> OutcomeKind {
        self.kind
    }

    /// Why the last session ended, if there was one.
    pub fn cause(&self) -> Option<&CloseCause> {
        self.cause.as_ref()
    }

    /// The last attempt's error, if the engine gave up after one that failed, or was told to by the classifier, or could
    /// not start.
    pub fn error(&self) -> Option<&AttemptError> {
        match &self.error {
            Some(StartError::Attempt(error)) => Some(error),
            Some(StartError::Stopped) | None => None,
        }
    }

    /// Whether the stop took longer than `stop_timeout`, so that what was still going on was dropped. A session may
    /// then have ended without its `on_close`.
    pub fn is_forced(&self) -> bool {
        self.forced
    }

    /// The callback that blocks its thread and so still runs, if there is one: it could not be dropped.
    pub fn blocked(&self) -> Option<Callback> {
        self.blocked
    }
}

/// Counters of an engine since its start. See [`Engine::stats`](crate::Engine::stats).
///
/// `attempts` may be more than `sessions` and `failed_attempts` together: an attempt that a stop or a restart cut short
/// counts as neither, nor does the one that is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Attempts begun: requests asked for, or, where there is no request factory, dials.
    pub attempts: u64,
    /// Attempts that failed: the request, the dial, the handshake or `on_open`.
    pub failed_attempts: u64,
    /// Sessions opened.
    pub sessions: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Payload bytes of messages received.
    pub bytes_received: u64,
    /// Messages given to the transport.
    pub messages_sent: u64,
    /// Payload bytes of messages given to the transport.
    pub bytes_sent: u64,
    /// Messages that the [`Outbox`](crate::Outbox) accepted and that were never given to a transport: too old, displaced
    /// by newer ones, of a session that ended, or left when the engine stopped.
    pub outbox_not_sent: u64,
    /// Callbacks that panicked.
    pub panics: u64,
    /// Callbacks that were dropped before they returned: over their time, or because of a stop or a loss.
    pub dropped_callbacks: u64,
    /// The last round trip of a ping, if there was one.
    pub round_trip: Option<Duration>,
}

/// The counters while they are counted, and the metrics that follow them.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) metrics: Metrics,
    pub(crate) attempts: AtomicU64,
    pub(crate) failed_attempts: AtomicU64,
    pub(crate) sessions: AtomicU64,
    pub(crate) messages_received: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    pub(crate) messages_sent: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) dropped_callbacks: AtomicU64,
    /// In nanoseconds; 0 stands for none.
    pub(crate) round_trip: AtomicU64,
}

impl Counters {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            attempts: AtomicU64::default(),
            failed_attempts: AtomicU64::default(),
            sessions: AtomicU64::default(),
            messages_received: AtomicU64::default(),
            bytes_received: AtomicU64::default(),
            messages_sent: AtomicU64::default(),
            bytes_sent: AtomicU64::default(),
            panics: AtomicU64::default(),
            dropped_callbacks: AtomicU64::default(),
            round_trip: AtomicU64::default(),
        }
    }

    pub(crate) fn session_opened(&self) {
        Self::add(&self.sessions, 1);
        self.metrics.session();
    }

    pub(crate) fn attempt_failed(&self) {
        Self::add(&self.failed_attempts, 1);
        self.metrics.failed_attempt();
    }

    pub(crate) fn received(&self, messages: u64, bytes: u64) {
        Self::add(&self.messages_received, messages);
        Self::add(&self.bytes_received, bytes);
        self.metrics.received(messages, bytes);
    }

    pub(crate) fn sent(&self, messages: u64, bytes: u64) {
        Self::add(&self.messages_sent, messages);
        Self::add(&self.bytes_sent, bytes);
        self.metrics.sent(messages, bytes);
    }

    pub(crate) fn round_trip(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.round_trip.store(nanos, Ordering::Relaxed);
        self.metrics.round_trip(time);
    }

    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let round_trip = get(&self.round_trip);
        Stats {
            attempts: get(&self.attempts),
            failed_attempts: get(&self.failed_attempts),
            sessions: get(&self.sessions),
            messages_received: get(&self.messages_received),
            bytes_received: get(&self.bytes_received),
            messages_sent: get(&self.messages_sent),
            bytes_sent: get(&self.bytes_sent),
            // The outbox counts them.
            outbox_not_sent: 0,
            panics: get(&self.panics),
            dropped_callbacks: get(&self.dropped_callbacks),
            round_trip: (round_trip > 0).then(|| Duration::from_nanos(round_trip)),
        }
    }
}
