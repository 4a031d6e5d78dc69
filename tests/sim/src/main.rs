//! Deterministic simulation of the engine: engine, server and network in one process, all chance from one seed.
//!
//! See README.md beside this package.

mod check;
mod convert;
mod cover;
mod event;
mod handler;
mod monitor;
mod net;
mod policies;
mod record;
mod run;
mod runner;
mod scenario;
mod server;
mod user;
mod wire;

use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

use clap::Parser;

use crate::runner::{Plan, Totals};
use crate::scenario::Scenario;

/// Simulates the engine, a server and the network, and checks the engine's guarantees.
#[derive(Debug, Parser)]
struct Arguments {
    /// Replays this one seed, and prints the scenario and all that happens.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The seed behind the last.
    #[arg(long, env = "SIM_SEEDS", default_value_t = ENOUGH)]
    to: u64,
    /// How many seeds are run at once. By default one for each processor.
    #[arg(long)]
    jobs: Option<usize>,
    /// Every so many seeds one is run twice, to see whether the same happens; 0 for none.
    #[arg(long, default_value_t = 10)]
    twice: u64,
    /// Stops at the first seed that fails.
    #[arg(long)]
    first: bool,
    /// Lists how many runs reached each situation.
    #[arg(long)]
    situations: bool,
}

/// So many seeds must reach every situation that is asked for.
const ENOUGH: u64 = 1000;

fn main() -> ExitCode {
    record::watch_panics();
    let arguments = Arguments::parse();
    let kept = match arguments.seed {
        Some(seed) => replay(seed),
        None => all(&arguments),
    };
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64) -> bool {
    println!("{:#?}", Scenario::of(seed));
    let report = runner::one(seed, true);
    println!("hash of the {} events: {:016x}", report.events, report.hash);
    if report.broken.is_empty() {
        println!("every promise was kept");
        return true;
    }
    println!("{report}");
    false
}

fn all(arguments: &Arguments) -> bool {
    let processors = available_parallelism().map_or(1, Into::into);
    let plan = Plan {
        from: arguments.from,
        to: arguments.to,
        jobs: arguments.jobs.unwrap_or(processors).max(1),
        twice: arguments.twice,
        first: arguments.first,
    };
    let began = Instant::now();
    let totals = runner::many(plan);
    if arguments.situations {
        for (name, runs) in &totals.situations {
            println!("{runs:>7} {name}");
        }
    }
    let missing = missing(plan, &totals);
    for name in &missing {
        println!("no seed reached this situation: {name}");
    }
    println!(
        "{} seeds, {} events, {} run twice with the same result, {} situations, {} seeds failed, {:.1} s",
        totals.runs,
        totals.events,
        totals.repeated,
        totals.situations.len(),
        totals.failed.len(),
        began.elapsed().as_secs_f64()
    );
    totals.failed.is_empty() && missing.is_empty()
}

/// The situations that were not reached, if enough seeds were run to tell.
fn missing(plan: Plan, totals: &Totals) -> Vec<&'static str> {
    if plan.from > 0 || totals.runs < ENOUGH {
        return Vec::new();
    }
    cover::missing(&totals.situations)
}
