//! What becomes of a message, and how its sender hears of it: once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::error::{SendError, SendErrorKind};

/// What became of a message that the [`Outbox`](crate::Outbox) accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// Its bytes were handed to the socket in this session. That is all that can be known here: if the connection was lost
    /// soon after, the peer may not have read them.
    Written {
        /// The session's id.
        session: Uuid,
    },
    /// The peer has not seen it and never will. The error says why, and has the message:
    /// [`Expired`](SendErrorKind::Expired), [`Overflow`](SendErrorKind::Overflow), [`SessionEnded`](SendErrorKind::SessionEnded)
    /// or [`Stopped`](SendErrorKind::Stopped).
    NotSent(SendError),
    /// It was on its way to the socket when this session was cut: the peer may have seen it, or not. It is not sent again.
    Unknown {
        /// The session's id.
        session: Uuid,
    },
}

/// Resolves to the [`Fate`] of a message. Dropped, the message is sent all the same.
///
/// # Panics
/// If it is polled again after it has resolved.
#[derive(Debug)]
#[must_use = "if the fate does not matter, use `send`"]
pub struct Delivery {
    answer: oneshot::Receiver<Fate>,
}

impl Future for Delivery {
    type Output = Fate;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fate> {
        let answer = Pin::new(&mut self.answer).poll(cx);
        // A receipt says something when it is dropped, too.
        answer.map(|fate| fate.unwrap_or(Fate::NotSent(SendError::new(SendErrorKind::Stopped))))
    }
}

/// The other end of a [`Delivery`]: says one fate, even if it is dropped.
#[derive(Debug)]
pub(crate) struct Receipt {
    reply: Option<oneshot::Sender<Fate>>,
    stage: Stage,
}

/// How far the message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// It was given to the transport of this session.
    HandedOver(Uuid),
}

impl Receipt {
    pub(crate) fn new() -> (Self, Delivery) {
        let (reply, answer) = oneshot::channel();
        (Self { reply: Some(reply), stage: Stage::Waiting }, Delivery { answer })
    }

    /// The message is being given to the transport: from now on the peer may see it.
    pub(crate) fn hand_over(&mut self, session: Uuid) {
        self.stage = Stage::HandedOver(session);
    }

    /// All that the transport was given is with the socket.
    pub(crate) fn flushed(mut self) {
        if let Stage::HandedOver(session) = self.stage {
            self.tell(Fate::Written { session });
        }
    }

    pub(super) fn not_sent(mut self, error: SendError) {
        self.tell(Fate::NotSent(error));
    }

    fn tell(&mut self, fate: Fate) {
        if let Some(reply) = self.reply.take() {
            // Whoever asked may have stopped waiting.
            let _ = reply.send(fate);
        }
    }
}

/// Dropped before it said anything: the session was cut, or the engine went away.
impl Drop for Receipt {
    fn drop(&mut self) {
        self.tell(match self.stage {
            Stage::Waiting => Fate::NotSent(SendError::new(SendErrorKind::Stopped)),
            Stage::HandedOver(session) => Fate::Unknown { session },
        });
    }
}
