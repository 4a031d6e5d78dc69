//! What is kept in memory, counted by the allocator: in a process of its own, one test at a time.
//!
//! Counted bytes say more than resident ones: they do not hang on what the allocator gives back to the system.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod idle;
mod keeping;
mod slow;

use peak_alloc::PeakAlloc;
use tokio::sync::{Mutex, MutexGuard};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What other tests allocate must not be counted.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// Bytes that are allocated at the moment.
fn allocated() -> usize {
    ALLOCATOR.current_usage()
}

/// The most that were allocated at once since it was last asked for.
fn most_allocated() -> usize {
    let most = ALLOCATOR.peak_usage();
    ALLOCATOR.reset_peak_usage();
    most
}
