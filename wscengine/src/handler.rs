//! The callback trait: what a user implements.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use crate::engine::Control;
use crate::error::{AttemptError, CloseError, HandlerError, ReadError, WriteError};
use crate::exclusive::Exclusive;
use crate::message::{CloseFrame, Message};
use crate::session::Session;
use crate::transport::HandshakeResponse;

/// What happens to a connection, as callbacks. Only [`on_message`](Self::on_message) must be written.
///
/// The methods are written as plain `async fn`. The engine calls them in this order for each session: `on_open`,
/// then `on_message` for each message, then `on_close` once, then `on_close_error` at most once; nothing after
/// that, and sessions never overlap. A panic in a callback is caught and reported; only in `on_open` does it end
/// the attempt.
///
/// All callbacks but `on_message` have a time limit, set on the [`EngineBuilder`](crate::EngineBuilder). One that
/// is past it is dropped at its next await.
///
/// Keep a [`Session`] or a [`Control`] in a handler, never an [`Engine`](crate::Engine): an engine stops when its
/// last handle is dropped.
///
/// # Cancel safety
/// A callback may be dropped at any of its awaits: when it is over its time; `on_open` when the connection is lost or
/// the engine is told to stop or restart; `on_message` when its session has ended and `drain_timeout` is over. What
/// must not be left half done belongs into a task of its own.
///
/// # Examples
/// ```
/// use wscengine::{Handler, Message, Session};
///
/// struct Printer;
///
/// impl Handler for Printer {
///     async fn on_message(&self, _session: &Session, message: Message<'_>) {
///         println!("{:?}", message.text());
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// A connection is open: log in, subscribe, receive the answers. Called after each successful handshake,
    /// before any `on_message`.
    ///
    /// # Errors
    /// An error refuses the connection, which is closed with 1001. On the first start, `start()` returns it; on a
    /// restart the attempt has failed and the next one is scheduled.
    fn on_open(
        &self,
        conn: &mut Exclusive,
        opened: Opened,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        let _ = (conn, opened);
        async { Ok(()) }
    }

    /// A text or binary message. With one worker, calls come one after the other in the order of arrival; with N,
    /// up to N run at once.
    ///
    /// The payload is lent: [`Message::into_owned`] keeps it. The connection is read and written while this waits,
    /// but not while it blocks its thread: for work that does, use more workers or `spawn_blocking`. With more workers,
    /// await something between a send and such work (`tokio::task::yield_now` will do): the scheduler runs the
    /// connection's task, which the send wakes, on the sender's thread first.
    fn on_message(
        &self,
        session: &Session,
        message: Message<'_>,
    ) -> impl Future<Output = ()> + Send;

    /// A read failed for another reason than a close frame. No other callback of the session runs meanwhile.
    ///
    /// [`ReadError::is_fatal`] tells whether the connection survives; if not, `on_close` follows.
    fn on_read_error(
        &self,
        session: &Session,
        error: &ReadError,
    ) -> impl Future<Output = ()> + Send {
        let _ = (session, error);
        async {}
    }

    /// The session has ended: exactly once for each whose `on_open` returned `Ok`, after its last `on_message`
    /// has returned.
    ///
    /// If we end it ([`Initiator::Local`]), `conn` may still send and receive, to log out, and the frame returned
    /// is the one that is sent: 1001 "Going away" for `None`. If the peer did, or the connection was lost, every
    /// call on `conn` fails at once and the frame is ignored.
    fn on_close(
        &self,
        conn: &mut Exclusive,
        closed: &Closed,
    ) -> impl Future<Output = Option<CloseFrame>> + Send {
        let _ = (conn, closed);
        async { None }
    }

    /// The closing handshake failed or timed out.
    fn on_close_error(
        &self,
        session: &Session,
        error: &CloseError,
    ) -> impl Future<Output = ()> + Send {
        let _ = (session, error);
        async {}
    }

    /// An attempt to connect failed. The next one waits for this to return; [`Control::exit`] makes it the last.
    ///
    /// `retry` is the number of the attempt that failed, counted since the last stable session. A session that did not
    /// live for [`stable_after`](crate::EngineBuilder::stable_after) was such an attempt too: after it the first
    /// refused dial has 2.
    fn on_restart_error(
        &self,
        control: &Control,
        error: &AttemptError,
        retry: u32,
    ) -> impl Future<Output = ()> + Send {
        let _ = (control, error, retry);
        async {}
    }
}

