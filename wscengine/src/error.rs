//! One error type per operation: a kind to match on, and the cause as its source.
//!
//! All of them are cheap to clone: the cause is shared.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::handler::CloseCause;
use crate::message::Message;
use crate::transport::HandshakeResponse;

/// What a callback may fail with: any error, so that `?` works on all of them.
pub type HandlerError = Box<dyn StdError + Send + Sync + 'static>;

/// A cause, shared so that the error can be cloned.
pub(crate) type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// Makes the common shape: `kind()`, a source, `Display` as "kind: source".
macro_rules! kinded_error {
    ($(#[$doc:meta])* $name:ident, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            kind: $kind,
            source: Option<Source>,
        }

        impl $name {
            /// An error without a cause.
            pub fn new(kind: $kind) -> Self {
                Self { kind, source: None }
            }

            /// An error with its cause.
            pub fn with_source(kind: $kind, source: impl Into<HandlerError>) -> Self {
                Self { kind, source: Some(Arc::from(source.into())) }
            }

            /// What failed.
            pub fn kind(&self) -> $kind {
                self.kind
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("kind", &self.kind)
                    .field("source", &self.source)
                    .finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.kind.fmt(f)?;
                match &self.source {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
        }

        impl StdError for $name {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
            }
        }

        impl From<$kind> for $name {
            fn from(kind: $kind) -> Self {
                Self::new(kind)
            }
        }
    };
}

/// A dial or an opening handshake failed.
#[derive(Clone)]
pub struct ConnectError {
    kind: ConnectErrorKind,
    source: Option<Source>,
    response: Option<Arc<HandshakeResponse>>,
}

/// Which phase of a dial failed, and whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The request cannot be sent: a header of the user's that the handshake sets itself, an invalid
    /// subprotocol, a URL without a host. The caller's fault: change the configuration.
    #[error("the request is invalid")]
    InvalidRequest,
    /// The host name was not resolved.
    #[error("the host name was not resolved")]
    Resolve,
    /// No address of the host took a TCP connection.
    #[error("the host did not accept the connection")]
    Connect,
    /// The TLS handshake failed for another reason than the certificate.
    #[error("the TLS handshake failed")]
    Tls,
    /// The server's certificate is not trusted or is for another name.
    #[error("the server's certificate was refused")]
    Certificate,
    /// The server answered with another HTTP status than 101: see [`ConnectError::response`].
    #[error("the server refused the upgrade")]
    Status,
    /// The server's answer is no valid acceptance (RFC 6455 section 4.1), or no HTTP at all.
    #[error("the server's handshake is invalid")]
    Handshake,
    /// The header block of the answer is longer than 64 KiB.
    #[error("the server's response header is too large")]
    ResponseTooLarge,
    /// The connection broke during the handshake.
    #[error("the connection was lost during the handshake")]
    Io,
    /// A phase of the dial took longer than it may.
    #[error("{0} timed out")]
    Timeout(Phase),
    /// A failure of a transport's own.
    #[error("the transport failed")]
    Other,
}

/// A phase of a dial that has a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Phase {
    /// Name resolution.
    #[error("name resolution")]
    Resolve,
    /// TCP connection.
    #[error("connecting")]
    Connect,
    /// TLS handshake.
    #[error("the TLS handshake")]
    Tls,
    /// HTTP upgrade.
    #[error("the WebSocket handshake")]
    Upgrade,
    /// The dial as a whole.
    #[error("the connection attempt")]
    Whole,
}

impl ConnectError {
    /// An error without a cause.
    pub fn new(kind: ConnectErrorKind) -> Self {
        Self { kind, source: None, response: None }
    }

    /// An error with its cause.
    pub fn with_source(kind: ConnectErrorKind, source: impl Into<HandlerError>) -> Self {
        Self { kind, source: Some(Arc::from(source.into())), response: None }
    }

    /// Adds the server's answer.
    #[must_use]
    pub fn with_response(mut self, response: HandshakeResponse) -> Self {
        self.response = Some(Arc::new(response));
        self
    }

