//! Guarantee 3: what `start()` says. Errors are true. Who is lost, and why, is told truly.

use std::time::Duration;

use wscengine::Callback;

use super::Verdict;
use super::story::Story;
use crate::event::{Answer, Cause, How, Op, Told, What};

const START: &str = "3: start() returns once on_open has returned, or fails with what failed";
const ERRORS: &str = "3: an attempt's error says which phase failed, and wraps its cause";
const FIRST: &str = "3: the first attempt is not retried by default";
const HEARTBEAT: &str = "3.8: a peer that was heard is not lost";
const TOLD: &str = "3.3: what on_close is told is what the status showed";

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    let mut failed = String::new();
    let (mut dials, mut port) = (0, 0);
    let mut refreshed = false;
    for (index, event) in story.events.iter().enumerate() {
        match &event.what {
            What::Dial { .. } => dials += 1,
            What::Making { refresh, .. } => refreshed |= refresh,
            What::DialFailed { kind, .. } => failed = (*kind).to_owned(),
            What::Connected { port: of, .. } => {
                failed.clear();
                port = *of;
            }
            // What a server says to a dial that was given up is no error of the next.
            What::Refused { status, port: of } if *of == port => {
                failed = format!("Status {status}");
            }
            What::End { callback: Callback::OnOpen, how, .. } => {
                failed = match how {
                    How::Failed => "OnOpen".to_owned(),
                    How::Panicked => "OnOpenPanicked".to_owned(),
                    How::Well | How::Dropped => String::new(),
                };
            }
            What::Begin { told: Told::Retry { error, .. }, .. } => {
                truly(event.at, &failed, error, verdict);
                failed.clear();
            }
            What::Answer { op: Op::Start, result, .. } => {
                started(story, index, result, verdict);
                if let Answer::Err(error) = result
                    && error != "Stopped"
                {
                    truly(event.at, &failed, error, verdict);
                    let once = story.scenario.options.retry_first || refreshed || dials <= 1;
                    verdict.demand(once, event.at, FIRST, format!("{dials} dials"));
                }
            }
            What::Begin { told: Told::Closed { cause, last_read, .. }, session, .. } => {
                lost(story, *session, *cause, *last_read, verdict);
            }
            _ => {}
        }
    }
}

/// Compares the error with what is known to have failed, if anything is.
fn truly(at: Duration, failed: &str, error: &str, verdict: &mut Verdict) {
    // The user's error, or the server's answer, may come too late: the time is over, the connection lost.
    let late = ["Timeout(Whole)", "ConnectionLost", "OnOpenTimeout"];
    let kept = error.starts_with(failed) || late.iter().any(|late| error.starts_with(late));
    verdict.demand(kept, at, ERRORS, format!("{error} instead of {failed}"));
}

fn started(story: &Story<'_>, index: usize, result: &Answer, verdict: &mut Verdict) {
    let at = story.at(index);
    let opened = story.sessions.values().filter_map(|session| session.opened).min();
    match result {
        Answer::Ok => {
            let prompt = opened.filter(|opened| *opened < index);
            let kept =
                prompt.is_some_and(|opened| at <= story.at(opened) + Duration::from_millis(2));
            verdict.demand(kept, at, START, "start() returned Ok without, or late");
        }
        Answer::Err(error) if error == "Stopped" => {
            let asked = story.stop.is_some_and(|stop| stop < index);
            verdict.demand(asked, at, START, "start() says stopped, and nobody did");
        }
        Answer::Err(error) => {
            verdict.demand(opened.is_none_or(|opened| opened > index), at, START, error.clone());
        }
        _ => {}
    }
}

fn lost(story: &Story<'_>, session: u32, cause: Cause, last_read: Duration, verdict: &mut Verdict) {
    let Some(left) = story.sessions.get(&session).and_then(|session| session.left) else { return };
    let at = story.at(left);
    if cause == Cause::HeartbeatLost {
        let timeout = story.scenario.options.ping_timeout;
        let what = format!("session {session}: heard at {last_read:?}");
        verdict.demand(last_read + timeout <= at + Duration::from_millis(2), at, HEARTBEAT, what);
    }
    if let What::Status { status: crate::event::Shown::Closing(shown) } = story.events[left].what {
        verdict.demand(shown == cause, at, TOLD, format!("{cause:?} instead of {shown:?}"));
    }
}
