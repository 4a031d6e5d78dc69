//! What one read gave, and how it is taken.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use crate::error::{ReadError, ReadErrorKind};
use crate::message::{CloseFrame, Message, MessageKind};

/// What one read gave: messages in one chunk of received bytes as ranges, or owned ones, and control
/// frames between them, all in the order they arrived.
///
/// # Examples
/// ```
/// use wscengine::transport::Batch;
/// use wscengine::{Message, MessageKind};
///
/// let mut batch = Batch::new();
/// batch.set_chunk("..hello...".into());
/// batch.push_range(MessageKind::Text, 2..7);
/// batch.push(Message::from("owned"));
/// assert_eq!(batch.len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) chunk: Bytes,
    /// What there is, in order, a few bytes each. What is larger than a range waits in a queue of its own.
    pub(super) slots: Vec<Slot>,
    /// Of the slots, those before this one were taken.
    next: usize,
    owned: VecDeque<Message<'static>>,
    controls: VecDeque<Entry>,
    /// Payload bytes and entries in the chunk of all slots, those that were taken among them: to take one then costs
    /// nothing here.
    pub(super) payload_bytes: usize,
    pub(super) ranges: usize,
}

/// Where an entry is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// In the chunk.
    Range(MessageKind, usize, usize),
    /// First among the owned messages.
    Owned,
    /// First among all others.
    Control,
}

/// What [`Batch::next`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inbound<'a> {
    /// A message, lent or owned.
    Message(Message<'a>),
    /// A ping: the connection has queued the pong already.
    Ping,
    /// A pong and its payload.
    Pong(Bytes),
    /// The peer's close frame; `None` if it had no status code.
    Close(Option<CloseFrame>),
}

/// One entry of a [`Batch`].
#[derive(Debug)]
pub(crate) enum Entry {
    /// A message in the chunk; text is not validated yet.
    Range(MessageKind, Range<usize>),
    Owned(Message<'static>),
    Pong(Bytes),
    Ping,
    Close(Option<CloseFrame>),
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the chunk of received bytes that later ranges refer to.
    ///
    /// # Panics
    /// If the batch has a chunk already that an entry refers to.
    pub fn set_chunk(&mut self, chunk: Bytes) {
        assert!(!self.is_lent(), "the batch has a chunk that entries refer to");
        self.chunk = chunk;
    }

    /// Appends a message that lies in the chunk. The engine validates text when it lends it.
    ///
    /// # Panics
    /// If the range is not inside the chunk.
    #[inline]
    pub fn push_range(&mut self, kind: MessageKind, range: Range<usize>) {
        assert!(
            range.start <= range.end && range.end <= self.chunk.len(),
            "the range lies outside the chunk"
        );
        self.add(Slot::Range(kind, range.start, range.end));
        self.payload_bytes += range.len();
        self.ranges += 1;
    }

    /// Appends a message that owns its payload.
    #[inline]
    pub fn push(&mut self, message: Message<'static>) {
        self.add(Slot::Owned);
        self.payload_bytes += message.len();
        self.owned.push_back(message);
    }

    /// Appends a pong with its payload.
    pub fn push_pong(&mut self, payload: Bytes) {
        self.push_control(Entry::Pong(payload));
    }

    /// Appends a ping, which the connection answers by itself.
    pub fn push_ping(&mut self) {
        self.push_control(Entry::Ping);
    }

    /// Appends the peer's close frame; `None` if it had no status code.
    pub fn push_close(&mut self, frame: Option<CloseFrame>) {
        self.push_control(Entry::Close(frame));
    }

    #[inline]
    pub(super) fn add(&mut self, slot: Slot) {
        if self.slots.len() == self.slots.capacity() {
            self.make_room();
        }
        self.slots.push(slot);
    }

    /// One that is never quite empty would grow for ever.
    #[cold]
    fn make_room(&mut self) {
        if self.next > self.slots.len() / 2 {
            self.forget_taken();
        }
    }

    /// Forgets the slots that were taken.
    pub(super) fn forget_taken(&mut self) {
        if self.next > 0 {
            (self.payload_bytes, self.ranges) = (self.payload_bytes(), self.ranges_left());
            self.slots.drain(..self.next);
            self.next = 0;
        }
    }

    /// How many entries refer to the chunk.
    fn ranges_left(&self) -> usize {
        if self.next == 0 {
            return self.ranges;
        }
        self.slots[self.next..].iter().filter(|slot| matches!(slot, Slot::Range(..))).count()
    }

    fn push_control(&mut self, entry: Entry) {
        self.add(Slot::Control);
        self.controls.push_back(entry);
    }

    /// Takes the first entry as it is. What it refers to lies in [`chunk`](Self::chunk).
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        match self.take_slot()? {
            Slot::Range(kind, start, end) => Some(Entry::Range(kind, start..end)),
            Slot::Owned => self.owned.pop_front().map(Entry::Owned),
            Slot::Control => self.controls.pop_front(),
        }
    }

