//! Guarantee 6: pings are answered while paused and while all workers are busy, up to the read-ahead bound.

use std::time::Duration;

use super::Verdict;
use super::story::{SessionStory, Story};
use crate::event::{Answer, Op, What};
use wscengine::Callback;

const ANSWERED: &str = "6: pings are answered while paused and while callbacks run";

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    let network = &story.scenario.network;
    let window = network.slowest() * 6 + Duration::from_millis(300);
    for (index, event) in story.events.iter().enumerate() {
        if let What::SentPing { port, n } = event.what
            && let Some((number, session)) = story.session_of(port)
            && story.is_sound(session, event.at + window)
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
    let (mut sent, mut bytes) = (0_usize, 0);
    for event in story.events.iter().take_while(|event| event.at <= until) {
        if let What::Sending { port, len, .. } = event.what
            && port == session.port
        {
            sent += 1;
            bytes += len;
        }
    }
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
    let (messages, most) = story.scenario.options.read_ahead;
    sent.saturating_sub(taken) < messages && bytes < most
}
