//! The queue between those who send and the task that writes: bounded in messages and bytes, first come first
//! served. Room is counted under the one lock that guards the queue, so that a send that finds some costs a lock and
//! a push; the writing side takes a whole batch at once.

mod room;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

use crate::error::{SendError, SendErrorKind};
use crate::message::Message;
pub(crate) use room::{QueueLimits, Room, Ticket, Turn};

/// The send queue of one session.
#[derive(Debug)]
pub(crate) struct SendQueue {
    inner: Mutex<Inner>,
    /// Whether the writing task sleeps and is to be woken. Set under the lock only.
    asleep: AtomicBool,
    /// Whether something is queued. Set under the lock only: read without it, it may be behind.
    filled: AtomicBool,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Whoever has a handle to the session, from `on_open` until the session ends.
    Session,
    /// The `on_close` of a session that we end: the other lane is closed already, and its room may be taken.
    Farewell,
}

/// A message on its way to the task that writes.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) message: Message<'static>,
    /// Told when the bytes were handed to the socket.
    pub(crate) flushed: Option<Flushed>,
    lane: Lane,
}

/// Where a sender hears what became of his message.
pub(crate) type Flushed = oneshot::Sender<Result<(), SendError>>;

#[derive(Debug)]
struct Inner {
    queue: VecDeque<Queued>,
    session: Gate,
    farewell: Gate,
    writer: Option<Waker>,
}

/// The way into the queue for one lane.
#[derive(Debug)]
struct Gate {
    room: Room,
    /// Why nothing more is taken, once it is so.
    closed: Option<SendErrorKind>,
}

/// What the writing task sees when it lies down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It is woken by the next message.
    Sound,
    /// There is something to write.
    NotYet,
}

impl SendQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            session: Gate::new(limits),
            farewell: Gate::new(limits),
            writer: None,
        };
        Self {
            inner: Mutex::new(inner),
            asleep: AtomicBool::new(false),
            filled: AtomicBool::new(false),
        }
    }

    /// Waits for room and queues the message.
    ///
    /// Cancel safe: a call that is given up has queued nothing, and the room that it was given goes to the next.
    pub(crate) fn send(
        &self,
        lane: Lane,
        message: Message<'static>,
        flushed: Option<Flushed>,
    ) -> Sending<'_> {
        Sending { queue: self, queued: Some(Queued { message, flushed, lane }), ticket: None }
    }

    /// Queues the message if there is room now.
    pub(crate) fn try_send(&self, lane: Lane, message: Message<'static>) -> Result<(), SendError> {
        let mut inner = self.lock();
        let gate = inner.gate(lane);
        if let Some(kind) = gate.closed {
            return Err(SendError::returning(kind, message));
        }
        if !gate.room.take(gate.share(&message)) {
            return Err(SendError::returning(SendErrorKind::Full, message));
        }
        self.push(inner, Queued { message, flushed: None, lane });
        Ok(())
    }

    /// Takes nothing more from the session's handles; those that wait for room fail at once.
    pub(crate) fn close(&self, kind: SendErrorKind) {
        let wakers = self.lock().session.close(kind);
        wake(wakers);
    }

    /// Takes nothing more from anybody.
    pub(crate) fn close_all(&self, kind: SendErrorKind) {
        let wakers = {
            let mut inner = self.lock();
            (inner.session.close(kind), inner.farewell.close(kind))
        };
        wake(wakers.0);
        wake(wakers.1);
    }

    /// Takes everything queued. Its room is given back by [`release`](Self::release).
    ///
    /// `into` must be empty: it is exchanged for the queue.
    pub(crate) fn take(&self, into: &mut VecDeque<Queued>) {
        // What is not seen here is seen before the writer sleeps.
        if self.filled.load(Ordering::Relaxed) {
            let mut inner = self.lock();
            std::mem::swap(&mut inner.queue, into);
            self.filled.store(false, Ordering::Relaxed);
        }
    }

    /// The writing task has nothing more to do: the next message wakes it, unless one is here already.
    pub(crate) fn sleep(&self, cx: &Context<'_>) -> Sleep {
        let mut inner = self.lock();
        if !inner.queue.is_empty() {
            return Sleep::NotYet;
        }
        match &mut inner.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            writer @ None => *writer = Some(cx.waker().clone()),
        }
        self.asleep.store(true, Ordering::Relaxed);
        Sleep::Sound
    }

    /// The writing task is awake, and looks at the queue before it sleeps again: what is sent meanwhile, by a callback
    /// that runs on it perhaps, need not wake it.
    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Gives up all that is queued, and says how many messages that was.
    pub(crate) fn clear(&self) -> usize {
        let mut given_up = VecDeque::new();
        self.take(&mut given_up);
        given_up.len()
    }

    /// Whether something is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// Gives the room of these messages back.
    pub(crate) fn release(&self, taken: Released) {
        let wakers = {
            let mut inner = self.lock();
            (inner.session.release(taken.session), inner.farewell.release(taken.farewell))
        };
        wake(wakers.0);
        wake(wakers.1);
    }

    /// Queues a message that has its room, and wakes the writing task if it sleeps.
    fn push(&self, mut inner: MutexGuard<'_, Inner>, queued: Queued) {
        inner.queue.push_back(queued);
        self.filled.store(true, Ordering::Relaxed);
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Relaxed);
            let writer = inner.writer.take();
            drop(inner);
            wake(writer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code of a user's runs under this lock, so the data is whole even if a thread died with it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A send: see [`SendQueue::send`].
#[derive(Debug)]
#[must_use = "a send does nothing until it is polled"]
pub(crate) struct Sending<'a> {
    queue: &'a SendQueue,
    /// What is to be sent, until it is.
    queued: Option<Queued>,
    /// The place in the line of those who wait for room.
    ticket: Option<Ticket>,
}

