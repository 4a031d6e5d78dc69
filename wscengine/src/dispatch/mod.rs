//! Calling `on_message`: on the connection's own task, or on workers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::handler::{Callback, Handler};
use crate::message::Message;
use crate::metrics::EachMessage;
use crate::session::Session;
use crate::status::Counters;
use crate::telemetry;

mod workers;

pub(crate) use workers::{Busy, worker};

/// Gives a message's key: messages of one key are handled in the order they arrived.
pub(crate) type KeyFn = Arc<dyn Fn(&Message<'_>) -> u64 + Send + Sync>;

/// Makes a key function of one that gives any hashable key.
pub(crate) fn key_fn<K: Hash>(key: impl Fn(&Message<'_>) -> K + Send + Sync + 'static) -> KeyFn {
    Arc::new(move |message| {
        // One that panics must not end the session: its messages keep an order among themselves.
        let key = catch_unwind(AssertUnwindSafe(|| {
            let mut hasher = DefaultHasher::new();
            key(message).hash(&mut hasher);
            hasher.finish()
        }));
        key.unwrap_or(0)
    })
}

/// All that a call of `on_message` needs.
pub(crate) struct Calls<H> {
    handler: Arc<H>,
    session: Session,
    counters: Arc<Counters>,
    timeout: Option<Duration>,
}

impl<H: Handler> Calls<H> {
    pub(crate) fn new(
        handler: Arc<H>,
        session: Session,
        counters: Arc<Counters>,
        timeout: Option<Duration>,
    ) -> Self {
        Self { handler, session, counters, timeout }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Calls `on_message` inside its span; a panic is caught, a call over its time is dropped.
    pub(crate) async fn call(&self, message: Message<'_>, worker: usize) {
        let span = telemetry::on_message(&self.session, worker, &message);
        let began = match self.counters.metrics.each_message() {
            EachMessage::Timed => Some(Instant::now()),
            EachMessage::Untimed => None,
        };
        let mut unfinished = Unfinished { span: &span, counters: &self.counters, done: false };
        let call = async { self.handler.on_message(&self.session, message).await };
        let caught = AssertUnwindSafe(call).catch_unwind();
        let done = match self.timeout {
            None => caught.instrument(span.clone()).await,
            Some(limit) => match tokio::time::timeout(limit, caught.instrument(span.clone())).await
            {
                Ok(done) => done,
                Err(_) => {
                    return tracing::warn!(parent: &span, "on_message took longer than it may");
                }
            },
        };
        unfinished.done = true;
        if let Some(began) = began {
            self.counters.metrics.callback(Callback::OnMessage, began.elapsed());
        }
        if done.is_err() {
            Counters::add(&self.counters.panics, 1);
            telemetry::failed(&span, "panic", "on_message panicked");
            let (session_id, callback) = (self.session.id(), Callback::OnMessage.name());
            tracing::error!(parent: &span, %session_id, callback, "a callback panicked");
        }
    }
}

/// Says of a call that is dropped before it has returned that it was.
struct Unfinished<'a> {
    span: &'a Span,
    counters: &'a Counters,
    done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            Counters::add(&self.counters.dropped_callbacks, 1);
            telemetry::failed(self.span, "cancelled", "dropped before it was done");
        }
    }
}
