//! groWs: JSON objects with a name and data, and any other text.
//!
//! # Wire format
//! The same in both directions, in text messages; binary ones are ignored by the server.
//!
//! ```text
//! event = {"event":<text>,"data":<any JSON>}
//! raw   = any other text
//! ```
//!
//! | a text | is |
//! |---|---|
//! | begins with `{`, ends with `}`, is one JSON object whose `event` is text | an event |
//! | the same without `event`, or with `null` for it | an event whose name is empty |
//! | the same without `data` | an event whose data is `null` |
//! | has white space before or behind the object | raw |
//! | has an `event` that is neither text nor `null` | raw |
//! | anything else, empty text too | raw |
//!
//! In an object that is received, keys count in capital letters as in small ones, the last of several
//! counts (a `null` does not overwrite a name), and others than the two are left aside. Written are both
//! keys, in the order above, without spaces, with the escapes of [`json`](mod@crate::json).
//!
//! One thing differs from the original: an event whose *name* or keys have half a surrogate pair as an
//! escape (`"\ud800"`) is raw here, where the original puts a replacement character.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Text, push_string};
use crate::{Encoded, Limits};

/// What an event has besides name and data.
pub(crate) const ENVELOPE: usize = r#"{"event":"","data":}"#.len();

/// A groWs message, in either direction. It borrows; [`share_str`](crate::share_str) keeps a part of it.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::{Limits, grows::Frame};
///
/// let text = r#"{"event":"joined","data":"lobby"}"#;
/// let Frame::Event(event) = Frame::decode(text.as_bytes(), &Limits::default())? else { panic!() };
/// assert_eq!(event.name, "joined");
/// assert_eq!(event.data.get(), r#""lobby""#);
/// assert_eq!(Frame::Event(event).encode().as_bytes(), text);
///
/// let raw = Frame::decode(b"{bad}", &Limits::default())?;
/// assert!(matches!(raw, Frame::Raw("{bad}")));
/// # Ok::<(), wscengine_rooms_protocol::grows::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub enum Frame<'a> {
    /// An event.
    Event(Event<'a>),
    /// Text that is no event. Written as it is, so that text which looks like an event is read as one.
    Raw(&'a str),
}

/// An event: a name, and data.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The name, perhaps empty.
    pub name: Cow<'a, str>,
    /// The data as it is written, white space and all; `null` if there is none. Read it with
    /// `serde_json::from_str(event.data.get())`, write it with [`json::encode`](crate::json::encode).
    pub data: &'a RawValue,
}

impl<'a> Event<'a> {
    /// An event with data that is JSON already.
    pub fn new(name: impl Into<Cow<'a, str>>, data: &'a RawValue) -> Self {
        Self { name: name.into(), data }
    }
}

impl PartialEq for Event<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.data.get() == other.data.get()
    }
}

impl PartialEq for Frame<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Event(this), Self::Event(other)) => this == other,
            (Self::Raw(this), Self::Raw(other)) => this == other,
            (Self::Event(_), Self::Raw(_)) | (Self::Raw(_), Self::Event(_)) => false,
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads a message, the content of a text WebSocket message. Only a name with escapes in it is
    /// copied; the data is checked, and not built.
    ///
    /// # Errors
    /// The bytes are not UTF-8, or the name of an event is too long. Anything else is a raw message.
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|wrong| DecodeError::NotUtf8 { at: wrong.valid_up_to() })?;
        Self::decode_text(text, limits)
    }

    /// [`decode`](Self::decode) of what is known to be UTF-8.
    ///
    /// # Errors
    /// The name of an event is too long.
    pub fn decode_text(text: &'a str, limits: &Limits) -> Result<Self, DecodeError> {
        let Some(event) = parse_event(text) else {
            return Ok(Self::Raw(text));
        };
        let (length, limit) = (event.name.len(), limits.name());
        if length > limit {
            return Err(DecodeError::NameTooLong { length, limit });
        }
        Ok(Self::Event(event))
    }

    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        match self {
            Self::Raw(text) => Encoded::Text((*text).into()),
            Self::Event(event) => {
                // Exact unless the name has escapes.
                let parts = ENVELOPE + event.name.len() + event.data.get().len();
                let mut out = Vec::with_capacity(parts);
                self.encode_into(&mut out);
                Encoded::text_if_utf8(out)
            }
        }
    }

    /// Appends the message to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(text) => out.extend_from_slice(text.as_bytes()),
            Self::Event(event) => {
                push_event(out, &event.name, |out| {
                    out.extend_from_slice(event.data.get().as_bytes());
                });
            }
        }
    }
}

