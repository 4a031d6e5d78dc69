//! What a server sees of engines that reconnect, counted over the in-memory transport on a paused clock: how often one
//! dials whose server is of no use, and how a thousand come back to one that was away.
//!
//! The figures are printed: `cargo test -p wscengine --test policy -- --nocapture --test-threads 1`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod allowed;
mod herd;
mod hopeless;
