//! The outbox as engine, driver and connection task share it: the backlog behind a lock, who waits for it, its clock.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::backlog::{Backlog, Dropped, Entry, Letter, Patience};
use super::fate::Receipt;
use super::{Delivery, EnqueueOptions, Outbox};
use crate::error::{SendError, SendErrorKind};
use crate::lifecycle::Epoch;
use crate::message::Message;
use crate::outbound::{Sleep, Ticket};

/// The outbox of one engine.
pub(crate) struct SharedOutbox {
    inner: Mutex<Inner>,
    defaults: Outbox,
    /// Told when a message expires before all others.
    sooner: Notify,
    /// Messages that were accepted and not sent.
    not_sent: AtomicU64,
}

struct Inner {
    backlog: Backlog<Option<Receipt>>,
    /// The task of the session there is, if it waits for something to write.
    writer: Option<Waker>,
}

/// The driver's hold on the outbox: however the driver ends, what waits for a connection then waits no longer.
#[derive(Debug)]
pub(crate) struct OutboxOwner(Arc<SharedOutbox>);

impl OutboxOwner {
    pub(crate) fn new(outbox: Arc<SharedOutbox>) -> Self {
        Self(outbox)
    }
}

impl Deref for OutboxOwner {
    type Target = SharedOutbox;

    fn deref(&self) -> &SharedOutbox {
        &self.0
    }
}

impl Drop for OutboxOwner {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// A message on its way to the transport.
#[derive(Debug)]
pub(crate) struct HandedOver {
    pub(crate) message: Message<'static>,
    /// Told when the bytes are with the socket; dropped if that is not known.
    pub(crate) receipt: Option<Receipt>,
}

impl SharedOutbox {
    pub(crate) fn new(defaults: Outbox) -> Self {
        let inner =
            Inner { backlog: Backlog::new(defaults.limits, defaults.overflow), writer: None };
        Self {
            inner: Mutex::new(inner),
            defaults,
            sooner: Notify::new(),
            not_sent: AtomicU64::new(0),
        }
    }

    /// Takes a message whose fate nobody asks for. Waits for room while a session is open.
    ///
    /// Cancel safe: a call that is given up has added nothing.
    pub(crate) fn send(&self, message: Message<'static>) -> Enqueue<'_> {
        self.enqueue_letter(self.letter(message, EnqueueOptions::new(), None))
    }

    /// The same, with a receipt.
    pub(crate) async fn enqueue(
        &self,
        message: Message<'static>,
        options: EnqueueOptions,
    ) -> Result<Delivery, SendError> {
        let (receipt, delivery) = Receipt::new();
        self.enqueue_letter(self.letter(message, options, Some(receipt))).await?;
        Ok(delivery)
    }

    /// The same, without waiting.
    pub(crate) fn try_send(&self, message: Message<'static>) -> Result<(), SendError> {
        let letter = self.letter(message, EnqueueOptions::new(), None);
        match self.enter(letter, &mut None, Patience::None) {
            Entered::Added => Ok(()),
            Entered::Refused(error) => Err(error),
            Entered::Waits(letter) => {
                Err(SendError::returning(SendErrorKind::Full, letter.message))
            }
        }
    }

    /// A session is open: what waits is sent in it.
    pub(crate) fn open(&self, epoch: Epoch) {
        let (dropped, writer) = {
            let mut inner = self.lock();
            (inner.backlog.open(epoch), inner.writer.take())
        };
        self.tell(dropped);
        wake(writer);
    }

    /// The session is to end: what was taken is still sent in it, what comes waits for the next one.
    pub(crate) fn drain(&self, epoch: Epoch) {
        let wakers = self.lock().backlog.drain(epoch);
        wake(wakers);
    }

    /// Nothing more can be sent in the session.
    pub(crate) fn over(&self, epoch: Epoch) {
        let dropped = self.lock().backlog.over(epoch);
        self.tell(dropped);
    }

    /// The engine is to stop: nothing more is taken.
    pub(crate) fn close(&self) {
        let wakers = self.lock().backlog.close(SendErrorKind::Stopped);
        wake(wakers);
    }

    /// The engine has stopped.
    pub(crate) fn give_up(&self) {
        let dropped = self.lock().backlog.give_up(SendErrorKind::Stopped);
        self.tell(dropped);
    }

    /// Takes the next message that is to be sent in this session. It is given to the transport at once.
    pub(crate) fn pop(&self, epoch: Epoch, session: Uuid) -> Option<HandedOver> {
        let mut dropped = Dropped::none();
        let letter = {
            let mut inner = self.lock();
            if !inner.backlog.has(epoch) {
                return None;
            }
            inner.backlog.pop(Instant::now().into_std(), epoch, &mut dropped)
        };
        self.tell(dropped);
        let Letter { message, receipt, .. } = letter?;
        let mut handed = HandedOver { message, receipt };
        if let Some(receipt) = &mut handed.receipt {
            receipt.hand_over(session);
        }
        Some(handed)
    }

    /// How many messages were accepted and not sent.
    pub(crate) fn not_sent(&self) -> u64 {
        self.not_sent.load(Ordering::Relaxed)
    }

    /// Whether something is to be sent in this session.
    pub(crate) fn has(&self, epoch: Epoch) -> bool {
        self.lock().backlog.has(epoch)
    }

    /// The task that writes this session has nothing more to do: the next message for it wakes it.
    pub(crate) fn sleep(&self, epoch: Epoch, cx: &Context<'_>) -> Sleep {
        let mut inner = self.lock();
        if inner.backlog.has(epoch) {
            return Sleep::NotYet;
        }
        match &mut inner.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            writer @ None => *writer = Some(cx.waker().clone()),
        }
        Sleep::Sound
    }

