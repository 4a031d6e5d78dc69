//! What was read and waits to be taken: by `on_message`, or by whoever holds the connection.
//!
//! One queue for both, so that a hold that comes or goes neither loses nor reorders anything. Workers are handed many
//! messages at a time, and claim one after the other of them without a lock; when a hold begins, those that nobody has
//! claimed come back.

mod hands;
mod queue;
mod run;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{ReadError, RecvError, Revoked};
use crate::lifecycle::HoldId;
use crate::message::Message;
use crate::outbound::QueueLimits;

use hands::Hands;
pub(crate) use queue::Item;
use queue::Queue;
pub(crate) use run::{Claimed, Run};

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
    /// What nobody was handed.
    queue: Queue,
    /// What workers were handed: older than all that is in the queue.
    hands: Hands,
    taker: Taker,
    /// The hold that was taken back last, and why.
    revoked: Option<(HoldId, Revoked)>,
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

/// Messages for a worker.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) run: Arc<Run>,
    pub(crate) woken: Woken,
}

/// Whom a worker woke when it took messages or was done with them.
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
    /// Workers that are not at rest.
    pub(crate) running: usize,
    pub(crate) has_room: bool,
}

impl Inbox {
    pub(crate) fn new(limits: QueueLimits, order: Order) -> Self {
        let inner = Inner {
            queue: Queue::default(),
            hands: Hands::default(),
            taker: Taker::Nobody,
            revoked: None,
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
        self.append(&mut vec![item]);
    }

    /// Appends what was read, all of it.
    pub(crate) fn append(&self, items: &mut Vec<Item>) {
        let wakers = {
            let mut inner = self.lock();
            let count = items.len();
            inner.queue.append(items);
            match inner.taker {
                Taker::Holder(_) => inner.holder.take().into_iter().collect(),
                // As many as may find something to do.
                Taker::OnMessage => {
                    let idle = inner.workers.len();
                    inner.workers.split_off(idle - idle.min(count))
                }
                Taker::Nobody => Vec::new(),
            }
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Says who may take from now on.
    pub(crate) fn set_taker(&self, taker: Taker) {
        let wakers = {
            let mut inner = self.lock();
            inner.taker = taker;
            if taker != Taker::OnMessage {
                inner.take_back();
            }
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
        let mut has_room = inner.has_room(self.limits);
        let wanted = match watch {
            Watch::Room => !has_room || inner.queue.errors() > 0,
            Watch::Rest => true,
        };
        inner.watch = watch;
        match (&mut inner.reader, wanted) {
            (Some(reader), true) => reader.clone_from(cx.waker()),
            (reader @ None, true) => *reader = Some(cx.waker().clone()),
            (reader, false) => *reader = None,
        }
        if !has_room {
            inner.mark(self.limits);
            // It may have been made just before.
            has_room = inner.has_room(self.limits);
        }
        Level { len: inner.len(), running: inner.hands.at_work(), has_room }
    }

    /// Takes the first messages for the one worker that runs on the reading task itself; [`leave`](Self::leave) follows.
    pub(crate) fn join_inline(&self) -> Option<Arc<Run>> {
        self.lock().join(Order::Free)
    }

    /// Takes messages that a worker may handle: the first ones, for all workers; or, with keys, some of a key that
    /// nobody works on.
    ///
    /// `None` when the session is over. The caller says [`leave`](Self::leave) when it finds no more in the run.
    pub(crate) fn poll_work(&self, cx: &Context<'_>) -> Poll<Option<Work>> {
        let (run, reader) = {
            let mut inner = self.lock();
            if inner.input == Input::Ended {
                return Poll::Ready(None);
            }
            let run = inner.join(self.order);
            // It may have been woken by something else: one that is called while it is at work hears nothing, and takes
            // the call from another.
            inner.workers.retain(|worker| !worker.will_wake(cx.waker()));
            if run.is_none() {
                inner.workers.push(cx.waker().clone());
            }
            let reader = inner.reader_for_room(self.limits);
            (run, reader)
        };
        let woken = wake_reader(reader);
        match run {
            Some(run) => Poll::Ready(Some(Work { run, woken })),
            None => Poll::Pending,
        }
    }

    /// A worker is done with a run.
    pub(crate) fn leave(&self, run: &Arc<Run>) -> Woken {
        let (worker, reader) = {
            let mut inner = self.lock();
            // One that was dropped in the middle has left something for another.
            let worker = if inner.hands.leave(run) { inner.workers.pop() } else { None };
            let at_rest = inner.hands.at_work() == 0;
            let reader =
                if at_rest { inner.take_reader() } else { inner.reader_for_room(self.limits) };
            (worker, reader)
        };
        wake(worker);
        wake_reader(reader)
    }

    /// A claim has made room.
    #[cold]
    pub(crate) fn made_room(&self) -> Woken {
        let reader = self.lock().reader_for_room(self.limits);
        wake_reader(reader)
    }

    /// Takes the read error that is next in turn, when all before it is handled.
    pub(crate) fn pop_error(&self) -> Option<(ReadError, Option<u64>)> {
        let mut inner = self.lock();
        if inner.taker != Taker::OnMessage || inner.hands.at_work() > 0 || inner.hands.len() > 0 {
            return None;
        }
        inner.queue.pop_error()
    }

    /// Gives up everything that waits, and says how many messages that were.
    pub(crate) fn clear(&self) -> usize {
        let mut inner = self.lock();
        inner.take_back();
        let cleared = std::mem::take(&mut inner.queue);
        cleared.len() - cleared.errors()
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        let inner = self.lock();
        inner.len() - inner.queue.errors()
    }

    /// Whether anything waits, an error perhaps.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().len() == 0
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
            inner.take_back();
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
            let item = inner.queue.remove(0);
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

    /// Messages and errors that nobody has taken.
    fn len(&self) -> usize {
        self.queue.len() + self.hands.len()
    }

    fn all_bytes(&self) -> usize {
        self.queue.bytes() + self.hands.bytes()
    }

    fn has_room(&self, limits: QueueLimits) -> bool {
        let len = self.len();
        len == 0 || (len < limits.messages && self.all_bytes() < limits.bytes)
    }

    /// The reader, if it waits for room and there is some.
    fn reader_for_room(&mut self, limits: QueueLimits) -> Option<Waker> {
        if self.watch != Watch::Room || self.reader.is_none() {
            return None;
        }
        let has_room = |inner: &Self| is_room(inner.len(), inner.all_bytes(), limits);
        if !has_room(self) {
            self.mark(limits);
            // It may have been made just before.
            if !has_room(self) {
                return None;
            }
        }
        self.take_reader()
    }

    fn take_reader(&mut self) -> Option<Waker> {
        let reader = self.reader.take()?;
        self.hands.unmark();
        Some(reader)
    }

    /// Has the claim told that makes the room that the reader waits for.
    fn mark(&self, limits: QueueLimits) {
        let (len, bytes) = (self.queue.len(), self.queue.bytes());
        self.hands.mark(|hand, hand_bytes| is_room(len + hand, bytes + hand_bytes, limits));
    }

    fn join(&mut self, order: Order) -> Option<Arc<Run>> {
        if self.taker != Taker::OnMessage {
            return None;
        }
        match order {
            Order::Free => self.hands.join(&mut self.queue),
            Order::ByKey => self.hands.join_keyed(&mut self.queue),
        }
    }

    /// What was handed out and nobody has claimed is in the queue again.
    fn take_back(&mut self) {
        self.hands.take_back(&mut self.queue);
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
                return Some(match self.queue.remove(*seen)? {
                    Item::Message(message, _) => Ok(message),
                    Item::Error(error, _) => Err(error.into()),
                });
            }
            *seen += 1;
        }
        None
    }
}

/// Whether a reader that waits for room is to be told that there is some: at half, so that it reads in batches.
fn is_room(len: usize, bytes: usize, limits: QueueLimits) -> bool {
    len == 0 || (len <= limits.messages / 2 && bytes <= limits.bytes / 2)
}

fn wake_reader(reader: Option<Waker>) -> Woken {
    match reader {
        Some(reader) => {
            reader.wake();
            Woken::Reader
        }
        None => Woken::Nobody,
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
