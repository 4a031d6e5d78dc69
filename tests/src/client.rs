//! The client's side: a handler that reports, and the way to an open engine.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use wscengine::transport::HandshakeResponse;
use wscengine::{
    AttemptError, Classifier, CloseError, CloseErrorKind, CloseFrame, Closed, Control, Engine,
    EngineBuilder, Exclusive, Failure, Handler, HandlerError, Message, NoBackoff, Opened,
    ReadError, ReadErrorKind, Session, Verdict,
};
use wscengine_dial::Dialer;

use crate::adapter::Adapter;

/// A callback, and what of its arguments tests look at.
#[derive(Clone, Debug)]
pub enum Event {
    /// `on_open`
    Open {
        /// Whether there was a session before.
        restarting: bool,
        /// The server's answer.
        response: HandshakeResponse,
    },
    /// `on_message`
    Message(Message<'static>),
    /// `on_read_error`
    ReadError(ReadErrorKind),
    /// `on_close`
    Close(Closed),
    /// `on_close_error`
    CloseError(CloseErrorKind),
    /// `on_restart_error`
    RestartError(AttemptError),
}

/// A handler that reports every callback to its [`Events`].
#[derive(Debug)]
pub struct Reporter {
    events: mpsc::UnboundedSender<Event>,
}

impl Reporter {
    /// A handler, and what it reports.
    pub fn new() -> (Self, Events) {
        let (sender, events) = mpsc::unbounded_channel();
        (Self { events: sender }, Events { events })
    }

    fn report(&self, event: Event) {
        // A test that has seen enough is not disturbed.
        let _ = self.events.send(event);
    }
}

impl Handler for Reporter {
    async fn on_open(&self, _: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        self.report(Event::Open { restarting: opened.restarting, response: opened.response });
        Ok(())
    }

    async fn on_message(&self, _: &Session, message: Message<'_>) {
        self.report(Event::Message(message.into_owned()));
    }

    async fn on_read_error(&self, _: &Session, error: &ReadError) {
        self.report(Event::ReadError(error.kind()));
    }

    async fn on_close(&self, _: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        self.report(Event::Close(closed.clone()));
        None
    }

    async fn on_close_error(&self, _: &Session, error: &CloseError) {
        self.report(Event::CloseError(error.kind()));
    }

    async fn on_restart_error(&self, _: &Control, error: &AttemptError, _: u32) {
        self.report(Event::RestartError(error.clone()));
    }
}

/// What a [`Reporter`] reports, in order.
#[derive(Debug)]
pub struct Events {
    events: mpsc::UnboundedReceiver<Event>,
}

impl Events {
    /// The next callback.
    pub async fn next(&mut self) -> Event {
        within(self.events.recv()).await.expect("the engine has ended")
    }

    /// The next callback, which must be `on_message`.
    pub async fn message(&mut self) -> Message<'static> {
        match self.next().await {
            Event::Message(message) => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The next callback, which must be `on_open`: whether it says that the engine restarts.
    pub async fn opened(&mut self) -> bool {
        match self.next().await {
            Event::Open { restarting, .. } => restarting,
            other => panic!("not on_open: {other:?}"),
        }
    }

    /// The next callback, which must be `on_close`.
    pub async fn closed(&mut self) -> Closed {
        match self.next().await {
            Event::Close(closed) => closed,
            other => panic!("not on_close: {other:?}"),
        }
    }

    /// The next callback, which must be `on_read_error`.
    pub async fn read_error(&mut self) -> ReadErrorKind {
        match self.next().await {
            Event::ReadError(kind) => kind,
            other => panic!("not on_read_error: {other:?}"),
        }
    }

    /// The next callback, which must be `on_restart_error`.
    pub async fn restart_error(&mut self) -> AttemptError {
        match self.next().await {
            Event::RestartError(error) => error,
            other => panic!("not on_restart_error: {other:?}"),
        }
    }

    /// The next callback if there was one by now.
    pub fn already(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

/// Comes back after every failure: a test may break the protocol as often as it likes.
#[derive(Debug)]
struct AlwaysRetry;

impl Classifier for AlwaysRetry {
    fn classify(&self, _: &Failure<'_>) -> Verdict {
        Verdict::retry()
    }
}

/// An engine to be over real sockets, which reconnects without a delay, whatever failed.
pub fn builder<A: Adapter, H: Handler>(url: &str, handler: H) -> EngineBuilder<A::Transport, H> {
    let transport = A::transport(Dialer::default());
    Engine::builder(transport, handler).url(url).backoff(NoBackoff).classifier(AlwaysRetry)
}

/// An engine connected to `url`, and what its handler reports after the first `on_open`.
pub async fn open<A: Adapter>(url: &str) -> (Engine, Events) {
    let (reporter, mut events) = Reporter::new();
    let engine = within(builder::<A, _>(url, reporter).build().unwrap().start()).await.unwrap();
    assert!(!events.opened().await);
    (engine, events)
}

/// What a test waits for. Far above what anything takes on a loaded machine: it only turns a hang into a failure.
pub async fn within<F: Future>(waited_for: F) -> F::Output {
    timeout(Duration::from_secs(30), waited_for).await.expect("it should have come long ago")
}
