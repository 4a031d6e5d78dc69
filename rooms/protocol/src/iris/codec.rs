//! Messages to frames and back, with the prefix that both sides know.

use bytestring::ByteString;
use memchr::{memchr, memmem};

use super::{DecodeError, EncodeError, Event, Frame, Kind, Value};
use crate::{Encoded, Limits};

/// Reads and writes messages with one prefix.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::Limits;
/// use wscengine_rooms_protocol::iris::{Codec, Frame, GOWSAL, Value};
///
/// let codec = Codec::new(GOWSAL);
/// let message = codec.emit("chat", &Value::Text("a;b"))?;
/// assert_eq!(message.as_bytes(), "m:chat;0;a;b");
///
/// let Frame::Event(event) = codec.decode(message.as_bytes(), &Limits::default())? else { panic!() };
/// assert_eq!((event.name, event.text()?), ("chat", "a;b"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Codec {
    prefix: ByteString,
}

/// What listeners of the original browser client get of a message. It takes all data for text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard<'a> {
    /// The listeners of an event.
    Event {
        /// Which.
        name: &'a [u8],
        /// The data, whatever its type.
        data: &'a [u8],
    },
    /// The listeners for native messages.
    Native(&'a [u8]),
    /// Nobody: a native message that has the prefix and a semicolon somewhere.
    Lost,
}

impl Default for Codec {
    /// The prefix [`GOWSAL`](super::GOWSAL).
    fn default() -> Self {
        Self { prefix: ByteString::from_static(super::GOWSAL) }
    }
}

impl Codec {
    /// A codec for `prefix`. It should end with a colon; with an empty one each message is an event.
    pub fn new(prefix: impl Into<ByteString>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The prefix of events.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Reads a message, the content of a text or binary WebSocket message. Allocates nothing.
    ///
    /// # Errors
    /// It begins with the prefix, and is no event all the same; [`DecodeError`] says what is wrong where.
    pub fn decode<'a>(&self, bytes: &'a [u8], limits: &Limits) -> Result<Frame<'a>, DecodeError> {
        let Some(rest) = bytes.strip_prefix(self.prefix.as_bytes().as_ref()) else {
            return Ok(Frame::Native(bytes));
        };
        let at = bytes.len() - rest.len();
        let length = memchr(b';', rest).ok_or(DecodeError::NameNotEnded { at })?;
        if length > limits.name() {
            return Err(DecodeError::NameTooLong { at, length, limit: limits.name() });
        }
        let (name, rest) = rest.split_at(length);
        let name = std::str::from_utf8(name)
            .map_err(|wrong| DecodeError::NotUtf8 { at: at + wrong.valid_up_to() })?;
        let (kind, data) = typed_data(rest, at + length)?;
        Ok(Frame::Event(Event { name, kind, data }))
    }

    /// Writes a message: as text, or as binary if it is not UTF-8.
    ///
    /// # Errors
    /// It would be read as something else: a name with a semicolon, a native message that begins with
    /// the prefix.
    pub fn encode(&self, frame: &Frame<'_>) -> Result<Encoded, EncodeError> {
        let mut out = Vec::with_capacity(self.encoded_len(frame));
        self.encode_into(frame, &mut out)?;
        Ok(Encoded::text_if_utf8(out))
    }

    /// How many bytes a message has when written.
    #[must_use]
    pub fn encoded_len(&self, frame: &Frame<'_>) -> usize {
        match frame {
            Frame::Native(bytes) => bytes.len(),
            Frame::Event(event) => [event.name.len(), event.data.len(), ";0;".len()]
                .into_iter()
                .fold(self.prefix.len(), usize::saturating_add),
        }
    }

    /// Appends a message to `out`, which may hold the header of the WebSocket frame already.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); nothing is appended then.
    pub fn encode_into(&self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match frame {
            Frame::Native(bytes) if bytes.starts_with(self.prefix.as_bytes()) => {
                return Err(EncodeError::Prefix);
            }
            Frame::Native(_) => {}
            Frame::Event(event) => {
                if let Some(at) = memchr(b';', event.name.as_bytes()) {
                    return Err(EncodeError::Semicolon { at });
                }
            }
        }
        self.push(frame, out);
        Ok(())
    }

    /// Writes a message as the original does, which checks nothing. A name with a semicolon arrives as
    /// what stands before it, with the rest in front of the data, if it arrives at all.
    #[must_use]
    pub fn encode_unchecked(&self, frame: &Frame<'_>) -> Encoded {
        let mut out = Vec::with_capacity(self.encoded_len(frame));
        self.push(frame, &mut out);
        Encoded::text_if_utf8(out)
    }

    /// Writes an event that carries `value`.
    ///
    /// # Errors
    /// The name has a semicolon.
    pub fn emit(&self, name: &str, value: &Value<'_>) -> Result<Encoded, EncodeError> {
        let data = value.data();
        self.encode(&Frame::Event(Event { name, kind: value.kind(), data: &data }))
    }

    /// What listeners of the original browser client get of a text message: the prefix may stand anywhere,
    /// and the type is passed over unread. Use it to see whether a native message arrives there.
    ///
    /// # Examples
    /// ```
    /// use wscengine_rooms_protocol::iris::{Codec, GOWSAL, Heard};
    ///
    /// let codec = Codec::new(GOWSAL);
    /// assert_eq!(codec.heard(b"from: a, b"), Heard::Native(b"from: a, b"));
    /// assert_eq!(codec.heard(b"from: a; b"), Heard::Lost);
    /// ```
    #[must_use]
    pub fn heard<'a>(&self, message: &'a [u8]) -> Heard<'a> {
        let Some(at) = memmem::find(message, self.prefix.as_bytes()) else {
            return Heard::Native(message);
        };
        let rest = message.get(at + self.prefix.len()..).unwrap_or_default();
        let Some(length) = memchr(b';', rest) else {
            return Heard::Native(message);
        };
        if at > 0 {
            return Heard::Lost;
        }
        let (name, rest) = rest.split_at(length);
        // The semicolon, the type, the semicolon: three bytes, if there are as many.
        Heard::Event { name, data: rest.get(3..).unwrap_or_default() }
    }

    fn push(&self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        match frame {
            Frame::Native(bytes) => out.extend_from_slice(bytes),
            Frame::Event(event) => {
                out.extend_from_slice(self.prefix.as_bytes());
                out.extend_from_slice(event.name.as_bytes());
                out.extend_from_slice(&[b';', event.kind.digit(), b';']);
                out.extend_from_slice(event.data);
            }
        }
    }
}

