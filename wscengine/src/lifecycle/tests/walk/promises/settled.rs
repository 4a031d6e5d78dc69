//! Where the machine has come to, when all it wanted is done.

use std::time::{Duration, Instant};

use super::super::super::super::state::AfterWait;
use super::super::super::super::{AfterSession, Lifecycle, State};
use super::super::judge::LONGEST_FLOOR;
use super::super::model::Told;
use super::{Link, Promises, Script};
use crate::classify::Verdict;
use crate::handler::Callback;
use crate::status::{Outcome, OutcomeKind};

impl Promises {
    /// Where the machine has come to, all its actions taken.
    pub(in super::super) fn settled(&mut self, now: Instant, machine: &Lifecycle) {
        assert_eq!(machine.epoch(), self.epoch);
        assert_eq!(machine.sessions(), self.sessions);
        assert!(self.attempt.refused.is_none(), "a request without an answer");
        self.count(now, machine);
        let state = machine.state();
        if let State::Open(_) = state {
            let attempt = &self.attempt;
            assert_eq!((attempt.script, self.stop), (Script::Open, None));
            assert!(
                attempt.asking.is_empty() || attempt.holder.is_some(),
                "somebody waits for nothing"
            );
            let alone = attempt.holder.is_none() && attempt.calls.is_empty();
            assert_eq!(
                attempt.flowing, alone,
                "messages flow where they may not, or not where they may"
            );
        } else {
            assert!(self.attempt.holder.is_none() && self.attempt.asking.is_empty());
            let due = machine.poll_timeout();
            assert_eq!(due.is_none(), matches!(state, State::Stopped(_)), "without a deadline");
            assert!(due.is_none_or(|at| at <= now + LONGEST_WAIT), "a deadline too far away");
        }
        self.hurries(machine);
        match state {
            State::Dialing { .. } => assert!(self.stop.is_none()),
            State::Waiting { until, report, then } => {
                assert!(self.stop.is_none() || report.is_some(), "a stop waits for nothing");
                self.plan(now, *until, then);
            }
            State::Stopped(outcome) => self.stopped(now, outcome),
            State::Opening { .. }
            | State::Open(_)
            | State::Draining { .. }
            | State::Notifying { .. }
            | State::Closing { .. } => self.planned = now + LONGEST_WAIT,
        }
    }

    /// A callback that may run has a deadline of its own, whatever else is waited for.
    fn hurries(&self, machine: &Lifecycle) {
        let (Some((callback, Told::Nothing)), Some(began)) =
            (self.attempt.calls.first(), self.attempt.called)
        else {
            return;
        };
        let timeouts = self.policy.timeouts;
        let most = match callback {
            Callback::OnOpen => timeouts.on_open,
            Callback::OnReadError => timeouts.on_read_error,
            Callback::OnClose => timeouts.on_close,
            Callback::OnCloseError => timeouts.on_close_error,
            Callback::OnRestartError => timeouts.on_restart_error,
            Callback::OnMessage => unreachable!("it is not run by an action"),
        };
        let stopped = matches!(machine.state(), State::Stopped(_));
        assert!(
            stopped || machine.poll_timeout().is_some_and(|at| at <= began + most),
            "{callback} without a deadline"
        );
    }

    /// Failures are counted one by one, and forgotten when a stable session ends, and only then.
    fn count(&mut self, now: Instant, machine: &Lifecycle) {
        let failures = machine.retry.failures();
        if self.attempt.sending_ended
            && let Some(since) = self.attempt.since.take()
            && now >= since + self.policy.stable_after
        {
            assert_eq!(failures, 0, "remembered too long");
            (self.failures, self.attempts) = (0, 0);
        }
        assert!((self.failures..=self.failures + 1).contains(&failures), "miscounted");
        self.failures = failures;
        // What the user asked for raises the backoff only.
        assert!(machine.retry.spent() <= failures, "asked for, and yet spent");
        self.spent = machine.retry.spent();
        assert_eq!(machine.attempt(), self.attempts);
    }

    fn plan(&mut self, now: Instant, until: Instant, then: &AfterWait) {
        let ceiling = self.policy.backoff.delay(self.failures.max(1), 1.0);
        match then {
            AfterWait::Dial => {
                let floor = match self.judge.said() {
                    Some(Verdict::Retry { floor } | Verdict::Refresh { floor }) => floor,
                    Some(Verdict::Fatal) | None => Duration::ZERO,
                };
                assert!(until <= now + floor + ceiling, "it waits for too long");
                let within = self.policy.max_attempts.is_none_or(|most| self.failures <= most);
                assert!(within || self.asked, "beyond the budget");
                self.planned = until;
            }
            AfterWait::Stop(_) if self.stop.is_none() => {
                if self.judge.said() != Some(Verdict::Fatal) {
                    self.has_spent_its_budget();
                }
            }
            AfterWait::Stop(_) => {}
        }
    }

    fn has_spent_its_budget(&self) {
        let by_count = self.policy.max_attempts.is_some_and(|most| self.spent > most);
        assert!(
            by_count || self.policy.max_elapsed.is_some(),
            "it gives up though nothing is spent"
        );
    }

    fn stopped(&mut self, now: Instant, outcome: &Outcome) {
        if let Some(before) = self.outcome.replace(outcome.clone()) {
            assert_eq!((before.kind(), before.is_forced()), (outcome.kind(), outcome.is_forced()));
            return;
        }
        let attempt = &self.attempt;
        if outcome.is_forced() {
            assert!(self.stop.is_some_and(|at| now >= at + self.policy.timeouts.stop));
        } else {
            assert!(attempt.calls.is_empty(), "a callback outlives the engine");
            assert!(attempt.link != Link::There, "a connection outlives the engine");
            assert!(!matches!(attempt.script, Script::Open | Script::Opening), "on_close is owed");
        }
        match outcome.kind() {
            OutcomeKind::FailedToStart => assert_eq!(self.sessions, 0),
            OutcomeKind::Requested => assert!(self.stop.is_some() && self.sessions > 0),
            OutcomeKind::PeerClosed | OutcomeKind::ConnectionLost => {
                assert_eq!(self.policy.after_session, AfterSession::Stop);
                assert!(!attempt.wanted_again, "a restart that was asked for is not done");
            }
            OutcomeKind::GaveUp => self.has_spent_its_budget(),
            OutcomeKind::Fatal => {
                assert_eq!(self.judge.said(), Some(Verdict::Fatal));
                // A restart of an attempt that has failed already asks for no more than its retry.
                let undone = attempt.wanted_again && attempt.has_session();
                assert!(!undone, "a restart that was asked for is not done");
            }
            OutcomeKind::UnderWay => panic!("that is no end"),
        }
    }

    /// Nothing is due any more: a stop whose time is over is over.
    pub(in super::super) fn woken(&self, now: Instant, state: &State) {
        let over = self.stop.is_some_and(|at| now >= at + self.policy.timeouts.stop);
        assert!(!over || matches!(state, State::Stopped(_)), "the stop takes too long");
    }
}

/// More than any delay and any time limit of the walk's policies.
const LONGEST_WAIT: Duration = Duration::from_secs(31 + LONGEST_FLOOR.as_secs());
