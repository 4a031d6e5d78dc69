//! groWs: rooms are the server's; clients reach them through events of the application.

use wscengine::Message as WireMessage;
use wscengine_rooms_protocol::grows::{Event, Frame};
use wscengine_rooms_protocol::{json, room};

use super::{Acknowledged, Greeting, Names, Notice, Protocol, Saying, To, limits, wire};
use crate::error::ProtocolError;
use crate::message::{Data, Message};

/// groWs. Rooms are joined and spoken in by the events of [`Names`]. Who is in a room is not told, nor is the room or
/// the sender of a message, and there are no direct messages.
///
/// What is said to a room must be the event of [`Names::room`]; any event may be sent to the
/// [server](crate::Client::send_to_server).
///
/// # Examples
/// ```
/// use wscengine_rooms_client::{Data, Grows, Protocol, Saying, To};
///
/// let protocol = Grows::new();
/// let hi = Data::from("hi");
/// let said = protocol.say(&Saying { to: To::Room("lobby"), event: "chat", data: &hi })?;
/// assert_eq!(said.text(), Some(r#"{"event":"room","data":{"room":"lobby","text":"hi"}}"#));
/// let plain = protocol.say(&Saying { to: To::Server, event: "echo", data: &hi })?;
/// assert_eq!(plain.text(), Some(r#"{"event":"echo","data":"hi"}"#));
/// # Ok::<(), wscengine_rooms_client::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grows {
    names: Names,
    ask_id: Option<String>,
}

impl Default for Grows {
    fn default() -> Self {
        Self::new()
    }
}

impl Grows {
    /// With the names of the demo.
    #[must_use]
    pub fn new() -> Self {
        Self { names: Names::default(), ask_id: Some("id".into()) }
    }

    /// The names of the events.
    #[must_use]
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// The raw message that the server answers with the client's id, before anything else is raw. Default `id`, as in the
    /// demo; `None` where there is no such handler: the client does not know its id then.
    #[must_use]
    pub fn ask_id(mut self, raw: Option<&str>) -> Self {
        self.ask_id = raw.map(str::to_owned);
        self
    }

    fn event(&self, name: &str, data: &serde_json::value::RawValue) -> WireMessage<'static> {
        wire(Frame::Event(Event::new(name, data)).encode())
    }

    fn about(&self, name: &str, room: &str) -> Result<WireMessage<'static>, ProtocolError> {
        let data = json::encode(&room).map_err(ProtocolError::malformed)?;
        Ok(self.event(name, &data))
    }
}

impl Protocol for Grows {
    fn greeting(&self) -> Greeting {
        match &self.ask_id {
            Some(raw) => Greeting::Asked(WireMessage::from_text(raw.as_str())),
            None => Greeting::None,
        }
    }

    fn acknowledged(&self) -> Acknowledged {
        Acknowledged::Always
    }

    fn join(&self, room: &str) -> Result<WireMessage<'static>, ProtocolError> {
        self.about(&self.names.join, room)
    }

    fn leave(&self, room: &str, _: Option<&str>) -> Result<WireMessage<'static>, ProtocolError> {
        self.about(&self.names.leave, room)
    }

    fn say(&self, saying: &Saying<'_>) -> Result<WireMessage<'static>, ProtocolError> {
        match saying.to {
            To::Member(_) => Err(ProtocolError::Unsupported { what: "speak to one member" }),
            To::Server => {
                let data = saying.data.to_room();
                let (room, sender, dst) = Default::default();
                let message = room::Message { room, event: saying.event, sender, dst, data };
                room::Framing::Grows.encode(&message).map(wire).map_err(ProtocolError::malformed)
            }
            To::Room(room) => Ok(self.event(&self.names.room, &self.names.to_room(saying, room)?)),
        }
    }

    fn read(&self, message: &WireMessage<'_>, greeted: bool) -> Result<Notice, ProtocolError> {
        let Some(text) = message.text() else {
            return Err(ProtocolError::malformed("a binary message"));
        };
        match Frame::decode_text(text, &limits()).map_err(ProtocolError::malformed)? {
            Frame::Raw(id) if !greeted && self.ask_id.is_some() => Ok(Notice::Id(id.to_owned())),
            Frame::Raw(raw) => Ok(Notice::Message(Message::new("", raw))),
            Frame::Event(event) => {
                let data = Data::from_room(&room::Data::from_json(event.data));
                Ok(match data.text() {
                    Some(room) if *event.name == self.names.joined => {
                        Notice::Joined { room: room.to_owned(), id: None, members: Vec::new() }
                    }
                    Some(room) if *event.name == self.names.left => {
                        Notice::Left { room: room.to_owned() }
                    }
                    _ => Notice::Message(Message::new(event.name, data)),
                })
            }
        }
    }
}
