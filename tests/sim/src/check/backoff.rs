//! The backoff is respected: whoever accepts and closes at once is dialled no more often than the policy says.

use std::time::Duration;

use wscengine::Callback;

use super::Verdict;
use super::story::Story;
use crate::event::{How, Op, Ruling, What};

const WAITS: &str = "3.7: no dial before its delay and its floor are over";
const COUNTS: &str = "3.7: the counter goes back only after a stable session";
const BUDGET: &str = "3.7: the budget of attempts";

/// How exactly the times of a session are known.
const SLACK: Duration = Duration::from_millis(2);

struct Checking<'a> {
    story: &'a Story<'a>,
    verdict: &'a mut Verdict,
    /// What the policy said last, and when.
    delay: Option<Asked>,
    floor: Duration,
    /// The last verdict was that another attempt is of no use.
    fatal: bool,
    retry: u32,
    /// A restart was wanted since the last dial.
    restart: bool,
    /// The user cut a delay short since the counter last went back.
    cut: bool,
    /// Delays of the budget since the counter last went back.
    spent: u32,
    /// A session that lived long enough since the counter was last looked at: surely, or perhaps.
    stable: Stable,
    dials: u32,
}

#[derive(Clone, Copy)]
struct Asked {
    at: Duration,
    delay: Duration,
    floor: Duration,
    first: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stable {
    No,
    Perhaps,
    Surely,
}

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    let mut checking = Checking {
        story,
        verdict,
        delay: None,
        floor: Duration::ZERO,
        fatal: false,
        retry: 0,
        restart: false,
        cut: false,
        spent: 0,
        stable: Stable::No,
        dials: 0,
    };
    for event in story.events {
        checking.take(event.at, &event.what);
    }
}

impl Checking<'_> {
    fn take(&mut self, at: Duration, what: &What) {
        match what {
            What::Dial { .. } => self.dial(at),
            What::Delay { retry, delay } => self.ask(at, *retry, *delay),
            What::Judged { ruling, .. } => {
                self.floor = match ruling {
                    Ruling::Retry(floor) | Ruling::Refresh(floor) => *floor,
                    Ruling::Fatal => Duration::ZERO,
                };
                self.fatal = matches!(ruling, Ruling::Fatal);
            }
            What::Request { op: Op::Restart | Op::RestartSession(_) } => self.restart = true,
            What::End { callback: Callback::OnOpen, session, how: How::Well, .. } => {
                self.opened(*session);
            }
            _ => {}
        }
    }

    /// How long the session that begins will live.
    fn opened(&mut self, session: u32) {
        let Some(session) = self.story.sessions.get(&session) else { return };
        let (Some(opened), Some(left)) = (session.opened, session.left) else { return };
        let lived = self.story.at(left).saturating_sub(self.story.at(opened));
        let wanted = self.story.scenario.options.stable_after;
        let stable = match lived {
            lived if wanted.is_zero() || lived >= wanted + SLACK => Stable::Surely,
            lived if lived + SLACK >= wanted => Stable::Perhaps,
            _ => Stable::No,
        };
        self.stable = self.stable.max(stable);
    }

    fn ask(&mut self, at: Duration, retry: u32, delay: Duration) {
        let expected = match self.stable {
            Stable::No => retry == self.retry + 1,
            Stable::Perhaps => retry == self.retry + 1 || retry == 1,
            Stable::Surely => retry == 1,
        };
        let what = format!("retry {retry} after {}", self.retry);
        self.verdict.demand(expected, at, COUNTS, what);
        if retry == 1 {
            (self.cut, self.spent) = (false, 0);
        }
        self.retry = retry;
        self.stable = Stable::No;
        let floor = std::mem::take(&mut self.floor);
        self.delay = Some(Asked { at, delay, floor, first: retry == 1 });
        // What the user asked for spends nothing.
        if !self.restart {
            self.spent += 1;
        }
    }

    fn dial(&mut self, at: Duration) {
        self.dials += 1;
        let restart = std::mem::take(&mut self.restart);
        if self.dials == 1 {
            return;
        }
        let fatal = std::mem::take(&mut self.fatal);
        let Some(Asked { at: asked, delay, floor, first }) = self.delay.take() else {
            // The first restart that is asked for undoes a fatal verdict at once.
            if !(fatal && restart && !self.cut) {
                self.verdict.broken(at, WAITS, "the policy was not asked");
            }
            self.cut = true;
            return;
        };
        self.verdict.look(WAITS);
        let due = asked + delay + floor;
        if at + Duration::from_millis(1) < due {
            if !restart || self.cut {
                let what = format!("due at {due:?} (delay {delay:?}, floor {floor:?}, {first})");
                self.verdict.broken(at, WAITS, what);
            }
            self.cut = true;
        }
        if let Some(most) = self.story.scenario.options.max_attempts {
            let what = format!("attempt {} of {most}", self.spent);
            // A restart that is asked for as the budget is found to be spent undoes that.
            self.verdict.demand(self.spent <= most || restart, at, BUDGET, what);
        }
    }
}
