//! The way down: `Draining`, `Notifying`, `Closing`.

use std::time::Instant;

use super::attempt::ended;
use super::open::rest_for;
use super::ports::{Action, Call, SessionEvent};
use super::state::{
    ClosingStage, DrainingStage, Ending, Notice, Origin, Report, Stage, State, Then, Why,
};
use super::{ABORT_GRACE, Lifecycle};
use crate::error::{CloseError, CloseErrorKind};
use crate::handler::{Callback, CloseCause};

impl Lifecycle {
    pub(super) fn on_ending_event(&mut self, now: Instant, event: SessionEvent) {
        match self.state.clone() {
            State::Draining { ending, deadline, stage } => {
                self.on_draining_event(now, ending, deadline, stage, event);
            }
            State::Notifying { ending, notice, .. } => {
                self.on_notifying_event(now, ending, notice, &event);
            }
            State::Closing { origin, then, stage, .. } => {
                self.on_closing_event(now, origin, then, stage, event);
            }
            State::Dialing { .. }
            | State::Opening { .. }
            | State::Open(_)
            | State::Waiting { .. }
            | State::Stopped(_) => {}
        }
    }

    pub(super) fn on_ending_timeout(&mut self, now: Instant) {
        match self.state.clone() {
            State::Draining { ending, deadline, stage } => {
                self.on_draining_timeout(now, ending, deadline, stage);
            }
            State::Notifying { ending, deadline, notice, stage } => {
                let report = self.hurry(now, Report { deadline, stage }, callback_of(notice));
                self.state = State::Notifying {
                    ending,
                    deadline: report.deadline,
                    notice,
                    stage: report.stage,
                };
            }
            State::Closing { origin, then, stage, .. } => {
                self.on_closing_timeout(now, origin, then, stage);
            }
            State::Dialing { .. }
            | State::Opening { .. }
            | State::Open(_)
            | State::Waiting { .. }
            | State::Stopped(_) => {}
        }
    }

    /// Whatever was to follow, now the engine stops instead.
    pub(super) fn stop_after_ending(&mut self) {
        let outcome = self.stopped_by_user();
        if let State::Draining { ending: Ending { then, .. }, .. }
        | State::Notifying { ending: Ending { then, .. }, .. }
        | State::Closing { then, .. } = &mut self.state
        {
            match then {
                Then::Stop(_) => {}
                Then::Reconnect(_) | Then::AttemptFailed(_) => *then = Then::Stop(outcome),
            }
        }
    }

    /// A restart that comes after the session has ended changes something only where no new one would follow by
    /// itself, and a stop that was asked for stands.
    pub(super) fn restart_after_ending(&mut self) {
        if self.stop_by.is_some() {
            return;
        }
        if let State::Draining { ending: Ending { then, .. }, .. }
        | State::Notifying { ending: Ending { then, .. }, .. }
        | State::Closing { then, .. } = &mut self.state
        {
            match then {
                Then::Stop(_) => *then = Then::Reconnect(Why::Asked),
                Then::Reconnect(_) | Then::AttemptFailed(_) => {}
            }
        }
    }

    fn on_draining_event(
        &mut self,
        now: Instant,
        mut ending: Ending,
        deadline: Instant,
        stage: DrainingStage,
        event: SessionEvent,
    ) {
        match (stage, event) {
            (DrainingStage::Reporting(_), event) if ended(&event, Callback::OnReadError) => {
                self.act(Action::Drain { epoch: self.epoch, rest: rest_for(&ending.cause) });
                self.state = State::Draining { ending, deadline, stage: DrainingStage::Finishing };
            }
            (
                DrainingStage::Finishing | DrainingStage::Aborting,
                SessionEvent::Drained { unhandled, unsent },
            ) => {
                ending.unhandled = unhandled;
                ending.unsent = unsent;
                self.notify(now, ending);
            }
            // It was read before the end, between messages that are still to be handled: it is told in its place.
            (DrainingStage::Finishing, SessionEvent::ReadFailed { error, messages_since })
                if !error.is_fatal() && messages_since != Some(0) =>
            {
                let report = Report {
                    deadline: now + self.policy.timeouts.on_read_error,
                    stage: Stage::Running,
                };
                self.run(Call::OnReadError(error));
                self.state =
                    State::Draining { ending, deadline, stage: DrainingStage::Reporting(report) };
            }
            // The task that owned the connection panicked: its callbacks went with it.
            (DrainingStage::Finishing | DrainingStage::Aborting, SessionEvent::Disconnected(_)) => {
                self.notify(now, ending);
            }
            (
                DrainingStage::Reporting(_) | DrainingStage::Finishing | DrainingStage::Aborting,
                _,
            ) => {}
        }
    }