impl Future for Sending<'_> {
    type Output = Result<(), SendError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(queued) = this.queued.take() else { return Poll::Ready(Ok(())) };
        let mut inner = this.queue.lock();
        match inner.gate(queued.lane).enter(&queued.message, &mut this.ticket, cx.waker()) {
            Entry::Through => {
                this.queue.push(inner, queued);
                Poll::Ready(Ok(()))
            }
            Entry::Waits => {
                this.queued = Some(queued);
                Poll::Pending
            }
            Entry::Closed(kind) => Poll::Ready(Err(SendError::returning(kind, queued.message))),
        }
    }
}

/// One that is given up hands the room it was given on.
impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let (Some(ticket), Some(queued)) = (self.ticket, &self.queued) {
            let wakers = {
                let mut inner = self.queue.lock();
                let gate = inner.gate(queued.lane);
                let bytes = gate.share(&queued.message);
                gate.room.leave(ticket, bytes)
            };
            wake(wakers);
        }
    }
}

/// What a gate says to one who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// He holds room for his message.
    Through,
    Waits,
    Closed(SendErrorKind),
}

impl Gate {
    fn new(limits: QueueLimits) -> Self {
        Self { room: Room::new(limits), closed: None }
    }

    fn share(&self, message: &Message<'_>) -> usize {
        self.room.limits().share(message.len())
    }

    fn enter(
        &mut self,
        message: &Message<'_>,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Entry {
        let bytes = self.share(message);
        if let Some(kind) = self.closed {
            if let Some(ticket) = ticket.take() {
                // Nobody waits at a closed gate: there is nobody to wake.
                drop(self.room.leave(ticket, bytes));
            }
            return Entry::Closed(kind);
        }
        let has_room = match *ticket {
            None => self.room.take(bytes),
            Some(ticket) => self.room.turn(ticket, waker) == Turn::Served,
        };
        if has_room {
            *ticket = None;
            return Entry::Through;
        }
        ticket.get_or_insert_with(|| self.room.join(bytes, waker));
        Entry::Waits
    }

    /// Takes nothing more; gives those who wait, who are to be told.
    fn close(&mut self, kind: SendErrorKind) -> Vec<Waker> {
        self.closed.get_or_insert(kind);
        self.room.dismiss()
    }

    fn release(&mut self, share: Share) -> Vec<Waker> {
        if share.messages == 0 { Vec::new() } else { self.room.give(share.messages, share.bytes) }
    }
}

impl Inner {
    fn gate(&mut self, lane: Lane) -> &mut Gate {
        match lane {
            Lane::Session => &mut self.session,
            Lane::Farewell => &mut self.farewell,
        }
    }
}

/// Room to give back after some messages were written or given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Released {
    limits: QueueLimits,
    session: Share,
    farewell: Share,
}

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    messages: usize,
    bytes: usize,
}

