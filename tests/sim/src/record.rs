//! What happened in a run, in order, and what of it broke a promise.
//!
//! Nothing unpredictable goes in: a session is known by its number, a connection by its port, and never by its UUID.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use wscengine::Callback;

use crate::event::{Answer, Event, Op, What};

/// The record of one run, shared by all who take part.
#[derive(Clone, Default)]
pub(crate) struct Record {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    events: Vec<Event>,
    broken: Vec<Broken>,
    sessions: BTreeMap<Uuid, u32>,
    last: Duration,
    tracing: bool,
    calls: u64,
    waiting: BTreeMap<u64, Op>,
    counts: Counts,
}

/// What the newest session has taken and given so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) session: u32,
    /// Messages that a callback or a holder was given.
    pub(crate) taken: u64,
    /// Messages that were accepted for sending.
    pub(crate) accepted: u64,
    /// Calls of `on_message` that run.
    pub(crate) running: usize,
}

impl Counts {
    fn count(&mut self, what: &What) {
        match what {
            What::Begin { callback: Callback::OnOpen, session, .. } => {
                *self = Self { session: *session, ..Self::default() };
            }
            What::Begin { callback: Callback::OnMessage, session, .. }
                if *session == self.session =>
            {
                self.taken += 1;
                self.running += 1;
            }
            What::End { callback: Callback::OnMessage, session, .. }
                if *session == self.session =>
            {
                self.running -= 1;
            }
            What::Answer {
                op: Op::Recv { session, .. }, result: Answer::Message { .. }, ..
            } if *session == self.session => {
                self.taken += 1;
            }
            What::Answer {
                op: Op::Send { session: Some(session), .. } | Op::HolderSend { session, .. },
                result: Answer::Ok,
                ..
            } if *session == self.session => self.accepted += 1,
            _ => {}
        }
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: Duration,
    /// The promise, in the words of the contract or near to them.
    pub(crate) promise: &'static str,
    pub(crate) what: String,
}

impl Record {
    pub(crate) fn new(tracing: bool) -> Self {
        let record = Self::default();
        record.lock().tracing = tracing;
        record
    }

    /// Notes that something happened now.
    pub(crate) fn note(&self, what: What) {
        let at = self.now();
        let mut inner = self.lock();
        inner.last = at;
        match &what {
            What::Ask { call, op } => _ = inner.waiting.insert(*call, op.clone()),
            What::Answer { call, .. } => _ = inner.waiting.remove(call),
            _ => {}
        }
        inner.counts.count(&what);
        let event = Event { at, what };
        if inner.tracing {
            println!("{event}");
        }
        inner.events.push(event);
    }

    /// Notes a broken promise that cannot be seen from the events alone.
    pub(crate) fn broken(&self, promise: &'static str, what: impl Into<String>) {
        let at = self.now();
        self.lock().broken.push(Broken { at, promise, what: what.into() });
    }

    /// The time of the simulation.
    pub(crate) fn now(&self) -> Duration {
        // Outside of the simulation, when it is taken down, time stands still.
        turmoil::sim_elapsed().unwrap_or_else(|| self.lock().last)
    }

    /// The number of the next call, of a callback or by the user.
    pub(crate) fn next_call(&self) -> u64 {
        let mut inner = self.lock();
        inner.calls += 1;
        inner.calls
    }

    /// The number of a session, from 1. A new one gets the next.
    pub(crate) fn session(&self, id: Uuid) -> u32 {
        let mut inner = self.lock();
        let next = u32::try_from(inner.sessions.len()).unwrap_or(u32::MAX) + 1;
        *inner.sessions.entry(id).or_insert(next)
    }

    /// The calls that have no answer yet.
    pub(crate) fn waiting(&self) -> Vec<Op> {
        self.lock().waiting.values().cloned().collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    pub(crate) fn take_broken(&self) -> Vec<Broken> {
        std::mem::take(&mut self.lock().broken)
    }

    /// Says whether two runs did the same.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for event in &self.lock().events {
            event.to_string().hash(&mut hasher);
        }
        hasher.finish()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic that a callback was meant to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps planned panics silent, and collects the others for the run on this thread.
pub(crate) fn watch_panics() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload().is::<Planned>() {
            return;
        }
        let message = info.payload_as_str().unwrap_or("a panic without a text");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PANICS.with(|panics| panics.borrow_mut().push(format!("{message} at {place}")));
    }));
}

/// The panics of this thread that nobody had planned.
pub(crate) fn take_panics() -> Vec<String> {
    PANICS.with(RefCell::take)
}
