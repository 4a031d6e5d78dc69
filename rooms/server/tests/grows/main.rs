//! The groWs routes over loopback, with plain WebSocket clients.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

#[path = "../common/mod.rs"]
mod common;
mod setup;

mod broadcasts;
mod defects;
mod exchanges;
mod handlers;
mod limits;
mod middlewares;
mod mixed;
mod refusals;
mod routes;
