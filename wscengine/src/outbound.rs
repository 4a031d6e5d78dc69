//! The queue between those who send and the task that writes: bounded in messages and bytes, first come first
//! served, with one lock for a whole batch on the writing side.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::sync::{AcquireError, Semaphore, TryAcquireError, oneshot};

use crate::error::{SendError, SendErrorKind};
use crate::message::Message;

/// The send queue of one session.
#[derive(Debug)]
pub(crate) struct SendQueue {
    /// Room for what the session's handles send, from `on_open` until the session ends.
    session: Room,
    /// Room for what `on_close` sends, when the other is closed already.
    farewell: Room,
    inner: Mutex<Inner>,
    limits: QueueLimits,
}

/// Bounds of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    /// One message always fits, however long it is.
    pub(crate) bytes: usize,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Whoever has a handle to the session.
    Session,
    /// The `on_close` of a session that we end.
    Farewell,
}

/// A message on its way to the task that writes.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) message: Message<'static>,
    /// Told when the bytes were handed to the socket.
    pub(crate) flushed: Option<oneshot::Sender<Result<(), SendError>>>,
    lane: Lane,
    permits: u32,
}

#[derive(Debug)]
struct Room {
    slots: Semaphore,
    bytes: Semaphore,
}

#[derive(Debug)]
struct Inner {
    queue: VecDeque<Queued>,
    /// The writing task, if it waits for something to write.
    writer: Option<Waker>,
    /// Why nothing more is taken from the session's handles, once it is so.
    closed: Option<SendErrorKind>,
}

impl SendQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let inner = Inner { queue: VecDeque::new(), writer: None, closed: None };
        Self {
            session: Room::new(limits),
            farewell: Room::new(limits),
            inner: Mutex::new(inner),
            limits,
        }
    }

    /// Waits for room and queues the message.
    ///
    /// Cancel safe: a call that is given up has queued nothing.
    pub(crate) async fn send(
        &self,
        lane: Lane,
        message: Message<'static>,
        flushed: Option<oneshot::Sender<Result<(), SendError>>>,
    ) -> Result<(), SendError> {
        let permits = self.permits(&message);
        match self.room(lane).acquire(permits).await {
            Ok(()) => self.push(Queued { message, flushed, lane, permits }),
            Err(_) => Err(SendError::returning(self.closed_kind(), message)),
        }
    }

    /// Queues the message if there is room now.
    pub(crate) fn try_send(&self, lane: Lane, message: Message<'static>) -> Result<(), SendError> {
        let permits = self.permits(&message);
        match self.room(lane).try_acquire(permits) {
            Ok(()) => self.push(Queued { message, flushed: None, lane, permits }),
            Err(TryAcquireError::NoPermits) => {
                Err(SendError::returning(SendErrorKind::Full, message))
            }
            Err(TryAcquireError::Closed) => Err(SendError::returning(self.closed_kind(), message)),
        }
    }

    /// Takes nothing more from the session's handles; those that wait for room fail at once.
    pub(crate) fn close(&self, kind: SendErrorKind) {
        self.lock().closed.get_or_insert(kind);
        self.session.close();
    }

    /// Takes nothing more from anybody.
    pub(crate) fn close_all(&self, kind: SendErrorKind) {
        self.close(kind);
        self.farewell.close();
    }

    /// Takes everything queued, and is woken when there is something again.
    ///
    /// `into` must be empty: it is exchanged for the queue.
    pub(crate) fn take(&self, into: &mut VecDeque<Queued>, cx: &Context<'_>) {
        let mut inner = self.lock();
        std::mem::swap(&mut inner.queue, into);
        match &mut inner.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            writer @ None => *writer = Some(cx.waker().clone()),
        }
    }

    /// Gives up all that is queued, and says how many messages that was.
    pub(crate) fn clear(&self) -> usize {
        std::mem::take(&mut self.lock().queue).len()
    }

    /// Whether something is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// Gives the room of these messages back.
    pub(crate) fn release(&self, taken: Released) {
        for (room, share) in [(&self.session, taken.session), (&self.farewell, taken.farewell)] {
            if share.slots > 0 {
                room.slots.add_permits(share.slots);
                room.bytes.add_permits(share.bytes);
            }
        }
    }

    fn push(&self, queued: Queued) -> Result<(), SendError> {
        let writer = {
            let mut inner = self.lock();
            if let (Some(kind), Lane::Session) = (inner.closed, queued.lane) {
                return Err(SendError::returning(kind, queued.message));
            }
            inner.queue.push_back(queued);
            inner.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(())
    }

    fn room(&self, lane: Lane) -> &Room {
        match lane {
            Lane::Session => &self.session,
            Lane::Farewell => &self.farewell,
        }
    }

    /// How much of the bytes' room a message takes: all of it if it is longer.
    fn permits(&self, message: &Message<'static>) -> u32 {
        u32::try_from(message.len().min(self.limits.bytes)).unwrap_or(u32::MAX)
    }

    fn closed_kind(&self) -> SendErrorKind {
        self.lock().closed.unwrap_or(SendErrorKind::SessionEnded)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code of a user's runs under this lock, so the data is whole even if a thread died with it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room to give back after some messages were written or given up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Released {
    session: Share,
    farewell: Share,
}

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    slots: usize,
    bytes: usize,
}

