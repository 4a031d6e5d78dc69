//! Calling `on_message`: on the connection's own task, or on workers.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::handler::{Callback, Handler};
use crate::message::Message;
use crate::metrics::EachMessage;
use crate::session::Session;
use crate::status::Counters;
use crate::telemetry;

mod workers;

pub(crate) use workers::{AtWork, worker};

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

    /// Whether a call needs neither a span nor a clock: then nothing stands between its future and who polls it.
    #[inline]
    pub(crate) fn are_plain(&self) -> bool {
        self.timeout.is_none()
            && self.counters.metrics.each_message() == EachMessage::Untimed
            && !telemetry::observes_messages()
    }

    /// A plain call of `on_message`. It may panic before there is a future.
    #[inline(always)]
    pub(crate) fn plain<'a>(
        &'a self,
        message: Message<'a>,
    ) -> impl Future<Output = ()> + Send + 'a {
        // Not `self.handler.on_message`: an `Arc` is a handler too, and would be one more future around this one.
        H::on_message(&self.handler, &self.session, message)
    }

    /// Waits for a plain call that was pending when it was polled just now, and counts how it ends.
    pub(crate) async fn wait(&self, mut call: Pin<&mut impl Future<Output = ()>>) {
        let span = Span::none();
        let mut unfinished = self.unfinished(&span);
        let mut polled = true;
        // To poll it twice in one turn would make nothing of a callback that gives way to others.
        let later =
            poll_fn(
                |cx| {
                    if mem::take(&mut polled) { Poll::Pending } else { call.as_mut().poll(cx) }
                },
            );
        let done = caught(pin!(later)).await;
        unfinished.done = true;
        if done.is_err() {
            self.panicked(&span);
        }
    }

    fn unfinished<'a>(&'a self, span: &'a Span) -> Unfinished<'a> {
        Unfinished { span, counters: &self.counters, done: false }
    }

    /// A call has panicked. The panic's own message has gone where panics go.
    #[cold]
    pub(crate) fn panicked(&self, span: &Span) {
        Counters::add(&self.counters.panics, 1);
        telemetry::failed(span, "panic", "on_message panicked");
        let (session_id, callback) = (self.session.id(), Callback::OnMessage.name());
        tracing::error!(parent: span, %session_id, callback, "a callback panicked");
    }

    /// Calls `on_message` inside its span; a panic is caught, a call over its time is dropped.
    pub(crate) async fn observed(&self, message: Message<'_>, worker: usize) {
        let span = telemetry::on_message(&self.session, worker, &message);
        let began = match self.counters.metrics.each_message() {
            EachMessage::Timed => Some(Instant::now()),
            EachMessage::Untimed => None,
        };
        let mut unfinished = self.unfinished(&span);
        let caught = async { caught(pin!(async { self.plain(message).await })).await };
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
            self.panicked(&span);
        }
    }
}

/// What a panic leaves.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Waits for a future, and catches its panic. What it was at is the caller's to mend.
pub(crate) async fn caught<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Panic> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
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
