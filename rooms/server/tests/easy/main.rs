//! The go-easy-websocket endpoint over loopback, with plain WebSocket clients.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

#[path = "../common/mod.rs"]
mod common;
mod peer;

mod api;
mod channels;
mod defects;
mod exchanges;
mod handshake;
mod limits;
mod rooms;
