//! All contestants, interleaved: A B C, A B C, A B C, for each workload a fresh server.

mod cases;
mod contestant;
pub(crate) mod icount;
mod originals;
mod server;
mod table;
mod verdict;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use self::cases::{CASES, Case};
use self::contestant::{AXUM, CONTESTANTS, Contestant};
use self::server::{Server, free_address};

/// A run that takes longer hangs.
const RUN_LIMIT: Duration = Duration::from_secs(90);

/// What is measured, how long, and where.
#[derive(Clone, Debug, clap::Args)]
// What `benches/rooms/run` says first may be said again.
#[command(args_override_self = true)]
pub(crate) struct Args {
    /// Contestants whose names begin so, separated by commas; all otherwise
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Cases, separated by commas: R4,R1,R1-paced,R1-open,R1-10,R1-1000,R2,R3,R6,R5
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// Interleaved repetitions with the server on one core
    #[arg(long, default_value_t = 3)]
    reps: usize,
    /// The same with the server on two cores, for rooms-server and axum; 0 leaves them out
    #[arg(long, default_value_t = 2)]
    two_core_reps: usize,
    /// For how long a run measures; R5 takes twice as long
    #[arg(long, default_value_t = 1.2)]
    seconds: f64,
    /// One short repetition: to see that all works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// The CPU of a server on one core
    #[arg(long, default_value = "0")]
    server_cpu: String,
    /// The CPUs of a server on two cores
    #[arg(long, default_value = "0,1")]
    two_cpus: String,
    /// The CPU of the generator
    #[arg(long, default_value = "1")]
    generator_cpu: String,
    /// Where all figures go, a JSON object for each run and a last one that judges them
    #[arg(long)]
    json: PathBuf,
    /// Where the servers' own words go
    #[arg(long)]
    logs: PathBuf,
}

/// On how many cores the servers run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cores {
    One,
    Two,
}

/// Measures, prints the tables and keeps the figures.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let args = &if args.quick {
        Args {
            reps: args.reps.min(1),
            two_core_reps: args.two_core_reps.min(1),
            seconds: 0.3,
            ..args.clone()
        }
    } else {
        args.clone()
    };
    fs::create_dir_all(&args.logs)?;
    let mut lines = Vec::new();
    for (cores, reps) in [(Cores::One, args.reps), (Cores::Two, args.two_core_reps)] {
        let contestants = chosen(args, cores)?;
        for rep in 1..=reps {
            for case in chosen_cases(args)? {
                for contestant in &contestants {
                    eprintln!(
                        "{} core, {rep} of {reps}: {} {}",
                        cores.name(),
                        case.name,
                        contestant.label
                    );
                    lines.push(one(args, cores, case, contestant)?);
                    keep(&args.json, &lines)?;
                }
            }
        }
    }
    let judged = print(&lines);
    lines.push(judged);
    keep(&args.json, &lines)
}

/// Prints what was kept.
pub(crate) fn show(files: &[PathBuf]) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        lines.extend(text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()));
    }
    print(&lines);
    Ok(())
}

/// CPUs separated by commas.
pub(crate) fn cpus(list: &str) -> anyhow::Result<Vec<usize>> {
    list.split(',').map(|cpu| cpu.parse().with_context(|| format!("no CPU: {cpu}"))).collect()
}

fn chosen(args: &Args, cores: Cores) -> anyhow::Result<Vec<Contestant>> {
    let wanted = |contestant: &Contestant| {
        let named = args.only.iter().any(|name| contestant.label.starts_with(&name[..]));
        let scales = contestant.label == AXUM || contestant.is_ours();
        (named || args.only.is_empty()) && (cores == Cores::One || scales)
    };
    let mut chosen = Vec::new();
    for contestant in CONTESTANTS.into_iter().filter(wanted) {
        match contestant.command(free_address()?)? {
            Some(_) => chosen.push(contestant),
            None => eprintln!("{} is left out: it is not there", contestant.label),
        }
    }
    Ok(chosen)
}

fn chosen_cases(args: &Args) -> anyhow::Result<Vec<&'static Case>> {
    if args.cases.is_empty() {
        return Ok(CASES.iter().filter(|case| case.default).collect());
    }
    let find = |name: &String| {
        CASES.iter().find(|case| case.name == name).with_context(|| format!("no case {name}"))
    };
    args.cases.iter().map(find).collect()
}

