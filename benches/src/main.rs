//! WebSocket clients side by side. `benches/run` builds this and runs it; README.md says what it measures and how.

mod contestant;
mod contestants;
mod context;
mod corpus;
mod handlers;
mod job;
mod layer;
mod meter;
mod process;
mod raw;
mod server;
mod suite;
mod wire;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::suite::Options;

/// WebSocket clients side by side.
#[derive(Debug, Parser)]
#[command(name = "benches/run", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures, prints the table and writes JSON.
    Suite(Options),
    /// Counts instructions in user space for each message, by callgrind.
    Icount(Options),
    /// Times one worker against four with callbacks that compute, on two threads.
    Speedup,
    /// Lists the cases and the contestants.
    List,
    /// The server that all contestants talk to. The suite starts it.
    #[command(hide = true)]
    Server,
    /// One measurement. The suite starts it.
    #[command(hide = true)]
    Client {
        /// A job as JSON.
        job: String,
    },
}

fn main() -> Result<()> {
    process::prepare();
    match Arguments::parse().command {
        Command::Suite(options) => suite::run(&options),
        Command::Icount(options) => suite::icount(&options),
        Command::Speedup => layer::speedup(),
        Command::List => {
            suite::list();
            Ok(())
        }
        Command::Server => server::serve(),
        Command::Client { job } => job::run(&serde_json::from_str(&job)?),
    }
}
