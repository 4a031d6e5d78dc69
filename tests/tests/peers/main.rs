//! The engine against WebSocket programs that are not ours: npm `ws`, Python `websockets`, proxies of all kinds in
//! between, and a link that goes dead without a word. `tests/peers/README.md` describes them.
//!
//! Every test of [`for_each_server!`] exists once for each of the two servers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod closes;
mod deflate;
mod echo;
mod environment;
mod forwards;
mod fronts;
mod half_open;
mod handshakes;
mod harness;
mod liveness;
mod losses;
mod refusals;
