//! A connection, as handlers use it.

use std::sync::Arc;

use wscengine_rooms_protocol::wsrooms::Frame;

use super::{Claims, Message, voice};
use crate::dialect::Link;
use crate::hub::{Audience, ROOT, When};

/// A wsrooms connection. A clone is another handle to the same connection, to be kept as long as one
/// likes: what is sent after its end goes nowhere.
///
/// Nothing here waits, and everything may be called at once from any number of tasks. What is sent goes
/// into the receivers' queues; one that is too slow is closed with code 1013 and delays nobody.
#[derive(Clone, Debug)]
pub struct Conn {
    link: Link,
}

impl Conn {
    pub(super) fn new(link: Link) -> Self {
        Self { link }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// The id that the server gave it: a random UUID (version 4) of 36 characters.
    #[must_use]
    pub fn id(&self) -> &str {
        self.link.member.id()
    }

    /// What the authorization said about the client; empty without one.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        self.link.member.claims()
    }

    /// The rooms it is in, in the order in which it joined them.
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.link.member.room_names()
    }

    /// Sends to all members of a room but this connection, which need not be one, in its name. Without such
    /// a room nothing happens.
    pub fn send_to_room(&self, room: &str, event: &str, payload: &[u8]) {
        let Link { hub, member } = &self.link;
        let frame = Frame { room, event, dst: "", src: self.id(), payload };
        hub.publish(room, Audience::Others(member), &voice::said(&frame));
    }

    /// Sends to one connection, in room `root` and in the name of this one. Without such a connection
    /// nothing happens.
    pub fn send_to_client(&self, id: &str, event: &str, payload: &[u8]) {
        let frame = Frame { room: ROOT, event, dst: id, src: self.id(), payload };
        self.link.hub.tell(id, When::Joined, &voice::said(&frame));
    }

    /// Puts a message as it is into the queue of this connection. False if it could not be put there: the
    /// queue is full, and the connection is closed as too slow, or has been closed already. Never waits.
    pub fn try_send(&self, message: &Message) -> bool {
        self.link.member.push(&voice::packet(&message.frame()))
    }

    /// Closes the connection once what waits for it is written. The first close counts: whether it was
    /// this one.
    ///
    /// A code that may not be sent ([RFC 6455 section
    /// 7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4)) is sent as 1000, and a reason is cut to 123
    /// bytes.
    pub fn close(&self, code: u16, reason: &str) -> bool {
        self.link.close(code, reason)
    }

    /// Whether the connection is at its end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.link.member.ending().is_some()
    }
}
