//! The rest of the engine, as the machine knows it: dials, callbacks and connections that answer as `ports` says,
//! but when they like, in the order they like, well or badly.
//!
//! What a connection says it says in order, and the machine hears of it later: it may be told something else first.

use std::collections::VecDeque;

use super::super::super::{Action, CallResult, Epoch, Event, HoldId, Rest, SessionEvent};
use super::super::kit::{broken, drained, fatal, gone, no_dial, no_request, survivable};
use super::chance::Chance;
use crate::error::{HandlerError, WriteError, WriteErrorKind};
use crate::handler::Callback;

#[derive(Default)]
pub(super) struct Model {
    dials: Vec<Dial>,
    pub(super) calls: Vec<Running>,
    pub(super) link: Option<Link>,
    /// What was said and not heard yet.
    said: VecDeque<(Epoch, SessionEvent)>,
}

struct Dial {
    epoch: Epoch,
    errand: Errand,
    told: Told,
    nature: Nature,
}

/// What is being made: a request, or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    Request,
    Dial,
}

/// A callback that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) epoch: Epoch,
    pub(super) callback: Callback,
    pub(super) told: Told,
    nature: Nature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    ToGo,
}

/// Whether it comes to its end, or blocks its thread for a long time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Quick,
    Stubborn,
}

/// A connection and the task that owns it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) epoch: Epoch,
    pub(super) phase: Phase,
    taker: Taker,
    /// An `on_message` that runs.
    pub(super) message: Option<Nature>,
    reading: bool,
    /// Read errors that were reported and did not end it.
    errors: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    Draining(Rest),
    GivingUp,
    Drained,
    Closing,
    Dropping,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    Nobody,
    OnMessage,
    Holder(HoldId),
}

impl Model {
    /// Does what the machine wants done.
    pub(super) fn carry_out(&mut self, action: &Action, rng: &mut Chance) {
        match action {
            Action::MakeRequest { epoch, .. } => self.begin(*epoch, Errand::Request, rng),
            Action::Dial { epoch } => self.begin(*epoch, Errand::Dial, rng),
            Action::AbandonDial { epoch, .. } => {
                self.dials
                    .iter_mut()
                    .filter(|dial| dial.epoch == *epoch)
                    .for_each(|dial| dial.told = Told::ToGo);
            }
            Action::Run { epoch, call } => {
                let (epoch, callback) = (*epoch, call.callback());
                self.calls.push(Running {
                    epoch,
                    callback,
                    told: Told::Nothing,
                    nature: nature(rng),
                });
            }
            Action::Abort { epoch, callback } => {
                let these =
                    |call: &&mut Running| (call.epoch, call.callback) == (*epoch, *callback);
                self.calls.iter_mut().filter(these).for_each(|call| call.told = Told::ToGo);
            }
            Action::Dispatch { epoch, errors } => self.command(*epoch, |link| {
                // Of an error that was reported meanwhile nothing is decided yet.
                if *errors >= link.errors {
                    link.taker = Taker::OnMessage;
                }
            }),
            Action::Grant { epoch, hold } => {
                self.command(*epoch, |link| link.taker = Taker::Holder(*hold));
            }
            Action::Revoke { epoch, hold, .. } => self.command(*epoch, |link| {
                if link.taker == Taker::Holder(*hold) {
                    link.taker = Taker::Nobody;
                }
            }),
            Action::Drain { epoch, rest } => {
                self.finish(*epoch, drained(), |link| {
                    link.phase = Phase::Draining(*rest);
                    link.taker =
                        if *rest == Rest::Handle { Taker::OnMessage } else { Taker::Nobody };
                });
            }
            Action::AbortMessages { epoch } => self.finish(*epoch, drained(), |link| {
                if matches!(link.phase, Phase::Draining(_)) {
                    link.phase = Phase::GivingUp;
                }
            }),
            Action::Close { epoch } => {
                self.finish(*epoch, gone(), |link| link.phase = Phase::Closing);
            }
            Action::Disconnect { epoch } => {
                self.finish(*epoch, gone(), |link| link.phase = Phase::Dropping);
            }
            Action::DropAll => *self = Self::default(),
            Action::Warn { .. }
            | Action::WarnOfRequest
            | Action::Deny { .. }
            | Action::EndSending { .. } => {}
        }
    }

