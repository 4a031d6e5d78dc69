//! What a session, or a hold on its connection, could not do.

use super::ReadError;
use crate::message::Message;

/// Something could not be sent.
///
/// The message comes back where it was not taken: see [`into_message`](Self::into_message).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct SendError {
    kind: SendErrorKind,
    message: Option<Message<'static>>,
}

/// Why something could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The send queue is full (`try_send` only). Wait with `send`, or send less. Or the [`Outbox`](crate::Outbox) is, and
    /// there is no connection.
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
    /// The engine was built without an [`Outbox`](crate::Outbox).
    #[error("the engine has no outbox")]
    NoOutbox,
    /// It waited in the [`Outbox`](crate::Outbox) for longer than it may.
    #[error("the message waited too long for a connection")]
    Expired,
    /// It was dropped from the [`Outbox`](crate::Outbox) to make room for newer ones.
    #[error("the outbox dropped the message for newer ones")]
    Overflow,
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

    /// The message, unless it had been taken into the send queue.
    pub fn into_message(self) -> Option<Message<'static>> {
        self.message
    }
}

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
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
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
