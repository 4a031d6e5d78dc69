//! wsrooms: rooms, members and direct messages are in the protocol itself.

use wscengine::Message as WireMessage;
use wscengine_rooms_protocol::wsrooms::{Frame, Notice as Told, ROOT, event};

use super::{Acknowledged, Greeting, Notice, Protocol, Saying, To, limits, wire};
use crate::error::ProtocolError;
use crate::message::{Data, Message};

/// wsrooms. The server tells the id with the room `root`, where every client is from the start; joins and leaves are
/// acknowledged, and members are known.
///
/// Names are as long as the server likes them (256 bytes in `rooms-server` by default). It drops a join of a longer one
/// without a word: that join times out.
///
/// A handler of the server is reached through a room: it gets what is said there under its name.
///
/// # Examples
/// ```
/// use wscengine_rooms_client::{Data, Protocol, Saying, To, Wsrooms};
///
/// let data = Data::from("hi");
/// let said = Wsrooms::new().say(&Saying { to: To::Room("lobby"), event: "chat", data: &data })?;
/// assert!(said.is_binary());
/// // What only servers say cannot be said.
/// let forged = Saying { to: To::Room("lobby"), event: "member_left", data: &data };
/// assert!(Wsrooms::new().say(&forged).is_err());
/// # Ok::<(), wscengine_rooms_client::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Wsrooms {}

impl Wsrooms {
    /// The protocol as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Protocol for Wsrooms {
    fn greeting(&self) -> Greeting {
        Greeting::Awaited
    }

    fn acknowledged(&self) -> Acknowledged {
        Acknowledged::Always
    }

    fn join(&self, room: &str) -> Result<WireMessage<'static>, ProtocolError> {
        written(&Frame::join(room))
    }

    fn leave(&self, room: &str, id: Option<&str>) -> Result<WireMessage<'static>, ProtocolError> {
        written(&Frame::leave(room, id.unwrap_or_default()))
    }

    fn say(&self, saying: &Saying<'_>) -> Result<WireMessage<'static>, ProtocolError> {
        if event::is_reserved(saying.event) {
            return Err(ProtocolError::malformed(format!("{:?} is a reserved name", saying.event)));
        }
        // A direct message names a room too: the one where everybody is. The server fills in who says it.
        let (room, dst) = match saying.to {
            To::Room(room) => (room, ""),
            To::Member("") => return Err(ProtocolError::malformed("a member has an id")),
            To::Member(id) => (ROOT, id),
            To::Server => return Err(ProtocolError::Unsupported { what: "speak to no room" }),
        };
        let payload = saying.data.plain();
        written(&Frame { room, event: saying.event, dst, src: "", payload })
    }

    fn read(&self, message: &WireMessage<'_>, _: bool) -> Result<Notice, ProtocolError> {
        if !message.is_binary() {
            return Err(ProtocolError::malformed("a text message"));
        }
        let frame = Frame::decode(message.payload(), &limits());
        let told = frame.map_err(ProtocolError::malformed)?.notice();
        Ok(match told.map_err(ProtocolError::malformed)? {
            Told::Joined { room, id, members } => {
                Notice::Joined { room: room.to_owned(), id: Some(id.to_owned()), members }
            }
            Told::Left { room, .. } => Notice::Left { room: room.to_owned() },
            Told::NewMember { room, id } => {
                Notice::NewMember { room: room.to_owned(), id: id.to_owned() }
            }
            Told::MemberLeft { room, id } => {
                Notice::MemberLeft { room: room.to_owned(), id: id.to_owned() }
            }
            Told::Message(frame) => Notice::Message(said(&frame)),
            _ => return Err(ProtocolError::malformed("an unknown kind of message")),
        })
    }
}

fn said(frame: &Frame<'_>) -> Message {
    let data = Data::from(frame.payload.to_vec());
    Message {
        room: frame.room.to_owned(),
        src: frame.src.to_owned(),
        dst: frame.dst.to_owned(),
        ..Message::new(frame.event, data)
    }
}

fn written(frame: &Frame<'_>) -> Result<WireMessage<'static>, ProtocolError> {
    frame.encode().map(wire).map_err(ProtocolError::malformed)
}
