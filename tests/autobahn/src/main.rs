//! Autobahn|Testsuite against what we have on either side of a WebSocket connection.
//!
//! Called by `tests/autobahn/run`, which sets the suite up and makes the network namespace. Prints a table of the
//! verdicts, what is wrong with each case that is not as it should be, and a last line `N passed, M failed`.

mod agent;
mod client;
mod judge;
mod report;
mod suite;
mod summary;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, ValueEnum as _};

use agent::Agent;
use suite::{Cases, Suite};
use summary::Summary;

#[derive(Debug, Parser)]
#[command(name = "tests/autobahn/run")]
struct Args {
    /// Whom to test; everybody if nobody is named
    #[arg(value_enum)]
    agents: Vec<Agent>,
    /// The cases: `quick`, `all`, or patterns such as 6.4.*,9.1.1
    #[arg(long, env = "AUTOBAHN", default_value = "quick")]
    cases: Cases,
    /// Put the table of all cases into tests/README.md
    #[arg(long)]
    readme: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("autobahn: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every case is as it should be.
async fn run(args: Args) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let cases = if args.readme { Cases::All } else { args.cases };
    let agents = match args.agents.as_slice() {
        [] => Agent::value_variants(),
        _ if args.readme => return Err("the table in tests/README.md is of everybody".into()),
        chosen => chosen,
    };
    let mut summary = Summary::default();
    for &agent in agents {
        let suite = Suite::new(agent, &cases)?;
        let report = agent.run(&suite).await.map_err(|error| format!("{agent}: {error}"))?;
        summary.add(agent, &report, &suite.reports());
    }
    print!("{summary}");
    if args.readme {
        summary.write_into_readme()?;
    }
    println!("{} passed, {} failed", summary.passed(), summary.failures().len());
    Ok(summary.failures().is_empty())
}
