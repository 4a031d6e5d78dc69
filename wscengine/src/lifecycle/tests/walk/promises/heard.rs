//! What the machine hears of, taken down.

use std::time::Instant;

use super::super::super::super::state::OpeningStage;
use super::super::super::super::{CallResult, Epoch, Event, SessionEvent, State};
use super::super::model::Errand;
use super::{Drain, Link, Promises, Script};
use crate::handler::Callback;

impl Promises {
    /// What the machine is about to be told.
    pub(in super::super) fn heard(
        &mut self,
        now: Instant,
        event: &Event,
        state: &State,
        epoch: Epoch,
    ) {
        self.asked |= matches!(event, Event::Restart { .. });
        match event {
            Event::Stop if self.outcome.is_none() => {
                self.stop.get_or_insert(now);
                self.attempt.wanted_again = false;
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
                self.heard_of_session(now, event);
            }
            Event::Session { .. } => {}
        }
    }

    fn heard_of_session(&mut self, now: Instant, event: &SessionEvent) {
        let attempt = &mut self.attempt;
        match event {
            SessionEvent::RequestMade if attempt.is_at(Errand::Request) => {
                attempt.dial = None;
                attempt.refreshed = std::mem::take(&mut self.refresh);
            }
            SessionEvent::Dialed if attempt.is_at(Errand::Dial) => {
                attempt.dial = None;
                attempt.link = Link::There;
            }
            SessionEvent::RequestFailed(_) if attempt.is_at(Errand::Request) => attempt.fail(),
            SessionEvent::DialFailed { .. } if attempt.is_at(Errand::Dial) => attempt.fail(),
            SessionEvent::DialAbandoned if attempt.dial.is_some() => attempt.fail(),
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
                attempt.drain = Drain::Done;
            }
            SessionEvent::Disconnected(_) if attempt.link == Link::There => {
                attempt.link = Link::Gone;
                attempt.lost = true;
            }
            // Idle talk from before there is a connection to lose.
            _ if attempt.link != Link::There => {}
            SessionEvent::PeerClosed(_)
            | SessionEvent::WriteFailed(_)
            | SessionEvent::WriteStalled
            | SessionEvent::HeartbeatLost
            | SessionEvent::IdleTimedOut => attempt.lost = true,
            SessionEvent::ReadFailed { error, messages_since } => {
                attempt.lost |= error.is_fatal() || *messages_since == Some(0);
            }
            SessionEvent::RequestMade
            | SessionEvent::RequestFailed(_)
            | SessionEvent::Dialed
            | SessionEvent::DialFailed { .. }
            | SessionEvent::DialAbandoned
            | SessionEvent::CallEnded { .. }
            | SessionEvent::Drained { .. }
            | SessionEvent::Disconnected(_) => {}
        }
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
