//! go-easy-websocket: a room is a channel that is listened to.

use wscengine::Message as WireMessage;
use wscengine_rooms_protocol::easy::{Frame, LISTEN, OPEN, WEBSOCKET};

use super::{Acknowledged, Greeting, Notice, Protocol, Saying, To, limits, wire};
use crate::error::ProtocolError;
use crate::message::{Data, Message};

/// go-easy-websocket. To join a room is to `listen` to a channel, which the server does not acknowledge: a channel counts
/// as joined once that was asked for; where there is none, handlers are told
/// [`Event::Refused`](crate::Event::Refused). A channel cannot be left, and who listens is not told.
///
/// What is sent is a command for the [server](crate::Client::send_to_server): what it writes to a channel is the application's business.
/// The server wants a cookie `auth` with a token: set it as a header of the
/// [engine](crate::Builder::engine).
///
/// # Examples
/// ```
/// use wscengine_rooms_client::{Data, Easy, Protocol, Saying, To};
///
/// assert_eq!(Easy::new().join("news")?.text(), Some("listen: news"));
/// let data = Data::from("hi");
/// let said = Easy::new().say(&Saying { to: To::Server, event: "publish", data: &data })?;
/// assert_eq!(said.text(), Some("publish: hi"));
/// # Ok::<(), wscengine_rooms_client::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Easy {}

impl Easy {
    /// The protocol as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Protocol for Easy {
    fn greeting(&self) -> Greeting {
        Greeting::None
    }

    fn acknowledged(&self) -> Acknowledged {
        Acknowledged::Never
    }

    fn join(&self, room: &str) -> Result<WireMessage<'static>, ProtocolError> {
        written(LISTEN, room.as_bytes())
    }

    fn leave(&self, _: &str, _: Option<&str>) -> Result<WireMessage<'static>, ProtocolError> {
        Err(ProtocolError::Unsupported { what: "leave a channel" })
    }

    fn say(&self, saying: &Saying<'_>) -> Result<WireMessage<'static>, ProtocolError> {
        match (saying.to, saying.event) {
            (To::Server, LISTEN | OPEN | WEBSOCKET) => {
                Err(ProtocolError::malformed(format!("{:?} is a reserved name", saying.event)))
            }
            (To::Server, command) => written(command, saying.data.plain()),
            (To::Room(_), _) => Err(ProtocolError::Unsupported { what: "speak to a channel" }),
            (To::Member(_), _) => Err(ProtocolError::Unsupported { what: "speak to one member" }),
        }
    }

    fn read(&self, message: &WireMessage<'_>, _: bool) -> Result<Notice, ProtocolError> {
        let frame = Frame::decode(message.payload(), &limits());
        let Frame { command, content } = frame.map_err(ProtocolError::malformed)?;
        if command == WEBSOCKET {
            return Ok(Notice::Refused(String::from_utf8_lossy(content).into_owned()));
        }
        Ok(Notice::Message(Message::new(command, Data::from(content.to_vec()))))
    }
}

fn written(command: &str, content: &[u8]) -> Result<WireMessage<'static>, ProtocolError> {
    Frame { command, content }.encode().map(wire).map_err(ProtocolError::malformed)
}
