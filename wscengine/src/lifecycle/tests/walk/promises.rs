//! What the machine promises, checked against what it hears and wants: a second, plainer account of one engine's
//! life, kept beside the machine and never asking it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::super::state::{AfterWait, OpeningStage};
use super::super::super::{
    ABORT_GRACE, Action, AfterSession, Call, CallResult, Epoch, Event, FirstAttempt, HoldId,
    Lifecycle, Policy, Rest, SessionEvent, State,
};
use super::model::{Model, Told};
use crate::handler::{Callback, CloseCause};
use crate::status::{Outcome, OutcomeKind};

pub(super) struct Promises {
    policy: Policy,
    stop: Option<Instant>,
    outcome: Option<Outcome>,
    sessions: u64,
    failures: u32,
    /// Dials since the last stable session.
    attempts: u32,
    /// When the next dial is due.
    planned: Instant,
    /// Since the user asked for a dial at once.
    hurried: bool,
    epoch: Epoch,
    attempt: Attempt,
}

/// What is known of the current epoch.
struct Attempt {
    dial: Option<Dial>,
    link: Link,
    script: Script,
    since: Option<Instant>,
    /// The callbacks that run, and what they were told.
    calls: Vec<(Callback, Told)>,
    flowing: bool,
    holder: Option<HoldId>,
    /// Who waits to hold the connection.
    asking: VecDeque<HoldId>,
    /// Who asked in vain.
    refused: Option<HoldId>,
    restarted: bool,
    /// Since the user asked for another connection in place of this one.
    wanted_again: bool,
    lost: bool,
    drain: Drain,
    messages_told: Told,
    sending_ended: bool,
    closing: bool,
    failure_told: bool,
}

#[derive(Clone, Copy, Debug)]
struct Dial {
    abandoned: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    There,
    Gone,
}

/// How far the callbacks of an attempt have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Dialing,
    /// `on_open` runs.
    Opening,
    /// The dial failed, or `on_open` did not return well.
    Failed,
    /// It did: `on_close` is owed.
    Open,
    Closed,
    CloseError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    NotAsked,
    Asked,
    Done,
}

impl Attempt {
    fn new(script: Script) -> Self {
        Self {
            dial: None,
            link: Link::None,
            script,
            since: None,
            calls: Vec::new(),
            flowing: false,
            holder: None,
            asking: VecDeque::new(),
            refused: None,
            restarted: false,
            wanted_again: false,
            lost: false,
            drain: Drain::NotAsked,
            messages_told: Told::Nothing,
            sending_ended: false,
            closing: false,
            failure_told: false,
        }
    }

    fn runs(&self, callback: Callback) -> bool {
        self.calls.iter().any(|(running, _)| *running == callback)
    }

    fn has_session(&self) -> bool {
        matches!(self.script, Script::Open | Script::Closed | Script::CloseError)
    }
}

