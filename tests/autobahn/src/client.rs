//! The engine against the suite's server: a session for each case, whose handler echoes.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use wscengine::transport::Transport;
use wscengine::{AttemptError, Engine, ExponentialBackoff, Handler, Message, Session, StartError};

use crate::report::Report;
use crate::suite::{Failure, Suite};

/// Far above what a case takes: only turns a hang into a failure.
const CASE_LIMIT: Duration = Duration::from_secs(180);
/// How long the suite's server may take until it listens. Python has much to load.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs all cases, each over a transport of its own.
pub(crate) async fn run<T: Transport>(
    transport: impl Fn() -> T,
    suite: &Suite,
) -> Result<Report, Failure> {
    let server = suite.start_server()?;
    let count = count_cases(transport(), &server.url("getCaseCount")).await?;
    for case in 1..=count {
        let url = server.url(&format!("runCase?case={case}&agent={}", suite.agent()));
        // What the server thinks of it is in the report, a refused handshake and a hang too.
        if let Err(error) = run_session(transport(), &url).await {
            eprintln!("{}: case {case} of {count}: {error}", suite.agent());
        }
    }
    run_session(transport(), &server.url(&format!("updateReports?agent={}", suite.agent())))
        .await?;
    server.end().await?;
    Report::read(&suite.reports(), suite.agent(), count)
}

/// Sends everything back.
#[derive(Debug)]
struct Echo;

impl Handler for Echo {
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        // Fails if the case has ended the session meanwhile, as some are meant to.
        let _ = session.send(message.into_owned()).await;
    }
}

/// One session of an engine, to its end.
async fn run_session(transport: impl Transport, url: &str) -> Result<(), Failure> {
    let prepared = Engine::builder(transport, Echo).url(url).auto_reconnect(false).build()?;
    let engine = match prepared.start().await {
        Ok(engine) => engine,
        // Some cases break a rule, or close, with the first bytes: so early that the start fails.
        Err(StartError::Attempt(AttemptError::ConnectionLost(_))) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if timeout(CASE_LIMIT, engine.stopped()).await.is_err() {
        engine.stop().await;
        return Err(format!("not over after {CASE_LIMIT:?}").into());
    }
    Ok(())
}

/// Passes on what it gets.
#[derive(Debug)]
struct Listener(mpsc::UnboundedSender<String>);

impl Handler for Listener {
    async fn on_message(&self, _session: &Session, message: Message<'_>) {
        // Whoever listens may have gone.
        let _ = self.0.send(message.text().unwrap_or_default().to_owned());
    }
}

/// Waits for the server, and asks it how many cases there are.
async fn count_cases(transport: impl Transport, url: &str) -> Result<usize, Failure> {
    let (heard, mut messages) = mpsc::unbounded_channel();
    let engine = Engine::builder(transport, Listener(heard))
        .url(url)
        .auto_reconnect(false)
        .retry_first(true)
        .backoff(ExponentialBackoff::new().cap(Duration::from_millis(200)))
        .max_elapsed(Some(START_LIMIT))
        .build()?;
    let engine = engine.start().await.map_err(|error: StartError| {
        format!("the suite's server does not answer, see its log: {error}")
    })?;
    let count = timeout(CASE_LIMIT, messages.recv()).await?;
    engine.stopped().await;
    Ok(count.ok_or("no number of cases")?.parse()?)
}
