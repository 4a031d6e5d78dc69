//! An open session: messages flow, or somebody holds the connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Lifecycle;
use super::attempt::{ended, loss};
use super::ports::{Action, Call, Epoch, HoldId, Rest, SessionEvent};
use super::state::{DrainingStage, Ending, Hold, Notice, Open, Report, Stage, State, Then, Why};
use crate::error::{PauseError, ReadError, Revoked};
use crate::handler::{Callback, CloseCause};
use crate::status::{Outcome, OutcomeKind};

impl Lifecycle {
    pub(super) fn open(&mut self, now: Instant) {
        self.sessions += 1;
        self.retry.session_opened();
        self.state = State::Open(Open {
            since: now,
            hold: None,
            waiting: VecDeque::new(),
            report: None,
            errors: 0,
        });
        self.act(Action::Dispatch { epoch: self.epoch, errors: 0 });
    }

    pub(super) fn on_open_event(&mut self, now: Instant, event: SessionEvent) {
        match event {
            SessionEvent::ReadFailed { error, messages_since } => {
                self.on_read_failed(now, error, messages_since);
            }
            event if ended(&event, Callback::OnReadError) => self.on_report_ended(now),
            event => {
                if let Some(cause) = loss(event) {
                    self.end(now, cause);
                }
            }
        }
    }

    /// A hold or an `on_read_error` is over its time.
    pub(super) fn on_open_timeout(&mut self, now: Instant) {
        let State::Open(open) = &self.state else { return };
        if let Some(hold) = open.hold.filter(|hold| hold.until.is_some_and(|until| until <= now)) {
            self.act(Action::Revoke { epoch: self.epoch, hold: hold.id, reason: Revoked::Expired });
            return self.on_hold_released(now, hold.id);
        }
        if let Some(report) = open.report.filter(|report| report.deadline <= now) {
            let report = self.hurry(now, report, Callback::OnReadError);
            if let State::Open(open) = &mut self.state {
                open.report = Some(report);
            }
        }
    }

    pub(super) fn on_pause_requested(
        &mut self,
        now: Instant,
        epoch: Epoch,
        hold: HoldId,
        limit: Option<Duration>,
    ) {
        let error = match &mut self.state {
            State::Open(open) if epoch == self.epoch => {
                open.waiting.push_back((hold, limit));
                return self.settle(now);
            }
            State::Opening { .. } | State::Notifying { notice: Notice::Close, .. }
                if epoch == self.epoch =>
            {
                PauseError::AlreadyHeld
            }
            State::Stopped(_) => PauseError::Stopped,
            State::Dialing { .. }
            | State::Waiting { .. }
            | State::Opening { .. }
            | State::Open(_)
            | State::Draining { .. }
            | State::Notifying { .. }
            | State::Closing { .. } => PauseError::SessionEnded,
        };
        self.act(Action::Deny { hold, error });
    }

    pub(super) fn on_hold_released(&mut self, now: Instant, id: HoldId) {
        let State::Open(open) = &mut self.state else { return };
        open.waiting.retain(|(waiting, _)| *waiting != id);
        if open.hold.is_some_and(|hold| hold.id == id) {
            open.hold = None;
            self.settle(now);
        }
    }

    pub(super) fn stop_open(&mut self, now: Instant) {
        let then = Then::Stop(Outcome::new(OutcomeKind::Requested));
        self.end_with(now, CloseCause::Stopped, then);
    }

    pub(super) fn restart_open(&mut self, now: Instant) {
        self.end_with(now, CloseCause::Restarted, Then::Reconnect(Why::Asked));
    }

    fn on_read_failed(&mut self, now: Instant, error: ReadError, messages_since: Option<u64>) {
        if error.is_fatal() || messages_since == Some(0) {
            return self.end(now, CloseCause::ReadFailed(error.into_fatal()));
        }
        let deadline = now + self.policy.timeouts.on_read_error;
        if let State::Open(open) = &mut self.state {
            open.report = Some(Report { deadline, stage: Stage::Running });
            open.errors += 1;
        }
        self.run(Call::OnReadError(error));
    }

    fn on_report_ended(&mut self, now: Instant) {
        if let State::Open(open) = &mut self.state {
            open.report = None;
            self.settle(now);
        }
    }

    /// Gives the connection to the next in turn: a holder, or else `on_message`.
    fn settle(&mut self, now: Instant) {
        let State::Open(open) = &mut self.state else { return };
        if open.hold.is_some() {
            return;
        }
        let epoch = self.epoch;
        if let Some((id, limit)) = open.waiting.pop_front() {
            open.hold = Some(Hold { id, until: limit.map(|limit| now + limit.min(LONGEST_HOLD)) });
            self.act(Action::Grant { epoch, hold: id });
        } else if open.report.is_none() {
            let errors = open.errors;
            self.act(Action::Dispatch { epoch, errors });
        }
    }

    /// The session ended by the peer or by a failure.
    pub(super) fn end(&mut self, now: Instant, cause: CloseCause) {
        let attempt = self.retry.attempt();
        self.count_uptime(now);
        let then = self.after_loss(now, &cause, attempt);
        self.leave_open(now, cause, then);
    }

    /// The same, where what follows was decided before.
    pub(super) fn end_with(&mut self, now: Instant, cause: CloseCause, then: Then) {
        self.count_uptime(now);
        self.leave_open(now, cause, then);
    }

    /// A session that lived long enough starts the counting over, before its own end is counted.
    fn count_uptime(&mut self, now: Instant) {
        let State::Open(open) = &self.state else { return };
        if now.saturating_duration_since(open.since) >= self.policy.stable_after {
            self.retry.reset();
        }
    }

    fn leave_open(&mut self, now: Instant, cause: CloseCause, then: Then) {
        let State::Open(open) = &self.state else { return };
        let open = open.clone();
        self.act(Action::EndSending { epoch: self.epoch });
        self.take_holds_back(&open, &cause);
        let deadline = now + self.policy.timeouts.drain;
        let stage = match open.report {
            Some(report) => DrainingStage::Reporting(report),
            None => DrainingStage::Finishing,
        };
        if stage == DrainingStage::Finishing {
            self.act(Action::Drain { epoch: self.epoch, rest: rest_for(&cause) });
        }
        let ending = Ending { cause, then, unhandled: 0, unsent: 0 };
        self.state = State::Draining { ending, deadline, stage };
    }

    fn take_holds_back(&mut self, open: &Open, cause: &CloseCause) {
        if let Some(hold) = open.hold {
            let reason = match cause {
                CloseCause::Stopped => Revoked::Stopping,
                CloseCause::Restarted => Revoked::Restarting,
                CloseCause::PeerClosed(_)
                | CloseCause::ReadFailed(_)
                | CloseCause::WriteFailed(_)
                | CloseCause::WriteStalled
                | CloseCause::HeartbeatLost
                | CloseCause::IdleTimeout
                | CloseCause::TransportPanicked => Revoked::ConnectionEnded,
            };
            self.act(Action::Revoke { epoch: self.epoch, hold: hold.id, reason });
        }
        for (hold, _) in &open.waiting {
            self.act(Action::Deny { hold: *hold, error: PauseError::SessionEnded });
        }
    }
}

/// Keeps `now + limit` inside what an `Instant` can hold.
const LONGEST_HOLD: Duration = Duration::from_secs(365 * 24 * 3600);

/// When we end the session, what was read ahead is for `on_close`; otherwise for `on_message`.
pub(super) fn rest_for(cause: &CloseCause) -> Rest {
    if cause.is_local() { Rest::Keep } else { Rest::Handle }
}
