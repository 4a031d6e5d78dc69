//! A machine in any of its states, and short names for what goes in and what comes out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{
    Action, AfterSession, CallResult, Event, FirstAttempt, HoldId, Lifecycle, Policy, Requests,
    SessionEvent, Timeouts,
};
use super::names::{action_name, state_name};
use crate::classify::DefaultClassifier;
use crate::error::{
    CloseError, CloseErrorKind, ConnectError, ConnectErrorKind, HandlerError, ReadError,
    ReadErrorKind, RequestError, RequestErrorKind,
};
use crate::handler::Callback;
use crate::retry::Backoff;

/// A second before each attempt.
#[derive(Debug)]
pub(super) struct Second;

impl Backoff for Second {
    fn delay(&self, _retry: u32, _random: f64) -> Duration {
        Duration::from_secs(1)
    }
}

/// Retries whatever fails; each time limit is another one, so that none can stand in for another.
pub(super) fn policy() -> Policy {
    let seconds = Duration::from_secs;
    Policy {
        timeouts: Timeouts {
            request: seconds(14),
            connect: seconds(15),
            on_open: seconds(31),
            on_read_error: seconds(7),
            on_close: seconds(8),
            on_close_error: seconds(9),
            on_restart_error: seconds(11),
            drain: seconds(5),
            close: seconds(6),
            stop: seconds(60),
        },
        first: FirstAttempt::Retry,
        after_session: AfterSession::Reconnect,
        requests: Requests::Fixed,
        classifier: Arc::new(DefaultClassifier::new()),
        backoff: Arc::new(Second),
        stable_after: seconds(10),
        max_attempts: None,
        max_elapsed: None,
        seed: 1,
    }
}

/// A machine, its clock, and what it wanted done since it was last asked.
pub(super) struct Rig {
    pub(super) machine: Lifecycle,
    pub(super) now: Instant,
    said: Vec<Action>,
}

impl Rig {
    pub(super) fn new(policy: Policy) -> Self {
        let now = Instant::now();
        let mut rig = Self { machine: Lifecycle::new(now, policy), now, said: Vec::new() };
        rig.take();
        rig
    }

    /// A machine that has come to this place.
    pub(super) fn at(place: Place) -> Self {
        Self::with(policy(), place)
    }

    pub(super) fn with(policy: Policy, place: Place) -> Self {
        let mut rig = Self::new(policy);
        for input in place.way() {
            rig.put(&input);
        }
        rig.said.clear();
        rig
    }

    pub(super) fn put(&mut self, input: &Input) {
        let epoch = self.machine.epoch();
        let event = match input.clone() {
            Input::Timeout => return self.time_out(),
            Input::Wait(by) => return self.pass(by),
            Input::Stop => Event::Stop,
            Input::Restart => Event::Restart { epoch: None },
            Input::RestartThis => Event::Restart { epoch: Some(epoch) },
            Input::RestartPast => Event::Restart { epoch: Some(epoch - 1) },
            Input::Pause(hold) => Event::PauseRequested { epoch, hold, limit: None },
            Input::PauseFor(hold, limit) => {
                Event::PauseRequested { epoch, hold, limit: Some(limit) }
            }
            Input::PausePast(hold) => Event::PauseRequested { epoch: epoch - 1, hold, limit: None },
            Input::Release(hold) => Event::HoldReleased { hold },
            Input::Is(event) => Event::Session { epoch, event },
            Input::Past(event) => Event::Session { epoch: epoch - 1, event },
        };
        self.machine.handle(self.now, event);
        self.take();
    }

    /// Lets time pass, to the next deadline.
    fn time_out(&mut self) {
        self.now = self.machine.poll_timeout().expect("a deadline");
        self.machine.handle_timeout(self.now);
        self.take();
    }

    /// Lets time pass, and with it all deadlines in between.
    fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        for _ in 0..MOST_TIMEOUTS {
            if self.machine.poll_timeout().is_none_or(|at| at > end) {
                break;
            }
            self.time_out();
        }
        assert!(
            self.machine.poll_timeout().is_none_or(|at| at > end),
            "it wants to be woken for ever"
        );
        self.now = end;
        self.machine.handle_timeout(self.now);
        self.take();
    }

    fn take(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            self.said.push(action);
        }
    }

    /// What it wanted done since the last call, in words.
    pub(super) fn said(&mut self) -> String {
        let said: Vec<_> = self.said.drain(..).map(|action| action_name(&action)).collect();
        said.join("; ")
    }

    pub(super) fn place(&self) -> String {
        state_name(self.machine.state())
    }

    /// How long the machine gives what it waits for.
    pub(super) fn due_in(&self) -> Option<Duration> {
        self.machine.poll_timeout().map(|at| at.saturating_duration_since(self.now))
    }
}

/// Far more than there are deadlines in the time that a test lets pass.
const MOST_TIMEOUTS: usize = 10_000;

/// What may happen to a machine.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Stop,
    Restart,
    RestartThis,
    RestartPast,
    Pause(HoldId),
    PauseFor(HoldId, Duration),
    PausePast(HoldId),
    Release(HoldId),
    Timeout,
    Wait(Duration),
    Is(SessionEvent),
    Past(SessionEvent),
}

