//! Every note "Cancel safety" is true: each public async function is dropped at each await that it can reach, and at
//! each moment of what it sets going; then the engine is asked to go on.
//!
//! The name of a test begins with the function it cancels: `engine_send_...` cancels `Engine::send`. `notes` checks
//! that none is without, the functions of the adapters and of the server included, whose tests stand in their own
//! packages, in files called `cancel`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod calling;
mod cut;
mod kit;
mod notes;
mod sources;

mod outbox;
mod pausing;
mod pinging;
mod receiving;
mod requests;
mod sending;
mod starting;
mod stopping;
mod testing;

#[path = "../guarantees/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "what the tests of the guarantees need besides")]
mod support;
