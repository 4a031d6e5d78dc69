//! iris websocket: rooms are the server's; clients reach them through events of the application.

use wscengine::Message as WireMessage;
use wscengine_rooms_protocol::iris::{Codec, Frame, Value};
use wscengine_rooms_protocol::room;

use super::{Acknowledged, Greeting, Names, Notice, Protocol, Saying, To, limits, wire};
use crate::error::ProtocolError;
use crate::message::{Data, Message};

/// iris websocket and gowsal. Rooms are joined and spoken in by the events of [`Names`]. Who is in a room is not told,
/// nor is the room or the sender of a message. A member is spoken to as a room is, by its id.
///
/// What is said to a room must be the event of [`Names::room`]; any event may be sent to the
/// [server](crate::Client::send_to_server).
///
/// # Examples
/// ```
/// use wscengine_rooms_client::{Data, Iris, Protocol, Saying, To};
///
/// let hi = Data::from("hi");
/// let said = Iris::new("m:").say(&Saying { to: To::Room("lobby"), event: "chat", data: &hi })?;
/// assert_eq!(said.text(), Some(r#"m:room;4;{"room":"lobby","text":"hi"}"#));
/// # Ok::<(), wscengine_rooms_client::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Iris {
    codec: Codec,
    names: Names,
    whoami: Option<String>,
}

impl Iris {
    /// With this prefix, which both sides must know: `m:` for gowsal, `iris-websocket-message:` for iris; and the names
    /// of the demo.
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Self {
        let codec = Codec::new(prefix.into());
        let whoami = Some("whoami".into());
        Self { codec, names: Names::default(), whoami }
    }

    /// The names of the events.
    #[must_use]
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// The event that the server answers, under the same name, with the client's id. Default `whoami`, as in the demo;
    /// `None` where there is no such listener: the client does not know its id then.
    #[must_use]
    pub fn whoami(mut self, event: Option<&str>) -> Self {
        self.whoami = event.map(str::to_owned);
        self
    }

    fn emit(&self, name: &str, value: &Value<'_>) -> Result<WireMessage<'static>, ProtocolError> {
        self.codec.emit(name, value).map(wire).map_err(ProtocolError::malformed)
    }
}

impl Protocol for Iris {
    fn greeting(&self) -> Greeting {
        let asked = self.whoami.as_ref().map(|event| self.emit(event, &Value::Text("")));
        match asked {
            Some(Ok(message)) => Greeting::Asked(message),
            // A name that cannot be sent is one that nobody answers.
            Some(Err(_)) | None => Greeting::None,
        }
    }

    fn acknowledged(&self) -> Acknowledged {
        Acknowledged::Always
    }

    fn join(&self, room: &str) -> Result<WireMessage<'static>, ProtocolError> {
        self.emit(&self.names.join, &Value::Text(room))
    }

    fn leave(&self, room: &str, _: Option<&str>) -> Result<WireMessage<'static>, ProtocolError> {
        self.emit(&self.names.leave, &Value::Text(room))
    }

    fn say(&self, saying: &Saying<'_>) -> Result<WireMessage<'static>, ProtocolError> {
        match saying.to {
            To::Server => {
                let data = saying.data.to_room();
                let (room, sender, dst) = Default::default();
                let message = room::Message { room, event: saying.event, sender, dst, data };
                let framing = room::Framing::Iris(self.codec.clone());
                framing.encode(&message).map(wire).map_err(ProtocolError::malformed)
            }
            To::Room(target) | To::Member(target) => {
                let data = self.names.to_room(saying, target)?;
                self.emit(&self.names.room, &Value::Json(&data))
            }
        }
    }

    fn read(&self, message: &WireMessage<'_>, greeted: bool) -> Result<Notice, ProtocolError> {
        let frame = self.codec.decode(message.payload(), &limits());
        let event = match frame.map_err(ProtocolError::malformed)? {
            Frame::Native(bytes) => {
                let data = Data::from(bytes.to_vec());
                return Ok(Notice::Message(Message::new("", data)));
            }
            Frame::Event(event) => event,
        };
        let value = event.value().map_err(ProtocolError::malformed)?;
        let data = Data::from_room(&room::Data::from_iris(&value));
        // An id of digits alone comes as a number from some.
        let plain = || String::from_utf8_lossy(data.plain()).into_owned();
        Ok(match event.name {
            name if !greeted && self.whoami.as_deref() == Some(name) => Notice::Id(plain()),
            name if name == self.names.joined => {
                Notice::Joined { room: plain(), id: None, members: Vec::new() }
            }
            name if name == self.names.left => Notice::Left { room: plain() },
            name => Notice::Message(Message::new(name, data)),
        })
    }
}
