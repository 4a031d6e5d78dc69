//! Guarantee 6: pings are answered while paused and while all workers are busy, up to the read-ahead bound.

use std::time::Duration;

use super::Verdict;
use super::story::{SessionStory, Story};
use crate::event::{Answer, Op, What};
use crate::scenario::{Fault, StreamFault};
use wscengine::Callback;

const ANSWERED: &str = "6: pings are answered while paused and while callbacks run";

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    let network = &story.scenario.network;
    // Where the network itself may be at fault, nothing is known.
    let sound = network.faults.iter().all(|(_, fault)| matches!(fault, Fault::Latency(_)))
        && network.streams.iter().all(|fault| matches!(fault, StreamFault::None))
        && story.scenario.options.read_ahead.1 >= 1 << 20;
    if !sound {
        return;
    }
    let window = network.slowest() * 6 + Duration::from_millis(300);
    for (index, event) in story.events.iter().enumerate() {
        if let What::SentPing { port, n } = event.what
            && let Some((number, session)) = story.session_of(port)
            && watched(story, session, index, window)
            && has_room(story, number, session, index, window)
        {
            let until = event.at + window;
            let answered = story.events[index..]
                .iter()
                .take_while(|event| event.at <= until)
                .any(|event| matches!(event.what, What::GotPong { port: of, n: which } if of == port && which >= n));
            let what = format!("session {number}: ping {n} of the server");
            verdict.demand(answered, until, ANSWERED, what);
        }
    }
}

/// Whether the session is open, and the server listens, from the ping until its answer is due.
fn watched(story: &Story<'_>, session: &SessionStory, index: usize, window: Duration) -> bool {
    let until = story.at(index) + window;
    let opened = session.opened.is_some_and(|opened| opened < index);
    let open = session.left.is_none_or(|left| story.at(left) > until)
        && story.events.last().is_some_and(|last| last.at > until)
        && story.stop.is_none_or(|stop| story.at(stop) > until);
    let listens = !story.events.iter().take_while(|event| event.at <= until).any(|event| {
        matches!(event.what, What::SentClose { port, .. } | What::ServerDid { port, .. }
            | What::GotEnd { port, .. } | What::GotClose { port, .. } if port == session.port)
    });
    opened && open && listens
}

/// Whether all that the server sends until then fits into the read-ahead.
fn has_room(
    story: &Story<'_>,
    number: u32,
    session: &SessionStory,
    index: usize,
    window: Duration,
) -> bool {
    let until = story.at(index) + window;
    let sent = story
        .events
        .iter()
        .take_while(|event| event.at <= until)
        .filter(|event| matches!(event.what, What::Sending { port, .. } if port == session.port))
        .count();
    let taken = story.events[..index]
        .iter()
        .filter(|event| match &event.what {
            What::Begin { callback: Callback::OnMessage, session, .. } => *session == number,
            What::Answer {
                op: Op::Recv { session, .. }, result: Answer::Message { .. }, ..
            } => *session == number,
            _ => false,
        })
        .count();
    sent.saturating_sub(taken) < story.scenario.options.read_ahead.0
}
