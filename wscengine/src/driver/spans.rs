//! The spans of what goes on in the background, each kept only as long as its work lasts.

use tracing::Span;

use crate::error::CloseError;
use crate::handler::{Callback, CloseCause};
use crate::message::CloseFrame;
use crate::session::Session;
use crate::telemetry;
use crate::transport::ConnectRequest;

/// The spans that are open.
pub(super) struct Spans {
    /// `wscengine.start`, until the first attempts are over.
    start: Span,
    /// `wscengine.stop`, once a stop was asked for.
    stop: Span,
    attempt: Option<Attempt>,
    shutdown: Option<Span>,
    close: Option<Span>,
}

/// `wscengine.background.start`, and for all but the first attempts `wscengine.background.restart` above it.
struct Attempt {
    restart: Option<Span>,
    start: Span,
}

impl Spans {
    pub(super) fn new(start: Span) -> Self {
        Self { start, stop: Span::none(), attempt: None, shutdown: None, close: None }
    }

    /// An attempt begins, the `attempt`-th since the last stable session.
    pub(super) fn attempting(&mut self, restart: bool, attempt: u32) {
        // As `on_restart_error` counts them; the first attempt of a start is no retry.
        let retry = if restart { attempt } else { attempt.saturating_sub(1) };
        let above = restart.then(|| telemetry::background_restart(retry));
        let start =
            telemetry::background_start(above.as_ref().unwrap_or(&self.start), restart, retry);
        self.attempt = Some(Attempt { restart: above, start });
    }

    /// Its dial begins: the span of that.
    pub(super) fn dialing(&self, request: &ConnectRequest) -> Span {
        telemetry::dial(self.parent_of(Callback::OnOpen), request)
    }

    pub(super) fn has_session(&self, session: &Session) {
        if let Some(attempt) = &self.attempt {
            attempt.start.record("wscengine.session_id", tracing::field::display(session.id()));
        }
    }

    /// Messages flow: whether they do for the first time in this session.
    pub(super) fn opened(&mut self, session: &Session, workers: usize) -> bool {
        let Some(attempt) = self.attempt.take() else { return false };
        let run = telemetry::background_run(&attempt.start, session, workers);
        tracing::info!(parent: &run, session_id = %session.id(), "a session is open");
        self.start = Span::none();
        true
    }

    /// The attempt failed: gives what the report of it is part of, unless it had ended before. A start of the user's
    /// fails only when it returns so: its next attempt may succeed.
    pub(super) fn attempt_failed(&mut self, error: &str) -> Option<Span> {
        let Attempt { restart, start } = self.attempt.take()?;
        telemetry::failed(&start, "attempt_failed", error);
        if let Some(restart) = &restart {
            telemetry::failed(restart, "attempt_failed", error);
        }
        Some(restart.unwrap_or_else(|| self.start.clone()))
    }

    pub(super) fn stopping(&mut self, stop: Span) {
        if self.stop.is_none() {
            self.stop = stop;
        }
    }

    /// The session ends: called as long as it does.
    pub(super) fn ending(&mut self, session: Option<&Session>, cause: &CloseCause, restart: bool) {
        if let (None, Some(session)) = (&self.shutdown, session) {
            let shutdown = telemetry::background_shutdown(&self.stop, session, cause, restart);
            tracing::info!(parent: &shutdown, session_id = %session.id(), %cause, restart, "a session ends");
            self.shutdown = Some(shutdown);
        }
    }

    pub(super) fn closing(&mut self, session: &Session, frame: &CloseFrame) {
        let none = Span::none();
        let parent = match (&self.shutdown, &self.attempt) {
            (Some(shutdown), _) => shutdown,
            (None, Some(attempt)) => &attempt.start,
            (None, None) => &none,
        };
        self.close = Some(telemetry::close(parent, session, frame));
    }

    pub(super) fn closed(&mut self, error: Option<&CloseError>) {
        if let (Some(close), Some(error)) = (self.close.take(), error) {
            telemetry::failed(&close, "close_error", &error.to_string());
        }
    }

    /// The session has ended.
    pub(super) fn ended(&mut self) {
        self.close = None;
        self.shutdown = None;
    }

    /// What a callback is part of.
    pub(super) fn parent_of(&self, callback: Callback) -> &Span {
        let attempt = self.attempt.as_ref().map(|attempt| &attempt.start);
        match callback {
            Callback::OnOpen | Callback::OnRestartError => {
                attempt.or(self.shutdown.as_ref()).unwrap_or(&self.start)
            }
            Callback::OnMessage
            | Callback::OnReadError
            | Callback::OnClose
            | Callback::OnCloseError => self.shutdown.as_ref().or(attempt).unwrap_or(&self.stop),
        }
    }
}