    fn begin(&mut self, epoch: Epoch, errand: Errand, rng: &mut Chance) {
        self.dials.push(Dial { epoch, errand, told: Told::Nothing, nature: nature(rng) });
    }

    fn command(&mut self, epoch: Epoch, command: impl FnOnce(&mut Link)) {
        if let Some(link) =
            self.link.as_mut().filter(|link| link.epoch == epoch && link.phase != Phase::Gone)
        {
            command(link);
        }
    }

    /// A command that is answered: if the task is gone, for it.
    fn finish(&mut self, epoch: Epoch, answer: SessionEvent, command: impl FnOnce(&mut Link)) {
        match self.link.as_mut().filter(|link| link.epoch == epoch) {
            Some(link) if link.phase != Phase::Gone => command(link),
            Some(_) | None => self.said.push_back((epoch, answer)),
        }
    }

    /// Something of the rest moves: perhaps so that the machine hears of it.
    pub(super) fn step(
        &mut self,
        rng: &mut Chance,
        wanted: Option<(Epoch, Errand)>,
    ) -> Option<Event> {
        match rng.u8(..) % 4 {
            0 => self.said.pop_front().map(|(epoch, event)| Event::Session { epoch, event }),
            1 => self.step_dial(rng, wanted),
            2 => self.step_call(rng),
            _ => {
                self.step_link(rng);
                None
            }
        }
    }

    fn step_dial(&mut self, rng: &mut Chance, wanted: Option<(Epoch, Errand)>) -> Option<Event> {
        let index = pick(rng, self.dials.len())?;
        if self.dials[index].nature == Nature::Stubborn && rng.u8(..) > 4 {
            return None;
        }
        let dial = self.dials.swap_remove(index);
        let epoch = dial.epoch;
        // One that comes to its end though it was told to go is dropped.
        let event = if wanted != Some((epoch, dial.errand)) || dial.told == Told::ToGo {
            SessionEvent::DialAbandoned
        } else if dial.errand == Errand::Request {
            if rng.u8(..) < 200 { SessionEvent::RequestMade } else { no_request() }
        } else if rng.u8(..) < 150 {
            if let Some(link) = &self.link {
                assert_eq!(link.phase, Phase::Gone, "two connections at once");
                assert!(link.message.is_none(), "an on_message of a past session runs on");
            }
            self.link = Some(Link {
                epoch,
                phase: Phase::Serving,
                taker: Taker::Nobody,
                message: None,
                reading: true,
                errors: 0,
            });
            SessionEvent::Dialed
        } else {
            no_dial()
        };
        Some(Event::Session { epoch, event })
    }

    fn step_call(&mut self, rng: &mut Chance) -> Option<Event> {
        let index = pick(rng, self.calls.len())?;
        if self.calls[index].nature == Nature::Stubborn && rng.u8(..) > 4 {
            return None;
        }
        let Running { epoch, callback, told, .. } = self.calls.swap_remove(index);
        let failed = || {
            let error: HandlerError = "no".into();
            CallResult::Failed(error.into())
        };
        let result = match rng.u8(..) {
            // One that was told to go may have come to its end by itself just before.
            0..120 if told == Told::ToGo => CallResult::Aborted,
            180..=210 => CallResult::Panicked,
            211..=255 if callback == Callback::OnOpen => failed(),
            _ => CallResult::Returned,
        };
        Some(Event::Session { epoch, event: SessionEvent::CallEnded { callback, result } })
    }

