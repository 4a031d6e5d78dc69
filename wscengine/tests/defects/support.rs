//! A handler that writes down what it is called with, and does what a test tells it to.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use wscengine::testing::memory::{self, MemoryPeer, MemoryServer, MemoryTransport};
use wscengine::{
    AttemptError, Backoff, CloseError, CloseFrame, Closed, Control, Engine, EngineBuilder,
    Exclusive, Handler, HandlerError, Message, Opened, ReadError, Session,
};

/// What was called, in order.
#[derive(Clone, Debug)]
pub(crate) struct Log(Arc<watch::Sender<Vec<String>>>);

impl Log {
    fn new() -> Self {
        Self(Arc::new(watch::channel(Vec::new()).0))
    }

    pub(crate) fn push(&self, line: impl Into<String>) {
        self.0.send_modify(|lines| lines.push(line.into()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// How many lines begin like this.
    pub(crate) fn count(&self, start: &str) -> usize {
        count(&self.0.borrow(), start)
    }

    /// Waits until this many lines begin like this.
    pub(crate) async fn wait(&self, start: &str, times: usize) {
        let mut watched = self.0.subscribe();
        within(watched.wait_for(|lines| count(lines, start) >= times)).await.unwrap();
    }
}

fn count(lines: &[String], start: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(start)).count()
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type OnOpen = dyn Fn(Session, Opened) -> Later<Result<(), HandlerError>> + Send + Sync;
type OnMessage = dyn Fn(Session, String) -> Later<()> + Send + Sync;

/// The handler of all these tests.
pub(crate) struct Probe {
    pub(crate) log: Log,
    on_open: Option<Box<OnOpen>>,
    on_message: Option<Box<OnMessage>>,
    log_out: bool,
    /// The sum of what all sessions' `Closed::unhandled` say.
    pub(crate) unhandled: Arc<AtomicUsize>,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self {
            log: Log::new(),
            on_open: None,
            on_message: None,
            log_out: false,
            unhandled: Arc::default(),
        }
    }

    /// What `on_open` does, after it was written down.
    pub(crate) fn on_open<F>(
        mut self,
        does: impl Fn(Session, Opened) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.on_open = Some(Box::new(move |session, opened| Box::pin(does(session, opened))));
        self
    }

    /// What `on_message` does, after it was written down.
    pub(crate) fn on_message<F>(
        mut self,
        does: impl Fn(Session, String) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.on_message = Some(Box::new(move |session, text| Box::pin(does(session, text))));
        self
    }

    /// `on_close` sends "log out" and waits for the answer.
    pub(crate) fn logging_out(mut self) -> Self {
        self.log_out = true;
        self
    }
}

impl Handler for Probe {
    async fn on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        self.log.push(format!("open restarting={}", opened.restarting));
        match &self.on_open {
            Some(does) => does(conn.session().clone(), opened).await,
            None => Ok(()),
        }
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let text = String::from_utf8_lossy(message.payload()).into_owned();
        self.log.push(format!("message {text}"));
        if let Some(does) = &self.on_message {
            does(session.clone(), text.clone()).await;
        }
        self.log.push(format!("done {text}"));
    }

    async fn on_read_error(&self, _: &Session, error: &ReadError) {
        self.log.push(format!("read error {:?} fatal={}", error.kind(), error.is_fatal()));
    }

    async fn on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        self.log.push(format!(
            "close {:?} restarting={} {}",
            closed.initiator, closed.restarting, closed.cause
        ));
        self.unhandled.fetch_add(closed.unhandled, Ordering::SeqCst);
        if self.log_out {
            let pause = conn.session().pause().await.map(drop);
            self.log.push(format!("pause {pause:?}"));
            conn.send("log out").await.ok()?;
            let answer = conn.recv().await.ok()?;
            self.log.push(format!("answer {}", answer.text()?));
        }
        None
    }

    async fn on_close_error(&self, _: &Session, error: &CloseError) {
        self.log.push(format!("close error {:?}", error.kind()));
    }

    async fn on_restart_error(&self, _: &Control, error: &AttemptError, retry: u32) {
        self.log.push(format!("restart error {retry} {error}"));
    }
}

/// The same delay before every attempt.
#[derive(Debug)]
pub(crate) struct Every(pub(crate) Duration);

impl Backoff for Every {
    fn delay(&self, _: u32, _: f64) -> Duration {
        self.0
    }
}

/// An engine to be, its log and its server. The seed is fixed, so that a failure can be repeated.
pub(crate) fn setup(probe: Probe) -> (EngineBuilder<MemoryTransport, Probe>, Log, MemoryServer) {
    let (transport, server) = memory::transport();
    let log = probe.log.clone();
    (Engine::builder(transport, probe).url("ws://server.test/").seed(7), log, server)
}

/// Starts it, with the first connection accepted.
pub(crate) async fn start(
    builder: EngineBuilder<MemoryTransport, Probe>,
    server: &mut MemoryServer,
) -> (Engine, MemoryPeer) {
    let prepared = builder.build().unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    (engine.unwrap(), peer)
}

/// What the test waits for. The clock is paused: longer than anything takes, and over at once.
pub(crate) async fn within<F: Future>(waited_for: F) -> F::Output {
    timeout(Duration::from_secs(600), waited_for).await.expect("it should have come long ago")
}
