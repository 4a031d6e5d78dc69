//! Counters of dials and of connections held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A handle on a server's counters, to be kept by a test that gives the server itself away.
///
/// Clones read the same counters.
#[derive(Clone, Debug, Default)]
pub struct MemoryObserver {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    dials: AtomicU64,
    live: AtomicUsize,
    max_live: AtomicUsize,
}

impl MemoryObserver {
    /// Dials begun so far, whatever became of them.
    pub fn dials(&self) -> u64 {
        self.counters.dials.load(Ordering::SeqCst)
    }

    /// Connections that the dialing side holds at this moment: returned by a dial and not dropped yet.
    pub fn live(&self) -> usize {
        self.counters.live.load(Ordering::SeqCst)
    }

    /// The most connections that were ever held at once. An engine keeps this at 1.
    pub fn max_live(&self) -> usize {
        self.counters.max_live.load(Ordering::SeqCst)
    }

    /// Counts a dial.
    pub(super) fn dialled(&self) {
        self.counters.dials.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a connection as live for as long as the result exists.
    pub(super) fn hold(&self) -> Held {
        let live = self.counters.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.counters.max_live.fetch_max(live, Ordering::SeqCst);
        Held { counters: Arc::clone(&self.counters) }
    }
}

/// Held by each live connection.
#[derive(Debug)]
pub(super) struct Held {
    counters: Arc<Counters>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counters.live.fetch_sub(1, Ordering::SeqCst);
    }
}