    /// Takes the first entry if it is a message in the chunk.
    #[inline]
    pub(crate) fn pop_range(&mut self) -> Option<(MessageKind, Range<usize>)> {
        match *self.slots.get(self.next)? {
            Slot::Range(kind, start, end) => {
                self.take_slot();
                Some((kind, start..end))
            }
            Slot::Owned | Slot::Control => None,
        }
    }

    #[inline]
    fn take_slot(&mut self) -> Option<Slot> {
        let slot = *self.slots.get(self.next)?;
        self.next += 1;
        if self.next == self.slots.len() {
            self.slots.clear();
            (self.next, self.payload_bytes, self.ranges) = (0, 0, 0);
        }
        Some(slot)
    }

    /// Shows the messages to `takes`, one by one, and removes those for which it is true. Behind a text that is not UTF-8
    /// nothing is shown: it fails the connection.
    pub(crate) fn remove_taken(&mut self, mut takes: impl FnMut(&Message<'_>) -> bool) {
        self.forget_taken();
        let Self { chunk, slots, owned, payload_bytes, ranges, .. } = self;
        let mut failed = false;
        let mut messages = std::mem::take(owned).into_iter();
        slots.retain(|slot| match *slot {
            Slot::Range(kind, start, end) if !failed => {
                let taken = match lend(chunk, kind, start..end) {
                    Ok(message) => takes(&message),
                    Err(_) => {
                        failed = true;
                        false
                    }
                };
                if taken {
                    *payload_bytes -= end - start;
                    *ranges -= 1;
                }
                !taken
            }
            Slot::Owned => {
                let Some(message) = messages.next() else { return false };
                let taken = !failed && takes(&message);
                if taken {
                    *payload_bytes -= message.len();
                } else {
                    owned.push_back(message);
                }
                !taken
            }
            Slot::Range(..) | Slot::Control => true,
        });
    }

    /// The chunk that ranges refer to.
    pub(crate) fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// Lets go of a chunk that nothing refers to any more, so that its memory can be read into again.
    pub(crate) fn release_chunk(&mut self) {
        if !self.is_lent() {
            self.chunk = Bytes::new();
        }
    }

    /// Takes the first entry; a message in the chunk is lent, its text validated now.
    ///
    /// # Errors
    /// [`ReadErrorKind::InvalidUtf8`] for a text in the chunk that is not UTF-8.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend from itself")]
    pub fn next(&mut self) -> Option<Result<Inbound<'_>, ReadError>> {
        Some(match self.pop()? {
            Entry::Range(kind, range) => lend(&self.chunk, kind, range).map(Inbound::Message),
            Entry::Owned(message) => Ok(Inbound::Message(message)),
            Entry::Pong(payload) => Ok(Inbound::Pong(payload)),
            Entry::Ping => Ok(Inbound::Ping),
            Entry::Close(frame) => Ok(Inbound::Close(frame)),
        })
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.slots.len() - self.next
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The number of entries that are messages.
    pub(crate) fn messages(&self) -> usize {
        self.len() - self.controls.len()
    }

    /// Whether its last entry is a close frame.
    pub(crate) fn ends(&self) -> bool {
        matches!(self.slots.last(), Some(Slot::Control))
            && matches!(self.controls.back(), Some(Entry::Close(_)))
    }

    /// The payload bytes of all messages in it.
    pub fn payload_bytes(&self) -> usize {
        if self.next == 0 {
            return self.payload_bytes;
        }
        let lent = self.slots[self.next..].iter().map(|slot| match slot {
            Slot::Range(_, start, end) => end - start,
            Slot::Owned | Slot::Control => 0,
        });
        lent.sum::<usize>() + self.owned.iter().map(Message::len).sum::<usize>()
    }

    /// Whether entries refer to the chunk, so that another one cannot be set.
    pub fn is_lent(&self) -> bool {
        self.ranges_left() > 0
    }
}

/// Lends a message out of `chunk`.
#[inline]
pub(crate) fn lend(
    chunk: &Bytes,
    kind: MessageKind,
    range: Range<usize>,
) -> Result<Message<'_>, ReadError> {
    let payload = &chunk[range];
    match kind {
        MessageKind::Binary => Ok(Message::lend_binary(payload, chunk)),
        // On x86-64 and ARM an eighth of the standard library's instructions where text is not ASCII, half where it is.
        MessageKind::Text => match simdutf8::basic::from_utf8(payload) {
            Ok(text) => Ok(Message::lend_text(text, chunk)),
            Err(error) => Err(invalid_utf8(error)),
        },
    }
}

/// Makes a message that shares `chunk`.
pub(crate) fn own(
    chunk: &Bytes,
    kind: MessageKind,
    range: Range<usize>,
) -> Result<Message<'static>, ReadError> {
    let payload = chunk.slice(range);
    match kind {
        MessageKind::Binary => Ok(Message::from_binary(payload)),
        MessageKind::Text => match ByteString::try_from(payload) {
            Ok(text) => Ok(Message::from_text(text)),
            Err(error) => Err(invalid_utf8(error)),
        },
    }
}

#[cold]
fn invalid_utf8(error: impl Into<crate::HandlerError>) -> ReadError {
    ReadError::with_source(ReadErrorKind::InvalidUtf8, error)
}
