//! The suite: one server process on one processor, one client process for each measurement on another.

mod cases;
mod child;
mod icount;
mod machine;
mod measure;
mod row;
mod table;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;

use self::cases::{CASES, Case};
use self::child::Server;
use self::machine::Machine;
use self::measure::Group;
use self::row::Row;
use crate::contestant::Contestant;
use crate::contestants::{self, BASELINE};

pub(crate) use self::icount::icount;

/// What is measured, and how.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Options {
    /// The cases, all of them if none is named.
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Three short repetitions: to see that all works, not to know how fast it is.
    #[arg(long)]
    quick: bool,
    /// Interleaved repetitions; 9, or 3 with --quick.
    #[arg(long)]
    reps: Option<usize>,
    /// Seconds that a measurement takes, about; 0.15, or 0.05 with --quick.
    #[arg(long, value_name = "SECONDS")]
    target: Option<f64>,
    /// Only contestants whose names begin so, separated by commas. The baseline is always there.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// The processor of the server.
    #[arg(long, value_name = "N", default_value_t = 0)]
    server_cpu: usize,
    /// The processor of the clients.
    #[arg(long, value_name = "N", default_value_t = 1)]
    client_cpu: usize,
    /// Where the figures go, all of them.
    #[arg(long, value_name = "FILE", default_value = "results.json", overrides_with = "json")]
    json: PathBuf,
}

impl Options {
    fn reps(&self) -> usize {
        self.reps.unwrap_or(if self.quick { 3 } else { 9 })
    }

    fn target_s(&self) -> f64 {
        self.target.unwrap_or(if self.quick { 0.05 } else { 0.15 })
    }

    fn cases(&self) -> Result<Vec<&'static Case>> {
        for name in &self.cases {
            ensure!(CASES.iter().any(|case| case.key == name), "no case {name}; `list` has them");
        }
        let chosen =
            |case: &&Case| self.cases.is_empty() || self.cases.iter().any(|name| name == case.key);
        Ok(CASES.iter().filter(chosen).collect())
    }

    /// Whether contestants with this beginning are wanted.
    fn wants(&self, beginning: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == beginning)
    }

    fn contestants(&self) -> Vec<Box<dyn Contestant>> {
        let mut all = contestants::all();
        all.retain(|contestant| {
            let name = contestant.name();
            self.only.is_empty()
                || name == BASELINE
                || self.only.iter().any(|beginning| name.starts_with(beginning))
        });
        all
    }
}

#[derive(Serialize)]
struct Report<'a> {
    machine: &'a Machine,
    options: &'a Options,
    wall_s: f64,
    rows: &'a [Row],
}

/// Measures, prints the table and writes the file.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cases = options.cases()?;
    let contestants = options.contestants();
    let server = Server::start(options.server_cpu)?;
    let machine = Machine::look();
    println!("{machine}");
    let begun = Instant::now();
    let mut rows = Vec::new();
    for case in cases {
        eprintln!("[{:4.0} s] {}", begun.elapsed().as_secs_f64(), case.title);
        let measured = Group::new(case, &contestants, server.port).measure(options);
        print!("{}", table::table(case, &measured));
        rows.extend(measured);
    }
    let wall_s = begun.elapsed().as_secs_f64();
    let report = Report { machine: &machine, options, wall_s, rows: &rows };
    fs::write(&options.json, serde_json::to_vec_pretty(&report)?)
        .with_context(|| options.json.display().to_string())?;
    println!(
        "\n{} repetitions, {wall_s:.0} s; all figures: {}",
        options.reps(),
        options.json.display()
    );
    Ok(())
}

/// Prints the cases and the contestants.
pub(crate) fn list() {
    for case in CASES {
        println!("{:26} {}", case.key, case.title);
    }
    println!();
    for contestant in contestants::all() {
        println!("{:26} {}", contestant.name(), contestant.about());
    }
}
