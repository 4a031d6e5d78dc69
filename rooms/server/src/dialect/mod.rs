//! The seam between the hub and a protocol.
//!
//! Four protocols meet in one hub; each is a [`Dialect`]. It judges the opening request in its own order and
//! words, makes the ids, knows what a message of a client means, and gives its connections a
//! [`Voice`](crate::hub::Voice): how they are told what happens in rooms, by whomever. It does no I/O: what it
//! has to say goes into queues, and what takes time is a future that the connection's task drives before it
//! takes the next message.

pub mod easy;
pub(crate) mod echo;
pub mod grows;
pub mod iris;
pub(crate) mod raw;
pub mod wsrooms;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;

use crate::connection::Over;
use crate::handshake::HandshakeError;
use crate::hub::{End, Everyone, Hub, Member, Profile, When};
use crate::ws::Kind;

/// One of the protocols, set up as the user wants it.
pub(crate) trait Dialect: Send + Sync + Sized + 'static {
    /// What a request tells beyond the hub's profile.
    type Guest: Send + 'static;
    /// A connection as the handlers of this protocol see it.
    type Conn: Send + Sync + 'static;

    /// Under which it is counted.
    const NAME: &'static str;

    fn pace(&self) -> Pace;

    /// How long a socket may take nothing, where that is not as the server has it.
    fn write_timeout(&self) -> Option<Duration> {
        None
    }

    /// How many bytes may wait for a client before no more is read from it. `None`: it is read from all the same,
    /// and is closed as too slow when its queue is full or its time over.
    fn backlog(&self) -> Option<usize> {
        None
    }

    /// How long the answer to the upgrade may take to be written, where that has a limit.
    fn handshake_timeout(&self) -> Option<Duration> {
        None
    }

    /// Judges a request, before the upgrade. `handshake` is what RFC 6455 says about it: when it is told, and
    /// in which words, is the protocol's business.
    fn admit(
        self: &Arc<Self>,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> impl Future<Output = Result<Admission<Self::Guest>, Response>> + Send;

    /// A connection whose upgrade is done and which the hub lists.
    fn conn(self: &Arc<Self>, link: Link, guest: Self::Guest) -> Self::Conn;

    /// Whether it was agreed that messages may be compressed (RFC 7692), without context takeover.
    fn inflates(&self, _conn: &Self::Conn) -> bool {
        false
    }

    /// Before the first message.
    fn opened(&self, conn: &Self::Conn) -> Work;

    fn received(&self, conn: &Self::Conn, message: Incoming<'_>) -> Work;

    /// Right before a ping is sent.
    fn pinging(&self, _conn: &Self::Conn) {}

    fn ponged(&self, _conn: &Self::Conn) {}

    /// Those whom the handlers of this protocol address all together; those on other nodes belong to them.
    fn crowd(&self) -> Option<Everyone> {
        None
    }

    /// After the last message; the connection is still listed, and in its rooms.
    fn closed(&self, _conn: &Self::Conn, _how: &Over) -> Work {
        Work::Done
    }
}

/// What the connection's task does by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The largest message of a client, in bytes.
    pub(crate) max_message: usize,
    /// Between pings.
    pub(crate) ping: Option<Duration>,
    /// How long a client may be silent.
    pub(crate) idle: Option<Duration>,
}

/// Who may come in, and how it is answered.
#[derive(Debug)]
pub(crate) struct Admission<G> {
    pub(crate) profile: Profile,
    /// Of the answer, beyond those of the upgrade.
    pub(crate) headers: HeaderMap,
    pub(crate) guest: G,
}

/// A message of a client. Text is UTF-8.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
    /// Whether more of this client is at hand: what can be joined with it.
    pub(crate) followed: When,
}

/// What is left to do for a message.
pub(crate) enum Work {
    Done,
    /// Before the next message.
    Later(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// A connection and the hub that lists it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) hub: Arc<Hub>,
    pub(crate) member: Arc<Member>,
}

impl Link {
    /// Ends the connection as its application wants it. A code that may not be sent (RFC 6455 section 7.4) is
    /// sent as 1000. Whether it is the first end.
    pub(crate) fn close(&self, code: u16, reason: &str) -> bool {
        let code =
            if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) { code } else { 1000 };
        self.member.end(End::new(code, reason.to_owned()))
    }
}
