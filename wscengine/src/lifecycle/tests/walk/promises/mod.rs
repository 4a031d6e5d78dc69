//! What the machine promises, checked against what it hears and wants: a second, plainer account of one engine's
//! life, kept beside the machine and never asking it.
//!
//! `heard` keeps the account, `wanted` checks each action against it, `settled` the state it led to.

mod heard;
mod settled;
mod wanted;

use std::collections::VecDeque;
use std::time::Instant;

use super::super::super::{Epoch, HoldId, Policy, SessionEvent};
use super::judge::Judge;
use super::model::{Errand, Told};
use crate::handler::Callback;
use crate::status::Outcome;

pub(super) struct Promises {
    policy: Policy,
    judge: Judge,
    /// Whether the next request is to be made anew.
    refresh: bool,
    stop: Option<Instant>,
    outcome: Option<Outcome>,
    sessions: u64,
    failures: u32,
    /// Those of them that nobody asked for.
    spent: u32,
    /// Dials since the last stable session.
    attempts: u32,
    /// When the next dial is due.
    planned: Instant,
    /// Since the user asked for a dial at once.
    hurried: bool,
    /// Whether the user asked for a restart at all: such attempts spend no budget.
    asked: bool,
    epoch: Epoch,
    attempt: Attempt,
}

/// What is known of the current epoch.
struct Attempt {
    /// Whether its request is made anew, once it is made, and whether that was asked for.
    refreshed: bool,
    to_refresh: bool,
    dial: Option<Dial>,
    link: Link,
    script: Script,
    since: Option<Instant>,
    /// The callbacks that run, and what they were told.
    calls: Vec<(Callback, Told)>,
    /// When the last of them began.
    called: Option<Instant>,
    flowing: bool,
    holder: Option<HoldId>,
    /// Who waits to hold the connection.
    asking: VecDeque<HoldId>,
    /// Who asked in vain.
    refused: Option<HoldId>,
    restarted: bool,
    /// Since the user asked for another connection in place of this one.
    wanted_again: bool,
    lost: bool,
    drain: Drain,
    messages_told: Told,
    sending_ended: bool,
    closing: bool,
    failure_told: bool,
}

#[derive(Clone, Copy, Debug)]
struct Dial {
    errand: Errand,
    abandoned: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    There,
    Gone,
}

/// How far the callbacks of an attempt have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Dialing,
    /// `on_open` runs.
    Opening,
    /// The dial failed, or `on_open` did not return well.
    Failed,
    /// It did: `on_close` is owed.
    Open,
    Closed,
    CloseError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    NotAsked,
    Asked,
    Done,
}

impl Attempt {
    fn new(script: Script) -> Self {
        Self {
            refreshed: false,
            to_refresh: false,
            dial: None,
            link: Link::None,
            script,
            since: None,
            calls: Vec::new(),
            called: None,
            flowing: false,
            holder: None,
            asking: VecDeque::new(),
            refused: None,
            restarted: false,
            wanted_again: false,
            lost: false,
            drain: Drain::NotAsked,
            messages_told: Told::Nothing,
            sending_ended: false,
            closing: false,
            failure_told: false,
        }
    }

    fn runs(&self, callback: Callback) -> bool {
        self.calls.iter().any(|(running, _)| *running == callback)
    }

    /// It comes to no connection.
    fn fail(&mut self) {
        self.dial = None;
        self.script = Script::Failed;
    }

    /// Whether this is what goes on.
    fn is_at(&self, errand: Errand) -> bool {
        self.dial.is_some_and(|dial| dial.errand == errand)
    }

    fn has_session(&self) -> bool {
        matches!(self.script, Script::Open | Script::Closed | Script::CloseError)
    }
}

impl Promises {
    pub(super) fn new(policy: Policy, judge: Judge) -> Self {
        Self {
            policy,
            judge,
            refresh: false,
            stop: None,
            outcome: None,
            sessions: 0,
            failures: 0,
            spent: 0,
            attempts: 0,
            planned: Instant::now(),
            hurried: true,
            asked: false,
            epoch: 0,
            attempt: Attempt::new(Script::Failed),
        }
    }

    pub(super) fn holder(&self) -> Option<HoldId> {
        self.attempt.holder
    }

    pub(super) fn asking(&self) -> usize {
        self.attempt.asking.len()
    }

    /// Whether this event says something that is over, or never was: nothing the machine waits for.
    pub(super) fn is_idle_talk(&self, event: &SessionEvent) -> bool {
        let now = &self.attempt;
        match event {
            SessionEvent::RequestMade | SessionEvent::RequestFailed(_) => {
                !now.is_at(Errand::Request)
            }
            SessionEvent::Dialed | SessionEvent::DialFailed { .. } => !now.is_at(Errand::Dial),
            SessionEvent::DialAbandoned => now.dial.is_none(),
            SessionEvent::CallEnded { callback, .. } => !now.runs(*callback),
            SessionEvent::Drained { .. } => now.drain != Drain::Asked,
            SessionEvent::Disconnected(_) => now.link != Link::There,
            SessionEvent::PeerClosed(_)
            | SessionEvent::ReadFailed { .. }
            | SessionEvent::WriteFailed(_)
            | SessionEvent::WriteStalled
            | SessionEvent::HeartbeatLost
            | SessionEvent::IdleTimedOut => {
                now.lost || now.link != Link::There || now.drain != Drain::NotAsked
            }
        }
    }
}
