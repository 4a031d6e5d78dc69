//! The handler: counts, checks the order of what it is given, and does now and then what handlers do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use wscengine::{
    AttemptError, Classifier, CloseError, CloseFrame, Closed, Control, Engine, Exclusive, Failure,
    Handler, HandlerError, Message, NoBackoff, Opened, ReadError, Session, Verdict,
};
use wscengine_tungstenite::TungsteniteTransport;

/// What a callback of this run panics with.
pub(crate) const PANIC: &str = "as the run wants it";

/// What has been seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) messages: AtomicU64,
    pub(crate) opened: AtomicU64,
    pub(crate) closed: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) read_errors: AtomicU64,
    pub(crate) close_errors: AtomicU64,
    /// The number of the next message of the session.
    next: AtomicU64,
    disorder: AtomicBool,
    news: Notify,
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) seen: Arc<Seen>,
}

/// Comes back whatever the server does.
#[derive(Debug)]
struct Always;

impl Classifier for Always {
    fn classify(&self, _: &Failure<'_>) -> Verdict {
        Verdict::retry()
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        Self { seen: Arc::default() }
    }

    /// A running engine, though the first attempts may fail.
    pub(crate) async fn start(&self, port: u16) -> Engine {
        let prepared = Engine::builder(TungsteniteTransport::new(), self.clone())
            .url(format!("ws://127.0.0.1:{port}/"))
            .backoff(NoBackoff)
            .classifier(Always)
            .retry_first(true)
            .close_timeout(Duration::from_millis(200))
            .on_open_timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        prepared.start().await.unwrap()
    }
}

impl Seen {
    /// Waits for anything to happen, or for a moment.
    pub(crate) async fn change(&self) {
        let _ = tokio::time::timeout(Duration::from_millis(100), self.news.notified()).await;
    }

    /// Whether each session was closed once, and its messages came in order.
    pub(crate) fn is_orderly(&self) -> bool {
        let (opened, closed) =
            (self.opened.load(Ordering::SeqCst), self.closed.load(Ordering::SeqCst));
        let orderly = opened == closed && !self.disorder.load(Ordering::SeqCst);
        println!(
            "sessions {opened} opened, {closed} closed; attempts failed {}; messages {}; read errors {}; close errors {}",
            self.failed.load(Ordering::SeqCst),
            self.messages.load(Ordering::SeqCst),
            self.read_errors.load(Ordering::SeqCst),
            self.close_errors.load(Ordering::SeqCst),
        );
        if !orderly {
            println!("DISORDER");
        }
        orderly
    }

    fn count(&self, counter: &AtomicU64) -> u64 {
        let before = counter.fetch_add(1, Ordering::SeqCst);
        self.news.notify_one();
        before + 1
    }
}

impl Handler for Client {
    async fn on_open(&self, conn: &mut Exclusive, _: Opened) -> Result<(), HandlerError> {
        self.seen.next.store(0, Ordering::SeqCst);
        conn.send("hello").await?;
        self.seen.count(&self.seen.opened);
        Ok(())
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let number = message.payload().first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let wanted = self.seen.next.fetch_add(1, Ordering::SeqCst);
        if number != Some(wanted) {
            self.seen.disorder.store(true, Ordering::SeqCst);
        }
        let so_far = self.seen.messages.fetch_add(1, Ordering::Relaxed) + 1;
        match so_far % 10_000 {
            0 => self.seen.news.notify_one(),
            1 => std::panic::panic_any(PANIC),
            2 => session.restart(),
            3 => {
                if let Ok(mut held) = session.pause_for(Duration::from_millis(1)).await {
                    // What it takes is not given to `on_message`.
                    if held.recv().await.is_ok() {
                        self.seen.next.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            rest if rest % 100 == 0 => {
                let _ = session.try_send(message.into_owned());
            }
            _ => {}
        }
    }

    async fn on_read_error(&self, _: &Session, _: &ReadError) {
        self.seen.count(&self.seen.read_errors);
    }

    async fn on_close(&self, _: &mut Exclusive, _: &Closed) -> Option<CloseFrame> {
        self.seen.count(&self.seen.closed);
        None
    }

    async fn on_close_error(&self, _: &Session, _: &CloseError) {
        self.seen.count(&self.seen.close_errors);
    }

    async fn on_restart_error(&self, _: &Control, _: &AttemptError, _: u32) {
        self.seen.count(&self.seen.failed);
    }
}
