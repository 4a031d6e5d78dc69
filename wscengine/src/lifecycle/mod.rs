//! The control plane: what the engine decides, and nothing of how it is done.
//!
//! [`Lifecycle`] is a pure state machine. Events go in ([`handle`](Lifecycle::handle),
//! [`handle_timeout`](Lifecycle::handle_timeout)), actions come out ([`poll_action`](Lifecycle::poll_action)),
//! and [`poll_timeout`](Lifecycle::poll_timeout) says when it wants to be woken. It knows no runtime, no
//! socket and no clock: time is an argument, chance a seed.
//!
//! After each input, take all actions before the next input.

mod attempt;
mod ending;
mod failure;
mod open;
mod ports;
mod state;
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::classify::{Classifier, FailureCause};
use crate::retry::{Backoff, Retry};
use crate::status::Outcome;

pub(crate) use ports::{
    Abandon, Action, Call, CallResult, Epoch, Event, HoldId, Rest, SessionEvent,
};
pub(crate) use state::State;

/// The state machine of one engine, from `start()` to its outcome.
pub(crate) struct Lifecycle {
    state: State,
    /// The number of the current attempt, and of the session it leads to. An event of another epoch
    /// comes too late to matter.
    epoch: Epoch,
    /// How many sessions were opened. The first attempt is told by there being none.
    sessions: u64,
    retry: Retry,
    /// What failed last: the next attempt's request may depend on it.
    failure: Option<FailureCause>,
    policy: Policy,
    /// When the whole stop must be over, once one was asked for.
    stop_by: Option<Instant>,
    actions: VecDeque<Action>,
}

/// The part of the configuration that decisions depend on.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) timeouts: Timeouts,
    pub(crate) first: FirstAttempt,
    pub(crate) after_session: AfterSession,
    pub(crate) requests: Requests,
    pub(crate) classifier: Arc<dyn Classifier>,
    pub(crate) backoff: Arc<dyn Backoff>,
    pub(crate) stable_after: Duration,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_elapsed: Option<Duration>,
    pub(crate) seed: u64,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) request: Duration,
    pub(crate) connect: Duration,
    pub(crate) on_open: Duration,
    pub(crate) on_read_error: Duration,
    pub(crate) on_close: Duration,
    pub(crate) on_close_error: Duration,
    pub(crate) on_restart_error: Duration,
    pub(crate) drain: Duration,
    pub(crate) close: Duration,
    pub(crate) stop: Duration,
}

/// What becomes of a first attempt that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstAttempt {
    /// `start()` fails.
    FailFast,
    /// It is retried like any other.
    Retry,
}

/// Where the request of an attempt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requests {
    /// All attempts have the same one.
    Fixed,
    /// A factory makes it.
    Made,
}

/// What follows a session that the peer or the network ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterSession {
    Reconnect,
    Stop,
}

/// How long a callback that was told to go may take before it is said to block its thread.
pub(crate) const ABORT_GRACE: Duration = Duration::from_secs(1);

impl Lifecycle {
    /// A machine that has begun its first attempt.
    pub(crate) fn new(now: Instant, policy: Policy) -> Self {
        let mut lifecycle = Self {
            state: State::Waiting { until: now, report: None, then: state::AfterWait::Dial },
            epoch: 0,
            sessions: 0,
            retry: Retry::new(policy.seed),
            failure: None,
            policy,
            stop_by: None,
            actions: VecDeque::new(),
        };
        lifecycle.attempt_anew(now);
        lifecycle
    }

    /// Takes in what has happened.
    pub(crate) fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Stop => self.on_stop(now),
            Event::Restart { epoch } => {
                // Of a session that has ended it changes nothing: it does not cut the backoff short.
                let ended = matches!(self.state, State::Waiting { .. });
                if epoch.is_none_or(|epoch| epoch == self.epoch && !ended) {
                    self.on_restart(now);
                }
            }
            Event::PauseRequested { epoch, hold, limit } => {
                self.on_pause_requested(now, epoch, hold, limit);
            }
            Event::HoldReleased { hold } => self.on_hold_released(now, hold),
            Event::Session { epoch, event } => {
                if epoch == self.epoch {
                    self.on_session_event(now, event);
                }
            }
        }
    }

    /// Takes in that time has passed. Called early, or for nothing, it does no harm.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let has_stopped = matches!(self.state, State::Stopped(_));
        if !has_stopped && self.stop_by.is_some_and(|by| by <= now) {
            return self.force_stop();
        }
        if self.state.deadline().is_some_and(|deadline| deadline <= now) {
            match &self.state {
                State::Dialing { .. } | State::Opening { .. } | State::Waiting { .. } => {
                    self.on_attempt_timeout(now);
                }
                State::Open(_) => self.on_open_timeout(now),
                State::Draining { .. } | State::Notifying { .. } | State::Closing { .. } => {
                    self.on_ending_timeout(now);
                }
                State::Stopped(_) => {}
            }
        }
    }

    /// The next thing to do, until there is none.
    #[must_use]
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match (&self.state, self.stop_by) {
            (State::Stopped(_), _) => None,
            (state, None) => state.deadline(),
            (state, Some(by)) => Some(state.deadline().map_or(by, |deadline| deadline.min(by))),
        }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How many sessions were opened so far.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions
    }

    /// The number of the last attempt since the last stable session, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.retry.attempt()
    }

    /// When the whole stop must be over, once one was asked for.
    pub(crate) fn stop_by(&self) -> Option<Instant> {
        self.stop_by
    }

    fn on_session_event(&mut self, now: Instant, event: SessionEvent) {
        match &self.state {
            State::Dialing { .. } | State::Opening { .. } | State::Waiting { .. } => {
                self.on_attempt_event(now, event);
            }
            State::Open(_) => self.on_open_event(now, event),
            State::Draining { .. } | State::Notifying { .. } | State::Closing { .. } => {
                self.on_ending_event(now, event);
            }
            State::Stopped(_) => {}
        }
    }

    fn on_stop(&mut self, now: Instant) {
        if self.stop_by.is_none() && !matches!(self.state, State::Stopped(_)) {
            self.stop_by = Some(now + self.policy.timeouts.stop);
        }
        match &self.state {
            State::Dialing { .. } | State::Opening { .. } | State::Waiting { .. } => {
                self.stop_attempt(now);
            }
            State::Open(_) => self.stop_open(now),
            State::Draining { .. } | State::Notifying { .. } | State::Closing { .. } => {
                self.stop_after_ending();
            }
            State::Stopped(_) => {}
        }
    }

    fn on_restart(&mut self, now: Instant) {
        match &self.state {
            State::Dialing { .. } | State::Opening { .. } | State::Waiting { .. } => {
                self.restart_attempt(now);
            }
            State::Open(_) => self.restart_open(now),
            // It is on its way down already, or for good.
            State::Draining { .. } | State::Notifying { .. } | State::Closing { .. } => {
                self.restart_after_ending();
            }
            State::Stopped(_) => {}
        }
    }

    /// The stop has taken all the time it may: whatever still goes on is dropped.
    fn force_stop(&mut self) {
        self.actions.push_back(Action::DropAll);
        self.stop_with(self.stopped_by_user().forced());
    }

    fn stop_with(&mut self, outcome: Outcome) {
        self.state = State::Stopped(outcome);
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn run(&mut self, call: Call) {
        self.actions.push_back(Action::Run { epoch: self.epoch, call });
    }
}