impl Released {
    pub(crate) fn add(&mut self, queued: &Queued) {
        let share = match queued.lane {
            Lane::Session => &mut self.session,
            Lane::Farewell => &mut self.farewell,
        };
        share.slots += 1;
        share.bytes += queued.permits as usize;
    }
}

impl Room {
    fn new(limits: QueueLimits) -> Self {
        Self { slots: Semaphore::new(limits.messages), bytes: Semaphore::new(limits.bytes) }
    }

    async fn acquire(&self, bytes: u32) -> Result<(), AcquireError> {
        let slot = self.slots.acquire().await?;
        let bytes = self.bytes.acquire_many(bytes).await?;
        slot.forget();
        bytes.forget();
        Ok(())
    }

    fn try_acquire(&self, bytes: u32) -> Result<(), TryAcquireError> {
        let slot = self.slots.try_acquire()?;
        let bytes = self.bytes.try_acquire_many(bytes)?;
        slot.forget();
        bytes.forget();
        Ok(())
    }

    fn close(&self) {
        self.slots.close();
        self.bytes.close();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn queue(messages: usize, bytes: usize) -> SendQueue {
        SendQueue::new(QueueLimits { messages, bytes })
    }

    fn take_all(queue: &SendQueue) -> VecDeque<Queued> {
        let mut taken = VecDeque::new();
        queue.take(&mut taken, &Context::from_waker(Waker::noop()));
        let mut released = Released::default();
        taken.iter().for_each(|queued| released.add(queued));
        queue.release(released);
        taken
    }

    #[test]
    fn a_full_queue_returns_the_message_and_takes_it_when_there_is_room_again() {
        let queue = queue(2, 1_000);
        queue.try_send(Lane::Session, "1".into()).unwrap();
        queue.try_send(Lane::Session, "2".into()).unwrap();
        let error = queue.try_send(Lane::Session, "3".into()).unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Full);
        assert_eq!(take_all(&queue).len(), 2);
        queue.try_send(Lane::Session, error.into_message().unwrap()).unwrap();
    }

    #[test]
    fn bytes_are_bounded_but_one_message_always_fits() {
        let queue = queue(10, 4);
        queue.try_send(Lane::Session, "longer than four".into()).unwrap();
        assert_eq!(
            queue.try_send(Lane::Session, "x".into()).unwrap_err().kind(),
            SendErrorKind::Full
        );
        take_all(&queue);
        queue.try_send(Lane::Session, "1234".into()).unwrap();
        assert_eq!(
            queue.try_send(Lane::Session, "5".into()).unwrap_err().kind(),
            SendErrorKind::Full
        );
    }

    #[tokio::test]
    async fn a_sender_that_waits_for_room_fails_when_the_session_ends() {
        let queue = queue(1, 100);
        queue.try_send(Lane::Session, "1".into()).unwrap();
        let waiting = queue.send(Lane::Session, "2".into(), None);
        let (result, ()) =
            tokio::join!(waiting, async { queue.close(SendErrorKind::SessionEnded) });
        let error = result.unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::SessionEnded);
        assert_eq!(error.into_message().unwrap().text(), Some("2"));
    }

    #[tokio::test]
    async fn a_farewell_is_taken_when_the_session_is_closed_already() {
        let queue = queue(1, 100);
        queue.close(SendErrorKind::SessionEnded);
        queue.send(Lane::Farewell, "bye".into(), None).await.unwrap();
        assert_eq!(take_all(&queue).len(), 1);
        queue.close_all(SendErrorKind::SessionEnded);
        assert!(queue.send(Lane::Farewell, "late".into(), None).await.is_err());
    }
}
