//! An open connection failed: reading, writing, closing.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::{HandlerError, Source, kinded_error};

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
