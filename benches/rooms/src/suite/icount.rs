//! Instructions of a server in user space, by callgrind: not disturbed by what else runs on the machine.
//!
//! Each case runs twice, with few messages and with many; what the second took more, for each message more, is the
//! figure. A server is some fifty times slower so, and meets its messages in larger bursts than it otherwise would.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::contestant::{CONTESTANTS, Contestant};
use super::server::{Server, free_address};
use super::{generate, keep};

/// What is counted.
#[derive(Clone, Debug, clap::Args)]
// What `benches/rooms/run` says first may be said again.
#[command(args_override_self = true)]
pub(crate) struct Args {
    /// Contestants whose names begin so, separated by commas; all but npm-ws otherwise
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the figures go, a JSON object for each
    #[arg(long)]
    json: PathBuf,
    /// Where the servers' own words go
    #[arg(long)]
    logs: PathBuf,
}

/// A workload, how often it is done, and what is divided by.
struct Counted {
    name: &'static str,
    options: &'static [&'static str],
    few: &'static str,
    many: &'static str,
    of: &'static str,
}

const COUNTED: [Counted; 5] = [
    Counted {
        name: "R1 delivery",
        options: &["R1", "--members", "50", "--warm-up", "0", "--count"],
        few: "100",
        many: "600",
        of: "deliveries",
    },
    Counted {
        name: "R2 delivery",
        options: &["R2", "--rooms", "50", "--warm-up", "0", "--count"],
        few: "400",
        many: "2400",
        of: "deliveries",
    },
    Counted {
        name: "R3 message",
        options: &["R3", "--rooms", "20", "--warm-up", "0", "--count"],
        few: "400",
        many: "2400",
        of: "deliveries",
    },
    Counted {
        name: "R4 join",
        options: &["R4", "--concurrency", "5", "--connections"],
        few: "50",
        many: "150",
        of: "joined",
    },
    Counted {
        name: "R5 cycle",
        options: &["R5", "--concurrency", "5", "--count"],
        few: "50",
        many: "250",
        of: "cycles",
    },
];

/// Counts and prints a table.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    fs::create_dir_all(&args.logs)?;
    let names: Vec<_> = COUNTED.iter().map(|counted| counted.name).collect();
    println!("Instructions in user space for each:\n\n| server | {} |", names.join(" | "));
    println!("|---|{}", "--:|".repeat(COUNTED.len()));
    let mut lines = Vec::new();
    for contestant in CONTESTANTS.into_iter().filter(|contestant| args.is_wanted(contestant)) {
        let mut cells = Vec::new();
        for counted in &COUNTED {
            let figure = count(args, counted, &contestant);
            if let Err(error) = &figure {
                eprintln!("{} {}: {error:#}", contestant.label, counted.name);
            }
            let figure = figure.ok();
            cells.push(figure.map_or("-".to_owned(), |figure| format!("{figure:.0}")));
            lines.push(serde_json::json!({
                "label": contestant.label, "instructions_of": counted.name, "figure": figure,
            }));
            keep(&args.json, &lines)?;
        }
        println!("| {} | {} |", contestant.label, cells.join(" | "));
    }
    Ok(())
}

impl Args {
    fn is_wanted(&self, contestant: &Contestant) -> bool {
        if self.only.is_empty() {
            // What callgrind would count there is a compiler at work.
            return contestant.label != "npm-ws";
        }
        self.only.iter().any(|name| contestant.label.starts_with(&name[..]))
    }
}

fn count(args: &Args, counted: &Counted, contestant: &Contestant) -> anyhow::Result<f64> {
    let (few, few_done) = instructions(args, counted, counted.few, contestant)?;
    let (many, many_done) = instructions(args, counted, counted.many, contestant)?;
    Ok((many - few) / (many_done - few_done))
}

/// Of the whole life of a server, and how much it did.
fn instructions(
    args: &Args,
    counted: &Counted,
    how_often: &str,
    contestant: &Contestant,
) -> anyhow::Result<(f64, f64)> {
    let log = args.logs.join(format!("{}-icount.log", contestant.label));
    let addr = free_address()?;
    let own = contestant.command(addr)?.context("it is not there")?;
    let callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--"];
    let command: Vec<_> = callgrind.into_iter().map(str::to_owned).chain(own).collect();
    let server = Server::start(&command, addr.port(), &log)?;
    let url = format!("ws://{addr}/{}", contestant.path);
    let mut options = counted.options.to_vec();
    options.extend([how_often, "--url", &url, "--protocol", contestant.protocol]);
    options.extend(["--label", contestant.label, "--no-spin"]);
    let line = generate(&options);
    server.stop();
    let line = line?;
    let result = &line["result"];
    let is_whole = result["stalled"] != true && result["stuck"] != true;
    anyhow::ensure!(is_whole, "the run stalled: {result}");
    let done = result[counted.of].as_f64().with_context(|| result.to_string())?;
    Ok((collected(&log)?, done))
}

/// What callgrind says at its end: `==PID== Collected : N`.
fn collected(log: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(log)?;
    let line = text.lines().find_map(|line| line.split_once("Collected : "));
    Ok(line.context("callgrind says nothing: is valgrind there?")?.1.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_callgrind_says_at_its_end() {
        let log = std::env::temp_dir().join(format!("icount-{}", std::process::id()));
        fs::write(&log, "listening\n==7== Events    : Ir\n==7== Collected : 1234567\n").unwrap();
        assert_eq!(collected(&log).unwrap(), 1_234_567.0);
        fs::write(&log, "listening\n").unwrap();
        assert!(collected(&log).is_err());
        fs::remove_file(log).unwrap();
    }
}
