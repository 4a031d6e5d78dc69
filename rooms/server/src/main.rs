//! `rooms-server`: the companion server as a program.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use wscengine_rooms_server::{Config, Server};

/// The companion server of wscengine: a WebSocket echo endpoint at /echo, and /healthz.
///
/// Prints `listening on http://ADDR` when ready. SIGTERM and SIGINT close all connections with
/// code 1001 and end it.
#[derive(Debug, Parser)]
#[command(name = "rooms-server", version)]
struct Args {
    /// Address to listen on; port 0 lets the system choose a free one
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        env = "ROOMS_SERVER_LISTEN"
    )]
    listen: String,

    /// Offer /bench/wsrooms and /bench/raw, for a load generator
    #[arg(long)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rooms-server: {}: {error}", args.listen);
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> io::Result<()> {
    // Before the line that says we are ready: a signal sent in answer to it must find us listening.
    let shutdown = signals()?;
    let server = Server::bind(&args.listen, Config::default().bench(args.bench)).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on http://{}", server.local_addr())?;
    stdout.flush()?;
    server.run(shutdown).await;
    Ok(())
}

/// Done at the first SIGTERM or SIGINT.
#[cfg(unix)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Done at the first Ctrl-C.
#[cfg(not(unix))]
fn signals() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
