//! Messages that were handed to workers together.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::message::Message;

/// A message that was handed out.
#[derive(Clone, Debug)]
pub(super) struct Handed {
    pub(super) message: Message<'static>,
    pub(super) key: u64,
    /// Its place in the order of arrival.
    pub(super) number: u64,
}

/// Messages for workers. Each is claimed once, without a lock; those that nobody has claimed can be taken back.
///
/// One without a key is shared by all workers: a callback that takes long keeps no message from the others. One with
/// a key has one worker, since nobody else could handle its messages meanwhile.
#[derive(Debug)]
pub(crate) struct Run {
    handed: Box<[Handed]>,
    /// The first that is not claimed.
    next: AtomicUsize,
    /// The message whose claim makes room that the reading task waits for.
    makes_room: AtomicUsize,
    pub(crate) key: Option<u64>,
}

/// A message, and whether the reading task may be waiting for the room that it leaves.
#[derive(Debug)]
pub(crate) struct Claimed<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) makes_room: bool,
}

/// No message has this place, however often somebody tries to claim one.
const NONE: usize = usize::MAX / 2;

impl Run {
    pub(super) fn new(handed: Box<[Handed]>, key: Option<u64>) -> Self {
        let (next, makes_room) = (AtomicUsize::new(0), AtomicUsize::new(NONE));
        Self { handed, next, makes_room, key }
    }

    /// The next message is the caller's to handle.
    #[inline]
    pub(crate) fn claim(&self) -> Option<Claimed<'_>> {
        // One counter decides whose a message is; the messages themselves have been there since the run was made.
        // Either the claim sees the mark that `mark` sets, or the reading task, which looks after that, sees the claim.
        let at = self.next.fetch_add(1, Ordering::SeqCst);
        let message = self.handed.get(at)?.message.lend();
        Some(Claimed { message, makes_room: at >= self.makes_room.load(Ordering::SeqCst) })
    }

    /// The claim of the first message for which that is true, or of any behind it, is to be told.
    pub(super) fn mark(&self, makes_room: impl FnMut(&Handed) -> bool) {
        let next = self.next.load(Ordering::SeqCst);
        let first = self.from(next).iter().position(makes_room);
        self.makes_room.store(first.map_or(NONE, |first| next + first), Ordering::SeqCst);
    }

    /// No claim is to be told.
    pub(super) fn unmark(&self) {
        self.makes_room.store(NONE, Ordering::SeqCst);
    }

    /// Takes back what nobody has claimed.
    pub(super) fn close(&self) -> &[Handed] {
        self.from(self.next.swap(NONE, Ordering::SeqCst))
    }

    /// What nobody has claimed so far.
    pub(super) fn left(&self) -> &[Handed] {
        self.from(self.next.load(Ordering::SeqCst))
    }

    fn from(&self, next: usize) -> &[Handed] {
        self.handed.get(next..).unwrap_or_default()
    }
}
