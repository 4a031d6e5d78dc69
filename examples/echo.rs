//! A client that survives a dropped connection: `cargo run --example echo`.
//!
//! What it does, and the handler, are in `src/echo.rs` beside this file.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use examples::echo::{self, Settings};
use examples::narration::Narrator;
use examples::telemetry::{self, Telemetry};
use tokio::runtime::{Handle, Runtime};

/// How long the end may wait for a collector that does not answer.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// Talks to an echo server, loses the connection, and comes back.
#[derive(Parser)]
struct Args {
    /// The server, for example ws://127.0.0.1:8080/echo [default: one in process, which drops the first connection].
    #[arg(long)]
    url: Option<String>,
    /// How many messages to send; 0: until Ctrl-C.
    #[arg(long, default_value_t = 5)]
    count: u64,
    /// The time between a message's echo and the next message, for example 500ms or 5s.
    #[arg(long, default_value = "200ms", value_parser = humantime::parse_duration)]
    interval: Duration,
}

fn main() -> ExitCode {
    let Args { url, count, interval } = Args::parse();
    match run(&Settings { url, count, interval, ..Settings::default() }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::new()?;
    let telemetry = export(runtime.handle())?;
    let result = runtime.block_on(echo::run(settings, Narrator::printing(), interrupted()));
    // The export needs the runtime until the last trace is sent, and no thread of it to wait on.
    if let Some(telemetry) = telemetry
        && let Err(error) = telemetry.close(FLUSH_LIMIT)
    {
        eprintln!("warning: {error}");
    }
    runtime.shutdown_background();
    Ok(result?)
}

/// Exports traces if the environment says so, from here on and for the whole program.
fn export(runtime: &Handle) -> Result<Option<Telemetry>, Box<dyn std::error::Error>> {
    let Some(settings) = telemetry::Settings::from_env()? else { return Ok(None) };
    let telemetry = Telemetry::new(&settings, runtime)?;
    tracing::dispatcher::set_global_default(telemetry.subscriber())?;
    Ok(Some(telemetry))
}

/// Done on Ctrl-C. Where it cannot be heard, never: the system then ends the program.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
