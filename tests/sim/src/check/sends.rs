//! Sending: results are true, the order of a sender is kept, and no message gets into another session.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Verdict;
use super::story::{SessionStory, Story};
use crate::event::{Answer, Cause, Op, Way, What};
use crate::wire;

const OTHER: &str = "3.2: no message of a session is seen on another's connection";
const ORDER: &str = "3.6: messages of one sender arrive once, in order";
const TRUE: &str = "3.6: what was refused is not sent";
const FLUSHED: &str = "3.6: what send_flushed said is written arrives";
const ACCEPTED: &str =
    "3.6: what send accepted is written before the close frame, or counted as unsent";
const FAREWELL: &str = "3.6: what on_close sends goes out before the close frame";
const TIME: &str = "3.6: the close frame of a stop follows what was accepted, until drain_timeout";
const ENDED: &str = "3.2: after the end of its session every send fails";

/// What one session's senders were told.
#[derive(Default)]
struct Told {
    /// By sender and number.
    accepted: BTreeSet<(u32, u64)>,
    farewell: BTreeSet<(u32, u64)>,
    flushed: BTreeSet<(u32, u64)>,
    refused: BTreeSet<(u32, u64)>,
    unknown: bool,
}

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    for (number, session) in &story.sessions {
        let told = told(story, *number, session, verdict);
        received(story, *number, session, &told, verdict);
        given_up(story, *number, session, verdict);
    }
}

/// What we end ourselves gives nothing up before its time, while the peer and the network are sound.
fn given_up(story: &Story<'_>, number: u32, session: &SessionStory, verdict: &mut Verdict) {
    let (Some(closed), Some(left)) = (session.closed, session.left) else { return };
    let local = matches!(session.cause, Some(Cause::Stopped | Cause::Restarted));
    let sound = story.is_sound(session, story.at(closed))
        && !story.events[..closed].iter().any(|event| {
            matches!(event.what, What::SentClose { port, .. } | What::ServerDid { port, .. }
                | What::GotEnd { port, .. } if port == session.port)
        });
    if !local || !sound || session.unsent == 0 {
        return;
    }
    let (at, since) = (story.at(closed), story.at(left));
    let kept = at.saturating_sub(since) + Duration::from_millis(2) >= story.scenario.options.drain;
    let what = format!("session {number}: {} given up after {:?}", session.unsent, at - since);
    verdict.demand(kept, at, TIME, what);
}

fn told(story: &Story<'_>, number: u32, session: &SessionStory, verdict: &mut Verdict) -> Told {
    let mut told = Told::default();
    let over = story.over(number);
    let mut asked_late = BTreeSet::new();
    for (index, event) in story.events.iter().enumerate() {
        let (call, op, result) = match &event.what {
            What::Ask { call, op } => (call, op, None),
            What::Answer { call, op, result } => (call, op, Some(result)),
            _ => continue,
        };
        let (id, way, farewell) = match *op {
            Op::Send { way, session: Some(of), sender, k } if of == number => {
                ((sender, k), way, false)
            }
            Op::HolderSend { session: of, sender, k, hold } if of == number => {
                let farewell = is_call_of_on_close(story, session, hold);
                ((sender, k), Way::Send, farewell)
            }
            _ => continue,
        };
        match result {
            None if index > over && !farewell => {
                verdict.look(ENDED);
                asked_late.insert(*call);
            }
            None => {}
            Some(Answer::Ok) => {
                if asked_late.contains(call) {
                    verdict.broken(event.at, ENDED, format!("session {number}: {op:?}"));
                }
                match farewell {
                    true => told.farewell.insert(id),
                    false => told.accepted.insert(id),
                };
                if way == Way::Flushed {
                    told.flushed.insert(id);
                }
            }
            Some(Answer::Err(kind)) if kind == "Lost" => _ = told.accepted.insert(id),
            Some(Answer::Err(_)) => _ = told.refused.insert(id),
            Some(_) => told.unknown |= way == Way::Flushed,
        }
    }
    told
}

/// Whether this hold is the connection that `on_close` was given.
fn is_call_of_on_close(story: &Story<'_>, session: &SessionStory, hold: u64) -> bool {
    session.closed.is_some_and(
        |closed| matches!(story.events[closed].what, What::Begin { call, .. } if call == hold),
    )
}

fn received(
    story: &Story<'_>,
    number: u32,
    session: &SessionStory,
    told: &Told,
    verdict: &mut Verdict,
) {
    let mut got = BTreeSet::new();
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    // The client's close frame, or the orderly end of its stream: all before it has arrived.
    let mut all_arrived = None;
    let mut close_arrived = false;
    for event in &story.events[session.begun..] {
        match &event.what {
            What::Got { port, text, .. } if *port == session.port => {
                let Some((of, sender, k)) = wire::read_client_text(text) else { continue };
                let what = format!("session {number}: {text}");
                verdict.demand(of == number, event.at, OTHER, what.clone());
                let ascends = last.insert(sender, k).is_none_or(|last| last < k);
                verdict.demand(ascends, event.at, ORDER, what.clone());
                verdict.demand(!told.refused.contains(&(sender, k)), event.at, TRUE, what);
                got.insert((sender, k));
            }
            What::GotClose { port, .. } if *port == session.port => {
                all_arrived.get_or_insert(event.at);
                close_arrived = true;
            }
            What::GotEnd { port, well: true } if *port == session.port => {
                all_arrived.get_or_insert(event.at);
            }
            _ => {}
        }
    }
    let Some(at) = all_arrived else { return };
    for sent in &told.flushed {
        verdict.demand(got.contains(sent), at, FLUSHED, format!("session {number}: {sent:?}"));
    }
    if !close_arrived || session.closed.is_none() || told.unknown {
        return;
    }
    let arrived = told.accepted.intersection(&got).count();
    let what = format!(
        "session {number}: {} accepted, {} unsent, {arrived} arrived",
        told.accepted.len(),
        session.unsent
    );
    verdict.demand(arrived + session.unsent >= told.accepted.len(), at, ACCEPTED, what);
    let closes_itself = story.events.iter().any(|event| {
        matches!(event.what, What::SentClose { port, .. } | What::ServerDid { port, .. }
            if port == session.port)
    });
    if closes_itself {
        // Its close frame may be answered while on_close runs: nothing may follow the answer.
        return;
    }
    for sent in &told.farewell {
        verdict.demand(got.contains(sent), at, FAREWELL, format!("session {number}: {sent:?}"));
    }
}
