//! `rooms-server`: the companion server as a program.

mod settings;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;
use wscengine_rooms_server::Server;

use settings::{Args, LogFormat, Settings, SettingsError};

/// How often a thread looks at the queue that the threads share. Tokio's own choice, about every 60th task, lets
/// those wait in it that no longer fit into a thread's own queue of 256, while those in there have turn after
/// turn: with a thousand busy connections some would wait for a tenth of a second.
const SHARED_QUEUE_INTERVAL: u32 = 2;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rooms-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("--listen {addr}: {source}")]
    Listen { addr: String, source: io::Error },
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn start() -> Result<(), Failure> {
    let settings = Args::parse().settings()?;
    log(&settings);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = settings.threads {
        runtime.worker_threads(threads.get());
    }
    runtime
        .global_queue_interval(SHARED_QUEUE_INTERVAL)
        .enable_all()
        .build()?
        .block_on(run(&settings))
}

fn log(settings: &Settings) {
    let filter = settings.log.as_deref().unwrap_or("info");
    let log =
        tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(EnvFilter::new(filter));
    match settings.log_format.unwrap_or_default() {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

async fn run(settings: &Settings) -> Result<(), Failure> {
    // Before the line that says we are ready: a signal sent in answer to it must find us listening.
    let shutdown = signals()?;
    let addr = settings.listen();
    let tls = settings.tls()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listen = |source| Failure::Listen { addr: addr.to_owned(), source };
    let mut server = Server::bind(addr, settings.config()?).await.map_err(listen)?;
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {scheme}://{}", server.local_addr())?;
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
