//! What handlers are told, and how the connection is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wscengine::{AttemptError, CloseCause, Outcome};

use crate::error::ProtocolError;
use crate::message::Message;

/// What happens: to rooms, to the connection, and what is said.
///
/// All are told in the order in which they happened. After a reconnect the rooms come first, each with
/// [`Rejoined`](Self::Rejoined) and with who came and went in the meantime, then [`Open`](Self::Open).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection is open and all rooms are joined.
    Open {
        /// The client's id on this connection, if the protocol tells it. Each connection has another.
        id: Option<String>,
        /// Whether it was open before.
        again: bool,
    },
    /// The connection has ended.
    Lost {
        /// Why.
        cause: CloseCause,
        /// Whether another attempt follows.
        reconnecting: bool,
    },
    /// The next attempt to connect is waited for.
    Reconnecting {
        /// Its number since the connection was last stable, from 1.
        attempt: u32,
        /// How long until it begins.
        delay: Duration,
    },
    /// An attempt to connect failed.
    AttemptFailed {
        /// Why.
        error: AttemptError,
        /// The number of the attempt.
        attempt: u32,
    },
    /// The end: no attempt follows, and nothing is told after it.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
    /// The client is in a room: it asked to be, or the server put it there.
    Joined {
        /// The room.
        room: String,
        /// Who is in it, the client included; empty where the protocol does not tell.
        members: Vec<String>,
    },
    /// The client is in a room again, after a reconnect.
    Rejoined {
        /// The room.
        room: String,
    },
    /// The client is no longer in a room.
    Left {
        /// The room.
        room: String,
        /// Why.
        reason: LeftReason,
    },
    /// Somebody came into a room.
    NewMember {
        /// The room.
        room: String,
        /// Who.
        id: String,
    },
    /// Somebody went.
    MemberLeft {
        /// The room.
        room: String,
        /// Who.
        id: String,
    },
    /// Something was said.
    Message(Arc<Message>),
    /// The server refused something, in the words of its protocol, which do not say what: go-easy answers so to a
    /// channel that does not exist.
    Refused {
        /// What the server says.
        text: String,
    },
    /// A message came that is none of the protocol. It was passed over.
    Unreadable(ProtocolError),
}

impl Event {
    /// About how much memory it takes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.weight(),
            Self::Joined { room, members } => {
                room.len() + members.iter().map(String::len).sum::<usize>()
            }
            Self::Left { room, .. } | Self::Rejoined { room } => room.len(),
            Self::NewMember { room, id } | Self::MemberLeft { room, id } => room.len() + id.len(),
            Self::Refused { text } => text.len(),
            Self::Open { .. }
            | Self::Lost { .. }
            | Self::Reconnecting { .. }
            | Self::AttemptFailed { .. }
            | Self::Closed { .. }
            | Self::Unreadable(_) => 0,
        }
    }
}

/// Why the client is no longer in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeftReason {
    /// It asked to leave.
    Asked,
    /// The server put it out.
    ByServer,
    /// The server ended the connection with 1008 when the client wanted to join it again: too many rooms, for one.
    Refused,
    /// After a reconnect the server did not say in time that the client is in it again.
    NotRejoined,
}

/// How the connection is. See [`Client::state`](crate::Client::state).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// It is open and all rooms are joined.
    Open {
        /// The client's id on this connection, if the protocol tells it.
        id: Option<String>,
    },
    /// It goes down.
    Closing,
    /// There is none; the engine sees to it.
    Reconnecting {
        /// The number of the attempt that is waited for or under way, since the connection was last stable, from 1.
        attempt: u32,
        /// When it begins; `None` once it is under way.
        until: Option<Instant>,
    },
    /// The end.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
}
