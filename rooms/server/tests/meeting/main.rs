//! One room, clients of all four protocols in it: who is told what, in which form, in which order.
//!
//! The server is the demo, which speaks as `rooms/README.md` says under "One room, four framings".
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

#[path = "../common/mod.rs"]
mod common;
mod member;
mod party;

mod direct;
mod names;
mod natives;
mod news;
mod order;
mod table;