    fn on_draining_timeout(
        &mut self,
        now: Instant,
        ending: Ending,
        deadline: Instant,
        stage: DrainingStage,
    ) {
        let (deadline, stage) = match stage {
            DrainingStage::Reporting(report) => {
                let report = self.hurry(now, report, Callback::OnReadError);
                (deadline.max(report.deadline), DrainingStage::Reporting(report))
            }
            DrainingStage::Finishing => {
                self.act(Action::AbortMessages { epoch: self.epoch });
                (now + ABORT_GRACE, DrainingStage::Aborting)
            }
            // To go on would be to run `on_close` beside `on_message`.
            DrainingStage::Aborting => {
                self.act(Action::Warn { callback: Callback::OnMessage });
                (now + ABORT_GRACE, DrainingStage::Aborting)
            }
        };
        self.state = State::Draining { ending, deadline, stage };
    }

    /// Everything of the session is quiet: tell the user why it ended.
    fn notify(&mut self, now: Instant, ending: Ending) {
        if let CloseCause::ReadFailed(error) = &ending.cause {
            self.run(Call::OnReadError(error.clone()));
            let deadline = now + self.policy.timeouts.on_read_error;
            self.state = State::Notifying {
                ending,
                deadline,
                notice: Notice::ReadError,
                stage: Stage::Running,
            };
        } else {
            self.notify_close(now, ending);
        }
    }

    fn notify_close(&mut self, now: Instant, ending: Ending) {
        self.run(Call::OnClose {
            cause: ending.cause.clone(),
            restarting: matches!(ending.then, Then::Reconnect(_)),
            unhandled: ending.unhandled,
            unsent: ending.unsent,
        });
        let deadline = now + self.policy.timeouts.on_close;
        self.state =
            State::Notifying { ending, deadline, notice: Notice::Close, stage: Stage::Running };
    }

    fn on_notifying_event(
        &mut self,
        now: Instant,
        ending: Ending,
        notice: Notice,
        event: &SessionEvent,
    ) {
        if !ended(event, callback_of(notice)) {
            return;
        }
        match notice {
            Notice::ReadError => self.notify_close(now, ending),
            Notice::Close if ending.cause.is_local() => {
                self.close(now, Origin::Session, ending.then);
            }
            Notice::Close => self.drop_connection(now, Origin::Session, ending.then),
        }
    }

    fn on_closing_event(
        &mut self,
        now: Instant,
        origin: Origin,
        then: Then,
        stage: ClosingStage,
        event: SessionEvent,
    ) {
        match (stage, event) {
            (ClosingStage::Handshake, SessionEvent::Disconnected(Ok(())))
            | (ClosingStage::Dropping(None), SessionEvent::Disconnected(_)) => {
                self.finish(now, then);
            }
            (ClosingStage::Handshake, SessionEvent::Disconnected(Err(error)))
            | (ClosingStage::Dropping(Some(error)), SessionEvent::Disconnected(_)) => {
                self.report_close_error(now, origin, then, error);
            }
            (ClosingStage::Report(_), event) if ended(&event, Callback::OnCloseError) => {
                self.finish(now, then);
            }
            (ClosingStage::Handshake | ClosingStage::Dropping(_) | ClosingStage::Report(_), _) => {}
        }
    }

    fn on_closing_timeout(
        &mut self,
        now: Instant,
        origin: Origin,
        then: Then,
        stage: ClosingStage,
    ) {
        let stage = match stage {
            ClosingStage::Handshake => {
                self.act(Action::Disconnect { epoch: self.epoch });
                ClosingStage::Dropping(Some(CloseError::new(CloseErrorKind::Timeout)))
            }
            ClosingStage::Dropping(error) => {
                self.act(Action::Disconnect { epoch: self.epoch });
                ClosingStage::Dropping(error)
            }
            ClosingStage::Report(stage) => {
                let report =
                    self.hurry(now, Report { deadline: now, stage }, Callback::OnCloseError);
                ClosingStage::Report(report.stage)
            }
        };
        self.state = State::Closing { origin, then, deadline: now + ABORT_GRACE, stage };
    }

    /// A connection that never became a session has nobody to report to: its attempt failed anyway.
    fn report_close_error(&mut self, now: Instant, origin: Origin, then: Then, error: CloseError) {
        if origin == Origin::Attempt {
            return self.finish(now, then);
        }
        self.run(Call::OnCloseError(error));
        let deadline = now + self.policy.timeouts.on_close_error;
        self.state =
            State::Closing { origin, then, deadline, stage: ClosingStage::Report(Stage::Running) };
    }

    fn finish(&mut self, now: Instant, then: Then) {
        match then {
            Then::Reconnect(why) => self.reconnect(now, why),
            Then::AttemptFailed(error) => self.on_attempt_failed(now, error, None),
            Then::Stop(outcome) => self.stop_with(outcome),
        }
    }
}

fn callback_of(notice: Notice) -> Callback {
    match notice {
        Notice::ReadError => Callback::OnReadError,
        Notice::Close => Callback::OnClose,
    }
}
