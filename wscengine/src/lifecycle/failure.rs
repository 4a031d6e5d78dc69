//! What follows a failure: another attempt, and when, or the end.

use std::time::{Duration, Instant};

use super::ports::Call;
use super::state::{AfterWait, Report, Stage, State, Then, Why};
use super::{AfterSession, FirstAttempt, Lifecycle, Requests};
use crate::classify::{Failure, FailureCause, Verdict, judge};
use crate::error::{AttemptError, StartError};
use crate::handler::CloseCause;
use crate::status::{Outcome, OutcomeKind};

impl Lifecycle {
    /// Decides what follows an attempt that failed: another one, or the end.
    pub(super) fn on_attempt_failed(
        &mut self,
        now: Instant,
        error: AttemptError,
        retry_after: Option<Duration>,
    ) {
        let refreshed = self.retry.refreshed() || self.retry.wants_refresh();
        let attempt = self.retry.attempt();
        let verdict = self.judge(now, FailureCause::Attempt(error.clone()), attempt, retry_after);
        if self.sessions == 0 && self.policy.first == FirstAttempt::FailFast {
            // A start may find that the token it was left with is an old one; it waits for nobody.
            let refresh = Verdict::Refresh { floor: Duration::ZERO };
            let once_more = verdict == refresh && !refreshed;
            if !once_more {
                return self.stop_with(Outcome::failed_to_start(StartError::Attempt(error)));
            }
        }
        let next = match floor_of(verdict) {
            Some(floor) => self.next_attempt(now, floor).ok_or(OutcomeKind::GaveUp),
            None => Err(OutcomeKind::Fatal),
        };
        let (until, then) = match next {
            Ok(until) => (until, AfterWait::Dial),
            Err(kind) => (now, AfterWait::Stop(self.ended_by(kind, error.clone()))),
        };
        let report =
            Report { deadline: now + self.policy.timeouts.on_restart_error, stage: Stage::Running };
        let next = matches!(then, AfterWait::Dial).then_some(until);
        self.run(Call::OnRestartError { error, retry: self.retry.attempt(), until: next });
        self.state = State::Waiting { until, report: Some(report), then };
    }

    /// Decides what is to follow a session that the peer or a failure ended.
    /// `attempt` is the number of the one that it came of.
    pub(super) fn after_loss(&mut self, now: Instant, cause: &CloseCause, attempt: u32) -> Then {
        match (self.policy.after_session, cause) {
            (AfterSession::Stop, CloseCause::PeerClosed(_)) => {
                Then::Stop(Outcome::new(OutcomeKind::PeerClosed))
            }
            (AfterSession::Stop, _) => Then::Stop(Outcome::new(OutcomeKind::ConnectionLost)),
            (AfterSession::Reconnect, _) => {
                let verdict = self.judge(now, FailureCause::Session(cause.clone()), attempt, None);
                match floor_of(verdict) {
                    Some(floor) => Then::Reconnect(Why::Ended { floor }),
                    None => Then::Stop(Outcome::new(OutcomeKind::Fatal)),
                }
            }
        }
    }

    /// Decides what follows a connection that went down, though nobody wants the engine to stop.
    pub(super) fn reconnect(&mut self, now: Instant, why: Why) {
        let next = match why {
            Why::Asked => Some(self.asked_attempt(now)),
            Why::Ended { floor } => self.next_attempt(now, floor),
        };
        match next {
            Some(until) => {
                self.state = State::Waiting { until, report: None, then: AfterWait::Dial };
            }
            None => self.stop_with(Outcome::new(OutcomeKind::GaveUp)),
        }
    }

    /// The outcome of a stop that the user asked for.
    pub(super) fn stopped_by_user(&self) -> Outcome {
        match self.sessions {
            0 => Outcome::failed_to_start(StartError::Stopped),
            _ => Outcome::new(OutcomeKind::Requested),
        }
    }

    /// Asks the classifier, and remembers what the next request is to be made for.
    fn judge(
        &mut self,
        now: Instant,
        cause: FailureCause,
        attempt: u32,
        retry_after: Option<Duration>,
    ) -> Verdict {
        let in_a_row = self.retry.fail(cause.kind());
        let failure = Failure {
            starting: self.sessions == 0,
            attempt,
            in_a_row,
            elapsed: self.retry.elapsed(now),
            retry_after,
            can_refresh: self.policy.requests == Requests::Made,
            refreshed: self.retry.refreshed(),
            ..Failure::new(&cause)
        };
        let verdict = match judge(&*self.policy.classifier, &failure) {
            Verdict::Refresh { floor } if self.policy.requests == Requests::Fixed => {
                Verdict::Retry { floor }
            }
            verdict => verdict,
        };
        if matches!(verdict, Verdict::Refresh { .. }) {
            self.retry.refresh();
        }
        self.failure = Some(cause);
        verdict
    }

    fn ended_by(&self, kind: OutcomeKind, error: AttemptError) -> Outcome {
        match self.sessions {
            0 => Outcome::failed_to_start(StartError::Attempt(error)),
            _ => Outcome::new(kind).with_error(error),
        }
    }

    /// When an attempt that the user asked for is due: at once, unless asked for again and again. It spends no budget.
    fn asked_attempt(&mut self, now: Instant) -> Instant {
        let first = self.retry.asked() == 0;
        self.retry.ask();
        self.failure = None;
        let delay = self.retry.next_delay(&*self.policy.backoff);
        if first { now } else { now + delay }
    }

    /// When the next attempt is due, or `None` if the budget is spent. The delay comes on top of the floor: many
    /// clients may have been told the same one.
    fn next_attempt(&mut self, now: Instant, floor: Duration) -> Option<Instant> {
        self.retry.spend(now);
        let delay = floor.min(LONGEST_FLOOR) + self.retry.next_delay(&*self.policy.backoff);
        let spent = self.policy.max_attempts.is_some_and(|most| self.retry.spent() > most)
            || self
                .policy
                .max_elapsed
                .is_some_and(|most| self.retry.elapsed(now).saturating_add(delay) > most);
        if spent { None } else { Some(now + delay) }
    }
}

/// How long to wait at least, or `None` for ever.
fn floor_of(verdict: Verdict) -> Option<Duration> {
    match verdict {
        Verdict::Retry { floor } | Verdict::Refresh { floor } => Some(floor),
        Verdict::Fatal => None,
    }
}

/// Keeps `now + floor` inside what an `Instant` can hold, whatever a server says.
const LONGEST_FLOOR: Duration = Duration::from_secs(365 * 24 * 3600);
