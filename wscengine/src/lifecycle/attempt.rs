//! Getting a session: `Waiting`, `Dialing`, `Opening`.

use std::time::Instant;

use super::ports::{Abandon, Action, Call, CallResult, SessionEvent};
use super::state::{
    AfterOpening, AfterWait, ClosingStage, DialingStage, Late, OpeningStage, Origin, Report, Stage,
    State, Then, Why,
};
use super::{ABORT_GRACE, Lifecycle, Requests};
use crate::error::{
    AttemptError, ConnectError, ConnectErrorKind, Phase, RequestError, RequestErrorKind,
};
use crate::handler::{Callback, CloseCause};
use crate::status::{Outcome, OutcomeKind};

impl Lifecycle {
    /// Begins the next attempt.
    pub(super) fn attempt_anew(&mut self, now: Instant) {
        self.epoch += 1;
        let attempt = self.retry.next_attempt();
        match self.policy.requests {
            Requests::Fixed => self.dial(now),
            Requests::Made => {
                self.act(Action::MakeRequest {
                    epoch: self.epoch,
                    attempt,
                    elapsed: self.retry.elapsed(now),
                    failure: self.failure.clone(),
                    refresh: self.retry.wants_refresh(),
                });
                let deadline = now + self.policy.timeouts.request;
                self.state = State::Dialing { deadline, stage: DialingStage::Requesting };
            }
        }
    }

    fn dial(&mut self, now: Instant) {
        self.act(Action::Dial { epoch: self.epoch });
        let deadline = now + self.policy.timeouts.connect;
        self.state = State::Dialing { deadline, stage: DialingStage::Running };
    }

    pub(super) fn on_attempt_event(&mut self, now: Instant, event: SessionEvent) {
        match self.state.clone() {
            State::Dialing { stage, .. } => self.on_dialing_event(now, stage, event),
            State::Opening { stage, .. } => self.on_opening_event(now, stage, event),
            State::Waiting { until, report, then } => {
                if report.is_some() && ended(&event, Callback::OnRestartError) {
                    self.state = State::Waiting { until, report: None, then };
                    self.leave_waiting(now);
                }
            }
            State::Open(_)
            | State::Draining { .. }
            | State::Notifying { .. }
            | State::Closing { .. }
            | State::Stopped(_) => {}
        }
    }

    pub(super) fn on_attempt_timeout(&mut self, now: Instant) {
        match self.state.clone() {
            State::Dialing { stage: DialingStage::Requesting, .. } => {
                self.abandon(now, Late::Request);
            }
            State::Dialing { stage: DialingStage::Running, .. } => self.abandon(now, Late::Dial),
            // It blocks its thread; its connection is dropped should it ever come.
            State::Dialing { stage: DialingStage::Abandoning(Late::Dial), .. } => {
                self.on_dial_timed_out(now, Late::Dial);
            }
            // So does the factory: to ask it again meanwhile would take another thread each time.
            State::Dialing { stage: stage @ DialingStage::Abandoning(Late::Request), .. } => {
                self.act(Action::WarnOfRequest);
                self.state = State::Dialing { deadline: now + ABORT_GRACE, stage };
            }
            State::Opening { stage: OpeningStage::Running, .. } => {
                let error = AttemptError::OnOpenTimeout(self.policy.timeouts.on_open);
                self.abort_on_open(now, AfterOpening::Close(Then::AttemptFailed(error)));
            }
            State::Opening { stage: stage @ OpeningStage::Aborting(_), .. } => {
                self.act(Action::Warn { callback: Callback::OnOpen });
                self.state = State::Opening { deadline: now + ABORT_GRACE, stage };
            }
            State::Waiting { report: None, .. } => self.leave_waiting(now),
            State::Waiting { until, report: Some(report), then } => {
                let report = self.hurry(now, report, Callback::OnRestartError);
                self.state = State::Waiting { until, report: Some(report), then };
            }
            State::Open(_)
            | State::Draining { .. }
            | State::Notifying { .. }
            | State::Closing { .. }
            | State::Stopped(_) => {}
        }
    }

    pub(super) fn stop_attempt(&mut self, now: Instant) {
        let outcome = self.stopped_by_user();
        match self.state.clone() {
            State::Dialing { .. } => {
                self.take_back_dial();
                self.stop_with(outcome);
            }
            State::Opening { stage: OpeningStage::Running, .. } => {
                self.abort_on_open(now, AfterOpening::Close(Then::Stop(outcome)));
            }
            State::Opening { deadline, stage: OpeningStage::Aborting(after) } => {
                let after = match after {
                    AfterOpening::Close(_) => AfterOpening::Close(Then::Stop(outcome)),
                    AfterOpening::Finish(_, loss) => {
                        AfterOpening::Finish(Then::Stop(outcome), loss)
                    }
                };
                self.state = State::Opening { deadline, stage: OpeningStage::Aborting(after) };
            }
            State::Waiting { report: None, .. } => self.stop_with(outcome),
            State::Waiting { until, report, then: AfterWait::Dial } => {
                self.state = State::Waiting { until, report, then: AfterWait::Stop(outcome) };
            }
            // It ends for a reason of its own already.
            State::Waiting { then: AfterWait::Stop(_), .. } => {}
            State::Open(_)
            | State::Draining { .. }
            | State::Notifying { .. }
            | State::Closing { .. }
            | State::Stopped(_) => {}
        }
    }