/// Reads `;type;data`, which stands at byte `at` of the message.
fn typed_data(bytes: &[u8], at: usize) -> Result<(Kind, &[u8]), DecodeError> {
    match bytes {
        [_, digit, end, data @ ..] => {
            let Some(kind) = Kind::from_digit(*digit) else {
                return Err(DecodeError::UnknownType { at: at + 1, found: *digit });
            };
            if *end == b';' {
                Ok((kind, data))
            } else {
                Err(DecodeError::TypeNotEnded { at: at + 2 })
            }
        }
        _ => Err(DecodeError::TypeCutOff { at: at + bytes.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(message: &[u8]) -> DecodeError {
        Codec::default().decode(message, &Limits::default()).unwrap_err()
    }

    #[test]
    fn the_fault_says_which_byte_of_the_message_is_wrong() {
        assert_eq!(fault(b"m:chat"), DecodeError::NameNotEnded { at: 2 });
        assert_eq!(fault(b"m:a\xff;0;x"), DecodeError::NotUtf8 { at: 3 });
        assert_eq!(fault(b"m:a;"), DecodeError::TypeCutOff { at: 4 });
        assert_eq!(fault(b"m:a;0"), DecodeError::TypeCutOff { at: 5 });
        assert_eq!(fault(b"m:a;7;x"), DecodeError::UnknownType { at: 4, found: b'7' });
        assert_eq!(fault(b"m:a;10;x"), DecodeError::TypeNotEnded { at: 5 });
        assert_eq!(fault(b"m:a;7;x").to_string(), "byte 4 is 0x37, not a type from 0 to 4");
    }

    #[test]
    fn a_name_may_have_as_many_bytes_as_the_limit() {
        let decode =
            |limit| Codec::default().decode(b"m:ab;0;x", &Limits::default().max_name(limit));
        assert!(decode(2).is_ok());
        assert_eq!(decode(1), Err(DecodeError::NameTooLong { at: 2, length: 2, limit: 1 }));
    }

    #[test]
    fn what_would_be_read_as_something_else_is_not_written() {
        let codec = Codec::default();
        let mut out = b"kept".to_vec();
        let event = Frame::Event(Event { name: "a;b", kind: Kind::Text, data: b"" });
        let semicolon = EncodeError::Semicolon { at: 1 };
        assert_eq!(codec.encode_into(&event, &mut out), Err(semicolon));
        assert_eq!(codec.encode_into(&Frame::Native(b"m:x"), &mut out), Err(EncodeError::Prefix));
        assert_eq!(out, b"kept");
        assert_eq!(codec.encode_unchecked(&event).as_bytes(), "m:a;b;0;");
    }
}
