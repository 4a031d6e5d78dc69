//! The engine over real sockets on loopback: against `rooms-server`, and against servers that misbehave.
//!
//! Names that begin with an id (`a01_`, `e04_`, ...) are rows of the table in the package's README.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod adapter_defects;
mod attempts;
mod closes;
mod echo;
mod faults;
mod frames;
mod handshakes;
mod readme;
mod reconnect;
mod spans;
mod survey;
mod tls;
