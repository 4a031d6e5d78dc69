//! What only private parts of the engine can show to a fuzzing target: a function for each target, from any bytes,
//! that panics if a promise is broken.
//!
//! Feature `__fuzzing`, for package `fuzz-properties` only: not a part of the interface.

#![allow(clippy::missing_panics_doc, reason = "a panic is how a broken promise shows")]

mod heartbeat;
mod inbox;
mod retry_after;
mod send_queue;
mod wakes;

pub use heartbeat::heartbeat;
pub use inbox::inbox;
pub use retry_after::retry_after;
pub use send_queue::send_queue;

/// The life of an engine: the events of the random walk over the lifecycle, chosen by these bytes, and the promises
/// that it checks. `LIFECYCLE_TALE=1` prints what happens.
pub fn lifecycle(input: &[u8]) {
    crate::lifecycle::tests::live(input);
}
