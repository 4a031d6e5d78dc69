//! Instructions in user space for each message, by callgrind: the difference of two lengths of run. They do not depend
//! on how busy the machine is.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use super::Options;
use super::child::{self, Server};
use crate::contestant::{Contestant, Kind, Work};
use crate::job::{Job, Threads};
use crate::layer;

/// Under valgrind all takes fifty times as long.
const LIMIT_S: u64 = 120;

struct Column {
    title: &'static str,
    work: Work,
    window: usize,
    counts: [u64; 2],
}

const COLUMNS: &[Column] = &[
    Column { title: "flood 128 B", work: Work::Flood, window: 1, counts: [5_000, 45_000] },
    Column { title: "blast 128 B", work: Work::Blast, window: 1, counts: [5_000, 45_000] },
    Column { title: "echo 64", work: Work::Echo, window: 64, counts: [2_000, 22_000] },
    Column { title: "call 64", work: Work::Call, window: 64, counts: [2_000, 22_000] },
];

/// Prints the table.
pub(crate) fn icount(options: &Options) -> Result<()> {
    let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    ensure!(
        found.is_ok_and(|status| status.success()),
        "valgrind is missing: install it, from the package of that name"
    );
    let server = Server::start(options.server_cpu)?;
    if options.only != [LAYER] {
        contestants(options, server.port)?;
    }
    if options.wants(LAYER) { layers(options.client_cpu) } else { Ok(()) }
}

/// Contestants side by side.
fn contestants(options: &Options, port: u16) -> Result<()> {
    let titles: Vec<_> = COLUMNS.iter().map(|column| column.title).collect();
    println!("| contestant | {} |", titles.join(" | "));
    println!("|---|{}", "--:|".repeat(COLUMNS.len()));
    for contestant in options.contestants() {
        print!("| {} |", contestant.name());
        for column in COLUMNS {
            print!(" {} |", cell(contestant.as_ref(), column, port, options.client_cpu)?);
            io::stdout().flush()?;
        }
        println!();
    }
    Ok(())
}

/// What stands before the names of the runs below.
const LAYER: &str = "layer";

/// What the engine takes above its adapter: it and a loop by hand over the same messages, and the difference.
fn layers(cpu: usize) -> Result<()> {
    // No server: the messages are at hand.
    let count = |name| count(name, Kind::Binary, &COLUMNS[0], 0, cpu);
    println!("\n| 128 B at hand, in batches | engine | by hand | the engine's layer |");
    println!("|---|--:|--:|--:|");
    for (engine, by_hand, about) in layer::ROWS {
        match (count(engine)?, count(by_hand)?) {
            (Some(engine), Some(by_hand)) => {
                println!("| {about} | {engine:.0} | {by_hand:.0} | {:.0} |", engine - by_hand);
            }
            _ => println!("| {about} | failed | | |"),
        }
    }
    Ok(())
}

fn cell(contestant: &dyn Contestant, column: &Column, port: u16, cpu: usize) -> Result<String> {
    let kinds = [Kind::Binary, Kind::Text];
    let Some(kind) = kinds.into_iter().find(|&kind| contestant.supports(column.work, kind)) else {
        return Ok(String::new());
    };
    let counted = count(contestant.name(), kind, column, port, cpu)?;
    Ok(counted.map_or_else(|| "failed".to_owned(), |count| format!("{count:.0}")))
}

/// Instructions for each message; `None` if a run failed.
fn count(name: &str, kind: Kind, column: &Column, port: u16, cpu: usize) -> Result<Option<f64>> {
    let [few, many] = column.counts;
    let mut job = Job {
        contestant: name.to_owned(),
        threads: Threads::Ct,
        port,
        work: column.work,
        kind,
        size: 128,
        count: few,
        window: column.window,
        connections: 1,
        cuts: 0,
        limit_s: LIMIT_S,
    };
    let base = instructions(&job, cpu)?;
    job.count = many;
    let more = instructions(&job, cpu)?;
    Ok(base.zip(more).map(|(base, more)| (more - base) / (many - few) as f64))
}

/// Those of one run; `None` if it failed.
fn instructions(job: &Job, cpu: usize) -> Result<Option<f64>> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(env::current_exe()?);
    let output = child::client(valgrind, job, cpu)?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    Ok(count.filter(|_| output.status.success()))
}