/// What `on_open` is told.
#[derive(Clone)]
#[non_exhaustive]
pub struct Opened {
    /// The URL that was dialled: which server it is, where a request factory chooses.
    pub url: Url,
    /// The server's handshake response: status, headers, subprotocol.
    pub response: HandshakeResponse,
    /// Whether a session was open before: subscriptions are gone and must be made again.
    pub restarting: bool,
    /// The number of this attempt since the last stable session, from 1.
    pub attempt: u32,
    /// Why the last session ended, if there was one.
    pub previous: Option<CloseCause>,
}

/// Shows no credentials of the URL.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("url", &crate::telemetry::redact(&self.url))
            .field("response", &self.response)
            .field("restarting", &self.restarting)
            .field("attempt", &self.attempt)
            .field("previous", &self.previous)
            .finish()
    }
}

/// What `on_close` is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Who ended the session.
    pub initiator: Initiator,
    /// Why.
    pub cause: CloseCause,
    /// The peer's close frame, if it sent one with a status code.
    pub frame: Option<CloseFrame>,
    /// Whether the engine will try to connect again, as far as its budget allows.
    pub restarting: bool,
    /// Messages that were read and that nobody took. If we end the session, they are what `recv` gives first.
    pub unhandled: usize,
    /// Messages accepted for sending and not known to have been written.
    pub unsent: usize,
}

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// This program: a stop or a restart.
    Local,
    /// The peer, with a close frame.
    Peer,
    /// Nobody meant to: the connection was lost, or the peer broke the protocol.
    Lost,
}

/// Why a session ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CloseCause {
    /// `stop`, `exit`, or the drop of the last engine handle.
    Stopped,
    /// `restart` was called.
    Restarted,
    /// The peer sent a close frame; `None` if it had no status code (1005).
    PeerClosed(Option<CloseFrame>),
    /// A read failed fatally.
    ReadFailed(ReadError),
    /// A write failed.
    WriteFailed(WriteError),
    /// The socket took no byte for the write time-out.
    WriteStalled,
    /// Nothing came from the peer between a ping and the ping time-out.
    HeartbeatLost,
    /// No message came for the idle time-out.
    IdleTimeout,
    /// The transport's code panicked.
    TransportPanicked,
}

impl CloseCause {
    /// Who ended the session.
    pub fn initiator(&self) -> Initiator {
        match self {
            Self::Stopped | Self::Restarted => Initiator::Local,
            Self::PeerClosed(_) => Initiator::Peer,
            Self::ReadFailed(_)
            | Self::WriteFailed(_)
            | Self::WriteStalled
            | Self::HeartbeatLost
            | Self::IdleTimeout
            | Self::TransportPanicked => Initiator::Lost,
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        self.initiator() == Initiator::Local
    }

    /// The peer's close frame, if it sent one with a status code.
    pub fn frame(&self) -> Option<&CloseFrame> {
        match self {
            Self::PeerClosed(frame) => frame.as_ref(),
            Self::Stopped
            | Self::Restarted
            | Self::ReadFailed(_)
            | Self::WriteFailed(_)
            | Self::WriteStalled
            | Self::HeartbeatLost
            | Self::IdleTimeout
            | Self::TransportPanicked => None,
        }
    }
}

/// In the words of a log line and of `error.type`.
impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Restarted => f.write_str("restarted"),
            Self::PeerClosed(Some(frame)) => write!(f, "closed by the peer with {}", frame.code()),
            Self::PeerClosed(None) => f.write_str("closed by the peer"),
            Self::ReadFailed(error) => write!(f, "read failed: {error}"),
            Self::WriteFailed(error) => write!(f, "write failed: {error}"),
            Self::WriteStalled => f.write_str("the socket took no byte in time"),
            Self::HeartbeatLost => f.write_str("nothing came after a ping"),
            Self::IdleTimeout => f.write_str("no message came in time"),
            Self::TransportPanicked => f.write_str("the transport panicked"),
        }
    }
}

/// The six callbacks, by name: in errors, outcomes and spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Callback {
    /// `on_open`
    OnOpen,
    /// `on_message`
    OnMessage,
    /// `on_read_error`
    OnReadError,
    /// `on_close`
    OnClose,
    /// `on_close_error`
    OnCloseError,
    /// `on_restart_error`
    OnRestartError,
}