    fn step_link(&mut self, rng: &mut Chance) {
        let others = self.calls.len();
        let Some(link) = &mut self.link else { return };
        if link.phase == Phase::Gone {
            return;
        }
        let epoch = link.epoch;
        let said = if rng.u8(..) == 0 {
            Some(link.end(broken()))
        } else {
            match link.phase {
                Phase::Serving => link.serve(rng, others),
                Phase::Draining(rest) => link.drain(rest, rng, others),
                Phase::GivingUp if link.message == Some(Nature::Stubborn) && rng.u8(..) > 4 => None,
                Phase::GivingUp => Some(link.drained(rng)),
                Phase::Drained | Phase::Gone => None,
                // The peer may be silent.
                Phase::Closing if rng.u8(..) < 200 => None,
                Phase::Closing | Phase::Dropping => {
                    let event = if rng.bool() { gone() } else { broken() };
                    Some(link.end(event))
                }
            }
        };
        self.said.extend(said.map(|event| (epoch, event)));
    }
}

impl Link {
    fn serve(&mut self, rng: &mut Chance, others: usize) -> Option<SessionEvent> {
        if rng.u8(..) < 4 {
            self.reading = false;
            return Some(match rng.bool() {
                true => SessionEvent::WriteStalled,
                false => SessionEvent::WriteFailed(WriteError::new(WriteErrorKind::Io)),
            });
        }
        if self.message.is_some() {
            self.end_message(rng);
            return None;
        }
        if self.reading && rng.u8(..) < 30 {
            return Some(self.lose(rng));
        }
        if self.taker != Taker::OnMessage {
            return None;
        }
        if self.reading && rng.u8(..) < 30 {
            return Some(self.misread(rng));
        }
        self.begin_message(rng, others);
        None
    }

    /// The peer closes, or reading comes to its end in another way.
    fn lose(&mut self, rng: &mut Chance) -> SessionEvent {
        self.reading = false;
        match rng.u8(..) % 5 {
            0 => SessionEvent::PeerClosed(None),
            1 => fatal(),
            2 => SessionEvent::HeartbeatLost,
            3 => SessionEvent::IdleTimedOut,
            _ => survivable(Some(0)),
        }
    }

    /// A read error that the connection survives: nobody takes messages until the machine says so.
    fn misread(&mut self, rng: &mut Chance) -> SessionEvent {
        let since = (self.errors > 0).then(|| rng.u64(1..9));
        self.errors += 1;
        self.taker = Taker::Nobody;
        survivable(since)
    }

    fn drain(&mut self, rest: Rest, rng: &mut Chance, others: usize) -> Option<SessionEvent> {
        if self.message.is_some() {
            self.end_message(rng);
            None
        } else if rest == Rest::Handle && self.taker != Taker::OnMessage {
            // A read error was told: the drain goes on when it is asked for again.
            None
        } else if rest == Rest::Handle && rng.bool() {
            if rng.u8(..) < 60 {
                return Some(self.misread(rng));
            }
            self.begin_message(rng, others);
            None
        } else {
            Some(self.drained(rng))
        }
    }

    fn drained(&mut self, rng: &mut Chance) -> SessionEvent {
        self.message = None;
        self.phase = Phase::Drained;
        SessionEvent::Drained { unhandled: rng.usize(..9), unsent: rng.usize(..9) }
    }

    fn begin_message(&mut self, rng: &mut Chance, others: usize) {
        assert_eq!(others, 0, "on_message begins beside another callback");
        self.message = Some(nature(rng));
    }

    fn end_message(&mut self, rng: &mut Chance) {
        if self.message == Some(Nature::Quick) || rng.u8(..) < 4 {
            self.message = None;
        }
    }

    /// The task ends, and the callbacks with it.
    fn end(&mut self, event: SessionEvent) -> SessionEvent {
        self.phase = Phase::Gone;
        self.message = None;
        event
    }
}

fn nature(rng: &mut Chance) -> Nature {
    if rng.u8(..) < 8 { Nature::Stubborn } else { Nature::Quick }
}

fn pick(rng: &mut Chance, len: usize) -> Option<usize> {
    (len > 0).then(|| rng.usize(..len))
}