    /// Tells senders when their messages have waited too long, for as long as it is polled.
    ///
    /// Cancel safe.
    pub(crate) async fn keep_time(&self) -> Infallible {
        loop {
            let earliest = self.lock().backlog.earliest();
            let sooner = self.sooner.notified();
            match earliest.map(Instant::from_std) {
                None => sooner.await,
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {
                        let now = Instant::now().max(at).into_std();
                        let dropped = self.lock().backlog.expire(now);
                        self.tell(dropped);
                    }
                    () = sooner => {}
                },
            }
        }
    }

    fn letter(
        &self,
        message: Message<'static>,
        options: EnqueueOptions,
        receipt: Option<Receipt>,
    ) -> Letter<Option<Receipt>> {
        let age = options.max_age.unwrap_or(self.defaults.max_age);
        let scope = options.scope.unwrap_or(self.defaults.scope);
        let deadline = Instant::now().into_std().checked_add(age);
        Letter { message, scope, only: None, deadline, receipt }
    }

    fn enqueue_letter(&self, letter: Letter<Option<Receipt>>) -> Enqueue<'_> {
        Enqueue { outbox: self, letter: Some(letter), ticket: None }
    }

    fn enter(
        &self,
        mut letter: Letter<Option<Receipt>>,
        ticket: &mut Option<Ticket>,
        patience: Patience<'_>,
    ) -> Entered {
        let mut dropped = Dropped::none();
        let mut inner = self.lock();
        let now = Instant::now().into_std();
        let entry = inner.backlog.enter(now, &mut letter, ticket, patience, &mut dropped);
        let (entered, sooner, writer) = match entry {
            Entry::Through => {
                let sooner = inner.backlog.push(letter);
                (Entered::Added, sooner, inner.writer.take())
            }
            Entry::Waits => (Entered::Waits(letter), false, None),
            Entry::Refused(kind) => {
                let Letter { message, receipt, .. } = letter;
                // The sender hears of it by the error.
                drop(receipt);
                (Entered::Refused(SendError::returning(kind, message)), false, None)
            }
        };
        drop(inner);
        if sooner {
            self.sooner.notify_one();
        }
        wake(writer);
        self.tell(dropped);
        entered
    }

    /// Tells the senders of these messages, and those who wait for their room. Of one whose fate nobody asked for the log
    /// tells, or it would vanish without a word.
    fn tell(&self, dropped: Dropped<Option<Receipt>>) {
        self.not_sent.fetch_add(dropped.letters.len() as u64, Ordering::Relaxed);
        let mut unasked = None;
        for (letter, kind) in dropped.letters {
            match letter.receipt {
                Some(receipt) => receipt.not_sent(SendError::returning(kind, letter.message)),
                // All that is dropped at once is dropped for the same reason.
                None => unasked.get_or_insert((0_u64, kind)).0 += 1,
            }
        }
        if let Some((messages, reason)) = unasked {
            tracing::warn!(messages, %reason, "messages in the outbox were not sent");
        }
        wake(dropped.wakers);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code of a user's runs under this lock, so the data is whole even if a thread died with it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedOutbox").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}

/// What became of a message at the door.
enum Entered {
    Added,
    Waits(Letter<Option<Receipt>>),
    Refused(SendError),
}

/// Waits for room, and adds a message: see [`SharedOutbox::send`].
#[must_use = "nothing is added until it is polled"]
pub(crate) struct Enqueue<'a> {
    outbox: &'a SharedOutbox,
    /// What is to be added, until it is.
    letter: Option<Letter<Option<Receipt>>>,
    /// The place in the line of those who wait for room.
    ticket: Option<Ticket>,
}

impl Future for Enqueue<'_> {
    type Output = Result<(), SendError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(letter) = this.letter.take() else { return Poll::Ready(Ok(())) };
        match this.outbox.enter(letter, &mut this.ticket, Patience::WithWaker(cx.waker())) {
            Entered::Added => Poll::Ready(Ok(())),
            Entered::Refused(error) => Poll::Ready(Err(error)),
            Entered::Waits(letter) => {
                this.letter = Some(letter);
                Poll::Pending
            }
        }
    }
}

/// One that is given up hands on the room that it was given.
impl Drop for Enqueue<'_> {
    fn drop(&mut self) {
        if let (Some(ticket), Some(letter)) = (self.ticket, &self.letter) {
            let wakers = self.outbox.lock().backlog.leave(ticket, &letter.message);
            wake(wakers);
        }
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
