//! Why a request got no reply.

use super::{SendError, SendErrorKind};
use crate::message::Message;

/// A request got no reply.
///
/// The message comes back where it was not taken for sending: see [`into_message`](Self::into_message).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct CallError {
    kind: CallErrorKind,
    message: Option<Message<'static>>,
}

/// Why a request got no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CallErrorKind {
    /// No reply came in time. Whether the server has done what was asked is not known. If the reply still comes, it goes
    /// to `on_message`.
    #[error("no reply came in time")]
    Timeout,
    /// The session ended first: by a stop, by a restart, by the peer, or because the connection was lost. Whether the
    /// server has done what was asked is not known, unless the message comes back with the error.
    #[error("the session has ended")]
    SessionEnded,
    /// The engine has no open connection at present.
    #[error("the engine is not connected")]
    NotConnected,
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
    /// A call with this id waits for its reply, or one was sent and given up in this session, and its reply may still come. Use
    /// a new id for each call.
    #[error("the id is in use")]
    IdInUse,
    /// The function that takes the id out of a message found none in the request.
    #[error("the request has no id")]
    NoId,
    /// The engine was built without these requests: give them to
    /// [`EngineBuilder::requests`](crate::EngineBuilder::requests).
    #[error("the engine does not know of these requests")]
    NotInstalled,
}

impl CallError {
    pub(crate) fn new(kind: CallErrorKind) -> Self {
        Self { kind, message: None }
    }

    pub(crate) fn returning(kind: CallErrorKind, message: Message<'static>) -> Self {
        Self { kind, message: Some(message) }
    }

    /// Why no reply came.
    pub fn kind(&self) -> CallErrorKind {
        self.kind
    }

    /// The request, if it had not been taken into the send queue: then it was not sent.
    pub fn into_message(self) -> Option<Message<'static>> {
        self.message
    }
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> Self {
        let kind = match error.kind() {
            SendErrorKind::NotConnected => CallErrorKind::NotConnected,
            SendErrorKind::Stopped => CallErrorKind::Stopped,
            _ => CallErrorKind::SessionEnded,
        };
        Self { kind, message: error.into_message() }
    }
}

impl From<CallErrorKind> for CallError {
    fn from(kind: CallErrorKind) -> Self {
        Self::new(kind)
    }
}
