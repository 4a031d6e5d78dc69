//! What the engine promises, shown over the in-memory transport, nearly all of it on a paused clock.
//!
//! `g01` to `g10` are the ten guarantees; each of their tests is called `guarantee_N_...`. The other modules take one
//! subject each: `pause_*`, `sending`, `read_errors`, `closing`, `reconnect`, `liveness`, `stopping`, `workers`,
//! `panics`, `status`. Besides what it asserts itself, every test checks in the end that callbacks neither overlapped
//! nor came out of order (`support::journal`), and that there never were two connections.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

mod g01_one_connection;
mod g02_order_of_callbacks;
mod g03_start;
mod g04_order_of_messages;
mod g05_back_pressure;
mod g06_served_while_paused;
mod g07_stop;
mod g08_panics;
mod g09_deadlines;
mod g10_last_handle;

mod classifier;
mod closing;
mod factories;
mod liveness;
mod liveness_interplay;
mod outbox;
mod outbox_cuts;
mod pause_end;
mod pause_grant;
mod pause_order;
mod read_errors;
mod reconnect;
mod requests;
mod saturated;
mod sending;
mod status;
mod stopping;
mod verdicts;
mod workers;
