//! The inbox of a session: one task reads into it, workers or a holder take from it.

mod checks;
mod taking;

use std::collections::VecDeque;
use std::sync::Arc;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::wakes::Sleeper;
use crate::error::{ReadError, ReadErrorKind, Revoked};
use crate::inbox::{Inbox, Item, Order, Run, Taker, Watch};
use crate::lifecycle::HoldId;
use crate::outbound::QueueLimits;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Push(u8, u8),
    PushError,
    /// `on_message` gets the messages.
    Dispatch,
    Grant,
    Revoke(Whose),
    Release(Whose),
    Recv(Whose),
    /// Receives the first message whose number has these lowest bits.
    RecvMatching(u8),
    /// A worker moves: joins a run, claims a message of it, or leaves it.
    Work(u8),
    Level(bool),
    PopError,
    NoMore,
    End,
}

/// Which hold is meant.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Whose {
    Current,
    Other(u8),
}

/// Limits, an order, and steps. Everything is taken once and in its order, whoever takes it; messages of one key are
/// handled one by one; and nobody sleeps through what he waits for.
pub fn inbox(input: &[u8]) {
    // An input that is too short says nothing.
    let _ = run(&mut Unstructured::new(input));
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let limits =
        QueueLimits { messages: input.int_in_range(1..=6)?, bytes: input.int_in_range(1..=300)? };
    let order = if input.arbitrary()? { Order::ByKey } else { Order::Free };
    let workers = input.int_in_range(0..=4)?;
    let mut plain = Plain::new(limits, order, workers);
    while !input.is_empty() {
        let step = input.arbitrary()?;
        plain.step(step);
        plain.check();
    }
    plain.finish();
    Ok(())
}

/// An item by what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message { number: u32, len: usize, key: u64 },
    Error,
}

/// A worker: the run that it is at, if any.
#[derive(Debug, Default)]
struct Worker {
    busy: Option<Arc<Run>>,
    sleeper: Sleeper,
}

struct Plain {
    inbox: Inbox,
    limits: QueueLimits,
    order: Order,
    queue: VecDeque<Kind>,
    next: u32,
    taker: Taker,
    next_hold: HoldId,
    revoked: Option<(HoldId, Revoked)>,
    /// Where a `recv_matching` that goes on has come to.
    seen: usize,
    workers: Vec<Worker>,
    holder: Sleeper,
    /// Whose the last poll was.
    holding: HoldId,
    reader: Sleeper,
    /// What the reader slept for.
    watch: Watch,
    was_full: bool,
    had_error: bool,
    has_more: bool,
    ended: bool,
}

impl Plain {
    fn new(limits: QueueLimits, order: Order, workers: usize) -> Self {
        Self {
            inbox: Inbox::new(limits, order),
            limits,
            order,
            queue: VecDeque::new(),
            next: 0,
            taker: Taker::Nobody,
            next_hold: 1,
            revoked: None,
            seen: 0,
            workers: (0..workers).map(|_| Worker::default()).collect(),
            holder: Sleeper::default(),
            holding: 0,
            reader: Sleeper::default(),
            watch: Watch::Room,
            was_full: false,
            had_error: false,
            has_more: true,
            ended: false,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Revoke(_) | Step::Release(_) | Step::Recv(_) | Step::RecvMatching(_) => {}
            Step::Work(_) if !self.workers.is_empty() => {}
            // All else is done by the task that reads, which then does not sleep.
            _ => self.reader = Sleeper::default(),
        }
        match step {
            // Nothing is read when all was read, and nothing is given to anybody after the end.
            Step::Push(..) | Step::PushError if !self.has_more => {}
            Step::Dispatch | Step::Grant | Step::PopError if self.ended => {}
            Step::Push(len, key) => self.push(len, key),
            Step::PushError => {
                self.inbox.push(Item::Error(survivable(), None));
                self.queue.push_back(Kind::Error);
            }
            Step::Dispatch => self.set_taker(Taker::OnMessage),
            Step::Grant => {
                self.next_hold += 1;
                self.set_taker(Taker::Holder(self.next_hold - 1));
            }
            Step::Revoke(whose) => {
                let hold = self.hold(whose);
                self.inbox.revoke(hold, Revoked::Expired);
                self.revoked = Some((hold, Revoked::Expired));
                self.let_go(hold);
            }
            Step::Release(whose) => {
                let hold = self.hold(whose);
                self.inbox.release(hold);
                self.let_go(hold);
            }
            Step::Recv(whose) => self.recv(self.hold(whose)),
            Step::RecvMatching(wanted) => self.recv_matching(wanted),
            Step::Work(which) if !self.workers.is_empty() => {
                self.work(usize::from(which) % self.workers.len());
            }
            Step::Work(_) => self.work_inline(),
            Step::Level(rest) => self.level(if rest { Watch::Rest } else { Watch::Room }),
            Step::PopError => self.pop_error(),
            Step::NoMore => {
                self.inbox.no_more();
                self.has_more = false;
            }
            Step::End => {
                self.inbox.end();
                (self.has_more, self.ended, self.taker) = (false, true, Taker::Nobody);
            }
        }
    }