    pub(super) fn restart_attempt(&mut self, now: Instant) {
        match self.state.clone() {
            State::Opening { stage: OpeningStage::Running, .. } => {
                self.abort_on_open(now, AfterOpening::Close(Then::Reconnect(Why::Asked)));
            }
            // Asked for while backing off, it is the wish to try at once; asked for again and again, the backoff
            // stands. An end that nobody asked for is undone.
            State::Waiting { until, report, then } => {
                let undone = matches!(then, AfterWait::Stop(_)) && self.stop_by.is_none();
                let then = if undone { AfterWait::Dial } else { then };
                let until = match (self.retry.asked(), undone) {
                    (0, _) => now,
                    (_, true) => now + self.retry.next_delay(&*self.policy.backoff),
                    (_, false) => until,
                };
                if undone || self.retry.asked() == 0 {
                    self.retry.ask();
                }
                self.state = State::Waiting { until, report, then };
                self.leave_waiting(now);
            }
            State::Dialing { .. }
            | State::Opening { stage: OpeningStage::Aborting(_), .. }
            | State::Open(_)
            | State::Draining { .. }
            | State::Notifying { .. }
            | State::Closing { .. }
            | State::Stopped(_) => {}
        }
    }

    /// Tells a callback that is over its time to go, or says that it does not.
    pub(super) fn hurry(&mut self, now: Instant, report: Report, callback: Callback) -> Report {
        match report.stage {
            Stage::Running => self.act(Action::Abort { epoch: self.epoch, callback }),
            Stage::Aborting => self.act(Action::Warn { callback }),
        }
        Report { deadline: now + ABORT_GRACE, stage: Stage::Aborting }
    }

    fn leave_waiting(&mut self, now: Instant) {
        if let State::Waiting { until, report: None, then } = &self.state {
            match then {
                AfterWait::Stop(outcome) => {
                    let outcome = outcome.clone();
                    self.stop_with(outcome);
                }
                AfterWait::Dial if *until <= now => self.attempt_anew(now),
                AfterWait::Dial => {}
            }
        }
    }

    fn on_dialing_event(&mut self, now: Instant, stage: DialingStage, event: SessionEvent) {
        match (stage, event) {
            (DialingStage::Requesting, SessionEvent::RequestMade) => {
                self.retry.request_made();
                self.dial(now);
            }
            (DialingStage::Requesting, SessionEvent::RequestFailed(error)) => {
                self.on_attempt_failed(now, error.into(), None);
            }
            (DialingStage::Running, SessionEvent::Dialed) => self.on_dialed(now),
            (DialingStage::Running, SessionEvent::DialFailed { error, retry_after }) => {
                self.on_attempt_failed(now, error.into(), retry_after);
            }
            (DialingStage::Abandoning(late), SessionEvent::DialAbandoned) => {
                self.on_dial_timed_out(now, late);
            }
            (DialingStage::Requesting | DialingStage::Running | DialingStage::Abandoning(_), _) => {
            }
        }
    }

    /// Tells what takes too long to go.
    fn abandon(&mut self, now: Instant, late: Late) {
        self.act(Action::AbandonDial { epoch: self.epoch, because: Abandon::Late });
        let stage = DialingStage::Abandoning(late);
        self.state = State::Dialing { deadline: now + ABORT_GRACE, stage };
    }

    fn on_dial_timed_out(&mut self, now: Instant, late: Late) {
        let error = match late {
            Late::Request => RequestError::new(RequestErrorKind::Timeout).into(),
            Late::Dial => ConnectError::new(ConnectErrorKind::Timeout(Phase::Whole)).into(),
        };
        self.on_attempt_failed(now, error, None);
    }

    fn on_dialed(&mut self, now: Instant) {
        self.state = State::Opening {
            deadline: now + self.policy.timeouts.on_open,
            stage: OpeningStage::Running,
        };
        self.run(Call::OnOpen);
    }

    fn on_opening_event(&mut self, now: Instant, stage: OpeningStage, event: SessionEvent) {
        match (stage, event) {
            (
                OpeningStage::Running,
                SessionEvent::CallEnded { callback: Callback::OnOpen, result },
            ) => {
                self.on_open_returned(now, result);
            }
            (
                OpeningStage::Aborting(after),
                SessionEvent::CallEnded {
                    callback: Callback::OnOpen,
                    result: CallResult::Returned,
                },
            ) => self.open_after_all(now, after),
            (
                OpeningStage::Aborting(after),
                SessionEvent::CallEnded { callback: Callback::OnOpen, .. },
            ) => match after {
                AfterOpening::Close(then) => self.close(now, Origin::Attempt, then),
                AfterOpening::Finish(then, _) => self.drop_connection(now, Origin::Attempt, then),
            },
            (stage, event) => {
                if let Some(cause) = loss(event) {
                    self.on_lost_while_opening(now, stage, cause);
                }
            }
        }
    }

