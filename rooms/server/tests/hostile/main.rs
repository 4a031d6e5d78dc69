//! Clients that mean harm, and application code that fails: whom it concerns, and that nobody else notices.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../meeting/member.rs"]
#[allow(dead_code, reason = "it has more than is needed here")]
mod member;

mod crowd;
mod ends;
mod garbled;
mod names;
mod panics;
