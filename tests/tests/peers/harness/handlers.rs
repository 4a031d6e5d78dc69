//! Handlers, settings and the server that several tests share.

use std::time::Duration;

use e2e::{Event, Events, Reporter, within};
use tokio::sync::{Notify, Semaphore};
use wscengine::transport::Transport;
use wscengine::{
    CloseFrame, Closed, Engine, EngineBuilder, Exclusive, ExponentialBackoff, Handler, Message,
    Session, Status,
};
use wscengine_rooms_server::{Config, RunningServer, Server};

/// `rooms-server`, in our own process, as what proxies lead to.
pub(crate) async fn rooms(address: impl ToString) -> RunningServer {
    Server::bind(address.to_string(), Config::default()).await.unwrap().spawn()
}

/// A builder of an engine that decides what is fatal as one does by default. It tries again soon, but without a busy
/// loop while a peer is away.
pub(crate) fn over<T: Transport, H: Handler>(
    transport: T,
    url: &str,
    handler: H,
) -> EngineBuilder<T, H> {
    let backoff =
        ExponentialBackoff::new().base(Duration::from_millis(20)).cap(Duration::from_millis(100));
    Engine::builder(transport, handler).url(url).backoff(backoff)
}

/// Starts an engine that reports, changed by `with`. The first `on_open` is taken from its events.
pub(crate) async fn started_over<T: Transport>(
    transport: T,
    url: &str,
    with: impl FnOnce(EngineBuilder<T, Reporter>) -> EngineBuilder<T, Reporter>,
) -> (Engine, Events) {
    let (reporter, mut events) = Reporter::new();
    let prepared = with(over(transport, url, reporter)).build().unwrap();
    let engine = within(prepared.start()).await.unwrap();
    assert!(!events.opened().await);
    (engine, events)
}

/// Waits until the engine is back in a new session in which an echo arrives. Attempts that fail meanwhile are counted.
pub(crate) async fn reopened(engine: &Engine, events: &mut Events) -> usize {
    let mut failures = 0;
    within(async {
        loop {
            match events.next().await {
                Event::RestartError(_) => failures += 1,
                Event::Open { restarting, .. } => break assert!(restarting),
                other => panic!("neither a failed attempt nor on_open: {other:?}"),
            }
        }
    })
    .await;
    let mut status = engine.status();
    within(status.wait_for(|status| matches!(status, Status::Open { .. }))).await.unwrap();
    engine.send("you again").await.unwrap();
    assert_eq!(events.message().await.text(), Some("you again"));
    failures
}

/// Has text and binary come back, the largest of 1 MiB.
pub(crate) async fn echoes(engine: &Engine, events: &mut Events) {
    engine.send("grüße 🦀").await.unwrap();
    assert_eq!(events.message().await.text(), Some("grüße 🦀"));
    for length in [0, 1, 126, 65_536, 1 << 20] {
        let binary: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        engine.send(binary.clone()).await.unwrap();
        let back = events.message().await;
        assert!(back.is_binary() && back.payload() == binary, "binary of {length} bytes");
    }
    let text: String = "aé世🦀".chars().cycle().take((1 << 20) / 4).collect();
    engine.send(text.clone()).await.unwrap();
    assert!(events.message().await.text() == Some(text.as_str()), "long text");
}

/// Ends its sessions with a close frame of its own.
#[derive(Debug)]
pub(crate) struct Farewell(pub(crate) CloseFrame);

impl Handler for Farewell {
    async fn on_message(&self, _: &Session, _: Message<'_>) {}

    async fn on_close(&self, _: &mut Exclusive, _: &Closed) -> Option<CloseFrame> {
        Some(self.0.clone())
    }
}

/// Is busy with its first message until it is let go.
#[derive(Debug)]
pub(crate) struct Busy {
    /// Told when it has begun.
    pub(crate) begun: Notify,
    /// Gets a permit when it may end.
    pub(crate) gate: Semaphore,
    /// Told when it has ended.
    pub(crate) done: Notify,
}

impl Busy {
    pub(crate) fn new() -> Self {
        Self { begun: Notify::new(), gate: Semaphore::new(0), done: Notify::new() }
    }
}

impl Handler for Busy {
    async fn on_message(&self, _: &Session, _: Message<'_>) {
        self.begun.notify_one();
        self.gate.acquire().await.unwrap().forget();
        self.done.notify_one();
    }
}
