//! Requests by id: each reply reaches its call and no other, everything else goes to `on_message`, and no call outlives
//! its session.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod endings;
mod inside;
mod kit;
mod late;
mod replies;

#[path = "../guarantees/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "what the tests of the guarantees need besides")]
mod support;
