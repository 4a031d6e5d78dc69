//! The client's side: a handler that reports, and that waits in `on_open` or `on_close` until it may go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::within;
use tokio::sync::{Semaphore, mpsc};
use wscengine::{
    AttemptError, CloseError, CloseErrorKind, CloseFrame, Closed, Control, Exclusive, Handler,
    HandlerError, Message, Opened, ReadError, ReadErrorKind, Session,
};

use super::table::Situation;

/// What a test is told.
#[derive(Debug)]
pub(crate) enum Told {
    Open {
        restarting: bool,
    },
    /// By `on_message`, or by whoever holds the connection: `on_open` and `on_close` too.
    Message(String),
    /// `on_open` or `on_close` waits until it may talk.
    Waiting,
    /// It has talked.
    Talked(Result<(), String>),
    ReadError(ReadErrorKind),
    Close(Closed),
    CloseError(CloseErrorKind),
    RestartError(AttemptError),
}

/// What a message of a conversation says; the server echoes it.
pub(crate) const PROBE: &str = "probe";
/// How the messages of [`Situation::Sending`] begin.
pub(crate) const SENT: &str = "sent";

/// The handler.
pub(crate) struct Reporter {
    told: mpsc::UnboundedSender<Told>,
    waits_in_on_open: AtomicBool,
    waits_in_on_close: AtomicBool,
    gates: Arc<Gates>,
}

/// What holds the client back.
pub(crate) struct Gates {
    /// `on_open` or `on_close`, before it talks.
    pub(crate) talk: Semaphore,
    /// Messages that may be sent and not yet be back.
    pub(crate) window: Semaphore,
}

impl Reporter {
    pub(crate) fn new(situation: Situation, window: usize) -> (Self, Arc<Gates>, Journal) {
        let (sender, told) = mpsc::unbounded_channel();
        let gates = Arc::new(Gates { talk: Semaphore::new(0), window: Semaphore::new(window) });
        let reporter = Self {
            told: sender.clone(),
            waits_in_on_open: AtomicBool::new(situation == Situation::InOnOpen),
            waits_in_on_close: AtomicBool::new(situation == Situation::InOnClose),
            gates: Arc::clone(&gates),
        };
        (reporter, gates, Journal { sender: sender.downgrade(), told, messages: Vec::new() })
    }

    fn tell(&self, told: Told) {
        // A test that failed does not listen any more.
        let _ = self.told.send(told);
    }

    /// Waits, then asks the server something and awaits the answer.
    async fn talk(&self, conn: &mut Exclusive) -> Result<(), HandlerError> {
        self.tell(Told::Waiting);
        self.gates.talk.acquire().await.unwrap().forget();
        let talked = self.converse(conn).await;
        self.tell(Told::Talked(talked.as_ref().copied().map_err(ToString::to_string)));
        talked
    }

    async fn converse(&self, conn: &mut Exclusive) -> Result<(), HandlerError> {
        conn.send(PROBE).await?;
        loop {
            let message = conn.recv().await?;
            let text = message.text().unwrap();
            self.tell(Told::Message(text.to_owned()));
            if text == PROBE {
                return Ok(());
            }
        }
    }
}

impl Handler for Reporter {
    async fn on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        self.tell(Told::Open { restarting: opened.restarting });
        if self.waits_in_on_open.swap(false, Ordering::Relaxed) {
            self.talk(conn).await?;
        }
        Ok(())
    }

    async fn on_message(&self, _: &Session, message: Message<'_>) {
        let text = message.text().unwrap().to_owned();
        if text.starts_with(SENT) {
            self.gates.window.add_permits(1);
        }
        self.tell(Told::Message(text));
    }

    async fn on_read_error(&self, _: &Session, error: &ReadError) {
        self.tell(Told::ReadError(error.kind()));
    }

    async fn on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        if self.waits_in_on_close.swap(false, Ordering::Relaxed) {
            // What came of it is told.
            let _ = self.talk(conn).await;
        }
        self.tell(Told::Close(closed.clone()));
        None
    }

    async fn on_close_error(&self, _: &Session, error: &CloseError) {
        self.tell(Told::CloseError(error.kind()));
    }

    async fn on_restart_error(&self, _: &Control, error: &AttemptError, _: u32) {
        self.tell(Told::RestartError(error.clone()));
    }
}

/// What was told, in order.
pub(crate) struct Journal {
    sender: mpsc::WeakUnboundedSender<Told>,
    told: mpsc::UnboundedReceiver<Told>,
    /// All messages so far.
    pub(crate) messages: Vec<String>,
}

impl Journal {
    /// For whoever holds the connection.
    pub(crate) fn sender(&self) -> mpsc::UnboundedSender<Told> {
        self.sender.upgrade().unwrap()
    }

    /// The next that is no message; messages are kept. `None` when the engine is gone with its handler.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            match within(self.told.recv()).await {
                Some(Told::Message(text)) => self.messages.push(text),
                other => return other,
            }
        }
    }

    /// Waits until there are so many messages. Nothing else may come before.
    pub(crate) async fn messages(&mut self, count: usize) {
        while self.messages.len() < count {
            self.message().await;
        }
    }

    /// Waits until this message comes. Nothing but messages may come before.
    pub(crate) async fn until(&mut self, text: &str) {
        while self.message().await != text {}
    }

    /// Waits until the first `on_open`. A dial may have been too slow for a short time limit.
    pub(crate) async fn first_open(&mut self) {
        loop {
            match self.next().await {
                Some(Told::Open { restarting: false }) => return,
                Some(Told::RestartError(AttemptError::Connect(_))) => {}
                other => panic!("not on_open: {other:?}"),
            }
        }
    }

    async fn message(&mut self) -> &str {
        match within(self.told.recv()).await {
            Some(Told::Message(text)) => self.messages.push(text),
            other => panic!("not a message: {other:?}"),
        }
        self.messages.last().unwrap()
    }
}