    /// What failed.
    pub fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// The server's answer, if it gave one that could be parsed: status, headers and body.
    pub fn response(&self) -> Option<&HandshakeResponse> {
        self.response.as_deref()
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .field("response", &self.response)
            .finish()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if let (ConnectErrorKind::Status, Some(response)) = (self.kind, &self.response) {
            write!(f, " with status {}", response.status)?;
        }
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<ConnectErrorKind> for ConnectError {
    fn from(kind: ConnectErrorKind) -> Self {
        Self::new(kind)
    }
}

/// A read failed for another reason than a close frame.
#[derive(Clone)]
pub struct ReadError {
    kind: ReadErrorKind,
    fatal: bool,
    source: Option<Source>,
}

/// Why a read failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The socket failed: a reset, a time-out of the system.
    #[error("reading from the socket failed")]
    Io,
    /// The stream ended without a close frame.
    #[error("the connection ended without a close frame")]
    UnexpectedEof,
    /// The peer broke RFC 6455. The engine answers with close code 1002.
    #[error("the peer broke the WebSocket protocol")]
    Protocol,
    /// A frame or message is larger than the limit. The engine answers with close code 1009.
    #[error("a message is larger than the limit")]
    TooBig,
    /// Text that is not UTF-8. The engine answers with close code 1007.
    #[error("a text message is not UTF-8")]
    InvalidUtf8,
    /// A close frame has been read before.
    #[error("the connection is closed")]
    Closed,
    /// A message that the transport's own codec could not decode.
    #[error("the transport could not decode a message")]
    Codec,
}

impl ReadError {
    /// A fatal error without a cause.
    pub fn new(kind: ReadErrorKind) -> Self {
        Self { kind, fatal: true, source: None }
    }

    /// A fatal error with its cause.
    pub fn with_source(kind: ReadErrorKind, source: impl Into<HandlerError>) -> Self {
        Self { kind, fatal: true, source: Some(Arc::from(source.into())) }
    }

    /// Says that the connection can be read on after this error. For transports with codecs of their
    /// own: what RFC 6455 forbids always ends the connection.
    #[must_use]
    pub fn survivable(mut self) -> Self {
        self.fatal = false;
        self
    }

    /// What failed.
    pub fn kind(&self) -> ReadErrorKind {
        self.kind
    }

    /// Whether the connection ends with this error.
    pub fn is_fatal(&self) -> bool {
        self.fatal
    }

    /// The same error, now ending the connection: the second in a row does.
    pub(crate) fn into_fatal(mut self) -> Self {
        self.fatal = true;
        self
    }
}

impl fmt::Debug for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadError")
            .field("kind", &self.kind)
            .field("fatal", &self.fatal)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for ReadError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<ReadErrorKind> for ReadError {
    fn from(kind: ReadErrorKind) -> Self {
        Self::new(kind)
    }
}

kinded_error! {
    /// A write failed: the connection is lost.
    WriteError, WriteErrorKind
}

/// Why a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// The socket failed.
    #[error("writing to the socket failed")]
    Io,
    /// The connection is closed already.
    #[error("the connection is closed")]
    Closed,
    /// The transport cannot send this frame.
    #[error("the transport cannot send this frame")]
    Invalid,
}

kinded_error! {
    /// The closing handshake did not complete.
    CloseError, CloseErrorKind
}

/// Why a closing handshake did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CloseErrorKind {
    /// The peer did not answer the close frame in time. The socket was dropped.
    #[error("the peer did not answer the close frame in time")]
    Timeout,
    /// The connection broke before the peer's close frame arrived.
    #[error("the connection broke during the closing handshake")]
    Io,
}

/// A connection attempt failed: the dial, or `on_open` after it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The dial or the handshake failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// `on_open` returned this error.
    #[error("on_open failed: {0}")]
    OnOpen(#[source] Source),
    /// `on_open` did not return in time.
    #[error("on_open did not return within {0:?}")]
    OnOpenTimeout(Duration),
    /// `on_open` panicked.
    #[error("on_open panicked")]
    OnOpenPanicked,
    /// The connection was lost, or closed by the peer, while `on_open` ran.
    #[error("the connection ended while on_open ran: {0}")]
    ConnectionLost(CloseCause),
}