impl Released {
    /// Nothing yet, for a queue with these limits.
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { limits, session: Share::default(), farewell: Share::default() }
    }

    pub(crate) fn add(&mut self, queued: &Queued) {
        let share = match queued.lane {
            Lane::Session => &mut self.session,
            Lane::Farewell => &mut self.farewell,
        };
        share.messages += 1;
        share.bytes += self.limits.share(queued.message.len());
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::task::noop_waker_ref;

    use super::*;

    const SESSION: Lane = Lane::Session;

    fn limits(messages: usize, bytes: usize) -> QueueLimits {
        QueueLimits { messages, bytes }
    }

    fn queue(messages: usize, bytes: usize) -> SendQueue {
        SendQueue::new(limits(messages, bytes))
    }

    fn take_all(queue: &SendQueue) -> Vec<String> {
        let mut taken = VecDeque::new();
        queue.take(&mut taken);
        let mut released = Released::new(queue.lock().session.room.limits());
        taken.iter().for_each(|queued| released.add(queued));
        queue.release(released);
        taken.iter().map(|queued| queued.message.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_full_queue_returns_the_message_and_takes_it_when_there_is_room_again() {
        let queue = queue(2, 1_000);
        queue.try_send(SESSION, "1".into()).unwrap();
        queue.try_send(SESSION, "2".into()).unwrap();
        let error = queue.try_send(SESSION, "3".into()).unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Full);
        assert_eq!(take_all(&queue), ["1", "2"]);
        queue.try_send(SESSION, error.into_message().unwrap()).unwrap();
    }

    #[test]
    fn bytes_are_bounded_but_one_message_always_fits() {
        let queue = queue(10, 4);
        let is_full = || queue.try_send(SESSION, "5".into()).unwrap_err().kind();
        queue.try_send(SESSION, "longer than four".into()).unwrap();
        assert_eq!(is_full(), SendErrorKind::Full);
        take_all(&queue);
        queue.try_send(SESSION, "1234".into()).unwrap();
        assert_eq!(is_full(), SendErrorKind::Full);
    }

    #[test]
    fn senders_that_wait_are_served_in_the_order_in_which_they_came() {
        let queue = queue(2, 10);
        queue.try_send(SESSION, "1".into()).unwrap();
        queue.try_send(SESSION, "2".into()).unwrap();
        let mut waiting: Vec<_> =
            ["3", "4", "5"].map(|text| queue.send(SESSION, text.into(), None)).into();
        assert!(waiting.iter_mut().all(|send| send.now_or_never().is_none()));
        assert_eq!(take_all(&queue), ["1", "2"]);
        // There is room for two, and two have a claim on it.
        let late = queue.try_send(SESSION, "late".into()).unwrap_err();
        assert_eq!(late.kind(), SendErrorKind::Full);
        let served: Vec<_> = waiting.iter_mut().map(|send| send.now_or_never().is_some()).collect();
        assert_eq!(served, [true, true, false]);
        assert_eq!(take_all(&queue), ["3", "4"]);
    }

    #[test]
    fn a_send_that_is_given_up_has_queued_nothing_and_its_room_goes_to_the_next() {
        let queue = queue(1, 10);
        queue.try_send(SESSION, "1".into()).unwrap();
        let mut given_up = queue.send(SESSION, "2".into(), None);
        let mut next = queue.send(SESSION, "3".into(), None);
        assert!((&mut given_up).now_or_never().is_none() && (&mut next).now_or_never().is_none());
        assert_eq!(take_all(&queue), ["1"]);
        drop(given_up);
        (&mut next).now_or_never().unwrap().unwrap();
        assert_eq!(take_all(&queue), ["3"]);
    }

    #[test]
    fn a_send_that_is_never_polled_sends_nothing() {
        let queue = queue(1, 10);
        drop(queue.send(SESSION, "1".into(), None));
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn a_sender_that_waits_for_room_fails_when_the_session_ends() {
        let queue = queue(1, 100);
        queue.try_send(SESSION, "1".into()).unwrap();
        let waiting = queue.send(SESSION, "2".into(), None);
        let (result, ()) =
            tokio::join!(waiting, async { queue.close(SendErrorKind::SessionEnded) });
        let error = result.unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::SessionEnded);
        assert_eq!(error.into_message().unwrap().text(), Some("2"));
    }

    #[test]
    fn a_sender_that_had_room_when_the_session_ended_has_sent_nothing() {
        let queue = queue(1, 100);
        queue.try_send(SESSION, "1".into()).unwrap();
        let mut waiting = queue.send(SESSION, "2".into(), None);
        assert!((&mut waiting).now_or_never().is_none());
        take_all(&queue);
        queue.close(SendErrorKind::SessionEnded);
        let error = waiting.now_or_never().unwrap().unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::SessionEnded);
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn a_farewell_is_taken_when_the_session_is_closed_already() {
        let queue = queue(1, 100);
        queue.close(SendErrorKind::SessionEnded);
        queue.send(Lane::Farewell, "bye".into(), None).await.unwrap();
        assert_eq!(take_all(&queue), ["bye"]);
        queue.close_all(SendErrorKind::SessionEnded);
        assert!(queue.send(Lane::Farewell, "late".into(), None).await.is_err());
    }

    #[test]
    fn a_writer_that_is_awake_is_not_woken_and_does_not_fall_asleep_over_a_message() {
        let queue = queue(2, 100);
        let cx = Context::from_waker(noop_waker_ref());
        assert_eq!(queue.sleep(&cx), Sleep::Sound);
        queue.awake();
        queue.try_send(SESSION, "1".into()).unwrap();
        assert!(queue.lock().writer.is_some(), "it was woken");
        assert_eq!(queue.sleep(&cx), Sleep::NotYet);
        take_all(&queue);
        assert_eq!(queue.sleep(&cx), Sleep::Sound);
        queue.try_send(SESSION, "2".into()).unwrap();
        assert!(queue.lock().writer.is_none(), "it was not woken");
    }
}
