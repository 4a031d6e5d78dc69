//! What a codec writes, and how a part of a message is kept.

use bytes::Bytes;
use bytestring::ByteString;

/// One message ready to be sent, and whether it goes as text or as binary.
///
/// Cloning shares the bytes: encode a message once, and give each receiver a clone.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::{Encoded, grows};
///
/// let encoded = grows::Frame::Raw("test").encode();
/// assert_eq!(encoded, Encoded::Text("test".into()));
/// assert_eq!(&encoded.as_bytes()[..], b"test");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// For a text message (opcode 1).
    Text(ByteString),
    /// For a binary message (opcode 2).
    Binary(Bytes),
}

impl Encoded {
    /// Text if `bytes` are UTF-8, else binary: a text message that is not UTF-8 breaks the receiver's
    /// connection ([RFC 6455 section 8.1](https://www.rfc-editor.org/rfc/rfc6455#section-8.1)).
    pub(crate) fn text_if_utf8(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(not_text) => Self::Binary(not_text.into_bytes().into()),
        }
    }

    /// The bytes of the message, of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The bytes of the message, of either kind.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The same bytes as a binary message; for iris servers that are told to send nothing else.
    #[must_use]
    pub fn into_binary(self) -> Self {
        Self::Binary(self.into_bytes())
    }
}

/// Keeps `part` beyond the borrow of `whole`: without a copy where `part` lies in `whole`, else by one.
///
/// A frame borrows from the message it was decoded from. What must outlive it, for instance the payload
/// that a handler takes into a task, is kept with this. It keeps all of `whole` in memory.
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use wscengine_rooms_protocol::{Limits, easy, share};
///
/// let message = Bytes::from_static(b"echo: hello");
/// let frame = easy::Frame::decode(&message, &Limits::default())?;
/// let content = share(&message, frame.content);
/// assert_eq!(content.as_ptr(), message[6..].as_ptr());
/// # Ok::<(), easy::DecodeError>(())
/// ```
#[must_use]
pub fn share(whole: &Bytes, part: &[u8]) -> Bytes {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize);
    let range = start.and_then(|start| Some(start..start.checked_add(part.len())?));
    match range {
        Some(range) if !part.is_empty() && range.end <= whole.len() => whole.slice(range),
        _ => Bytes::copy_from_slice(part),
    }
}

/// [`share`] for text, for instance the name of an event.
#[must_use]
pub fn share_str(whole: &Bytes, part: &str) -> ByteString {
    // What is in `part` is UTF-8, so that only the check of it is done again, never the copy.
    ByteString::try_from(share(whole, part.as_bytes())).unwrap_or_else(|_| part.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_shared_where_it_lies_inside_and_copied_where_not() {
        let whole = Bytes::from_static(b"abcdef");
        let inside = share(&whole, &whole[2..4]);
        assert_eq!(inside, "cd");
        assert_eq!(inside.as_ptr(), whole[2..].as_ptr());
        let other = b"xyz".to_vec();
        assert_eq!(share(&whole, &other), "xyz");
        assert_eq!(share(&whole.slice(0..2), &whole[1..4]), "bcd");
        assert_eq!(share(&whole, b""), "");
        assert_eq!(share_str(&whole, "de"), "de");
    }
}
