//! Pausing: a hold is a lease. It keeps callbacks from starting, excludes other holders, and ends with its session or
//! its time.

use std::collections::BTreeMap;
use std::time::Duration;

use wscengine::Callback;

use super::Verdict;
use super::story::Story;
use crate::event::{Answer, Op, What};

const REVOKED: &str = "3.4: a hold is revoked at the end of its session";
const EXPIRED: &str = "3.4: pause_for revokes itself";
const ALONE: &str = "3.4: one holder at a time";
const QUIET: &str = "3.4: no callback starts while somebody holds the connection";

/// A clock may be a step late.
const SLACK: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug)]
struct Hold {
    session: u32,
    until: Option<Duration>,
}

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    let mut holds: BTreeMap<u64, Hold> = BTreeMap::new();
    let mut asked: BTreeMap<u64, usize> = BTreeMap::new();
    for (index, event) in story.events.iter().enumerate() {
        let at = event.at;
        match &event.what {
            What::Ask { call, .. } => _ = asked.insert(*call, index),
            What::Answer {
                call,
                op: Op::Pause { hold, .. },
                result: Answer::Granted { session },
            } => {
                let until = hold.map(|hold| at + hold);
                let live = |hold: &&Hold| hold.until.is_none_or(|until| at + SLACK < until);
                let other = holds.values().filter(live).find(|other| other.session == *session);
                let alone = other.is_none() || !is_open(story, *session, at);
                verdict.demand(alone, at, ALONE, format!("two holds of session {session}"));
                holds.insert(*call, Hold { session: *session, until });
            }
            What::Request { op: Op::Release { hold, .. } } => _ = holds.remove(hold),
            What::Answer { call, op, result } => {
                let begun = asked.get(call).copied().unwrap_or(index);
                used(story, verdict, &holds, (begun, index), op, result);
            }
            What::Begin { callback: Callback::OnMessage, session, .. } => {
                // With several workers one may have taken its message before the hold was granted.
                let live = |hold: &Hold| {
                    hold.session == *session && hold.until.is_none_or(|until| at + SLACK < until)
                };
                let open = is_open(story, *session, at);
                let one_worker = story.scenario.options.workers == 1;
                if one_worker && open && !holds.is_empty() {
                    let quiet = !holds.values().any(live);
                    verdict.demand(quiet, at, QUIET, format!("on_message of session {session}"));
                }
            }
            _ => {}
        }
    }
}

/// Whether the session was still open: its end is shown a little later in the same instant.
fn is_open(story: &Story<'_>, session: u32, at: Duration) -> bool {
    let left = story.sessions.get(&session).and_then(|session| session.left);
    left.is_none_or(|left| at < story.at(left))
}

fn used(
    story: &Story<'_>,
    verdict: &mut Verdict,
    holds: &BTreeMap<u64, Hold>,
    (begun, index): (usize, usize),
    op: &Op,
    result: &Answer,
) {
    let (hold, session) = match op {
        Op::Recv { hold, session, .. }
        | Op::HolderSend { hold, session, .. }
        | Op::HolderPing { hold, session } => (hold, *session),
        _ => return,
    };
    // The connections that `on_open` and `on_close` were given are not among them.
    let Some(held) = holds.get(hold) else { return };
    let at = story.at(index);
    let succeeded = matches!(result, Answer::Ok | Answer::Message { .. });
    // What was asked for before may be answered after; but a message is taken when the answer is given.
    let counts = if matches!(op, Op::Recv { .. }) { index } else { begun };
    if counts > story.over(session) {
        verdict.demand(!succeeded, at, REVOKED, format!("{op:?}: {result:?}"));
    }
    if let Some(until) = held.until
        && story.at(counts) > until + SLACK
    {
        verdict.demand(!succeeded, at, EXPIRED, format!("{op:?}: {result:?}, until {until:?}"));
    }
}
