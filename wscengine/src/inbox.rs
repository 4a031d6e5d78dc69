//! What was read and waits to be taken: by `on_message`, or by whoever holds the connection.
//!
//! One queue for both, so that a hold that comes or goes neither loses nor reorders anything.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{ReadError, RecvError, Revoked};
use crate::lifecycle::HoldId;
use crate::message::Message;
use crate::outbound::QueueLimits;

/// What was read.
#[derive(Debug)]
pub(crate) enum Item {
    /// With its key, where workers keep an order by key.
    Message(Message<'static>, u64),
    /// A read that failed in a way that the connection survives, and the number of good messages since the one
    /// before it.
    Error(ReadError, Option<u64>),
}

/// Who may take messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taker {
    Nobody,
    OnMessage,
    Holder(HoldId),
}

/// The messages of one session that were read ahead.
pub(crate) struct Inbox {
    inner: Mutex<Inner>,
    limits: QueueLimits,
    order: Order,
}

/// Which messages workers may handle at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Any.
    Free,
    /// Only such with different keys.
    ByKey,
}

struct Inner {
    queue: VecDeque<Item>,
    bytes: usize,
    /// How many errors wait.
    errors: usize,
    taker: Taker,
    /// The hold that was taken back last, and why.
    revoked: Option<(HoldId, Revoked)>,
    /// Keys of the messages that workers handle at present; one entry each, 0 where there are no keys.
    running: Vec<u64>,
    holder: Option<Waker>,
    workers: Vec<Waker>,
    /// The task that reads: woken when there is room again and when workers come to rest.
    reader: Option<Waker>,
    /// What it waits for.
    watch: Watch,
    input: Input,
}

/// Whether more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    More,
    /// The peer closed, or the connection is lost: what is here is all.
    NoMore,
    /// The session is over.
    Ended,
}

/// A message for a worker.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) message: Message<'static>,
    pub(crate) key: u64,
    pub(crate) woken: Woken,
}

/// Whom a worker woke when it took a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Nobody,
    /// The task that reads: it may stand first in line for this very thread.
    Reader,
}

/// What the task that reads waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Room for more; or that an error is next in turn, and its callbacks at rest.
    Room,
    /// That no callback runs.
    Rest,
}

/// How things stand, for the task that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) len: usize,
    pub(crate) running: usize,
    pub(crate) has_room: bool,
}

