//! A record, sorted by sessions.

use std::collections::BTreeMap;
use std::time::Duration;

use wscengine::Callback;

use crate::event::{Answer, Cause, Event, How, Op, Shown, Told, What};
use crate::scenario::{Fault, Scenario};

/// What happened, and where in the record it stands.
pub(crate) struct Story<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) events: &'a [Event],
    pub(crate) sessions: BTreeMap<u32, SessionStory>,
    /// Where the user first wanted the engine to end.
    pub(crate) stop: Option<usize>,
    /// Where the engine first said that it had ended.
    pub(crate) end: Option<usize>,
    pub(crate) outcome: Option<Answer>,
}

/// One session, or an attempt that got as far as `on_open`.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionStory {
    pub(crate) port: u16,
    /// Where `on_open` began.
    pub(crate) begun: usize,
    /// Where it returned well.
    pub(crate) opened: Option<usize>,
    /// Where the status first showed that it was over.
    pub(crate) left: Option<usize>,
    /// Where `on_close` began, and what it was told.
    pub(crate) closed: Option<usize>,
    pub(crate) cause: Option<Cause>,
    pub(crate) unhandled: usize,
    pub(crate) unsent: usize,
}

impl<'a> Story<'a> {
    pub(crate) fn new(scenario: &'a Scenario, events: &'a [Event]) -> Self {
        let mut story = Self {
            scenario,
            events,
            sessions: BTreeMap::new(),
            stop: None,
            end: None,
            outcome: None,
        };
        for (at, event) in events.iter().enumerate() {
            story.take(at, &event.what);
        }
        story
    }

    fn take(&mut self, at: usize, what: &What) {
        match what {
            What::Begin {
                callback: Callback::OnOpen,
                session,
                told: Told::Opened { port, .. },
                ..
            } => {
                let story = SessionStory { port: *port, begun: at, ..SessionStory::default() };
                self.sessions.insert(*session, story);
            }
            What::End { callback: Callback::OnOpen, session, how: How::Well, .. } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.opened = Some(at);
                }
            }
            What::Begin {
                callback: Callback::OnClose,
                session,
                told: Told::Closed { cause, unhandled, unsent, .. },
                ..
            } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.closed.get_or_insert(at);
                    session.cause = Some(*cause);
                    (session.unhandled, session.unsent) = (*unhandled, *unsent);
                }
            }
            What::Status { status } => self.take_status(at, status),
            What::Ask { op: Op::Stop, .. }
            | What::Request { op: Op::Exit | Op::LastHandle }
            | What::Answer { op: Op::Start, result: Answer::GivenUp, .. } => {
                self.stop.get_or_insert(at);
            }
            What::Answer {
                op: Op::Stop | Op::Stopped, result: Answer::Ended { kind, .. }, ..
            } if kind != "UnderWay" => {
                self.end.get_or_insert(at);
            }
            What::Outcome { outcome } => self.outcome = Some(outcome.clone()),
            _ => {}
        }
    }

    fn take_status(&mut self, at: usize, status: &Shown) {
        if *status == Shown::Stopped {
            self.end.get_or_insert(at);
        }
        if matches!(status, Shown::Open(_) | Shown::Paused(_) | Shown::Opening) {
            return;
        }
        let open = self.sessions.values_mut().filter(|session| session.opened.is_some());
        for session in open {
            session.left.get_or_insert(at);
        }
    }

    /// When it happened.
    pub(crate) fn at(&self, index: usize) -> Duration {
        self.events[index].at
    }

    pub(crate) fn session_of(&self, port: u16) -> Option<(u32, &SessionStory)> {
        let found = self.sessions.iter().find(|(_, session)| session.port == port);
        found.map(|(number, session)| (*number, session))
    }

    /// Whether nothing of the network is at fault with this session's connection, from its begin until then.
    pub(crate) fn is_sound(&self, session: &SessionStory, until: Duration) -> bool {
        // A fault of before may still be felt: a message on hold, a latency, a server that is down.
        let since = self.at(session.begun).saturating_sub(Duration::from_secs(4));
        let mut faults = self.scenario.network.faults.iter();
        let quiet = faults
            .all(|(at, fault)| matches!(fault, Fault::Latency(_)) || *at < since || *at > until);
        quiet
            && self.events[..session.begun].iter().any(|event| {
                matches!(event.what, What::Connected { port, sound: true, .. } if port == session.port)
            })
    }

    /// Whether the stop took longer than it may, so that the rest was dropped.
    pub(crate) fn forced(&self) -> bool {
        matches!(self.outcome, Some(Answer::Ended { forced: true, .. }))
    }

    /// Where the session is certainly over: its `on_close` begins, another begins, or the engine has ended.
    pub(crate) fn over(&self, number: u32) -> usize {
        let session = self.sessions.get(&number);
        let next = self.sessions.get(&(number + 1)).map(|next| next.begun);
        let over = [session.and_then(|session| session.closed), next, self.end];
        over.into_iter().flatten().min().unwrap_or(self.events.len())
    }
}
