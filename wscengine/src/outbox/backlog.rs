//! What waits in an outbox: what is sent when, what expires, what makes room. Time is an argument.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use super::{Overflow, Scope};
use crate::error::SendErrorKind;
use crate::lifecycle::Epoch;
use crate::message::Message;
use crate::outbound::{QueueLimits, Room, Ticket, Turn};

/// Messages in the order in which they go out.
#[derive(Debug)]
pub(super) struct Backlog<R> {
    waiting: VecDeque<Waiting<R>>,
    room: Room,
    overflow: Overflow,
    link: Link,
    /// Why nothing more is taken, once it is so.
    closed: Option<SendErrorKind>,
    /// The number of the next message.
    next: u64,
    /// No message expires before.
    earliest: Option<Instant>,
}

/// A message that is to be sent. `R` is how its sender hears of it.
#[derive(Debug)]
pub(super) struct Letter<R> {
    pub(super) message: Message<'static>,
    pub(super) scope: Scope,
    /// The session that was open when it was given to us, if it may be sent in no other.
    pub(super) only: Option<Epoch>,
    /// When it is too late to send it; `None` for never.
    pub(super) deadline: Option<Instant>,
    pub(super) receipt: R,
}

#[derive(Debug)]
struct Waiting<R> {
    letter: Letter<R>,
    number: u64,
}

/// The connection there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Open(Epoch),
    /// The session ends by our will: what was accepted before is still sent in it.
    Draining {
        epoch: Epoch,
        before: u64,
    },
}

/// What is said to one who wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// He holds room for his message: [`Backlog::push`] follows.
    Through,
    /// Somebody will wake him when it is his turn.
    Waits,
    Refused(SendErrorKind),
}

/// Whether one who finds no room waits for some.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience<'a> {
    None,
    WithWaker(&'a Waker),
}

/// Messages that are not sent, and those who may go on because of that.
#[derive(Debug)]
pub(super) struct Dropped<R> {
    pub(super) letters: Vec<(Letter<R>, SendErrorKind)>,
    pub(super) wakers: Vec<Waker>,
}

impl<R> Backlog<R> {
    pub(super) fn new(limits: QueueLimits, overflow: Overflow) -> Self {
        Self {
            waiting: VecDeque::new(),
            room: Room::new(limits),
            overflow,
            link: Link::Down,
            closed: None,
            next: 0,
            earliest: None,
        }
    }

    /// A session is open: what waits is sent in it. What was for another one only is not: of one whose task died early
    /// it may never have been heard that it was over.
    pub(super) fn open(&mut self, epoch: Epoch) -> Dropped<R> {
        self.link = Link::Open(epoch);
        self.drop_where(|waiting| {
            let is_of_another = waiting.letter.only.is_some_and(|only| only != epoch);
            is_of_another.then_some(SendErrorKind::SessionEnded)
        })
    }

    /// The session is to end: what comes from now on waits for the next one.
    pub(super) fn drain(&mut self, epoch: Epoch) -> Vec<Waker> {
        if self.link != Link::Open(epoch) {
            return Vec::new();
        }
        self.link = Link::Draining { epoch, before: self.next };
        self.room.dismiss()
    }

    /// Nothing more can be sent in the session.
    pub(super) fn over(&mut self, epoch: Epoch) -> Dropped<R> {
        match self.link {
            Link::Open(current) | Link::Draining { epoch: current, .. } if current == epoch => {}
            Link::Down | Link::Open(_) | Link::Draining { .. } => return Dropped::none(),
        }
        self.link = Link::Down;
        let wakers = self.room.dismiss();
        let mut dropped = self.drop_where(|waiting| {
            waiting.letter.only.is_some().then_some(SendErrorKind::SessionEnded)
        });
        dropped.wakers.extend(wakers);
        dropped
    }

    /// Takes nothing more. What was taken is still sent.
    pub(super) fn close(&mut self, kind: SendErrorKind) -> Vec<Waker> {
        self.closed.get_or_insert(kind);
        self.room.dismiss()
    }

    /// Nothing more will ever be sent.
    pub(super) fn give_up(&mut self, kind: SendErrorKind) -> Dropped<R> {
        let wakers = self.close(kind);
        self.link = Link::Down;
        let mut dropped = self.drop_where(|_| Some(kind));
        dropped.wakers.extend(wakers);
        dropped
    }

