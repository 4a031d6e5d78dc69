//! What the machine wants done, checked against what it has heard.

use std::time::Instant;

use super::super::super::super::{
    ABORT_GRACE, Abandon, Action, AfterSession, Call, Epoch, FirstAttempt, Requests, Rest,
};
use super::super::model::{Errand, Model, Told};
use super::{Attempt, Dial, Drain, Link, Promises, Script};
use crate::classify::Verdict;
use crate::handler::{Callback, CloseCause};

impl Promises {
    /// What the machine wants done.
    pub(in super::super) fn wanted(&mut self, now: Instant, action: &Action, model: &Model) {
        if self.outcome.is_some() {
            assert!(matches!(action, Action::Deny { .. }), "an action after the end: {action:?}");
        }
        match action {
            Action::MakeRequest { epoch, attempt, refresh, .. } => {
                assert_eq!(self.policy.requests, Requests::Made);
                self.begin(now, *epoch, Errand::Request);
                assert_eq!(*attempt, self.attempts);
                assert_eq!(*refresh, self.attempt.to_refresh, "refreshed, or not, for no reason");
            }
            Action::Dial { epoch } if self.policy.requests == Requests::Fixed => {
                self.begin(now, *epoch, Errand::Dial);
            }
            Action::Dial { epoch } => {
                assert_eq!((*epoch, self.attempt.script), (self.epoch, Script::Dialing));
                assert!(self.attempt.dial.is_none(), "a dial beside its request");
                assert!(self.stop.is_none(), "a dial after the stop");
                self.attempt.dial = Some(Dial { errand: Errand::Dial, abandoned: None });
            }
            Action::AbandonDial { epoch, because } => {
                assert_eq!(*because == Abandon::Stopped, self.stop.is_some());
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
                self.attempt.called = Some(now);
            }
            Action::Abort { epoch, callback } => {
                assert_eq!(*epoch, self.epoch);
                let call = self.attempt.calls.iter_mut().find(|(running, _)| running == callback);
                let (_, told) = call.expect("a callback that runs");
                assert_eq!(std::mem::replace(told, Told::ToGo), Told::Nothing, "told twice");
            }
            Action::WarnOfRequest => {
                let request = self.attempt.dial.filter(|dial| dial.errand == Errand::Request);
                assert!(request.is_some_and(|dial| dial.abandoned.is_some()));
            }
            Action::Warn { callback: Callback::OnMessage } => {
                assert_eq!(self.attempt.messages_told, Told::ToGo);
            }
            Action::Warn { callback } => {
                assert!(self.attempt.calls.contains(&(*callback, Told::ToGo)));
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
                assert!(self.stop.is_some_and(|at| now >= at + self.policy.timeouts.stop));
            }
        }
    }

    /// Another attempt begins.
    fn begin(&mut self, now: Instant, epoch: Epoch, errand: Errand) {
        self.attempts += 1;
        let said = self.judge.take();
        let asked = matches!(said, Some(Verdict::Refresh { .. }));
        self.refresh |= asked && self.policy.requests == Requests::Made;
        let last = &self.attempt;
        let undone = last.wanted_again || self.hurried;
        assert!(said != Some(Verdict::Fatal) || undone, "a dial after a fatal failure");
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
            let once_more = self.refresh && !last.refreshed && !last.to_refresh;
            assert!(
                last.restarted
                    || self.sessions > 0
                    || self.policy.first == FirstAttempt::Retry
                    || once_more,
                "a retry nobody wants"
            );
        }
        self.epoch = epoch;
        self.hurried = false;
        let dial = Some(Dial { errand, abandoned: None });
        let to_refresh = self.refresh;
        self.attempt = Attempt { to_refresh, dial, ..Attempt::new(Script::Dialing) };
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
                assert!(if error.is_fatal() { quiet } else { attempt.drain != Drain::Done });
                attempt.flowing = false;
                // One that was read before the end is told in its place, and the drain goes on after it.
                if attempt.drain == Drain::Asked {
                    attempt.drain = Drain::NotAsked;
                }
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
                    let given_up =
                        self.judge.said() == Some(Verdict::Fatal) && !attempt.wanted_again;
                    assert_eq!(*restarting, self.stop.is_none() && !given_up);
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
                assert_eq!(attempt.asking.pop_front(), Some(*hold), "refused twice");
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
}
