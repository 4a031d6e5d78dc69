//! Somebody who waits, and whether he was woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Somebody who polls, and then sleeps or not.
#[derive(Debug, Default)]
pub(super) struct Sleeper {
    flag: Arc<Flag>,
    sleeps: bool,
}

impl Sleeper {
    /// Polls; `poll` says whether there was nothing to be had.
    pub(super) fn poll<R>(
        &mut self,
        poll: impl FnOnce(&mut Context<'_>) -> R,
        sleeps: impl FnOnce(&R) -> bool,
    ) -> R {
        self.flag.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.flag));
        let result = poll(&mut Context::from_waker(&waker));
        self.sleeps = sleeps(&result);
        result
    }

    /// Whether he sleeps, and nobody woke him since he fell asleep.
    pub(super) fn sleeps(&self) -> bool {
        self.sleeps && !self.flag.0.load(Ordering::Relaxed)
    }
}
