//! The iris endpoint over loopback, with plain WebSocket clients.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

#[path = "../common/mod.rs"]
mod common;
mod peer;

mod api;
mod by_hand;
mod defects;
mod deflate;
mod exchanges;
mod life;
mod options;
mod vectors;