    /// Asks for room for a message. While a session is open, who finds none waits in line; otherwise the outbox's way
    /// with overflow decides. What expires or is dropped for it is added to `dropped`.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        letter: &mut Letter<R>,
        ticket: &mut Option<Ticket>,
        patience: Patience<'_>,
        dropped: &mut Dropped<R>,
    ) -> Entry {
        let bytes = self.room.limits().share(letter.message.len());
        if let Some(kind) = self.refusal(letter) {
            if let Some(ticket) = ticket.take() {
                dropped.wakers.extend(self.room.leave(ticket, bytes));
            }
            return Entry::Refused(kind);
        }
        if let (Some(current), Patience::WithWaker(waker)) = (*ticket, patience) {
            match self.room.turn(current, waker) {
                Turn::Waiting => return Entry::Waits,
                Turn::Served => {
                    *ticket = None;
                    return Entry::Through;
                }
                Turn::Dismissed => *ticket = None,
            }
        }
        if self.room.take(bytes) {
            return Entry::Through;
        }
        dropped.join(self.expire(now));
        if self.room.take(bytes) {
            return Entry::Through;
        }
        let open = matches!(self.link, Link::Open(_));
        match (open, patience, self.overflow) {
            (true, Patience::WithWaker(waker), _) => {
                *ticket = Some(self.room.join(bytes, waker));
                Entry::Waits
            }
            (true, Patience::None, _) | (false, _, Overflow::Reject) => {
                Entry::Refused(SendErrorKind::Full)
            }
            (false, _, Overflow::DropOldest) => self.make_room(bytes, dropped),
        }
    }

    /// Adds a message that has its room. Gives whether it expires before all others.
    pub(super) fn push(&mut self, letter: Letter<R>) -> bool {
        let sooner = letter.deadline.is_some_and(|at| self.earliest.is_none_or(|then| at < then));
        if sooner {
            self.earliest = letter.deadline;
        }
        self.waiting.push_back(Waiting { letter, number: self.next });
        self.next += 1;
        sooner
    }

    /// Somebody who waited for room goes.
    pub(super) fn leave(&mut self, ticket: Ticket, message: &Message<'_>) -> Vec<Waker> {
        let bytes = self.room.limits().share(message.len());
        self.room.leave(ticket, bytes)
    }

    /// Whether something is to be sent in this session.
    pub(super) fn has(&self, epoch: Epoch) -> bool {
        let before = match self.link {
            Link::Open(open) if open == epoch => u64::MAX,
            Link::Draining { epoch: draining, before } if draining == epoch => before,
            Link::Down | Link::Open(_) | Link::Draining { .. } => return false,
        };
        self.waiting.front().is_some_and(|first| first.number < before)
    }

    /// Takes the next message that is to be sent in this session. Those before it that expired are added to `dropped`.
    pub(super) fn pop(
        &mut self,
        now: Instant,
        epoch: Epoch,
        dropped: &mut Dropped<R>,
    ) -> Option<Letter<R>> {
        while self.has(epoch) {
            let letter = self.take_first(&mut dropped.wakers)?;
            if !is_late(now, &letter) {
                return Some(letter);
            }
            dropped.letters.push((letter, SendErrorKind::Expired));
        }
        None
    }

    /// Takes out what is too late.
    pub(super) fn expire(&mut self, now: Instant) -> Dropped<R> {
        if self.earliest.is_none_or(|at| now < at) {
            return Dropped::none();
        }
        let dropped = self
            .drop_where(|waiting| is_late(now, &waiting.letter).then_some(SendErrorKind::Expired));
        self.earliest = self.waiting.iter().filter_map(|waiting| waiting.letter.deadline).min();
        dropped
    }

    /// When to ask for what is too late: not after the first expires.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Why a message is not taken, however much room there is.
    fn refusal(&self, letter: &mut Letter<R>) -> Option<SendErrorKind> {
        if self.closed.is_some() || letter.scope == Scope::AnySession {
            return self.closed;
        }
        match (self.link, letter.only) {
            (Link::Open(open), None) => {
                letter.only = Some(open);
                None
            }
            (Link::Open(open), Some(only)) if open == only => None,
            (_, Some(_)) => Some(SendErrorKind::SessionEnded),
            (Link::Down | Link::Draining { .. }, None) => Some(SendErrorKind::NotConnected),
        }
    }

    fn make_room(&mut self, bytes: usize, dropped: &mut Dropped<R>) -> Entry {
        while let Some(oldest) = self.take_first(&mut dropped.wakers) {
            dropped.letters.push((oldest, SendErrorKind::Overflow));
            if self.room.take(bytes) {
                return Entry::Through;
            }
        }
        // Others were served and have not come yet.
        Entry::Refused(SendErrorKind::Full)
    }

    fn take_first(&mut self, wakers: &mut Vec<Waker>) -> Option<Letter<R>> {
        let Waiting { letter, .. } = self.waiting.pop_front()?;
        let bytes = self.room.limits().share(letter.message.len());
        wakers.extend(self.room.give(1, bytes));
        Some(letter)
    }

    fn drop_where(&mut self, reason: impl Fn(&Waiting<R>) -> Option<SendErrorKind>) -> Dropped<R> {
        let mut dropped = Dropped::none();
        for _ in 0..self.waiting.len() {
            let Some(waiting) = self.waiting.pop_front() else { break };
            match reason(&waiting) {
                None => self.waiting.push_back(waiting),
                Some(kind) => {
                    let bytes = self.room.limits().share(waiting.letter.message.len());
                    dropped.wakers.extend(self.room.give(1, bytes));
                    dropped.letters.push((waiting.letter, kind));
                }
            }
        }
        dropped
    }
}

impl<R> Dropped<R> {
    pub(super) fn none() -> Self {
        Self { letters: Vec::new(), wakers: Vec::new() }
    }

    fn join(&mut self, more: Self) {
        self.letters.extend(more.letters);
        self.wakers.extend(more.wakers);
    }
}

fn is_late<R>(now: Instant, letter: &Letter<R>) -> bool {
    letter.deadline.is_some_and(|deadline| deadline <= now)
}

#[cfg(test)]
mod tests;
