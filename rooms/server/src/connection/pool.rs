//! Buffers for reading and writing, which no connection owns while it waits.

use std::cell::RefCell;

/// One read: dozens of small messages for one system call.
pub(super) const READ: usize = 16 << 10;

/// Buffers kept by each thread: a task uses one at a time, and gives it back at the end of its turn.
const KEPT: usize = 4;

thread_local! {
    /// What is written is put together here.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for one read.
pub(super) fn take() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(READ))
}

/// Gives a buffer back; one that has grown is not kept.
pub(super) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() < READ || buffer.capacity() > 2 * READ {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < KEPT {
            spare.push(buffer);
        }
    });
}

/// Lends a buffer in which frames are put together.
pub(super) fn with_scratch<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(write)
}
