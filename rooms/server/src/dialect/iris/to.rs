//! Sending to many, or to somebody else.

use wscengine_rooms_protocol::iris::Value;
use wscengine_rooms_protocol::room::{Data, Message};

use super::conn::check_name;
use super::{ALL, BROADCAST, Conn, EmitError, Payload};
use crate::broker::Carried;
use crate::hub::{Audience, Content, Native, ROOT, Voice};
use crate::ws::Packet;

/// Receivers of something: [`Conn::to`].
///
/// - [`ALL`]: the connections of this server, which is all that came by the same endpoint;
/// - [`BROADCAST`]: these but the sender;
/// - the id of a connection, of whatever protocol: that one alone. Who joins the room of that name does not hear it;
/// - else a room: its members of whatever protocol, the sender too if it is one. It need not be one.
///
/// Where there is nobody, nothing happens, without an error.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is sent yet"]
pub struct To<'a> {
    conn: &'a Conn,
    target: &'a str,
}

impl<'a> To<'a> {
    pub(super) fn new(conn: &'a Conn, target: &'a str) -> Self {
        Self { conn, target }
    }

    /// Sends an event.
    ///
    /// # Errors
    /// The name has a semicolon, or the payload cannot be written as JSON. Nothing is said of the receivers.
    pub fn emit(self, event: &str, payload: impl Payload) -> Result<(), EmitError> {
        let sent = payload.sent()?;
        check_name(event)?;
        let (sender, value) = (self.conn.id(), sent.value());
        let data = Data::from_iris(&value);
        self.deliver(&|room, dst| {
            let message = Message { room, event, sender, dst, data: data.clone() };
            Emitted { message, value }
        });
        Ok(())
    }

    /// Sends a native message. A wsrooms connection gets it as an event without a name.
    ///
    /// # Errors
    /// It begins with the prefix, so that it would be taken for an event.
    pub fn emit_message(self, message: impl AsRef<[u8]>) -> Result<(), EmitError> {
        let message = message.as_ref();
        self.conn.mounted().check_native(message)?;
        let (sender, data) = (self.conn.id(), Data::from_payload(message));
        self.deliver(&|room, dst| Native { room, sender, dst, data: data.clone() });
        Ok(())
    }

    fn deliver<C: Content>(self, content: &dyn Fn(&'a str, &'a str) -> C) {
        let (link, crowd) = (self.conn.link(), self.conn.mounted().server().crowd());
        match self.target {
            ALL => _ = crowd.publish(Audience::Everyone, &content("", "")),
            BROADCAST => _ = crowd.publish(Audience::Others(&link.member), &content("", "")),
            room if !link.hub.has(room) => {
                link.hub.publish(room, Audience::Everyone, &content(room, ""));
            }
            id => {
                link.hub.tell(id, self.conn.when(), &content(ROOT, id));
            }
        }
    }
}

/// An event with its value, which members of other protocols are told in their own terms.
struct Emitted<'a> {
    message: Message<'a>,
    value: Value<'a>,
}

impl Content for Emitted<'_> {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        voice.emitted(&self.message, &self.value)
    }

    fn carried(&self) -> Option<Carried<'_>> {
        Some(Carried::Message(&self.message))
    }
}
