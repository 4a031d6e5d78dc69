//! Measures WebSocket room servers from outside. README.md has the workloads.

mod floor;
mod frame;
mod load;
mod process;
mod protocol;
mod run;
mod suite;
mod sys;
mod workloads;

use std::net::SocketAddrV4;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use clap::{Parser, Subcommand};

/// Measures WebSocket room servers from outside; `benches/rooms/run` builds and starts what it needs.
#[derive(Debug, Parser)]
#[command(name = "bench-rooms")]
struct Args {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One workload against a server that runs: one JSON line
    Run(Box<run::Args>),
    /// All contestants, interleaved: tables in Markdown, figures in JSON
    Suite(suite::Args),
    /// Instructions in user space for each delivery, join and cycle, by callgrind
    Icount(suite::icount::Args),
    /// The fastest possible server (protocol raw)
    Floor {
        /// Address to listen on
        #[arg(long)]
        listen: SocketAddrV4,
        /// One write per receiver for all that one read brought, instead of one per message
        #[arg(long)]
        coalesce: bool,
    },
    /// Tables of the figures that were kept
    Table { files: Vec<PathBuf> },
    /// Runs a program on some CPUs, in this process
    #[command(hide = true)]
    On { cpus: String, program: PathBuf, arguments: Vec<String> },
}

fn main() -> anyhow::Result<()> {
    sys::raise_file_limit()?;
    match Args::parse().command {
        Action::Run(args) => run::run(&args),
        Action::Suite(args) => suite::run(&args),
        Action::Icount(args) => suite::icount::run(&args),
        Action::Floor { listen, coalesce } => {
            let writes = if coalesce { floor::Writes::Joined } else { floor::Writes::EachMessage };
            floor::run(listen, writes)
        }
        Action::Table { files } => suite::show(&files),
        Action::On { cpus, program, arguments } => {
            sys::pin_to(&suite::cpus(&cpus)?)?;
            Err(Command::new(program).args(arguments).exec().into())
        }
    }
}
