//! A long life under faults: does anything grow?
//!
//! `tests/run soak` runs it: 100,000 reconnect cycles, then 10,000,000 messages, with the connection ended in one way
//! after another. Memory, tasks and descriptors of the process are sampled at each tenth of the way, printed, and must
//! stay where they were after the first ones. `SOAK_CYCLES` and `SOAK_MESSAGES` say how many.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how this run fails")]

mod client;
mod cycles;
mod gauge;
mod messages;
mod peer;

use std::process::ExitCode;

use gauge::Gauge;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // The backtraces of panics that are part of the run would hide its figures.
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&client::PANIC) {
            eprintln!("{panic}");
        }
    }));
    let cycles = cycles::run(count("SOAK_CYCLES", 100_000), Gauge::new("cycles")).await;
    let messages = messages::run(count("SOAK_MESSAGES", 10_000_000), Gauge::new("messages")).await;
    if cycles && messages { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn count(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}