impl Callback {
    /// The name of the trait's method.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnOpen => "on_open",
            Self::OnMessage => "on_message",
            Self::OnReadError => "on_read_error",
            Self::OnClose => "on_close",
            Self::OnCloseError => "on_close_error",
            Self::OnRestartError => "on_restart_error",
        }
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A handler behind a pointer, for programs that choose it at run time: `Box<dyn DynHandler>` and
/// `Arc<dyn DynHandler>` are handlers. It costs a boxed future for each callback.
///
/// Implemented for every [`Handler`]; implement that one.
///
/// # Examples
/// ```
/// use wscengine::{DynHandler, Handler, Message, Session};
///
/// struct Quiet;
/// impl Handler for Quiet {
///     async fn on_message(&self, _: &Session, _: Message<'_>) {}
/// }
///
/// fn takes_a_handler(_: impl Handler) {}
/// let chosen: Box<dyn DynHandler> = Box::new(Quiet);
/// takes_a_handler(chosen);
/// ```
#[async_trait]
pub trait DynHandler: Send + Sync + 'static {
    #[doc(hidden)]
    async fn dyn_on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError>;
    #[doc(hidden)]
    async fn dyn_on_message(&self, session: &Session, message: Message<'_>);
    #[doc(hidden)]
    async fn dyn_on_read_error(&self, session: &Session, error: &ReadError);
    #[doc(hidden)]
    async fn dyn_on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame>;
    #[doc(hidden)]
    async fn dyn_on_close_error(&self, session: &Session, error: &CloseError);
    #[doc(hidden)]
    async fn dyn_on_restart_error(&self, control: &Control, error: &AttemptError, retry: u32);
}

#[async_trait]
impl<H: Handler> DynHandler for H {
    async fn dyn_on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        self.on_open(conn, opened).await
    }

    async fn dyn_on_message(&self, session: &Session, message: Message<'_>) {
        self.on_message(session, message).await;
    }

    async fn dyn_on_read_error(&self, session: &Session, error: &ReadError) {
        self.on_read_error(session, error).await;
    }

    async fn dyn_on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        self.on_close(conn, closed).await
    }

    async fn dyn_on_close_error(&self, session: &Session, error: &CloseError) {
        self.on_close_error(session, error).await;
    }

    async fn dyn_on_restart_error(&self, control: &Control, error: &AttemptError, retry: u32) {
        self.on_restart_error(control, error, retry).await;
    }
}

impl Handler for dyn DynHandler {
    async fn on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        self.dyn_on_open(conn, opened).await
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        self.dyn_on_message(session, message).await;
    }

    async fn on_read_error(&self, session: &Session, error: &ReadError) {
        self.dyn_on_read_error(session, error).await;
    }

    async fn on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        self.dyn_on_close(conn, closed).await
    }

    async fn on_close_error(&self, session: &Session, error: &CloseError) {
        self.dyn_on_close_error(session, error).await;
    }

    async fn on_restart_error(&self, control: &Control, error: &AttemptError, retry: u32) {
        self.dyn_on_restart_error(control, error, retry).await;
    }
}

/// A pointer to a handler hands every callback on.
macro_rules! handler_behind {
    ($pointer:ident) => {
        impl<H: Handler + ?Sized> Handler for $pointer<H> {
            async fn on_open(
                &self,
                conn: &mut Exclusive,
                opened: Opened,
            ) -> Result<(), HandlerError> {
                (**self).on_open(conn, opened).await
            }

            async fn on_message(&self, session: &Session, message: Message<'_>) {
                (**self).on_message(session, message).await;
            }

            async fn on_read_error(&self, session: &Session, error: &ReadError) {
                (**self).on_read_error(session, error).await;
            }

            async fn on_close(&self, conn: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
                (**self).on_close(conn, closed).await
            }

            async fn on_close_error(&self, session: &Session, error: &CloseError) {
                (**self).on_close_error(session, error).await;
            }

            async fn on_restart_error(&self, control: &Control, error: &AttemptError, retry: u32) {
                (**self).on_restart_error(control, error, retry).await;
            }
        }
    };
}

handler_behind!(Arc);
handler_behind!(Box);