/// Appends an event whose data is what `push_data` appends.
pub(crate) fn push_event(out: &mut Vec<u8>, name: &str, push_data: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(br#"{"event":"#);
    push_string(out, name);
    out.extend_from_slice(br#","data":"#);
    push_data(out);
    out.push(b'}');
}

/// Why bytes are no groWs message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not UTF-8. A text message that is not ends its connection before it comes here.
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Where the first byte is that is wrong.
        at: usize,
    },
    /// The name of an event is longer than [`Limits`] allow.
    #[error("the name of the event has {length} bytes, more than the limit of {limit}")]
    NameTooLong {
        /// How long it is, without the escapes.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

fn parse_event(text: &str) -> Option<Event<'_>> {
    let looks_like_one = text.starts_with('{') && text.ends_with('}');
    // Whatever the JSON reader finds wrong, the text is a raw message then: no fault to tell.
    if looks_like_one { serde_json::from_str(text).ok() } else { None }
}

impl<'de> Deserialize<'de> for Event<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose `event` is text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut event = Event::new("", RawValue::NULL);
        while let Some(Text(key)) = map.next_key()? {
            if key.eq_ignore_ascii_case("event") {
                if let Some(Text(name)) = map.next_value()? {
                    event.name = name;
                }
            } else if key.eq_ignore_ascii_case("data") {
                event.data = map.next_value()?;
            } else {
                let _: &RawValue = map.next_value()?;
            }
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Option<(String, String)> {
        match Frame::decode(text.as_bytes(), &Limits::default()).unwrap() {
            Frame::Event(event) => Some((event.name.into_owned(), event.data.get().to_owned())),
            Frame::Raw(raw) => {
                assert_eq!(raw, text);
                None
            }
        }
    }

    fn pair(name: &str, data: &str) -> Option<(String, String)> {
        Some((name.to_owned(), data.to_owned()))
    }

    #[test]
    fn the_last_of_several_keys_counts_and_null_is_no_name() {
        assert_eq!(event(r#"{"event":"a","EVENT":"b","data":1,"Data":null}"#), pair("b", "null"));
        assert_eq!(event(r#"{"event":"a","event":null}"#), pair("a", "null"));
        assert_eq!(event(r#"{"event":"a","event":5}"#), None);
        assert_eq!(event(r#"{"event":5,"event":"a"}"#), None);
    }

    #[test]
    fn escapes_in_names_and_keys_are_resolved_and_data_is_left_as_it_is() {
        let text = r#"{"\u0065vent":"\u00fc\n","data": [ "\u00fc" , 1e999 ] }"#;
        assert_eq!(event(text), pair("ü\n", r#"[ "\u00fc" , 1e999 ]"#));
        assert_eq!(event(r#"{"event":"e","data":"\ud800"}"#), pair("e", r#""\ud800""#));
    }

    #[test]
    fn what_is_no_json_is_raw() {
        let broken = [
            "",
            "{",
            "}",
            "{}}",
            "{{}",
            r#"{"event":"x",}"#,
            r#"{"event":"x","data":}"#,
            r#"{"event":"x","data":01}"#,
            r#"{"event":"x" "data":1}"#,
            "{\"event\":\"a\nb\"}",
            r#"{"x":tru}"#,
        ];
        for text in broken {
            assert_eq!(event(text), None, "{text:?}");
        }
    }

    #[test]
    fn data_may_be_nested_as_deep_as_the_message_is_long() {
        let deep =
            format!(r#"{{"event":"e","data":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
        assert!(event(&deep).is_some());
    }

    #[test]
    fn a_name_beyond_the_limit_and_bytes_that_are_no_text_are_errors() {
        let limits = Limits::default().max_name(3);
        assert!(Frame::decode(br#"{"event":"abc"}"#, &limits).is_ok());
        let long = Frame::decode(br#"{"event":"abcd"}"#, &limits);
        assert_eq!(long, Err(DecodeError::NameTooLong { length: 4, limit: 3 }));
        assert!(Frame::decode(b"abcd", &limits).is_ok());
        assert_eq!(Frame::decode(b"ab\xff", &limits), Err(DecodeError::NotUtf8 { at: 2 }));
    }
}
