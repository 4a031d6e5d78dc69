//! An attempt: its request, its dial, and what came of them.

use std::time::SystemTime;

use super::Driver;
use super::tasks::{DialResult, RequestResult};
use crate::config::check_request;
use crate::error::{RequestError, RequestErrorKind};
use crate::factory::NextAttempt;
use crate::handler::{Callback, Handler};
use crate::lifecycle::{Epoch, SessionEvent};
use crate::status::Counters;
use crate::telemetry;
use crate::transport::Transport;

impl<T: Transport, H: Handler> Driver<T, H> {
    pub(super) fn make_request(&mut self, epoch: Epoch, next: NextAttempt) {
        self.begin_attempt();
        let Some(factory) = self.config.factory.clone() else { return };
        let span = self.spans.parent_of(Callback::OnOpen).clone();
        self.tasks.request(epoch, factory, next, span);
    }

    pub(super) fn dial(&mut self, epoch: Epoch) {
        if self.config.factory.is_none() {
            self.begin_attempt();
        }
        self.last_request = self.made.take();
        let Some(mut request) = self.config.base.request(self.last_request.as_deref().cloned())
        else {
            return;
        };
        self.url = Some(request.url.clone());
        let span = self.spans.dialing(&request);
        if self.config.propagate
            && !request.headers.contains_key("traceparent")
            && let Some(value) = telemetry::traceparent(&span)
        {
            request.headers.insert("traceparent", value);
        }
        tracing::debug!(parent: &span, attempt = self.lifecycle.attempt(), "dialing");
        self.tasks.dial(epoch, self.transport.clone(), request, span);
    }

    fn begin_attempt(&mut self) {
        Counters::add(&self.outlets.counters.attempts, 1);
        self.link = None;
        self.spans.attempting(self.lifecycle.sessions() > 0, self.lifecycle.attempt());
    }

    pub(super) fn on_request_done(&mut self, epoch: Epoch, result: RequestResult) -> SessionEvent {
        // One that came though it was told to go is dropped here.
        let wanted = epoch == self.lifecycle.epoch() && self.lifecycle.state().wants_request();
        match result {
            RequestResult::Made(request) if wanted => match check_request(&request) {
                Ok(()) => {
                    self.made = Some(Box::new(request));
                    SessionEvent::RequestMade
                }
                Err(error) => SessionEvent::RequestFailed(RequestError::with_source(
                    RequestErrorKind::Invalid,
                    error,
                )),
            },
            RequestResult::Failed(error) if wanted => SessionEvent::RequestFailed(error),
            RequestResult::Made(_) | RequestResult::Failed(_) | RequestResult::Abandoned => {
                SessionEvent::DialAbandoned
            }
        }
    }

    pub(super) fn on_dial_done(
        &mut self,
        epoch: Epoch,
        result: DialResult<T::Connection>,
    ) -> SessionEvent {
        match result {
            // One that came though it was told to go is dropped here.
            DialResult::Connected(connected)
                if epoch == self.lifecycle.epoch() && self.lifecycle.state().wants_dial() =>
            {
                self.dialed = Some(connected);
                SessionEvent::Dialed
            }
            DialResult::Connected(_) | DialResult::Abandoned => SessionEvent::DialAbandoned,
            DialResult::Failed(_) if !self.lifecycle.state().wants_dial() => {
                SessionEvent::DialAbandoned
            }
            DialResult::Failed(error) => {
                let now = SystemTime::now();
                let retry_after = error.response().and_then(|response| response.retry_after(now));
                SessionEvent::DialFailed { error, retry_after }
            }
        }
    }
}
