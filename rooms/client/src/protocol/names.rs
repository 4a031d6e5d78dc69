//! Names of events, where a protocol leaves them to the application.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use wscengine_rooms_protocol::room::Data;

use super::{Saying, text_of};
use crate::error::ProtocolError;

/// By which events rooms are joined, left and spoken in, where the protocol has none of its own: [`Grows`](crate::Grows) and
/// [`Iris`](crate::Iris). The defaults are those of the demo that `rooms-server` serves; an application of yours registers
/// handlers for them, or for other names that are set here.
///
/// | the client sends | with | the server answers or tells | with |
/// |---|---|---|---|
/// | `join` | the room | `joined` | the room |
/// | `leave` | the room | `left` | the room |
/// | `room` | `{"room":R,"text":T}` | `chat`, to the members | T |
///
/// # Examples
/// ```
/// use wscengine_rooms_client::{Grows, Names};
///
/// let german = Names::default().join("betreten", "betreten!").leave("verlassen", "verlassen!");
/// let protocol = Grows::new().names(german);
/// # let _ = protocol;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub(super) join: String,
    pub(super) joined: String,
    pub(super) leave: String,
    pub(super) left: String,
    pub(super) room: String,
    pub(super) said: String,
}

impl Default for Names {
    fn default() -> Self {
        let [join, joined, leave, left, room, said] =
            ["join", "joined", "leave", "left", "room", "chat"].map(str::to_owned);
        Self { join, joined, leave, left, room, said }
    }
}

impl Names {
    /// The event that asks to be in a room, and the one that says so. Default `join`, `joined`.
    #[must_use]
    pub fn join(mut self, asks: impl Into<String>, says: impl Into<String>) -> Self {
        (self.join, self.joined) = (asks.into(), says.into());
        self
    }

    /// The event that asks to be out of a room, and the one that says so. Default `leave`, `left`.
    #[must_use]
    pub fn leave(mut self, asks: impl Into<String>, says: impl Into<String>) -> Self {
        (self.leave, self.left) = (asks.into(), says.into());
        self
    }

    /// The event that speaks in a room, and the one that its members are told. Default `room`, `chat`.
    #[must_use]
    pub fn room(mut self, asks: impl Into<String>, tells: impl Into<String>) -> Self {
        (self.room, self.said) = (asks.into(), tells.into());
        self
    }

    /// `{"room":R,"text":T}`, for what members are told as `event`.
    pub(super) fn to_room(
        &self,
        saying: &Saying<'_>,
        target: &str,
    ) -> Result<Box<RawValue>, ProtocolError> {
        if saying.event != self.said {
            let what = "say other events to a room than the one of `Names::room`";
            return Err(ProtocolError::Unsupported { what });
        }
        let text = match saying.data.to_room() {
            Data::Json(json) => json.into_owned(),
            Data::Text(_) | Data::Bytes(_) => {
                to_raw_value(text_of(saying.data)?).map_err(ProtocolError::malformed)?
            }
        };
        to_raw_value(&ToRoom { room: target, text: &text }).map_err(ProtocolError::malformed)
    }
}

/// What the event of [`Names::room`] carries.
#[derive(Serialize)]
struct ToRoom<'a> {
    room: &'a str,
    text: &'a RawValue,
}