impl Inbox {
    pub(crate) fn new(limits: QueueLimits, order: Order) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            bytes: 0,
            errors: 0,
            taker: Taker::Nobody,
            revoked: None,
            running: Vec::new(),
            holder: None,
            workers: Vec::new(),
            reader: None,
            watch: Watch::Room,
            input: Input::More,
        };
        Self { inner: Mutex::new(inner), limits, order }
    }

    /// Appends what was read.
    pub(crate) fn push(&self, item: Item) {
        let waker = {
            let mut inner = self.lock();
            inner.bytes += item.len();
            inner.errors += item.is_error();
            inner.queue.push_back(item);
            match inner.taker {
                Taker::Holder(_) => inner.holder.take(),
                Taker::OnMessage => inner.workers.pop(),
                Taker::Nobody => None,
            }
        };
        wake(waker);
    }

    /// Says who may take from now on.
    pub(crate) fn set_taker(&self, taker: Taker) {
        let wakers = {
            let mut inner = self.lock();
            inner.taker = taker;
            let mut wakers = std::mem::take(&mut inner.workers);
            wakers.extend(inner.holder.take());
            wakers
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes a hold back. One that was granted, and that the connection's task has not heard of yet, too.
    pub(crate) fn revoke(&self, hold: HoldId, reason: Revoked) {
        let holder = {
            let mut inner = self.lock();
            inner.revoked = Some((hold, reason));
            inner.let_go(hold)
        };
        wake(holder);
    }

    /// A holder gives the connection back.
    pub(crate) fn release(&self, hold: HoldId) {
        let holder = self.lock().let_go(hold);
        wake(holder);
    }

    /// Makes a hold that never counts.
    pub(crate) fn refuse(&self, hold: HoldId, reason: Revoked) {
        self.lock().revoked = Some((hold, reason));
    }

    /// Why this hold is not the one that counts, if so.
    pub(crate) fn check(&self, hold: HoldId) -> Result<(), Revoked> {
        self.lock().check(hold)
    }

    /// How things stand; the task is woken when what it watches for has changed.
    pub(crate) fn level(&self, watch: Watch, cx: &Context<'_>) -> Level {
        let mut inner = self.lock();
        let has_room = inner.has_room(self.limits);
        let wanted = match watch {
            Watch::Room => !has_room || inner.errors > 0,
            Watch::Rest => true,
        };
        inner.watch = watch;
        match (&mut inner.reader, wanted) {
            (Some(reader), true) => reader.clone_from(cx.waker()),
            (reader @ None, true) => *reader = Some(cx.waker().clone()),
            (reader, false) => *reader = None,
        }
        Level { len: inner.queue.len(), running: inner.running.len(), has_room }
    }

    /// Takes the first message for the one worker that runs on the reading task itself; [`rest`](Self::rest) follows.
    pub(crate) fn pop_inline(&self) -> Option<(Message<'static>, u64)> {
        self.lock().take_work(Order::Free)
    }

    /// Takes the first message that a worker may handle: with keys, the first whose key nobody works on.
    ///
    /// `None` when the session is over. The caller says [`rest`](Self::rest) when it has handled the message.
    pub(crate) fn poll_work(&self, cx: &Context<'_>) -> Poll<Option<Work>> {
        let (work, reader) = {
            let mut inner = self.lock();
            if inner.input == Input::Ended {
                return Poll::Ready(None);
            }
            let work = inner.take_work(self.order);
            if work.is_none() {
                inner.workers.push(cx.waker().clone());
            }
            let reader = inner.reader_for_room(self.limits);
            (work, reader)
        };
        let woken = if reader.is_some() { Woken::Reader } else { Woken::Nobody };
        wake(reader);
        match work {
            Some((message, key)) => Poll::Ready(Some(Work { message, key, woken })),
            None => Poll::Pending,
        }
    }

    /// A worker has handled its message.
    pub(crate) fn rest(&self, key: u64) {
        let reader = {
            let mut inner = self.lock();
            if let Some(at) = inner.running.iter().position(|running| *running == key) {
                inner.running.swap_remove(at);
            }
            if inner.running.is_empty() { inner.reader.take() } else { None }
        };
        wake(reader);
    }

    /// Takes the read error that is next in turn, when all before it is handled.
    pub(crate) fn pop_error(&self) -> Option<(ReadError, Option<u64>)> {
        let mut inner = self.lock();
        if inner.taker != Taker::OnMessage || !inner.running.is_empty() {
            return None;
        }
        match inner.queue.front() {
            Some(Item::Error(..)) => match inner.pop() {
                Some(Item::Error(error, since)) => Some((error, since)),
                Some(Item::Message(..)) | None => None,
            },
            Some(Item::Message(..)) | None => None,
        }
    }

    /// Gives up everything that waits, and says how many messages that were.
    pub(crate) fn clear(&self) -> usize {
        let mut inner = self.lock();
        let messages = inner.queue.iter().filter(|item| matches!(item, Item::Message(..))).count();
        inner.queue.clear();
        inner.bytes = 0;
        inner.errors = 0;
        messages
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        let inner = self.lock();
        inner.queue.len() - inner.errors
    }

    /// Whether anything waits, an error perhaps.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// Nothing more will come: a holder is told so when it has received what is here.
    pub(crate) fn no_more(&self) {
        let holder = {
            let mut inner = self.lock();
            inner.input = inner.input.max_of(Input::NoMore);
            inner.holder.take()
        };
        wake(holder);
    }

    /// The session is over: workers end, nobody takes anything any more.
    pub(crate) fn end(&self) {
        let wakers = {
            let mut inner = self.lock();
            inner.input = Input::Ended;
            inner.taker = Taker::Nobody;
            let mut wakers = std::mem::take(&mut inner.workers);
            wakers.extend(inner.holder.take());
            wakers
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes the first item, for a holder.
    pub(crate) fn poll_recv(
        &self,
        hold: HoldId,
        cx: &Context<'_>,
    ) -> Poll<Result<Message<'static>, RecvError>> {
        let (item, reader) = {
            let mut inner = self.lock();
            inner.check(hold)?;
            let item = inner.pop();
            if item.is_none() && inner.input != Input::More {
                return Poll::Ready(Err(Revoked::ConnectionEnded.into()));
            }
            if item.is_none() {
                inner.holder = Some(cx.waker().clone());
            }
            (item, inner.reader_for_room(self.limits))
        };
        wake(reader);
        match item {
            Some(Item::Message(message, _)) => Poll::Ready(Ok(message)),
            Some(Item::Error(error, _)) => Poll::Ready(Err(error.into())),
            None => Poll::Pending,
        }
    }

    /// Takes the first message that matches, for a holder; `seen` items were looked at before.
    pub(crate) fn poll_recv_matching(
        &self,
        hold: HoldId,
        seen: &mut usize,
        matches: &mut (dyn FnMut(&Message<'static>) -> bool + Send),
        cx: &Context<'_>,
    ) -> Poll<Result<Message<'static>, RecvError>> {
        let (found, reader) = {
            let mut inner = self.lock();
            inner.check(hold)?;
            match inner.take_matching(seen, matches) {
                Some(found) => (found, inner.reader_for_room(self.limits)),
                None if inner.input != Input::More => {
                    return Poll::Ready(Err(Revoked::ConnectionEnded.into()));
                }
                None if inner.has_room(self.limits) => {
                    inner.holder = Some(cx.waker().clone());
                    let reader = inner.reader.take();
                    drop(inner);
                    // It may be waiting for more room than passing over ever makes.
                    wake(reader);
                    return Poll::Pending;
                }
                None => return Poll::Ready(Err(RecvError::ReadAheadFull)),
            }
        };
        // An error that was taken made room as well.
        wake(reader);
        Poll::Ready(found)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Only a predicate of `recv_matching` can panic under it, and it changes nothing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Input {
    fn max_of(self, other: Self) -> Self {
        if self == Self::Ended { self } else { other }
    }
}

impl Inner {
    fn pop(&mut self) -> Option<Item> {
        self.remove(0)
    }

    fn remove(&mut self, at: usize) -> Option<Item> {
        let item = self.queue.remove(at)?;
        self.bytes -= item.len();
        self.errors -= item.is_error();
        Some(item)
    }

    /// Ends a hold, if it is the one that there is; gives who is to be woken.
    fn let_go(&mut self, hold: HoldId) -> Option<Waker> {
        if self.taker != Taker::Holder(hold) {
            return None;
        }
        self.taker = Taker::Nobody;
        self.holder.take()
    }

    fn check(&self, hold: HoldId) -> Result<(), Revoked> {
        match (self.taker, self.revoked) {
            (Taker::Holder(holder), _) if holder == hold => Ok(()),
            (_, Some((revoked, reason))) if revoked == hold => Err(reason),
            _ => Err(Revoked::ConnectionEnded),
        }
    }

    fn has_room(&self, limits: QueueLimits) -> bool {
        self.queue.is_empty() || (self.queue.len() < limits.messages && self.bytes < limits.bytes)
    }

    /// The reader, if it waits for room and is to be told that there is some: at half, so that it reads in batches.
    fn reader_for_room(&mut self, limits: QueueLimits) -> Option<Waker> {
        let enough = self.queue.is_empty()
            || (self.queue.len() <= limits.messages / 2 && self.bytes <= limits.bytes / 2);
        (enough && self.watch == Watch::Room).then(|| self.reader.take()).flatten()
    }

    fn take_work(&mut self, order: Order) -> Option<(Message<'static>, u64)> {
        if self.taker != Taker::OnMessage {
            return None;
        }
        let at = match order {
            Order::Free => 0,
            Order::ByKey => self.first_free()?,
        };
        // An error waits until all before it is handled: see `pop_error`.
        if !matches!(self.queue.get(at), Some(Item::Message(..))) {
            return None;
        }
        match self.remove(at) {
            Some(Item::Message(message, key)) => {
                self.running.push(key);
                Some((message, key))
            }
            Some(Item::Error(..)) | None => None,
        }
    }

    /// The first message, before any error, whose key nobody works on. A key that nobody works on has no earlier
    /// message in the queue, or that one would have been found.
    fn first_free(&self) -> Option<usize> {
        let before_error = self.queue.iter().take_while(|item| matches!(item, Item::Message(..)));
        before_error.enumerate().find_map(|(at, item)| match item {
            Item::Message(_, key) if !self.running.contains(key) => Some(at),
            Item::Message(..) | Item::Error(..) => None,
        })
    }

    fn take_matching(
        &mut self,
        seen: &mut usize,
        matches: &mut (dyn FnMut(&Message<'static>) -> bool + Send),
    ) -> Option<Result<Message<'static>, RecvError>> {
        while let Some(item) = self.queue.get(*seen) {
            let wanted = match item {
                Item::Message(message, _) => matches(message),
                Item::Error(..) => true,
            };
            if wanted {
                return Some(match self.remove(*seen)? {
                    Item::Message(message, _) => Ok(message),
                    Item::Error(error, _) => Err(error.into()),
                });
            }
            *seen += 1;
        }
        None
    }
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Self::Message(message, _) => message.len(),
            Self::Error(..) => 0,
        }
    }

    fn is_error(&self) -> usize {
        usize::from(matches!(self, Self::Error(..)))
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
