//! The echo example: a client that survives a dropped connection.
//!
//! The first message is sent in `on_open`, each next one from `on_message`, some time later. After a reconnect,
//! `on_open` sends the first message that has not come back yet.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{Instrument, info_span};
use wscengine::{
    AttemptError, Backoff, CloseError, CloseFrame, Closed, ConfigError, Control, Engine, Exclusive,
    ExponentialBackoff, Handler, HandlerError, Initiator, Message, Opened, Outcome, OutcomeKind,
    ReadError, Session, StartError,
};
use wscengine_rooms_server::{Config, RunningServer, Server};
use wscengine_tungstenite::TungsteniteTransport;

use crate::narration::{Narrator, Step};

/// How many echoes the server in process gives before it drops the first connection.
const ECHOES_BEFORE_THE_DROP: u64 = 2;

/// The backoff grows from here. Short, so that nobody has to wait for the example.
const BACKOFF_BASE: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server to talk to; without one, a server in process that drops the first connection.
    pub url: Option<String>,
    /// How many messages must come back; 0 for no end.
    pub count: u64,
    /// The time between a message's echo and the next message.
    pub interval: Duration,
    /// Whether `traceparent` goes out with the handshake.
    pub propagate: bool,
}

impl Default for Settings {
    /// 5 messages, 200 ms apart, with a server in process.
    fn default() -> Self {
        Self { url: None, count: 5, interval: Duration::from_millis(200), propagate: true }
    }
}

