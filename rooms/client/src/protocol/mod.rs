//! What a protocol says and how it is heard: the seam to the four of them, and to one of your own.

mod easy;
mod grows;
mod iris;
mod names;
mod wsrooms;

pub use easy::Easy;
pub use grows::Grows;
pub use iris::Iris;
pub use names::Names;
pub use wsrooms::Wsrooms;

use wscengine::Message as WireMessage;
use wscengine_rooms_protocol::{Encoded, Limits};

use crate::error::ProtocolError;
use crate::message::{Data, Message};

/// A protocol of room servers, from the client's side: [`Wsrooms`], [`Grows`], [`Easy`], [`Iris`]. Pure: it writes what
/// the client wants and says what a message means; all the rest is the client's.
///
/// # Examples
/// One with the simplest text format: `+room`, `-room`, `room event text`.
/// ```
/// use wscengine::Message as WireMessage;
/// use wscengine_rooms_client::{
///     Acknowledged, Data, Greeting, Message, Notice, Protocol, ProtocolError, Saying, To,
/// };
///
/// struct Plain;
///
/// impl Protocol for Plain {
///     fn greeting(&self) -> Greeting {
///         Greeting::None
///     }
///     fn acknowledged(&self) -> Acknowledged {
///         Acknowledged::Never
///     }
///     fn join(&self, room: &str) -> Result<WireMessage<'static>, ProtocolError> {
///         Ok(format!("+{room}").into())
///     }
///     fn leave(&self, _: &str, _: Option<&str>) -> Result<WireMessage<'static>, ProtocolError> {
///         Err(ProtocolError::Unsupported { what: "leave a room" })
///     }
///     fn say(&self, saying: &Saying<'_>) -> Result<WireMessage<'static>, ProtocolError> {
///         let (To::Room(room), Data::Text(text)) = (saying.to, saying.data) else {
///             return Err(ProtocolError::Unsupported { what: "say this" });
///         };
///         Ok(format!("{room} {} {text}", saying.event).into())
///     }
///     fn read(&self, message: &WireMessage<'_>, _: bool) -> Result<Notice, ProtocolError> {
///         let text = message.text().ok_or_else(|| ProtocolError::malformed("no text"))?;
///         Ok(Notice::Message(Message::new("said", text)))
///     }
/// }
/// # assert!(Plain.join("lobby").is_ok());
/// ```
pub trait Protocol: Send + Sync + 'static {
    /// How the client learns its id, before all else.
    fn greeting(&self) -> Greeting;

    /// Whether the server says that a room is joined.
    fn acknowledged(&self) -> Acknowledged;

    /// Asks to be in `room`.
    ///
    /// # Errors
    /// The name cannot be carried.
    fn join(&self, room: &str) -> Result<WireMessage<'static>, ProtocolError>;

    /// Asks to be out of `room`. `id` is the client's own, if it is known.
    ///
    /// # Errors
    /// The name cannot be carried, or there is no way to leave. It must depend on the name only.
    fn leave(&self, room: &str, id: Option<&str>) -> Result<WireMessage<'static>, ProtocolError>;

    /// Says something to a room or a member.
    ///
    /// # Errors
    /// The protocol has no way to say this.
    fn say(&self, saying: &Saying<'_>) -> Result<WireMessage<'static>, ProtocolError>;

    /// What a message from the server means. `greeted`: whether the id is known on this connection.
    ///
    /// # Errors
    /// It is none of this protocol: handlers are told, and the connection goes on.
    fn read(&self, message: &WireMessage<'_>, greeted: bool) -> Result<Notice, ProtocolError>;
}

/// How a client learns its id. Nothing is joined before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Not at all.
    None,
    /// The server tells it by itself.
    Awaited,
    /// The server answers this.
    Asked(WireMessage<'static>),
}

/// Whether a server says that a room is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acknowledged {
    /// Always, with [`Notice::Joined`].
    Always,
    /// Never: a room counts as joined once that was asked for. No [`Notice::Left`] comes then, either.
    Never,
}

/// Something to be said.
#[derive(Clone, Copy, Debug)]
pub struct Saying<'a> {
    /// To whom.
    pub to: To<'a>,
    /// The name of the event.
    pub event: &'a str,
    /// What it brings along.
    pub data: &'a Data,
}

/// To whom something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To<'a> {
    /// To all in this room.
    Room(&'a str),
    /// To the one with this id.
    Member(&'a str),
    /// To a handler of the server.
    Server,
}

/// What a message from the server means.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// The client's id.
    Id(String),
    /// The client is in `room`.
    Joined {
        /// The room.
        room: String,
        /// The client's id, if it is told.
        id: Option<String>,
        /// Who is in; empty if it is not told.
        members: Vec<String>,
    },
    /// The client is out of `room`.
    Left {
        /// The room.
        room: String,
    },
    /// Somebody came.
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
    Message(Message),
    /// The server refused something, and does not say what.
    Refused(String),
}

fn wire(encoded: Encoded) -> WireMessage<'static> {
    match encoded {
        Encoded::Text(text) => WireMessage::from_text(text),
        Encoded::Binary(bytes) => WireMessage::from_binary(bytes),
    }
}

/// The text alone where text is, else an error.
fn text_of(data: &Data) -> Result<&str, ProtocolError> {
    std::str::from_utf8(data.plain()).map_err(ProtocolError::malformed)
}

/// What comes is bounded by the engine's limit on messages; how long a name may be is the server's business.
fn limits() -> Limits {
    Limits::default().max_name(usize::MAX)
}
