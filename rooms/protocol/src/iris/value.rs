//! The values that an event can carry.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Kind;
use crate::json;

/// What an event carries, to be sent or as received.
///
/// For a value of any type, make JSON of it: `Value::Json(&json::encode(&value)?)`.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::iris::{Codec, IRIS, Value};
///
/// let codec = Codec::new(IRIS);
/// assert_eq!(codec.emit("n", &Value::Int(42))?.as_bytes(), "iris-websocket-message:n;1;42");
/// assert_eq!(codec.emit("n", &Value::Float(1.5))?.as_bytes(), "iris-websocket-message:n;4;1.5");
/// # Ok::<(), wscengine_rooms_protocol::iris::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Text, type 0.
    Text(&'a str),
    /// A whole number, type 1, in decimal.
    Int(i64),
    /// Another number, type 4. One that JSON has no form for (infinite, or none) is sent as `null`.
    Float(f64),
    /// `true` or `false`, type 2.
    Bool(bool),
    /// Bytes, type 3.
    Bytes(&'a [u8]),
    /// JSON, type 4.
    Json(&'a RawValue),
}

impl<'a> Value<'a> {
    /// The kind under which the value is sent.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Int(_) => Kind::Int,
            Self::Bool(_) => Kind::Bool,
            Self::Bytes(_) => Kind::Bytes,
            Self::Float(_) | Self::Json(_) => Kind::Json,
        }
    }

    /// The value as it stands in a message.
    #[must_use]
    pub fn data(&self) -> Cow<'a, [u8]> {
        match *self {
            Self::Text(text) => text.as_bytes().into(),
            Self::Int(number) => number.to_string().into_bytes().into(),
            Self::Bool(true) => b"true"[..].into(),
            Self::Bool(false) => b"false"[..].into(),
            Self::Bytes(bytes) => bytes.into(),
            Self::Json(json) => json.get().as_bytes().into(),
            Self::Float(number) => json::encode(&number)
                .map_or(b"null"[..].into(), |json| json.get().as_bytes().to_vec().into()),
        }
    }
}