/// Where a machine may be: the eight states, and the stages within them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Dialing,
    Abandoning,
    Opening,
    OpeningLate,
    OpeningLost,
    Open,
    Held,
    Reporting,
    Draining,
    DrainingLost,
    DrainingReport,
    DrainingAborted,
    NotifyingReadError,
    NotifyingLocal,
    NotifyingPeer,
    NotifyingLate,
    Handshake,
    AttemptHandshake,
    Dropping,
    CloseReport,
    Waiting,
    WaitingReport,
    Stopped,
}

impl Place {
    pub(super) const ALL: [Self; 23] = [
        Self::Dialing,
        Self::Abandoning,
        Self::Opening,
        Self::OpeningLate,
        Self::OpeningLost,
        Self::Open,
        Self::Held,
        Self::Reporting,
        Self::Draining,
        Self::DrainingLost,
        Self::DrainingReport,
        Self::DrainingAborted,
        Self::NotifyingReadError,
        Self::NotifyingLocal,
        Self::NotifyingPeer,
        Self::NotifyingLate,
        Self::Handshake,
        Self::AttemptHandshake,
        Self::Dropping,
        Self::CloseReport,
        Self::Waiting,
        Self::WaitingReport,
        Self::Stopped,
    ];

    /// What leads there. `Draining` and what follows it come of a restart, where nothing else is said.
    fn way(self) -> Vec<Input> {
        use Input::{Is, Pause, Restart, Stop, Timeout};
        let after = |place: Self, input: Input| {
            let mut way = place.way();
            way.push(input);
            way
        };
        match self {
            Self::Dialing => Vec::new(),
            Self::Abandoning => after(Self::Dialing, Timeout),
            Self::Opening => after(Self::Dialing, Is(SessionEvent::Dialed)),
            Self::OpeningLate => after(Self::Opening, Timeout),
            Self::OpeningLost => after(Self::Opening, Is(SessionEvent::HeartbeatLost)),
            Self::Open => after(Self::Opening, Is(returned(Callback::OnOpen))),
            Self::Held => after(Self::Open, Pause(1)),
            Self::Reporting => after(Self::Open, Is(survivable(None))),
            Self::Draining => after(Self::Open, Restart),
            Self::DrainingLost => after(Self::Open, Is(SessionEvent::HeartbeatLost)),
            Self::DrainingReport => after(Self::Reporting, Restart),
            Self::DrainingAborted => after(Self::Draining, Timeout),
            Self::NotifyingReadError => {
                [Self::Open.way(), vec![Is(fatal()), Is(drained())]].concat()
            }
            Self::NotifyingLocal => after(Self::Draining, Is(drained())),
            Self::NotifyingPeer => {
                [Self::Open.way(), vec![Is(SessionEvent::PeerClosed(None)), Is(drained())]].concat()
            }
            Self::NotifyingLate => after(Self::NotifyingLocal, Timeout),
            Self::Handshake => after(Self::NotifyingLocal, Is(returned(Callback::OnClose))),
            Self::AttemptHandshake => after(Self::Opening, Is(refused())),
            Self::Dropping => after(Self::NotifyingPeer, Is(returned(Callback::OnClose))),
            Self::CloseReport => after(Self::Handshake, Is(broken())),
            Self::Waiting => after(Self::Dropping, Is(gone())),
            Self::WaitingReport => after(Self::Dialing, Is(no_dial())),
            Self::Stopped => after(Self::Dialing, Stop),
        }
    }
}

pub(super) fn returned(callback: Callback) -> SessionEvent {
    SessionEvent::CallEnded { callback, result: CallResult::Returned }
}

pub(super) fn aborted(callback: Callback) -> SessionEvent {
    SessionEvent::CallEnded { callback, result: CallResult::Aborted }
}

pub(super) fn panicked(callback: Callback) -> SessionEvent {
    SessionEvent::CallEnded { callback, result: CallResult::Panicked }
}

pub(super) fn refused() -> SessionEvent {
    let error: HandlerError = "no".into();
    SessionEvent::CallEnded { callback: Callback::OnOpen, result: CallResult::Failed(error.into()) }
}

pub(super) fn no_dial() -> SessionEvent {
    dial_failed(ConnectError::new(ConnectErrorKind::Connect))
}

pub(super) fn dial_failed(error: ConnectError) -> SessionEvent {
    SessionEvent::DialFailed { error, retry_after: None }
}

pub(super) fn no_request() -> SessionEvent {
    SessionEvent::RequestFailed(RequestError::new(RequestErrorKind::Failed))
}

/// As [`policy`], with a request factory.
pub(super) fn with_factory() -> Policy {
    Policy { requests: Requests::Made, ..policy() }
}

pub(super) fn fatal() -> SessionEvent {
    SessionEvent::ReadFailed { error: ReadError::new(ReadErrorKind::Io), messages_since: None }
}

pub(super) fn survivable(messages_since: Option<u64>) -> SessionEvent {
    SessionEvent::ReadFailed {
        error: ReadError::new(ReadErrorKind::Codec).survivable(),
        messages_since,
    }
}

pub(super) fn drained() -> SessionEvent {
    SessionEvent::Drained { unhandled: 2, unsent: 3 }
}

pub(super) fn gone() -> SessionEvent {
    SessionEvent::Disconnected(Ok(()))
}

pub(super) fn broken() -> SessionEvent {
    SessionEvent::Disconnected(Err(CloseError::new(CloseErrorKind::Io)))
}