    fn hold(&self, whose: Whose) -> HoldId {
        match (whose, self.taker) {
            (Whose::Current, Taker::Holder(hold)) => hold,
            (Whose::Current, _) => self.next_hold - 1,
            (Whose::Other(which), _) => HoldId::from(which) % self.next_hold,
        }
    }

    fn set_taker(&mut self, taker: Taker) {
        self.inbox.set_taker(taker);
        self.taker = taker;
        self.seen = 0;
    }

    fn let_go(&mut self, hold: HoldId) {
        if self.taker == Taker::Holder(hold) {
            self.taker = Taker::Nobody;
        }
    }

    fn push(&mut self, len: u8, key: u8) {
        self.next += 1;
        let (number, len, key) = (self.next, 4 + usize::from(len), u64::from(key % 3));
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(len, 0);
        self.inbox.push(Item::Message(payload.into(), key));
        self.queue.push_back(Kind::Message { number, len, key });
    }

    fn running(&self) -> usize {
        self.workers.iter().filter(|worker| worker.busy.is_some()).count()
    }

    /// Which message a worker may take that is at no run.
    fn takeable(&self, order: Order) -> Option<usize> {
        let keys: Vec<_> =
            self.workers.iter().filter_map(|worker| worker.busy.as_ref()?.key).collect();
        self.first(|key| order == Order::Free || !keys.contains(&key))
    }

    /// The first message, before any error, with a key that will do, if messages go to `on_message`.
    fn first(&self, mut may_run: impl FnMut(u64) -> bool) -> Option<usize> {
        if self.taker != Taker::OnMessage {
            return None;
        }
        for (at, kind) in self.queue.iter().enumerate() {
            match kind {
                Kind::Message { key, .. } if may_run(*key) => return Some(at),
                Kind::Message { .. } => {}
                Kind::Error => return None,
            }
        }
        None
    }

    fn bytes(&self) -> usize {
        let len = |kind: &Kind| if let Kind::Message { len, .. } = kind { *len } else { 0 };
        self.queue.iter().map(len).sum()
    }

    fn has_room(&self) -> bool {
        self.queue.is_empty()
            || (self.queue.len() < self.limits.messages && self.bytes() < self.limits.bytes)
    }

    fn level(&mut self, watch: Watch) {
        let inbox = &self.inbox;
        let has_errors = self.queue.contains(&Kind::Error);
        // Whom nothing keeps from going on does not wait.
        let level = self.reader.poll(
            |cx| inbox.level(watch, cx),
            |level| {
                watch == Watch::Rest && level.running > 0
                    || watch == Watch::Room && (!level.has_room || has_errors)
            },
        );
        (self.watch, self.was_full) = (watch, !level.has_room);
        self.had_error = self.error_is_next();
        assert_eq!(
            (level.len, level.running, level.has_room),
            (self.queue.len(), self.running(), self.has_room())
        );
    }

    /// The reading task looks whether an error is next in turn, and if so stops messages until it is dealt with.
    fn pop_error(&mut self) {
        let is_next = self.error_is_next();
        assert_eq!(self.inbox.pop_error().is_some(), is_next);
        if is_next {
            self.queue.pop_front();
            self.set_taker(Taker::Nobody);
        }
    }

    fn error_is_next(&self) -> bool {
        let at_rest = self.taker == Taker::OnMessage && self.running() == 0;
        at_rest && self.queue.front() == Some(&Kind::Error)
    }

    fn finish(mut self) {
        let messages = self.queue.iter().filter(|kind| **kind != Kind::Error).count();
        assert_eq!(self.inbox.clear(), messages);
        self.queue.clear();
        assert!(self.inbox.is_empty() && self.inbox.waiting() == 0);
    }
}

fn survivable() -> ReadError {
    ReadError::new(ReadErrorKind::Codec).survivable()
}
