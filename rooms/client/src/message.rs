//! What is said in a room, and what it brings along.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use wscengine_rooms_protocol::room;

/// A message that came: for a room, or for this client alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// The room. Empty where the protocol does not tell it: only wsrooms does.
    pub room: String,
    /// The name of the event; empty for what has none, as the raw messages of groWs.
    pub event: String,
    /// The id of the sender. Empty where it is not told: only wsrooms does.
    pub src: String,
    /// This client's id, if it was meant for this client alone and the protocol tells so; else empty.
    pub dst: String,
    /// What it brings along.
    pub data: Data,
}

impl Message {
    /// A message without a room, a sender and a receiver: for a [`Protocol`](crate::Protocol) of your own, which
    /// sets the fields that it knows.
    #[must_use]
    pub fn new(event: impl Into<String>, data: impl Into<Data>) -> Self {
        let (room, src, dst) = Default::default();
        Self { room, event: event.into(), src, dst, data: data.into() }
    }

    /// The text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.data.text()
    }

    /// About how much memory it takes.
    pub(crate) fn weight(&self) -> usize {
        [self.room.len(), self.event.len(), self.src.len(), self.dst.len()].iter().sum::<usize>()
            + self.data.plain().len()
    }
}

/// What a message brings along: text, another JSON value, or bytes.
///
/// wsrooms carries bytes: text and JSON go as their text, and what comes is text if it is UTF-8. groWs and iris carry
/// text and JSON, go-easy text; [`Data::Bytes`] is an error there.
///
/// # Examples
/// ```
/// use wscengine_rooms_client::Data;
///
/// assert_eq!(Data::from("hi").text(), Some("hi"));
/// let point = Data::json(&(1, 2))?;
/// assert_eq!(point.plain(), b"[1,2]");
/// assert_eq!(point.parse::<(u8, u8)>()?, (1, 2));
/// // What is text JSON again.
/// assert_eq!(Data::from("[1,2]").parse::<(u8, u8)>()?, (1, 2));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Data {
    /// Text.
    Text(ByteString),
    /// JSON that is no text, as it is written.
    Json(Box<RawValue>),
    /// Bytes that are no text.
    Bytes(Bytes),
}

impl Data {
    /// JSON made of `value`; text, where that is a text.
    ///
    /// # Errors
    /// No JSON can be made of it, such as of a map whose keys are no texts.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        let json = serde_json::value::to_raw_value(value)?;
        Ok(Self::from_room(&room::Data::from_json(&json)))
    }

    /// The text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(_) | Self::Bytes(_) => None,
        }
    }

    /// The bytes of the text, of the JSON, or just the bytes.
    #[must_use]
    pub fn plain(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Json(json) => json.get().as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// A value of the JSON that it is, or that its text is.
    ///
    /// # Errors
    /// It is no JSON, or not of such a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.plain())
    }

    /// Copied out of what was received, so that nothing else is kept alive by it.
    pub(crate) fn from_room(data: &room::Data<'_>) -> Self {
        match data {
            room::Data::Text(text) => Self::Text(ByteString::from(&**text)),
            room::Data::Json(json) => Self::Json(json.as_ref().to_owned()),
            room::Data::Bytes(bytes) => Self::Bytes(Bytes::copy_from_slice(bytes)),
        }
    }

    pub(crate) fn to_room(&self) -> room::Data<'_> {
        match self {
            Self::Text(text) => room::Data::Text((&**text).into()),
            Self::Json(json) => room::Data::from_json(json),
            Self::Bytes(bytes) => room::Data::Bytes((&**bytes).into()),
        }
    }
}

/// Equal in kind and content.
impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.plain() == other.plain()
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// Text, if the bytes are UTF-8.
impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

/// Text, if the bytes are UTF-8.
impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        match ByteString::try_from(bytes.clone()) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Bytes(bytes),
        }
    }
}