/// Why the example could not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server in process got no port.
    #[error("the server cannot listen: {0}")]
    Server(#[from] std::io::Error),
    /// A setting is wrong: the URL, most likely.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The first attempt failed.
    #[error("the engine did not start: {0}")]
    Start(#[from] StartError),
    /// The engine stopped before all messages had come back.
    #[error("the engine stopped by itself: {0:?}")]
    Stopped(OutcomeKind),
}

/// Runs the example until all messages have come back, or `interrupted` is done.
///
/// # Errors
/// [`Error`]: it did not start, or it ended too early.
pub async fn run(
    settings: &Settings,
    narrator: Narrator,
    interrupted: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (url, server) = match &settings.url {
        Some(url) => (url.clone(), None),
        None => {
            let server = serve(&narrator).await?;
            (server.echo_url(), Some(server))
        }
    };
    let result = talk(&url, settings, &narrator, interrupted).await;
    if let Some(server) = server {
        server.shutdown().await;
    }
    result
}

async fn serve(narrator: &Narrator) -> Result<RunningServer, Error> {
    let config = Config::default().drop_first_after(ECHOES_BEFORE_THE_DROP);
    let server = Server::bind("127.0.0.1:0", config).await?.spawn();
    let line =
        format!("a server listens on {}; it will drop the first connection", server.local_addr());
    narrator.tell(Step::Start, line);
    Ok(server)
}

/// The engine, from its start to its stop.
async fn talk(
    url: &str,
    settings: &Settings,
    narrator: &Narrator,
    interrupted: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (done, mut all_back) = watch::channel(false);
    let prepared =
        Engine::builder(TungsteniteTransport::new(), Echo::new(settings, narrator, done))
            .url(url)
            .backoff(Narrated {
                backoff: ExponentialBackoff::new().base(BACKOFF_BASE),
                narrator: narrator.clone(),
            })
            .propagate(settings.propagate)
            // A run without an end waits for its server, too.
            .retry_first(settings.count == 0)
            .build()?;
    narrator.tell(Step::Start, format!("dialing {url}"));

    let control = prepared.control();
    let mut interrupted = std::pin::pin!(interrupted);
    let engine = tokio::select! {
        started = prepared.start() => started?,
        () = &mut interrupted => {
            narrator.tell(Step::Stop, "interrupted before the first connection");
            control.exit();
            return Ok(());
        }
    };
    tokio::select! {
        _ = all_back.wait_for(|done| *done) => narrator.tell(Step::Stop, "all messages have come back: stopping"),
        () = interrupted => narrator.tell(Step::Stop, "interrupted: stopping"),
        outcome = engine.stopped() => return Err(Error::Stopped(outcome.kind())),
    }
    let outcome = engine.stop().await;
    narrator.tell(Step::Stop, format!("stopped: {}", described(&outcome)));
    let stats = engine.stats();
    narrator.tell(
        Step::Stop,
        format!(
            "{} sessions, {} messages out, {} messages in",
            stats.sessions, stats.messages_sent, stats.messages_received
        ),
    );
    Ok(())
}

fn described(outcome: &Outcome) -> String {
    let how = if outcome.is_forced() { "by force, out of time" } else { "gracefully" };
    format!("{:?}, {how}", outcome.kind())
}

/// What happens on the connection.
struct Echo {
    count: u64,
    interval: Duration,
    /// How many messages have come back.
    echoed: AtomicU64,
    reopened: AtomicBool,
    done: watch::Sender<bool>,
    narrator: Narrator,
}

impl Echo {
    fn new(settings: &Settings, narrator: &Narrator, done: watch::Sender<bool>) -> Self {
        let (count, interval) = (settings.count, settings.interval);
        let (echoed, reopened) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { count, interval, echoed, reopened, done, narrator: narrator.clone() }
    }

    /// The message that is to come back next.
    fn next(&self) -> String {
        format!("message {}", self.echoed.load(Ordering::Relaxed) + 1)
    }

    fn is_done(&self) -> bool {
        self.count > 0 && self.echoed.load(Ordering::Relaxed) >= self.count
    }

    /// Sends the next message when it is time.
    async fn send_next(&self, session: &Session) {
        tokio::time::sleep(self.interval).await;
        let next = self.next();
        // When the session has ended meanwhile, `on_open` of the next one sends it.
        if let Err(error) = session.send(next.as_str()).await {
            self.narrator.tell(Step::Drop, format!("on_message: could not send {next:?}: {error}"));
        }
    }
}

impl Handler for Echo {
    async fn on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        let step = if opened.restarting { Step::Reopen } else { Step::Open };
        let line = format!(
            "on_open: status {}, restarting: {}",
            opened.response.status, opened.restarting
        );
        self.narrator.tell(step, line);
        self.reopened.store(opened.restarting, Ordering::Relaxed);
        if !self.is_done() {
            conn.send(self.next()).await?;
        }
        Ok(())
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let before = self.echoed.load(Ordering::Relaxed);
        let step =
            if self.reopened.load(Ordering::Relaxed) { Step::MoreMessages } else { Step::Messages };
        self.narrator.tell(step, format!("on_message: {}", shown(&message)));
        if message.text() != Some(&self.next()) {
            return;
        }
        self.echoed.store(before + 1, Ordering::Relaxed);
        if self.is_done() {
            self.done.send_replace(true);
        } else {
            // A span of our own: it is a child of the callback's.
            self.send_next(session)
                .instrument(info_span!("echo.send_next", number = before + 2))
                .await;
        }
    }

    async fn on_read_error(&self, _session: &Session, error: &ReadError) {
        self.narrator.tell(Step::Drop, format!("on_read_error: {error}"));
    }

    async fn on_close(&self, _conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        let step = if closed.initiator == Initiator::Local { Step::Stop } else { Step::Drop };
        let line = format!(
            "on_close: {:?}, {}; restarting: {}",
            closed.initiator, closed.cause, closed.restarting
        );
        self.narrator.tell(step, line);
        None
    }

    async fn on_close_error(&self, _session: &Session, error: &CloseError) {
        self.narrator.tell(Step::Stop, format!("on_close_error: {error}"));
    }

    async fn on_restart_error(&self, _control: &Control, error: &AttemptError, retry: u32) {
        self.narrator.tell(Step::Backoff, format!("on_restart_error: attempt {retry}: {error}"));
    }
}

/// A message for the screen: text as it is, if it is short.
fn shown(message: &Message<'_>) -> String {
    match message.text() {
        Some(text) if text.len() <= 100 => format!("{text:?}"),
        _ => format!("{} bytes of {:?}", message.len(), message.kind()),
    }
}

/// A backoff that tells how long it waits.
#[derive(Debug)]
struct Narrated {
    backoff: ExponentialBackoff,
    narrator: Narrator,
}

impl Backoff for Narrated {
    fn delay(&self, retry: u32, random: f64) -> Duration {
        let delay = self.backoff.delay(retry, random);
        self.narrator
            .tell(Step::Backoff, format!("waiting {} ms before retry {retry}", delay.as_millis()));
        delay
    }
}
