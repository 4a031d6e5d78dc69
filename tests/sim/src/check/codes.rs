//! Close codes: the peer's reach the user as they were sent, and ours are those that RFC 6455 and the user want.

use super::Verdict;
use super::story::{SessionStory, Story};
use crate::event::{Cause, What};
use crate::scenario::Doing;

const TOLD: &str = "3.2: on_close is told the code that the peer sent";
const SENT: &str = "3.2: the close frame has the code of the cause, or the one on_close returned";

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    for (number, session) in &story.sessions {
        if let (Some(closed), Some(cause)) = (session.closed, session.cause) {
            told(story, *number, session, closed, cause, verdict);
            sent(story, *number, session, cause, verdict);
        }
    }
}

fn told(
    story: &Story<'_>,
    number: u32,
    session: &SessionStory,
    closed: usize,
    cause: Cause,
    verdict: &mut Verdict,
) {
    let Cause::PeerClosed(told) = cause else { return };
    // Its own, or the answer to a close frame of ours that crossed it.
    let sent = story.events[..closed].iter().find_map(|event| match event.what {
        What::SentClose { port, code } if port == session.port => Some(code),
        _ => None,
    });
    let what = format!("session {number}: {told:?}, sent was {sent:?}");
    verdict.demand(sent == Some(told), story.at(closed), TOLD, what);
}

fn sent(
    story: &Story<'_>,
    number: u32,
    session: &SessionStory,
    cause: Cause,
    verdict: &mut Verdict,
) {
    let got = story.events.iter().find_map(|event| match event.what {
        What::GotClose { port, code } if port == session.port => Some((event.at, code)),
        _ => None,
    });
    let Some((at, got)) = got else { return };
    let closes_itself = story.events.iter().any(|event| {
        matches!(event.what, What::SentClose { port, .. } | What::ServerDid { port, .. }
            if port == session.port)
    });
    let kept = match cause {
        Cause::PeerClosed(code) => got == code,
        Cause::ReadProtocol => got == Some(1002),
        Cause::ReadUtf8 => got == Some(1007),
        Cause::ReadTooBig => got == Some(1009),
        // The peer's own close frame, or what it does wrong, may come first: then that is answered.
        Cause::Stopped | Cause::Restarted => closes_itself || is_ours(story, got),
        _ => true,
    };
    verdict.demand(kept, at, SENT, format!("session {number} ({cause:?}): {got:?}"));
}

fn is_ours(story: &Story<'_>, got: Option<u16>) -> bool {
    let mut habits = story.scenario.habits.on_close.iter();
    got == Some(1001)
        || habits.any(|doing| matches!(doing, Doing::Farewell(code) if Some(*code) == got))
}