impl Promises {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            stop: None,
            outcome: None,
            sessions: 0,
            failures: 0,
            attempts: 0,
            planned: Instant::now(),
            hurried: true,
            epoch: 0,
            attempt: Attempt::new(Script::Failed),
        }
    }

    pub(super) fn holder(&self) -> Option<HoldId> {
        self.attempt.holder
    }

    pub(super) fn asking(&self) -> usize {
        self.attempt.asking.len()
    }

    /// Whether this event says something that is over, or never was: nothing the machine waits for.
    pub(super) fn is_idle_talk(&self, event: &SessionEvent) -> bool {
        let now = &self.attempt;
        match event {
            SessionEvent::Dialed | SessionEvent::DialFailed(_) | SessionEvent::DialAbandoned => {
                now.dial.is_none()
            }
            SessionEvent::CallEnded { callback, .. } => !now.runs(*callback),
            SessionEvent::Drained { .. } => now.drain != Drain::Asked,
            SessionEvent::Disconnected(_) => now.link != Link::There,
            SessionEvent::PeerClosed(_)
            | SessionEvent::ReadFailed { .. }
            | SessionEvent::WriteFailed(_)
            | SessionEvent::WriteStalled
            | SessionEvent::HeartbeatLost
            | SessionEvent::IdleTimedOut => {
                now.lost || now.link != Link::There || now.drain != Drain::NotAsked
            }
        }
    }

    /// What the machine is about to be told.
    pub(super) fn heard(&mut self, now: Instant, event: &Event, state: &State, epoch: Epoch) {
        match event {
            Event::Stop if self.outcome.is_none() => {
                self.stop.get_or_insert(now);
            }
            Event::Stop => {}
            Event::Restart { epoch: None } => {
                self.attempt.restarted = true;
                self.attempt.wanted_again |= self.stop.is_none() && counts(state);
                self.hurried |= matches!(state, State::Waiting { .. });
            }
            Event::Restart { epoch: Some(of) } => {
                self.attempt.restarted |= *of == epoch;
                self.attempt.wanted_again |= *of == epoch && self.stop.is_none() && counts(state);
            }
            Event::PauseRequested { epoch: of, hold, .. } => match state {
                State::Open(_) if *of == epoch => self.attempt.asking.push_back(*hold),
                _ => self.attempt.refused = Some(*hold),
            },
            Event::HoldReleased { hold } => {
                self.attempt.asking.retain(|asking| asking != hold);
                self.attempt.holder = self.attempt.holder.filter(|holder| holder != hold);
            }
            Event::Session { epoch, event } if *epoch == self.epoch => {
                self.heard_of_session(now, event)
            }
            Event::Session { .. } => {}
        }
    }

    fn heard_of_session(&mut self, now: Instant, event: &SessionEvent) {
        let attempt = &mut self.attempt;
        match event {
            SessionEvent::Dialed if attempt.dial.take().is_some() => attempt.link = Link::There,
            SessionEvent::DialFailed(_) | SessionEvent::DialAbandoned
                if attempt.dial.take().is_some() =>
            {
                attempt.script = Script::Failed;
            }
            SessionEvent::CallEnded { callback, result } if attempt.runs(*callback) => {
                attempt.calls.retain(|(running, _)| running != callback);
                match (callback, result) {
                    (Callback::OnOpen, CallResult::Returned) => {
                        attempt.script = Script::Open;
                        attempt.since = Some(now);
                        self.sessions += 1;
                    }
                    (Callback::OnOpen, _) => attempt.script = Script::Failed,
                    _ => {}
                }
            }
            SessionEvent::Drained { .. } if attempt.drain == Drain::Asked => {
                attempt.drain = Drain::Done
            }
            SessionEvent::Disconnected(_) if attempt.link == Link::There => {
                attempt.link = Link::Gone;
                attempt.lost = true;
            }
            SessionEvent::PeerClosed(_)
            | SessionEvent::WriteFailed(_)
            | SessionEvent::WriteStalled
            | SessionEvent::HeartbeatLost
            | SessionEvent::IdleTimedOut => attempt.lost = true,
            SessionEvent::ReadFailed { error, messages_since } => {
                attempt.lost |= error.is_fatal() || *messages_since == Some(0);
            }
            SessionEvent::Dialed
            | SessionEvent::DialFailed(_)
            | SessionEvent::DialAbandoned
            | SessionEvent::CallEnded { .. }
            | SessionEvent::Drained { .. }
            | SessionEvent::Disconnected(_) => {}
        }
    }

    /// What the machine wants done.
    pub(super) fn wanted(&mut self, now: Instant, action: &Action, model: &Model) {
        if self.outcome.is_some() {
            assert!(matches!(action, Action::Deny { .. }), "an action after the end: {action:?}");
        }
        match action {
            Action::Dial { epoch, attempt } => {
                self.attempts += 1;
                assert_eq!(*attempt, self.attempts);
                self.dial(now, *epoch);
            }
            Action::AbandonDial { epoch } => {
                assert_eq!(*epoch, self.epoch);
                let dial = self.attempt.dial.as_mut().expect("a dial to abandon");
                assert!(dial.abandoned.is_none() || self.stop.is_some(), "abandoned twice");
                dial.abandoned.get_or_insert(now);
            }
            Action::Run { epoch, call } => {
                assert_eq!(*epoch, self.epoch);
                assert!(self.attempt.calls.is_empty(), "two callbacks at once");
                assert!(
                    model.calls.is_empty()
                        && model.link.as_ref().is_none_or(|link| link.message.is_none())
                );
                self.run(call);
                self.attempt.calls.push((call.callback(), Told::Nothing));
            }
            Action::Abort { epoch, callback } => {
                assert_eq!(*epoch, self.epoch);
                let call = self.attempt.calls.iter_mut().find(|(running, _)| running == callback);
                let (_, told) = call.expect("a callback that runs");
                assert_eq!(std::mem::replace(told, Told::ToGo), Told::Nothing, "told twice");
            }
            Action::Warn { callback: Callback::OnMessage } => {
                assert_eq!(self.attempt.messages_told, Told::ToGo)
            }
            Action::Warn { callback } => {
                assert!(self.attempt.calls.contains(&(*callback, Told::ToGo)))
            }
            Action::Dispatch { .. }
            | Action::Grant { .. }
            | Action::Deny { .. }
            | Action::Revoke { .. } => {
                self.give(action);
            }
            Action::Drain { epoch, rest } => {
                assert_eq!((*epoch, self.attempt.drain), (self.epoch, Drain::NotAsked));
                assert_eq!((self.attempt.script, self.attempt.holder), (Script::Open, None));
                assert!(self.attempt.calls.is_empty(), "drained beside a callback");
                assert!(self.attempt.sending_ended);
                let asked = self.stop.is_some() || self.attempt.restarted;
                assert!(
                    if *rest == Rest::Keep { asked } else { self.attempt.lost },
                    "for no reason"
                );
                self.attempt.drain = Drain::Asked;
            }
            Action::EndSending { epoch } => {
                assert_eq!((*epoch, self.attempt.script), (self.epoch, Script::Open));
                assert!(!std::mem::replace(&mut self.attempt.sending_ended, true), "ended twice");
            }
            Action::AbortMessages { epoch } => {
                assert_eq!((*epoch, self.attempt.drain), (self.epoch, Drain::Asked));
                assert_eq!(
                    std::mem::replace(&mut self.attempt.messages_told, Told::ToGo),
                    Told::Nothing
                );
            }
            Action::Close { epoch } => {
                assert_eq!(*epoch, self.epoch);
                assert!(!std::mem::replace(&mut self.attempt.closing, true), "closed twice");
                self.may_go_down();
            }
            Action::Disconnect { epoch } => {
                assert_eq!(*epoch, self.epoch);
                self.attempt.closing = true;
                self.may_go_down();
            }
            Action::DropAll => {
                assert!(self.stop.is_some_and(|at| now >= at + self.policy.timeouts.stop))
            }
        }
    }

    fn dial(&mut self, now: Instant, epoch: Epoch) {
        let last = &self.attempt;
        assert_eq!(epoch, self.epoch + 1);
        assert!(self.stop.is_none(), "a dial after the stop");
        // A dial that blocks its thread is given up once, in the end: its connection is dropped if it comes.
        let given_up = |dial: Dial| dial.abandoned.is_some_and(|at| now >= at + ABORT_GRACE);
        assert!(last.dial.is_none_or(given_up), "a dial beside a dial");
        assert!(last.link != Link::There, "a dial beside a connection");
        assert!(last.calls.is_empty(), "a dial beside a callback of before");
        assert!(now >= self.planned || self.hurried, "a dial before its time");
        if last.has_session() {
            assert!(last.script != Script::Open, "on_close is owed");
            let again = self.policy.after_session == AfterSession::Reconnect
                || last.restarted
                || self.hurried;
            assert!(again, "a dial nobody wants");
        } else if epoch > 1 {
            assert!(last.failure_told || last.restarted, "on_restart_error is owed");
            assert!(
                last.restarted || self.sessions > 0 || self.policy.first == FirstAttempt::Retry,
                "a retry nobody wants"
            );
        }
        self.epoch = epoch;
        self.hurried = false;
        self.attempt =
            Attempt { dial: Some(Dial { abandoned: None }), ..Attempt::new(Script::Dialing) };
    }

    fn run(&mut self, call: &Call) {
        let quiet = self.attempt.drain == Drain::Done || self.attempt.link == Link::Gone;
        let attempt = &mut self.attempt;
        match call {
            Call::OnOpen => {
                assert_eq!((attempt.script, attempt.link), (Script::Dialing, Link::There));
                attempt.script = Script::Opening;
            }
            Call::OnReadError(error) => {
                assert_eq!(attempt.script, Script::Open);
                assert!(if error.is_fatal() { quiet } else { attempt.drain == Drain::NotAsked });
                attempt.flowing = false;
            }
            Call::OnClose { cause, restarting, .. } => {
                assert_eq!(
                    (attempt.script, attempt.holder),
                    (Script::Open, None),
                    "on_close out of turn"
                );
                assert!(quiet, "on_close beside what is left of the session");
                assert!(match cause {
                    CloseCause::Stopped => self.stop.is_some(),
                    CloseCause::Restarted => attempt.restarted,
                    _ => attempt.lost,
                });
                if self.policy.after_session == AfterSession::Reconnect {
                    assert_eq!(*restarting, self.stop.is_none());
                }
                attempt.script = Script::Closed;
            }
            Call::OnCloseError(_) => {
                assert_eq!((attempt.script, attempt.link), (Script::Closed, Link::Gone));
                attempt.script = Script::CloseError;
            }
            Call::OnRestartError { retry, .. } => {
                if attempt.dial.is_some() {
                    attempt.script = Script::Failed;
                }
                assert_eq!(
                    attempt.script,
                    Script::Failed,
                    "only an attempt that failed is told so"
                );
                assert!(!std::mem::replace(&mut attempt.failure_told, true), "told twice");
                assert!(attempt.link != Link::There);
                assert_eq!(*retry, self.attempts);
            }
        }
    }

    /// Who may read the connection.
    fn give(&mut self, action: &Action) {
        let attempt = &mut self.attempt;
        let is_open = attempt.script == Script::Open && attempt.drain == Drain::NotAsked;
        match action {
            Action::Dispatch { epoch, .. } => {
                assert_eq!((*epoch, attempt.holder), (self.epoch, None));
                assert!(is_open && attempt.calls.is_empty(), "messages beside something else");
                attempt.flowing = true;
            }
            Action::Grant { epoch, hold } => {
                assert_eq!((*epoch, attempt.holder), (self.epoch, None), "two holders at once");
                assert!(is_open, "a hold of nothing");
                assert_eq!(attempt.asking.pop_front(), Some(*hold), "out of turn");
                attempt.holder = Some(*hold);
                attempt.flowing = false;
            }
            Action::Deny { hold, .. } if attempt.refused == Some(*hold) => attempt.refused = None,
            Action::Deny { hold, .. } => {
                assert_eq!(attempt.asking.pop_front(), Some(*hold), "refused twice")
            }
            Action::Revoke { epoch, hold, .. } => {
                assert_eq!((*epoch, attempt.holder.take()), (self.epoch, Some(*hold)));
            }
            _ => unreachable!("{action:?}"),
        }
    }

    /// A connection goes down when nobody has any more business with it.
    fn may_go_down(&self) {
        assert!(
            matches!(self.attempt.script, Script::Closed | Script::Failed),
            "{:?}",
            self.attempt.script
        );
        assert!(self.attempt.calls.is_empty());
        assert!(self.attempt.link != Link::None, "there is nothing to close");
    }

    /// Where the machine has come to, all its actions taken.
    pub(super) fn settled(&mut self, now: Instant, machine: &Lifecycle) {
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

    /// Failures are counted one by one, and forgotten when a stable session ends, and only then.
    fn count(&mut self, now: Instant, machine: &Lifecycle) {
        let failures = machine.retry.failures();
        if self.attempt.sending_ended
            && let Some(since) = self.attempt.since.take()
        {
            if now >= since + self.policy.stable_after {
                assert_eq!(failures, 0, "remembered too long");
                (self.failures, self.attempts) = (0, 0);
            }
        }
        assert!((self.failures..=self.failures + 1).contains(&failures), "miscounted");
        self.failures = failures;
        assert_eq!(machine.attempt(), self.attempts);
    }

    fn plan(&mut self, now: Instant, until: Instant, then: &AfterWait) {
        let ceiling = self.policy.backoff.delay(self.failures.max(1), 1.0);
        match then {
            AfterWait::Dial => {
                assert!(until <= now + ceiling, "it waits for too long");
                let within = self.policy.max_attempts.is_none_or(|most| self.failures <= most);
                assert!(within || self.attempt.restarted || self.hurried, "beyond the budget");
                self.planned = until;
            }
            AfterWait::Stop(_) if self.stop.is_none() => self.has_spent_its_budget(),
            AfterWait::Stop(_) => {}
        }
    }

    fn has_spent_its_budget(&self) {
        let by_count = self.policy.max_attempts.is_some_and(|most| self.failures > most);
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
            OutcomeKind::UnderWay => panic!("that is no end"),
        }
    }

    /// Nothing is due any more: a stop whose time is over is over.
    pub(super) fn woken(&self, now: Instant, state: &State) {
        let over = self.stop.is_some_and(|at| now >= at + self.policy.timeouts.stop);
        assert!(!over || matches!(state, State::Stopped(_)), "the stop takes too long");
    }
}

/// Whether a restart asked for now is done, whatever comes of the connection. While dialing it is done already, and an
/// attempt that goes down is followed by another one anyway.
fn counts(state: &State) -> bool {
    match state {
        State::Opening { stage, .. } => matches!(stage, OpeningStage::Running),
        State::Open(_)
        | State::Draining { .. }
        | State::Notifying { .. }
        | State::Closing { .. } => true,
        State::Dialing { .. } | State::Waiting { .. } | State::Stopped(_) => false,
    }
}

/// More than any delay and any time limit of the walk's policies.
const LONGEST_WAIT: Duration = Duration::from_secs(31);
