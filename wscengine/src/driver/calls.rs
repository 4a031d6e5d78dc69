//! Running the callbacks other than `on_message`, each as a task of its own.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::tasks::Done;
use super::{Driver, now};
use crate::engine::as_callbacks_of;
use crate::error::{AttemptError, ReadError, Revoked};
use crate::exclusive::Exclusive;
use crate::handler::{Callback, Closed, Handler, Opened};
use crate::lifecycle::{Call, CallResult, Epoch};
use crate::message::CloseFrame;
use crate::outbound::Lane;
use crate::session::Session;
use crate::status::Counters;
use crate::telemetry;
use crate::transport::Transport;

/// What a callback gave.
struct Returned {
    result: CallResult,
    farewell: Option<CloseFrame>,
    gate: Option<Gate>,
}

/// Nothing is read from the connection as long as this is there.
pub(super) type Gate = oneshot::Sender<Infallible>;

impl Returned {
    fn well() -> Self {
        Self::with(CallResult::Returned)
    }

    fn with(result: CallResult) -> Self {
        Self { result, farewell: None, gate: None }
    }
}

/// Opens the gate once the call was polled and is pending, or is dropped. One that is done at once keeps it closed until
/// the session is open: what the peer says behind its acceptance is then a message of the session, even if it closes right
/// behind it.
async fn opening_while_pending(gate: Gate, call: impl Future<Output = Returned>) -> Returned {
    let mut call = pin!(call);
    let mut gate = Some(gate);
    poll_fn(|cx| match call.as_mut().poll(cx) {
        Poll::Ready(returned) => Poll::Ready(Returned { gate: gate.take(), ..returned }),
        Poll::Pending => {
            gate = None;
            Poll::Pending
        }
    })
    .await
}

impl<T: Transport, H: Handler> Driver<T, H> {
    pub(super) fn run_call(&mut self, epoch: Epoch, call: Call) {
        let callback = call.callback();
        match call {
            Call::OnOpen => self.run_on_open(epoch),
            Call::OnRestartError { error, retry, until } => {
                self.run_on_restart_error(epoch, error, retry, until);
            }
            Call::OnReadError(error) => self.run_on_read_error(epoch, error),
            Call::OnClose { cause, restarting, unhandled, unsent } => {
                let closed = Closed {
                    initiator: cause.initiator(),
                    frame: cause.frame().cloned(),
                    cause,
                    restarting,
                    unhandled,
                    unsent,
                };
                self.run_on_close(epoch, closed);
            }
            Call::OnCloseError(error) => {
                let Some(session) = self.session() else { return };
                let handler = self.handler.clone();
                let span = self.call_span(epoch, callback);
                telemetry::failed(&span, "close_error", &error.to_string());
                self.spawn_call(epoch, callback, span, async move {
                    handler.on_close_error(&session, &error).await;
                    Returned::well()
                });
            }
        }
    }

    fn run_on_open(&mut self, epoch: Epoch) {
        let (gate, gone) = oneshot::channel();
        let Some(mut conn) = self.make_session(epoch, gone) else { return };
        let Some(link) = &mut self.link else { return };
        let Some(response) = link.response.take() else { return };
        let opened = Opened {
            url: link.url.clone(),
            response,
            restarting: self.lifecycle.sessions() > 0,
            attempt: link.attempt,
            previous: self.previous.clone(),
        };
        let span = self.call_span(epoch, Callback::OnOpen);
        span.record("wscengine.restart", opened.restarting);
        self.spans.has_session(conn.session());
        let handler = self.handler.clone();
        let seen = span.clone();
        let call = async move {
            match handler.on_open(&mut conn, opened).await {
                Ok(()) => Returned::well(),
                Err(error) => {
                    telemetry::failed(&seen, "handler_error", &error.to_string());
                    Returned::with(CallResult::Failed(error.into()))
                }
            }
        };
        self.spawn_call(epoch, Callback::OnOpen, span, opening_while_pending(gate, call));
    }

    fn run_on_read_error(&mut self, epoch: Epoch, error: ReadError) {
        let Some(session) = self.session() else { return };
        let handler = self.handler.clone();
        let span = self.call_span(epoch, Callback::OnReadError);
        telemetry::failed(&span, "read_error", &error.to_string());
        self.spawn_call(epoch, Callback::OnReadError, span, async move {
            handler.on_read_error(&session, &error).await;
            Returned::well()
        });
    }

    fn run_on_close(&mut self, epoch: Epoch, closed: Closed) {
        let Some(mut conn) = self.hold_to_close(&closed) else { return };
        let handler = self.handler.clone();
        let span = self.call_span(epoch, Callback::OnClose);
        span.record("wscengine.restart", closed.restarting);
        self.spawn_call(epoch, Callback::OnClose, span, async move {
            let farewell = handler.on_close(&mut conn, &closed).await;
            Returned { farewell, ..Returned::well() }
        });
    }

    /// What `on_close` is given: the connection if we end it, else one whose every call fails.
    fn hold_to_close(&mut self, closed: &Closed) -> Option<Exclusive> {
        if closed.cause.is_local() {
            return self.hold_for_callback(Lane::Farewell);
        }
        let hold = self.new_hold();
        let link = self.link.as_ref()?;
        link.session.inbox().refuse(hold, Revoked::ConnectionEnded);
        Some(Exclusive::new(link.session.clone(), hold, Lane::Farewell))
    }

    fn run_on_restart_error(
        &mut self,
        epoch: Epoch,
        error: AttemptError,
        retry: u32,
        until: Option<std::time::Instant>,
    ) {
        let parent = self.spans.attempt_failed(&error.to_string());
        if parent.is_some() {
            self.outlets.counters.attempt_failed();
        }
        let wait = until.map(|until| until.saturating_duration_since(now()));
        tracing::warn!(%error, retry, ?wait, "an attempt to connect failed");
        let (handler, control) = (self.handler.clone(), self.control.clone());
        // A failed attempt has no session, whatever session there was before.
        let parent = parent.unwrap_or_else(Span::none);
        let span = telemetry::callback(&parent, Callback::OnRestartError, epoch, None);
        span.record("wscengine.retry_count", retry);
        self.spawn_call(epoch, Callback::OnRestartError, span, async move {
            handler.on_restart_error(&control, &error, retry).await;
            Returned::well()
        });
    }

    fn session(&self) -> Option<Session> {
        self.link.as_ref().map(|link| link.session.clone())
    }

    fn call_span(&self, epoch: Epoch, callback: Callback) -> Span {
        let session = self.link.as_ref().map(|link| &link.session);
        telemetry::callback(self.spans.parent_of(callback), callback, epoch, session)
    }

    /// Runs a callback inside its span. A panic is caught and reported.
    fn spawn_call(
        &mut self,
        epoch: Epoch,
        callback: Callback,
        span: Span,
        call: impl Future<Output = Returned> + Send + 'static,
    ) {
        let counters = self.outlets.counters.clone();
        let session_id = self.link.as_ref().map(|link| link.session.id());
        let seen = span.clone();
        let began = Instant::now();
        let call = async move {
            let returned = AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| {
                Counters::add(&counters.panics, 1);
                telemetry::failed(&seen, "panic", "the callback panicked");
                tracing::error!(?session_id, callback = callback.name(), "a callback panicked");
                Returned::with(CallResult::Panicked)
            });
            counters.metrics.callback(callback, began.elapsed());
            let Returned { result, farewell, gate } = returned;
            Done::Call { epoch, callback, result, farewell, gate }
        };
        let call = as_callbacks_of(self.control.id(), call.instrument(span.clone()));
        self.tasks.call(epoch, callback, span, call);
    }
}