/// `start()` failed: no session was opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The attempt failed; with `retry_first(true)`, the last one that the budget allowed.
    #[error("the engine could not start: {0}")]
    Attempt(#[from] AttemptError),
    /// `stop`, or `Control::exit`, was called before the first session was open.
    #[error("the engine was stopped before it had started")]
    Stopped,
}

/// Something could not be sent.
///
/// The message comes back where it was not taken: see [`into_message`](Self::into_message).
#[derive(Clone, PartialEq, Eq)]
pub struct SendError {
    kind: SendErrorKind,
    message: Option<Message<'static>>,
}

/// Why something could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The send queue is full (`try_send` only). Wait with `send`, or send less.
    #[error("the send queue is full")]
    Full,
    /// The session of this handle has ended; the message was not put into a later one.
    #[error("the session has ended")]
    SessionEnded,
    /// The engine has no open connection at present.
    #[error("the engine is not connected")]
    NotConnected,
    /// The engine was stopped.
    #[error("the engine has stopped")]
    Stopped,
    /// The connection was lost after the message had been queued and before it was written.
    #[error("the connection was lost before the message was written")]
    Lost,
    /// The hold on the connection that this handle had was revoked.
    #[error("the hold on the connection was revoked")]
    Revoked,
}

impl SendError {
    pub(crate) fn new(kind: SendErrorKind) -> Self {
        Self { kind, message: None }
    }

    pub(crate) fn returning(kind: SendErrorKind, message: Message<'static>) -> Self {
        Self { kind, message: Some(message) }
    }

    /// Why it was not sent.
    pub fn kind(&self) -> SendErrorKind {
        self.kind
    }

    /// The message, if it had not been taken into the queue.
    pub fn into_message(self) -> Option<Message<'static>> {
        self.message
    }
}

impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .finish()
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl StdError for SendError {}

/// A ping got no pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// No pong with the ping's payload came in time.
    #[error("no pong came in time")]
    Timeout,
    /// The session ended first.
    #[error("the session has ended")]
    SessionEnded,
    /// The engine has no open connection at present.
    #[error("the engine is not connected")]
    NotConnected,
    /// The hold on the connection was revoked.
    #[error("the hold on the connection was revoked")]
    Revoked,
    /// Too many pings of this session wait for their pongs.
    #[error("too many pings are waiting")]
    TooMany,
}

/// A pause was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PauseError {
    /// `on_open` or `on_close` runs and holds the connection already: use the [`Exclusive`](crate::Exclusive) it was given.
    #[error("a callback holds the connection already")]
    AlreadyHeld,
    /// The engine has no open connection at present.
    #[error("the engine is not connected")]
    NotConnected,
    /// The session of this handle has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

/// Why a holder no longer has the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Revoked {
    /// The engine stops.
    #[error("the engine stops")]
    Stopping,
    /// The engine restarts the connection.
    #[error("the connection is restarted")]
    Restarting,
    /// The peer closed the connection, or it was lost.
    #[error("the connection ended")]
    ConnectionEnded,
    /// The time of [`pause_for`](crate::Engine::pause_for) is over.
    #[error("the hold's time is over")]
    Expired,
}

/// A holder could not receive.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The hold was revoked. Messages that had not been received go to `on_message`.
    #[error("the hold on the connection was revoked: {0}")]
    Revoked(#[from] Revoked),
    /// A read failed in a way that the connection survives; the next call goes on.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// [`recv_matching`](crate::Exclusive::recv_matching) passed over as much as may be read ahead and found
    /// no match. Take the messages with `recv`, or raise `read_ahead`.
    #[error("the read-ahead is full of messages that do not match")]
    ReadAheadFull,
}

/// The configuration is wrong: found by `build()`, before anything is dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("option `{option}` {problem}")]
pub struct ConfigError {
    option: &'static str,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(option: &'static str, problem: impl Into<String>) -> Self {
        Self { option, problem: problem.into() }
    }

    /// The name of the builder's method that was given the wrong value, or was not called.
    pub fn option(&self) -> &'static str {
        self.option
    }
}
