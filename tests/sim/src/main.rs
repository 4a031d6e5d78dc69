//! Deterministic simulation of the engine: see README.md beside this package.

mod convert;
mod check;
mod event;
mod handler;
mod monitor;
mod net;
mod policies;
mod record;
mod run;
mod scenario;
mod server;
mod user;
mod wire;

use clap::Parser;

use crate::record::Record;
use crate::scenario::Scenario;

#[derive(Parser)]
struct Arguments {
    /// Replays this seed, and prints all that happens.
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, default_value_t = 0)]
    from: u64,
    #[arg(long, default_value_t = 1000)]
    to: u64,
}

fn main() {
    record::watch_panics();
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        let scenario = Scenario::of(seed);
        println!("{scenario:#?}");
        let record = Record::new(true);
        run::run(&scenario, &record);
        println!("hash {:016x}", record.hash());
        for broken in record.take_broken().into_iter().chain(check::check(&scenario, &record.events())) {
            println!("BROKEN {broken:?}");
        }
        return;
    }
    for seed in arguments.from..arguments.to {
        let began = std::time::Instant::now();
        let mut hash = [0; 2];
        for h in &mut hash {
            let record = Record::new(false);
            let scenario = Scenario::of(seed);
            run::run(&scenario, &record);
            for broken in check::check(&scenario, &record.events()) {
                println!("seed {seed} BROKEN {broken:?}");
            }
            *h = record.hash();
            for broken in record.take_broken() {
                println!("seed {seed} BROKEN {broken:?}");
            }
        }
        if hash[0] != hash[1] { println!("seed {seed} NOT DETERMINISTIC"); }
        if began.elapsed().as_millis() > 1000 { println!("seed {seed} slow {:?}", began.elapsed()); }
    }
}
