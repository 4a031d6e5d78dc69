//! Guarantee 1: no dial after a stop was called. Guarantee 7: a stop is prompt and bounded. How the engine says it ended.

use std::time::Duration;

use wscengine::Callback;

use super::Verdict;
use super::story::Story;
use crate::event::{Answer, Ruling, What};
use crate::run::GRACE;

/// How late a timer may be in the simulation.
const TICK: Duration = Duration::from_millis(5);

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    if let Some(stop) = story.stop {
        no_dial(story, stop, verdict);
        bounded(story, stop, verdict);
    }
    told(story, verdict);
}

fn no_dial(story: &Story<'_>, stop: usize, verdict: &mut Verdict) {
    for event in &story.events[stop..] {
        if let What::Dial { dial } = event.what {
            verdict.broken(event.at, "1: no dial after stop() was called", format!("dial {dial}"));
        }
    }
}

fn bounded(story: &Story<'_>, stop: usize, verdict: &mut Verdict) {
    let Some(end) = story.end else { return };
    let (at, took) = (story.at(end), story.at(end).saturating_sub(story.at(stop)));
    let options = &story.scenario.options;
    let most = options.stop + GRACE;
    verdict.demand(took <= most, at, "7: a stop is bounded by stop_timeout", format!("{took:?}"));
    let prompt = prompt(story, stop);
    verdict.demand(
        took <= prompt.max(TICK),
        at,
        "7: a stop is prompt in every state",
        format!("{took:?} of {prompt:?}"),
    );
    if story.forced() {
        let what = format!("forced after {took:?} of {:?}", options.stop);
        verdict.demand(took + TICK >= options.stop, at, "7: the stop has its time", what);
    }
}

/// What a stop may take from where the engine is, each step taking all of its own time.
fn prompt(story: &Story<'_>, stop: usize) -> Duration {
    let options = &story.scenario.options;
    let (mut connected, mut reporting, mut running) = (false, false, 0);
    for event in &story.events[..stop] {
        match event.what {
            What::Begin { callback: Callback::OnRestartError, .. } => reporting = true,
            What::End { callback: Callback::OnRestartError, .. } => reporting = false,
            // A transport that panicked is gone before on_close runs.
            What::Begin { callback, .. } => {
                running += 1;
                connected |= callback == Callback::OnOpen;
            }
            What::End { .. } => running -= 1,
            What::Gone { .. } => connected = false,
            _ => {}
        }
    }
    match (connected || running > 0, reporting) {
        (false, false) => TICK,
        (false, true) => options.on_restart_error + TICK,
        // A callback that was told to go goes at once; a stream that does not end is given a second.
        (true, _) => {
            options.drain
                + options.on_read_error * 2
                + options.on_close
                + options.close
                + options.on_close_error
                + Duration::from_millis(1_050)
        }
    }
}

/// The outcome tells the truth.
fn told(story: &Story<'_>, verdict: &mut Verdict) {
    let Some(Answer::Ended { kind, blocked, .. }) = &story.outcome else { return };
    let at = story.end.map_or(Duration::ZERO, |end| story.at(end));
    let options = &story.scenario.options;
    let fatal = || {
        story
            .events
            .iter()
            .any(|event| matches!(event.what, What::Judged { ruling: Ruling::Fatal, .. }))
    };
    let opened = story.sessions.values().any(|session| session.opened.is_some());
    let possible = match kind.as_str() {
        "Requested" => story.stop.is_some() && opened,
        "PeerClosed" | "ConnectionLost" => !options.auto_reconnect && opened,
        "GaveUp" => (options.max_attempts.is_some() || options.max_elapsed.is_some()) && opened,
        "Fatal" => fatal() && opened,
        "FailedToStart" => !opened,
        _ => false,
    };
    verdict.demand(possible, at, "7: the result says how it ended", format!("{kind} cannot be"));
    verdict.demand(!blocked, at, "7: the result says how it ended", "nothing blocks its thread");
}
