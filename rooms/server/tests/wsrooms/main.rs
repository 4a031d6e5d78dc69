//! The wsrooms endpoint over loopback, with plain WebSocket clients.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

#[path = "../common/mod.rs"]
mod common;
mod peer;

mod api;
mod auth;
mod defects;
mod drain;
mod exchanges;
mod history;
mod limits;
