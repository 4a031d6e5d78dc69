//! Five fields to bytes and back.

use super::{DecodeError, EncodeError, Field};
use crate::{Encoded, Limits};

/// How long the five lengths are together, and so the shortest message.
const LENGTHS: usize = 5 * size_of::<u32>();

/// A wsrooms message, in either direction. It borrows; [`share`](crate::share) keeps a part of it.
///
/// # Examples
/// What a server does to relay: read, set the sender, write once for everybody.
/// ```
/// use wscengine_rooms_protocol::{Limits, wsrooms::Frame};
///
/// let sent = Frame { room: "lobby", event: "chat", src: "a lie", payload: b"hi", ..Frame::default() };
/// let bytes = sent.encode()?.into_bytes();
///
/// let mut frame = Frame::decode(&bytes, &Limits::default())?;
/// frame.src = "00000000-0000-4000-8000-00000000000a";
/// let for_everybody = frame.encode()?;
/// assert_eq!(for_everybody.as_bytes().len(), 20 + 5 + 4 + 36 + 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Frame<'a> {
    /// The room.
    pub room: &'a str,
    /// The name of the event.
    pub event: &'a str,
    /// The id of the one receiver; empty for everybody in the room.
    pub dst: &'a str,
    /// The id of the sender. What a client writes here proves nothing.
    pub src: &'a str,
    /// What the event brings along.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a message, the content of one binary WebSocket message. Allocates nothing.
    ///
    /// # Errors
    /// [`DecodeError`] says which field is wrong, and where; the first fault counts.
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes, at: 0 };
        let frame = Self {
            room: reader.name(Field::Room, limits)?,
            event: reader.name(Field::Event, limits)?,
            dst: reader.name(Field::Dst, limits)?,
            src: reader.name(Field::Src, limits)?,
            payload: reader.field(Field::Payload)?,
        };
        match reader.left() {
            [] => Ok(frame),
            rest => Err(DecodeError::TrailingBytes { at: reader.at, count: rest.len() }),
        }
    }

    /// How many bytes the message has when written.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let contents = self.fields().into_iter().map(|(_, content)| content.len());
        contents.fold(LENGTHS, usize::saturating_add)
    }

    /// Writes the message, for one binary WebSocket message.
    ///
    /// # Errors
    /// A field of more than 4 GiB.
    pub fn encode(&self) -> Result<Encoded, EncodeError> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut out)?;
        Ok(Encoded::Binary(out.into()))
    }

    /// Appends the message to `out`, which may hold the header of the WebSocket frame already.
    ///
    /// # Errors
    /// A field of more than 4 GiB; nothing is appended then.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let before = out.len();
        for (field, content) in self.fields() {
            let Ok(length) = u32::try_from(content.len()) else {
                out.truncate(before);
                return Err(EncodeError::FieldTooLong { field, length: content.len() });
            };
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(content);
        }
        Ok(())
    }

    fn fields(&self) -> [(Field, &'a [u8]); 5] {
        [
            (Field::Room, self.room.as_bytes()),
            (Field::Event, self.event.as_bytes()),
            (Field::Dst, self.dst.as_bytes()),
            (Field::Src, self.src.as_bytes()),
            (Field::Payload, self.payload),
        ]
    }
}

/// Takes field after field off a message.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn left(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn name(&mut self, field: Field, limits: &Limits) -> Result<&'a str, DecodeError> {
        let content = self.field(field)?;
        let (at, length, limit) = (self.at - content.len(), content.len(), limits.name());
        if length > limit {
            return Err(DecodeError::NameTooLong { field, at, length, limit });
        }
        std::str::from_utf8(content)
            .map_err(|wrong| DecodeError::NotUtf8 { field, at: at + wrong.valid_up_to() })
    }

    fn field(&mut self, field: Field) -> Result<&'a [u8], DecodeError> {
        let left = self.left();
        let Some((length, rest)) = left.split_first_chunk() else {
            return Err(DecodeError::LengthCutOff { field, at: self.at, left: left.len() });
        };
        let length = u32::from_be_bytes(*length);
        let at = self.at + size_of::<u32>();
        // A claim that does not even fit into memory is cut off for certain.
        let Some(content) = usize::try_from(length).ok().and_then(|length| rest.get(..length))
        else {
            return Err(DecodeError::FieldCutOff { field, at, length, left: rest.len() });
        };
        self.at = at + content.len();
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HI: Frame<'_> = Frame { room: "r", event: "é", dst: "d", src: "s", payload: b"hi" };

    fn hi() -> Vec<u8> {
        HI.encode().unwrap().into_bytes().to_vec()
    }

    fn fault(bytes: &[u8]) -> DecodeError {
        Frame::decode(bytes, &Limits::default()).unwrap_err()
    }

    #[test]
    fn a_message_cut_anywhere_is_an_error_that_says_where() {
        let whole = hi();
        for end in 0..whole.len() {
            match fault(&whole[..end]) {
                DecodeError::LengthCutOff { at, left, .. }
                | DecodeError::FieldCutOff { at, left, .. } => assert_eq!(at + left, end),
                other => panic!("{end}: {other}"),
            }
        }
    }

    #[test]
    fn the_fault_names_the_field_and_the_byte() {
        let mut bytes = hi();
        // room takes bytes 0 to 4; the event begins at 9.
        bytes[9] = 0xff;
        assert_eq!(fault(&bytes), DecodeError::NotUtf8 { field: Field::Event, at: 9 });
        assert_eq!(fault(&bytes).to_string(), "event is not UTF-8 from byte 9 on");
        let mut longer = hi();
        longer.extend([1, 2, 3]);
        assert_eq!(fault(&longer), DecodeError::TrailingBytes { at: hi().len(), count: 3 });
    }

    #[test]
    fn a_name_may_have_as_many_bytes_as_the_limit_and_the_payload_any_number() {
        let bytes = hi();
        assert_eq!(Frame::decode(&bytes, &Limits::default().max_name(2)), Ok(HI));
        let too_long = DecodeError::NameTooLong { field: Field::Event, at: 9, length: 2, limit: 1 };
        assert_eq!(Frame::decode(&bytes, &Limits::default().max_name(1)), Err(too_long));
    }

    #[test]
    fn encoding_appends_to_what_is_there() {
        let mut out = vec![0x82, 30];
        HI.encode_into(&mut out).unwrap();
        assert_eq!(out[..2], [0x82, 30]);
        assert_eq!(out[2..], hi());
        assert_eq!(HI.encoded_len(), hi().len());
    }
}
