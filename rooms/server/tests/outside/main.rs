//! What a client can do to the server, and what it cannot do to the others: from outside, with sockets that keep no rule.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../wsrooms/peer.rs"]
#[allow(dead_code, reason = "the endpoint's own tests use the rest")]
mod peer;
mod raw;

#[cfg(target_os = "linux")]
mod churn;
mod floods;
mod root;
mod slow;
