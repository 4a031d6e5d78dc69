//! A message as handlers have it.

use bytes::Bytes;
use wscengine_rooms_protocol::Limits;
use wscengine_rooms_protocol::wsrooms::{DecodeError, EncodeError, Frame};

/// A wsrooms message that owns its fields. Their lengths, which the wire carries, are those of the fields.
///
/// # Examples
/// ```
/// use wscengine_rooms_server::wsrooms::Message;
///
/// let message = Message::new("lobby", "chat", "", "some-id", "hi");
/// let bytes = message.to_bytes()?;
/// assert_eq!(Message::from_bytes(&bytes)?, message);
/// assert!(Message::from_bytes(b"no message").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Message {
    /// The room.
    pub room: String,
    /// The name of the event.
    pub event: String,
    /// The id of the one receiver; empty for everybody in the room.
    pub dst: String,
    /// The id of the sender: what a handler gets has been set by the server.
    pub src: String,
    /// What the event brings along.
    pub payload: Bytes,
}

impl Message {
    /// A message of these fields.
    #[must_use]
    pub fn new(
        room: impl Into<String>,
        event: impl Into<String>,
        dst: impl Into<String>,
        src: impl Into<String>,
        payload: impl Into<Bytes>,
    ) -> Self {
        let (room, event, dst, src) = (room.into(), event.into(), dst.into(), src.into());
        Self { room, event, dst, src, payload: payload.into() }
    }

    /// The content of one binary WebSocket message.
    ///
    /// # Errors
    /// A field of more than 4 GiB.
    pub fn to_bytes(&self) -> Result<Bytes, EncodeError> {
        Ok(self.frame().encode()?.into_bytes())
    }

    /// Reads the content of a binary WebSocket message. Names may have any length.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        Frame::decode(bytes, &Limits::NONE).map(|frame| Self::of(&frame))
    }

    pub(super) fn of(frame: &Frame<'_>) -> Self {
        let Frame { room, event, dst, src, payload } = *frame;
        Self::new(room, event, dst, src, Bytes::copy_from_slice(payload))
    }

    pub(super) fn frame(&self) -> Frame<'_> {
        let Self { room, event, dst, src, payload } = self;
        Frame { room, event, dst, src, payload }
    }
}