/// One run with a server of its own. A server that fails is a result, too.
fn one(args: &Args, cores: Cores, case: &Case, contestant: &Contestant) -> anyhow::Result<Value> {
    let cpus = match cores {
        Cores::One => &args.server_cpu,
        Cores::Two => &args.two_cpus,
    };
    let log = args.logs.join(format!("{}-{}-{}.log", contestant.label, case.name, cores.name()));
    let measured = measure(args, cpus, &log, case, contestant);
    let mut line = measured.unwrap_or_else(|error| {
        eprintln!("{} {}: {error:#}", contestant.label, case.name);
        json!({
            "label": contestant.label, "workload": case.options[0],
            "result": { "error": format!("{error:#}"), "faults": {} },
        })
    });
    line["case"] = json!(case.name);
    line["cores"] = json!(cores.name());
    Ok(line)
}

fn measure(
    args: &Args,
    cpus: &str,
    log: &Path,
    case: &Case,
    contestant: &Contestant,
) -> anyhow::Result<Value> {
    let addr = free_address()?;
    let own = contestant.command(addr)?.context("it is not there")?;
    let mut command = vec![this_program()?, "on".to_owned(), cpus.to_owned(), "--".to_owned()];
    command.extend(own);
    let server = Server::start(&command, addr.port(), log)?;
    let seconds = (args.seconds * case.times).to_string();
    let url = format!("ws://{addr}/{}", contestant.path);
    let pid = server.pid.to_string();
    let mut options = case.options.to_vec();
    if args.quick && case.options == ["R4"] {
        options.extend(["--connections", "200"]);
    }
    options.extend(["--url", &url, "--protocol", contestant.protocol, "--label", contestant.label]);
    options.extend(["--pid", &pid, "--seconds", &seconds]);
    options.extend(["--cpu", &args.generator_cpu, "--server-cpu", cpus]);
    let line = generate(&options);
    server.stop();
    line
}

/// The generator in a process of its own; its line.
fn generate(options: &[&str]) -> anyhow::Result<Value> {
    let mut command = Command::new(this_program()?);
    command.arg("run").args(options).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    // Its one line fits into the pipe: nobody has to read before it ended.
    let ended = server::wait(&mut child, RUN_LIMIT);
    if ended.is_none() {
        child.kill()?;
    }
    let output = child.wait_with_output()?;
    match ended {
        Some(true) => Ok(serde_json::from_slice(&output.stdout)?),
        Some(false) => bail!("the generator failed"),
        None => bail!("no end after {} s", RUN_LIMIT.as_secs()),
    }
}

fn this_program() -> anyhow::Result<String> {
    let path = env::current_exe()?;
    Ok(path.to_str().context("the path of this program is no text")?.to_owned())
}

/// One JSON object for each line.
fn keep(file: &Path, lines: &[Value]) -> anyhow::Result<()> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(file, text).with_context(|| file.display().to_string())
}

/// Tables and verdicts for each number of cores; the verdicts as JSON.
fn print(lines: &[Value]) -> Value {
    let about = CONTESTANTS.iter().map(|one| format!("- `{}`: {}", one.label, one.about));
    println!("{}", about.collect::<Vec<_>>().join("\n"));
    let mut all = json!({});
    for cores in [Cores::One, Cores::Two] {
        let of_it: Vec<&Value> =
            lines.iter().filter(|line| line["cores"] == cores.name()).collect();
        if of_it.is_empty() {
            continue;
        }
        let (verdicts, judged) = verdict::judge(&of_it);
        println!(
            "\n## Server on {} core{}",
            cores.name(),
            if cores == Cores::One { "" } else { "s" }
        );
        println!("{}\n### What is to be reached\n\n{verdicts}", table::tables(&of_it));
        let (compared, beside) = originals::compare(&of_it);
        if !compared.is_empty() {
            println!("### Beside the servers whose protocols these are\n\n{compared}");
        }
        all[cores.name()] = json!({ "reached": judged, "originals": beside });
    }
    json!({ "verdicts": all })
}

impl Cores {
    const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Two => "two",
        }
    }
}
