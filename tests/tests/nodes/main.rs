//! Several nodes of `rooms-server` and a Redis: who hears what, who is seen where, and what becomes of it when a node
//! or Redis is gone. Real sockets, a real Redis for each test, no time that is waited for.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod audience;
mod client;
mod losses;
mod meeting;
#[path = "../peers/harness/namespace.rs"]
mod namespace;
#[path = "../peers/harness/programs.rs"]
#[allow(dead_code, reason = "for other tests")]
mod programs;
mod redis_server;
mod vectors;
mod world;