    fn on_lost_while_opening(&mut self, now: Instant, stage: OpeningStage, cause: CloseCause) {
        match stage {
            OpeningStage::Running => {
                let then = Then::AttemptFailed(AttemptError::ConnectionLost(cause.clone()));
                self.abort_on_open(now, AfterOpening::Finish(then, cause));
            }
            OpeningStage::Aborting(AfterOpening::Close(then)) => {
                let State::Opening { deadline, .. } = self.state else { return };
                let stage = OpeningStage::Aborting(AfterOpening::Finish(then, cause));
                self.state = State::Opening { deadline, stage };
            }
            OpeningStage::Aborting(AfterOpening::Finish(..)) => {}
        }
    }

    /// A dial that nobody has begun yet is not begun; one that is in flight is dropped.
    fn take_back_dial(&mut self) {
        let begun =
            !matches!(self.actions.back(), Some(Action::Dial { .. } | Action::MakeRequest { .. }));
        if begun {
            self.act(Action::AbandonDial { epoch: self.epoch, because: Abandon::Stopped });
        } else {
            self.actions.pop_back();
        }
    }

    fn on_open_returned(&mut self, now: Instant, result: CallResult) {
        match result {
            CallResult::Returned => self.open(now),
            CallResult::Failed(source) => {
                self.close(now, Origin::Attempt, Then::AttemptFailed(AttemptError::OnOpen(source)));
            }
            // Nobody aborts an `on_open` that is not told so: the runtime is going down.
            CallResult::Panicked | CallResult::Aborted => {
                self.close(now, Origin::Attempt, Then::AttemptFailed(AttemptError::OnOpenPanicked));
            }
        }
    }

    /// `on_open` had returned well before it could be told to go: there is a session, and it ends as sessions do.
    fn open_after_all(&mut self, now: Instant, after: AfterOpening) {
        self.open(now);
        match after {
            AfterOpening::Close(Then::Stop(_)) => self.stop_open(now),
            AfterOpening::Close(Then::Reconnect(_)) => self.restart_open(now),
            // It took a little too long.
            AfterOpening::Close(Then::AttemptFailed(_)) => {}
            // What the user asked for came before the loss, and stands.
            AfterOpening::Finish(Then::Stop(_), cause) => {
                let then = Then::Stop(Outcome::new(OutcomeKind::Requested));
                self.end_with(now, cause, then);
            }
            AfterOpening::Finish(Then::Reconnect(why), cause) => {
                self.end_with(now, cause, Then::Reconnect(why));
            }
            AfterOpening::Finish(Then::AttemptFailed(_), cause) => self.end(now, cause),
        }
    }

    fn abort_on_open(&mut self, now: Instant, after: AfterOpening) {
        self.act(Action::Abort { epoch: self.epoch, callback: Callback::OnOpen });
        self.state =
            State::Opening { deadline: now + ABORT_GRACE, stage: OpeningStage::Aborting(after) };
    }

    /// Begins the closing handshake.
    pub(super) fn close(&mut self, now: Instant, origin: Origin, then: Then) {
        self.act(Action::Close { epoch: self.epoch });
        let deadline = now + self.policy.timeouts.close;
        self.state = State::Closing { origin, then, deadline, stage: ClosingStage::Handshake };
    }

    /// Drops a connection that the peer closed, or that is lost.
    pub(super) fn drop_connection(&mut self, now: Instant, origin: Origin, then: Then) {
        self.act(Action::Disconnect { epoch: self.epoch });
        let deadline = now + self.policy.timeouts.close;
        self.state = State::Closing { origin, then, deadline, stage: ClosingStage::Dropping(None) };
    }
}

/// Whether the event says that this callback is over.
pub(super) fn ended(event: &SessionEvent, which: Callback) -> bool {
    matches!(event, SessionEvent::CallEnded { callback, .. } if *callback == which)
}

/// What the event says of the connection, if it is of no more use.
pub(super) fn loss(event: SessionEvent) -> Option<CloseCause> {
    match event {
        SessionEvent::PeerClosed(frame) => Some(CloseCause::PeerClosed(frame)),
        SessionEvent::ReadFailed { error, .. } if error.is_fatal() => {
            Some(CloseCause::ReadFailed(error))
        }
        SessionEvent::WriteFailed(error) => Some(CloseCause::WriteFailed(error)),
        SessionEvent::WriteStalled => Some(CloseCause::WriteStalled),
        SessionEvent::HeartbeatLost => Some(CloseCause::HeartbeatLost),
        SessionEvent::IdleTimedOut => Some(CloseCause::IdleTimeout),
        // The task that owned it is gone without a word: it panicked.
        SessionEvent::Disconnected(_) => Some(CloseCause::TransportPanicked),
        SessionEvent::ReadFailed { .. }
        | SessionEvent::RequestMade
        | SessionEvent::RequestFailed(_)
        | SessionEvent::Dialed
        | SessionEvent::DialFailed { .. }
        | SessionEvent::DialAbandoned
        | SessionEvent::CallEnded { .. }
        | SessionEvent::Drained { .. } => None,
    }
}
