//! What waits for one connection, and what becomes of it if it waits too long.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use super::Queue;
use crate::ws::{Packet, close_code};

/// How often the limit may be reached by a connection whose task has merely not had its turn: bounds
/// the memory, but does not punish a client for what the server is busy with.
const UNTRIED: usize = 16;

/// So many do not wait for others to go out with.
const MANY: usize = 64;

/// What happens to a client that does not read, once its queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowClients {
    /// It is closed with code 1013 (try again later).
    #[default]
    Close,
    /// The oldest of what waits for it is dropped, whatever it is.
    DropOldest,
}

/// How much may wait for one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) slow: SlowClients,
}

/// How a connection is ended by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: Cow<'static, str>,
}

impl End {
    pub(crate) fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// TCP ends without a close frame, as if the connection broke.
    pub(crate) fn cut() -> Self {
        Self::new(close_code::ABNORMAL, "")
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.code == close_code::ABNORMAL
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// Written already.
    Written,
    /// Queued, and an older one was dropped for it.
    Replaced,
    /// Refused, and the connection is closed as too slow from now on.
    Overflow,
    /// Refused: the connection is at its end.
    Refused,
}

/// The queue of a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Queue,
    messages: usize,
    limits: QueueLimits,
    /// The socket takes no more for now: what is here has waited for the client, and not for us.
    blocked: bool,
    /// The task runs, or has been woken: no need to wake it again.
    awake: bool,
    waker: Option<Waker>,
    end: Option<End>,
    direct: Option<Arc<dyn Direct>>,
}

/// The socket of a connection, for those who have something for it while its task sleeps.
pub(crate) trait Direct: fmt::Debug + Send + Sync {
    /// Writes what the socket takes now; how much that is.
    fn try_write(&self, bytes: &[u8]) -> usize;
}

/// What the connection's task finds in its queue at the end of a turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// More to write: so many messages.
    Write(usize),
    /// Nothing, until it is woken.
    Sleep,
    /// Nothing, and nothing will come: the connection is to be closed.
    Close(End),
}

impl Outbox {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            queue: Queue::default(),
            messages: 0,
            limits,
            blocked: false,
            awake: true,
            waker: None,
            end: None,
            direct: None,
        }
    }

    pub(super) fn push(&mut self, packet: &Packet) -> Pushed {
        let pushed = self.push_later(packet);
        if matches!(pushed, Pushed::Queued | Pushed::Replaced) {
            self.wake();
        }
        pushed
    }

    /// Like `push`, for a packet that may wait until [`wake_late`](Self::wake_late), or goes out with the next.
    pub(super) fn push_later(&mut self, packet: &Packet) -> Pushed {
        if self.end.is_some() {
            return Pushed::Refused;
        }
        let mut pushed = Pushed::Queued;
        while self.is_full() {
            if self.limits.slow == SlowClients::Close || !self.queue.drop_oldest() {
                self.end(End::new(close_code::TRY_AGAIN, "too slow"));
                return Pushed::Overflow;
            }
            self.messages -= 1;
            pushed = Pushed::Replaced;
        }
        self.queue.push(packet);
        self.messages += 1;
        if self.messages >= MANY {
            self.wake();
        }
        pushed
    }

    /// Has written what waits.
    pub(super) fn wake_late(&mut self) {
        if !self.queue.is_empty() {
            self.wake();
        }
    }

    /// Like `push`, for a packet with which no other can be joined: it is written at once where that cannot
    /// overtake anything, which saves the connection's task a turn.
    pub(super) fn push_now(&mut self, packet: &Packet) -> Pushed {
        let is_idle = !self.awake && !self.blocked && self.queue.is_empty() && self.end.is_none();
        let Some(direct) = self.direct.as_ref().filter(|_| is_idle) else {
            return self.push(packet);
        };
        let written = direct.try_write(packet.bytes());
        if written == packet.len() {
            return Pushed::Written;
        }
        if written == 0 {
            return self.push(packet);
        }
        self.queue.push_rest(packet.bytes().slice(written..));
        self.messages += 1;
        self.wake();
        Pushed::Queued
    }

    /// Whoever fills the queue looks after its length: it has no limits.
    pub(super) fn set_unlimited(&mut self) {
        (self.limits.messages, self.limits.bytes) = (usize::MAX, usize::MAX);
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Says where `push_now` may write, or that it may not.
    pub(super) fn set_direct(&mut self, direct: Option<Arc<dyn Direct>>) {
        self.direct = direct;
    }

    /// One message is accepted beyond the bytes: it may be larger than they are.
    fn is_full(&self) -> bool {
        let factor = if self.blocked { 1 } else { UNTRIED };
        self.messages >= self.limits.messages.saturating_mul(factor)
            || self.queue.bytes() >= self.limits.bytes.saturating_mul(factor)
    }

    /// Ends the connection once what waits is written. The first end counts: whether it is this one.
    pub(super) fn end(&mut self, end: End) -> bool {
        let is_first = self.end.is_none();
        if is_first {
            self.end = Some(end);
            // Also where the socket is blocked: the time of its closing begins.
            self.wake();
        }
        is_first
    }

    fn wake(&mut self) {
        if !mem::replace(&mut self.awake, true)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    /// The task begins a turn: what is pushed from now on will be seen at its end.
    pub(super) fn begin_turn(&mut self) {
        self.awake = true;
    }

    /// The task has written all that it had, or is `blocked` with the rest. It takes what has come since.
    pub(super) fn end_turn(&mut self, writing: &mut Queue, blocked: bool, waker: &Waker) -> Turn {
        self.blocked = blocked;
        if !blocked && !self.queue.is_empty() {
            mem::swap(&mut self.queue, writing);
            return Turn::Write(mem::take(&mut self.messages));
        }
        // A client that does not read is not waited for.
        if let Some(end) = &self.end {
            return Turn::Close(end.clone());
        }
        self.awake = false;
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
        Turn::Sleep
    }

    pub(super) fn ending(&self) -> Option<&End> {
        self.end.as_ref()
    }
}
