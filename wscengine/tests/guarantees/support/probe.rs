//! A handler that writes down every call, and does in it what the test wants.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wscengine::{
    AttemptError, Callback, CloseError, CloseFrame, Closed, Control, Exclusive, Handler,
    HandlerError, Message, Opened, ReadError, Session,
};

use super::Journal;

type OnOpen = dyn for<'a> Fn(&'a mut Exclusive, Opened) -> BoxFuture<'a, Result<(), HandlerError>>
    + Send
    + Sync;
type OnMessage = dyn Fn(Session, Message<'static>) -> BoxFuture<'static, ()> + Send + Sync;
type OnReadError = dyn Fn(Session, ReadError) -> BoxFuture<'static, ()> + Send + Sync;
type OnClose =
    dyn for<'a> Fn(&'a mut Exclusive, Closed) -> BoxFuture<'a, Option<CloseFrame>> + Send + Sync;
type OnCloseError = dyn Fn(Session, CloseError) -> BoxFuture<'static, ()> + Send + Sync;
type OnRestartError = dyn Fn(Control, AttemptError, u32) -> BoxFuture<'static, ()> + Send + Sync;

/// The handler of the tests. Its lines in the journal:
///
/// `open` or `reopen`; `message TEXT`; `read error KIND fatal=BOOL`; `close CAUSE`; `close error KIND`;
/// `restart error N`; and `dropped CALLBACK` for one that was not let finish.
#[derive(Clone, Default)]
pub(crate) struct Probe {
    pub(crate) journal: Journal,
    open: Option<Arc<OnOpen>>,
    message: Option<Arc<OnMessage>>,
    read_error: Option<Arc<OnReadError>>,
    close: Option<Arc<OnClose>>,
    close_error: Option<Arc<OnCloseError>>,
    restart_error: Option<Arc<OnRestartError>>,
}

impl Probe {
    pub(crate) fn new(journal: &Journal) -> Self {
        Self { journal: journal.clone(), ..Self::default() }
    }

    pub(crate) fn on_open(
        mut self,
        does: impl for<'a> Fn(&'a mut Exclusive, Opened) -> BoxFuture<'a, Result<(), HandlerError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.open = Some(Arc::new(does));
        self
    }

    pub(crate) fn on_message<F>(
        mut self,
        does: impl Fn(Session, Message<'static>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.message = Some(Arc::new(move |session, message| does(session, message).boxed()));
        self
    }

    pub(crate) fn on_read_error<F>(
        mut self,
        does: impl Fn(Session, ReadError) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.read_error = Some(Arc::new(move |session, error| does(session, error).boxed()));
        self
    }

    pub(crate) fn on_close(
        mut self,
        does: impl for<'a> Fn(&'a mut Exclusive, Closed) -> BoxFuture<'a, Option<CloseFrame>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.close = Some(Arc::new(does));
        self
    }

    pub(crate) fn on_close_error<F>(
        mut self,
        does: impl Fn(Session, CloseError) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.close_error = Some(Arc::new(move |session, error| does(session, error).boxed()));
        self
    }

    pub(crate) fn on_restart_error<F>(
        mut self,
        does: impl Fn(Control, AttemptError, u32) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.restart_error =
            Some(Arc::new(move |control, error, retry| does(control, error, retry).boxed()));
        self
    }
}

impl Handler for Probe {
    async fn on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        let running = self.journal.enter(Callback::OnOpen);
        self.journal.note(if opened.restarting { "reopen" } else { "open" });
        let result = match &self.open {
            Some(does) => does(conn, opened).await,
            None => Ok(()),
        };
        running.returned();
        if result.is_ok() {
            self.journal.opened();
        }
        result
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let running = self.journal.enter(Callback::OnMessage);
        let text = String::from_utf8_lossy(message.payload()).into_owned();
        self.journal.note(format!("message {text}"));
        if let Some(does) = &self.message {
            does(session.clone(), message.into_owned()).await;
        }
        running.returned();
    }

    async fn on_read_error(&self, session: &Session, error: &ReadError) {
        let running = self.journal.enter(Callback::OnReadError);
        self.journal.note(format!("read error {:?} fatal={}", error.kind(), error.is_fatal()));
        if let Some(does) = &self.read_error {
            does(session.clone(), error.clone()).await;
        }
        running.returned();
    }

    async fn on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        let running = self.journal.enter(Callback::OnClose);
        self.journal.note(format!("close {}", closed.cause));
        let frame = match &self.close {
            Some(does) => does(conn, closed.clone()).await,
            None => None,
        };
        running.returned();
        frame
    }

    async fn on_close_error(&self, session: &Session, error: &CloseError) {
        let running = self.journal.enter(Callback::OnCloseError);
        self.journal.note(format!("close error {:?}", error.kind()));
        if let Some(does) = &self.close_error {
            does(session.clone(), error.clone()).await;
        }
        running.returned();
    }

    async fn on_restart_error(&self, control: &Control, error: &AttemptError, retry: u32) {
        let running = self.journal.enter(Callback::OnRestartError);
        self.journal.note(format!("restart error {retry}"));
        if let Some(does) = &self.restart_error {
            does(control.clone(), error.clone(), retry).await;
        }
        running.returned();
    }
}
