//! What can go wrong.

use wscengine_rooms_protocol::iris::{DataError, DecodeError, EncodeError};

use crate::connection::Over;
use crate::hub::End;
use crate::ws::close_code;

/// What a listener may return: any error at all. The callbacks for errors are told, the client is not.
pub type ListenerError = Box<dyn std::error::Error + Send + Sync>;

/// What the callbacks of [`on_error`](super::Iris::on_error) are told.
///
/// The first four are the end of the connection; after the others it goes on. A connection that the server ends,
/// or that its client closes with code 1000, 1001 or without one, has no error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client closed with this code.
    #[error("the client closed with code {0}")]
    Closed(u16),
    /// The stream ended without a close frame, or failed.
    #[error("the connection is broken")]
    Broken,
    /// The client broke RFC 6455, or sent a message larger than the limit: it is closed with this code.
    #[error("{reason}")]
    Violation {
        /// The code of the close frame.
        code: u16,
        /// What the client did.
        reason: String,
    },
    /// The client has shown no sign of life for too long, or takes less than is sent to it: it is closed
    /// with code 1013.
    #[error("given up: {0}")]
    GivenUp(String),
    /// A message begins with the prefix, and is no event: it is ignored. `ErrInvalidWebsocketMessage` of the original.
    #[error("Invalid websocket Message: {0}")]
    Malformed(#[source] DecodeError),
    /// The data of an event is not what its type says, or not what a listener takes, which is not called.
    /// `ErrInvalidTypeMessage` of the original.
    #[error("Invalid Type for message: event {event:?}: {source}")]
    Data {
        /// The event.
        event: String,
        /// What does not fit.
        source: DataError,
    },
    /// A listener or callback has returned this.
    #[error(transparent)]
    Listener(ListenerError),
    /// What was given to [`Conn::fire_on_error`](super::Conn::fire_on_error).
    #[error(transparent)]
    Fired(ListenerError),
}

impl Error {
    /// The error with which a connection is over, if it is one.
    pub(super) fn of(over: &Over) -> Option<Self> {
        match over {
            // Its queue was full.
            Over::Ended(end) if end.code == close_code::TRY_AGAIN => Some(Self::given_up(end)),
            Over::PeerClosed(None | Some(1000 | 1001)) | Over::Ended(_) => None,
            Over::PeerClosed(Some(code)) => Some(Self::Closed(*code)),
            Over::Violation(violation) => {
                let (code, reason) = (violation.close_code(), violation.to_string());
                Some(Self::Violation { code, reason })
            }
            Over::GivenUp(end) => Some(Self::given_up(end)),
            Over::Gone => Some(Self::Broken),
        }
    }

    fn given_up(end: &End) -> Self {
        Self::GivenUp(end.reason.clone().into_owned())
    }
}

/// The connection has ended, or is about to: `ErrAlreadyDisconnected` of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("already disconnected")]
pub struct AlreadyDisconnected;

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The receiver would read something else: the name of an event has a semicolon, or a native message begins
    /// with the prefix. [`Conn::write`](super::Conn::write) sends what it is given.
    #[error(transparent)]
    Form(#[from] EncodeError),
    /// The value cannot be written as JSON.
    #[error("the value cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// This connection has ended, or is too slow. Of other receivers nothing is said.
    #[error(transparent)]
    Disconnected(#[from] AlreadyDisconnected),
}

/// Why a frame was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A text frame, or the reason of a close frame, must be UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A ping or pong has at most 125 bytes (RFC 6455 section 5.5).
    #[error("a control frame has more than 125 bytes")]
    TooLong,
    /// A close frame is empty, or begins with a code that may be sent.
    #[error("a close frame has no such code")]
    CloseCode,
    /// The connection has ended, or is too slow.
    #[error(transparent)]
    Disconnected(#[from] AlreadyDisconnected),
}
