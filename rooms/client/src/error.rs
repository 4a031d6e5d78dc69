//! An error type for each operation.

use std::error::Error as StdError;
use std::sync::Arc;

use wscengine::{ConfigError, SendErrorKind, StartError};

/// Something cannot be said in a protocol, or what came is none of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The protocol has no way to say it.
    #[error("the protocol has no way to {what}")]
    Unsupported {
        /// What was wanted.
        what: &'static str,
    },
    /// It cannot be written, or read: a name that the protocol cannot carry, bytes that break its rules.
    #[error("{0}")]
    Malformed(#[source] Arc<dyn StdError + Send + Sync>),
}

impl ProtocolError {
    /// Made of what is wrong.
    pub fn malformed(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Malformed(error.into().into())
    }
}

/// There is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// An option is wrong. Nothing was dialled.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The first attempt failed. With
    /// [`retry_first`](wscengine::EngineBuilder::retry_first) the engine goes on trying instead.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A room was not joined.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The server did not say in time that the client is in, or there was no connection for so long. The room was given up.
    #[error("the room was not joined in time")]
    TimedOut,
    /// The server ended the connection with 1008: too many rooms, for one. The room was given up.
    #[error("the server refused and closed the connection")]
    Refused,
    /// The room was left before it was joined.
    #[error("the room was left meanwhile")]
    Left,
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// The protocol cannot carry the name.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// A room was not left.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The client is not in the room, nor about to be.
    #[error("not in the room")]
    NotJoined,
    /// The server did not say in time that the client is out. It will not be joined again after a reconnect.
    #[error("the server did not say in time that the room was left")]
    TimedOut,
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// The protocol has no way to leave, or cannot carry the name.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// A message was not sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The client is not in the room: a server would drop the message without a word.
    #[error("not in the room {room:?}")]
    NotJoined {
        /// The room.
        room: String,
    },
    /// The protocol cannot say it.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The engine did not send it; the error says why, and has the message where it was surely not sent.
    #[error(transparent)]
    Engine(#[from] wscengine::SendError),
}

impl SendError {
    /// Why the engine did not send it, if that was it.
    #[must_use]
    pub fn engine(&self) -> Option<SendErrorKind> {
        match self {
            Self::Engine(error) => Some(error.kind()),
            Self::NotJoined { .. } | Self::Protocol(_) => None,
        }
    }
}

/// A handler was too slow: it did not take what came, and its queue was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{count} events were dropped because they were not taken in time")]
#[non_exhaustive]
pub struct Missed {
    /// How many of its events it misses, the oldest.
    pub count: u64,
}
