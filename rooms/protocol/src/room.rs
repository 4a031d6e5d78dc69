//! One message of a room, in each of the four framings.
//!
//! Clients of different protocols may sit in one room. What happens there has an event name, a sender and
//! data; what each of them is told is this:
//!
//! | | form |
//! |---|---|
//! | wsrooms | room, event, `dst`, `src` = the sender, payload = the text, the compact JSON text of other data, or the bytes |
//! | groWs | `{"event":E,"data":D}`: text as a JSON string, other data as it is |
//! | go-easy | `E: D`, with the text or the compact JSON text |
//! | iris | the event E: text as type 0, whole numbers 1, `true` and `false` 2, other JSON 4 |
//!
//! Bytes that are no text go to wsrooms clients only. [`Framing::encode`] says [`Unframed`] for the others,
//! as for an event whose name a protocol cannot carry; such members are passed over.
//!
//! # Examples
//! ```
//! use wscengine_rooms_protocol::iris::Codec;
//! use wscengine_rooms_protocol::room::{Data, Framing, Message};
//!
//! let data = Data::from_payload(b"hi");
//! let message = Message { room: "lobby", event: "chat", sender: "a", dst: "", data };
//! assert_eq!(Framing::Grows.encode(&message)?.as_bytes(), r#"{"event":"chat","data":"hi"}"#);
//! assert_eq!(Framing::Easy.encode(&message)?.as_bytes(), "chat: hi");
//! let iris = Framing::Iris(Codec::default());
//! assert_eq!(iris.encode(&message)?.as_bytes(), "m:chat;0;hi");
//! # Ok::<(), wscengine_rooms_protocol::room::Unframed>(())
//! ```

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{Encoded, easy, grows, iris, json, wsrooms};

/// What happens in a room, whatever the protocol of the one that caused it.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The room.
    pub room: &'a str,
    /// The name of the event.
    pub event: &'a str,
    /// The id of the one that caused it.
    pub sender: &'a str,
    /// The id of the one receiver of a direct message; empty for everybody. Only wsrooms tells it.
    pub dst: &'a str,
    /// What the event brings along.
    pub data: Data<'a>,
}

/// What an event brings along, in the terms of all four protocols.
#[derive(Clone, Debug)]
pub enum Data<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// JSON that is no text; written as it stands.
    Json(Cow<'a, RawValue>),
    /// Bytes that are no text.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Data<'a> {
    /// Of a wsrooms payload or the content of go-easy: text if it is UTF-8, else bytes.
    #[must_use]
    pub fn from_payload(payload: &'a [u8]) -> Self {
        match std::str::from_utf8(payload) {
            Ok(text) => Self::Text(text.into()),
            Err(_) => Self::Bytes(payload.into()),
        }
    }

    /// Of JSON, such as the data of a groWs event: a JSON string is text, other JSON is made compact.
    #[must_use]
    pub fn from_json(json: &'a RawValue) -> Self {
        match json::text(json) {
            Some(text) => Self::Text(text),
            None => Self::Json(json::compact(json)),
        }
    }

    /// Of an iris value; bytes that are UTF-8 are text.
    #[must_use]
    pub fn from_iris(value: &iris::Value<'a>) -> Self {
        let written = match value {
            iris::Value::Text(text) => return Self::Text((*text).into()),
            iris::Value::Bytes(bytes) => return Self::from_payload(bytes),
            iris::Value::Json(json) => return Self::from_json(json),
            iris::Value::Int(number) => json::encode(number),
            iris::Value::Float(number) => json::encode(number),
            iris::Value::Bool(yes) => json::encode(yes),
        };
        // Numbers and bools are written without fail.
        Self::Json(written.map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned))
    }

    /// The data without JSON's quotes around text: a wsrooms payload, the content of go-easy.
    #[must_use]
    pub fn plain(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Json(json) => json.get().as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The kind under which iris sends it, if at all.
    fn iris_kind(&self) -> Option<iris::Kind> {
        match self {
            Self::Text(_) => Some(iris::Kind::Text),
            Self::Json(json) => Some(match json.get() {
                "true" | "false" => iris::Kind::Bool,
                text if text.parse::<i64>().is_ok() => iris::Kind::Int,
                _ => iris::Kind::Json,
            }),
            Self::Bytes(_) => None,
        }
    }
}

/// One of the four protocols, as the receiver of a message speaks it. Encode once for each framing that
/// is in the room, and send clones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// [`wsrooms`].
    Wsrooms,
    /// [`grows`].
    Grows,
    /// [`easy`].
    Easy,
    /// [`iris`], with its prefix.
    Iris(iris::Codec),
}

/// Why members with this framing are not told a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unframed {
    /// The data is bytes, which only wsrooms carries.
    #[error("the data is no text")]
    Bytes,
    /// wsrooms cannot carry it.
    #[error(transparent)]
    Wsrooms(#[from] wsrooms::EncodeError),
    /// The name of the event can be no command of go-easy.
    #[error(transparent)]
    Easy(#[from] easy::CommandError),
    /// The name of the event can be none of iris.
    #[error(transparent)]
    Iris(#[from] iris::EncodeError),
}

impl Framing {
    /// Writes `message` for members that speak this protocol.
    ///
    /// # Errors
    /// The protocol cannot carry it; [`Unframed`] says why.
    pub fn encode(&self, message: &Message<'_>) -> Result<Encoded, Unframed> {
        let (event, plain) = (message.event, message.data.plain());
        match self {
            Self::Wsrooms => Ok(message.wsrooms().encode()?),
            Self::Grows => message.grows(),
            Self::Easy => {
                message.data.iris_kind().ok_or(Unframed::Bytes)?;
                Ok(easy::Frame { command: event, content: plain }.encode()?)
            }
            Self::Iris(codec) => {
                let event = message.iris().ok_or(Unframed::Bytes)?;
                Ok(codec.encode(&iris::Frame::Event(event))?)
            }
        }
    }
}

impl Message<'_> {
    /// The message as an event of iris; `None` if its data is bytes, of which iris members are not told.
    #[must_use]
    pub fn iris(&self) -> Option<iris::Event<'_>> {
        let kind = self.data.iris_kind()?;
        Some(iris::Event { name: self.event, kind, data: self.data.plain() })
    }

    fn wsrooms(&self) -> wsrooms::Frame<'_> {
        let Self { room, event, dst, sender: src, data } = self;
        wsrooms::Frame { room, event, dst, src, payload: data.plain() }
    }

    fn grows(&self) -> Result<Encoded, Unframed> {
        let parts = grows::ENVELOPE + self.event.len() + self.data.plain().len() + "\"\"".len();
        let mut out = Vec::with_capacity(parts);
        self.write_grows(&mut out)?;
        Ok(Encoded::text_if_utf8(out))
    }

    /// Appends the message to `out`, as [`Framing::Grows`] has it; it is UTF-8.
    ///
    /// # Errors
    /// The data is bytes, which only wsrooms carries. Then nothing is appended.
    pub fn write_grows(&self, out: &mut Vec<u8>) -> Result<(), Unframed> {
        match &self.data {
            Data::Text(text) => {
                grows::push_event(out, self.event, |out| json::push_string(out, text));
            }
            Data::Json(json) => {
                let event = grows::Event::new(self.event, json);
                grows::Frame::Event(event).encode_into(out);
            }
            Data::Bytes(_) => return Err(Unframed::Bytes),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(framing: &Framing, event: &str, data: Data<'_>) -> Result<String, Unframed> {
        let message = Message { room: "r", event, sender: "s", dst: "", data };
        let encoded = framing.encode(&message)?;
        Ok(String::from_utf8_lossy(encoded.as_bytes()).into_owned())
    }

    fn json(text: &str) -> Data<'_> {
        Data::from_json(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn text_is_text_for_everybody() {
        for data in [Data::from_payload("<é\"".as_bytes()), json(r#""<\u00e9\"""#)] {
            let told = |framing: Framing| told(&framing, "e", data.clone()).unwrap();
            let wsrooms = "\0\0\0\u{1}r\0\0\0\u{1}e\0\0\0\0\0\0\0\u{1}s\0\0\0\u{4}<é\"";
            assert_eq!(told(Framing::Wsrooms), wsrooms);
            assert_eq!(told(Framing::Grows), r#"{"event":"e","data":"\u003cé\""}"#);
            assert_eq!(told(Framing::Easy), "e: <é\"");
            assert_eq!(told(Framing::Iris(iris::Codec::default())), "m:e;0;<é\"");
        }
    }

    #[test]
    fn other_json_is_compact_text_or_itself() {
        let cases = [
            ("42", "1;42"),
            ("-7", "1;-7"),
            ("true", "2;true"),
            ("false", "2;false"),
            ("1.5", "4;1.5"),
            ("null", "4;null"),
            ("9223372036854775808", "4;9223372036854775808"),
            ("{ \"a\" : [1, \"x y\"] }", "4;{\"a\":[1,\"x y\"]}"),
            (r#""\ud800""#, r#"4;"\ud800""#),
        ];
        for (data, iris) in cases {
            let compact = &iris[2..];
            let told = |framing: Framing| told(&framing, "e", json(data)).unwrap();
            assert_eq!(told(Framing::Iris(iris::Codec::default())), format!("m:e;{iris}"));
            assert_eq!(told(Framing::Grows), format!(r#"{{"event":"e","data":{compact}}}"#));
            assert_eq!(told(Framing::Easy), format!("e: {compact}"));
            assert!(told(Framing::Wsrooms).ends_with(compact));
        }
    }

    #[test]
    fn an_iris_value_is_what_it_was_sent_as() {
        let plain = |value| Data::from_iris(&value).plain().to_vec();
        assert_eq!(plain(iris::Value::Int(42)), b"42");
        assert_eq!(plain(iris::Value::Bool(true)), b"true");
        assert_eq!(plain(iris::Value::Float(1.5)), b"1.5");
        assert_eq!(plain(iris::Value::Text("x")), b"x");
        assert!(matches!(Data::from_iris(&iris::Value::Bytes(b"x")), Data::Text(_)));
        assert!(matches!(Data::from_iris(&iris::Value::Bytes(b"\xff")), Data::Bytes(_)));
        let text: &RawValue = serde_json::from_str(r#""x""#).unwrap();
        assert_eq!(plain(iris::Value::Json(text)), b"x");
    }

    #[test]
    fn bytes_reach_wsrooms_members_only() {
        let bytes = || Data::from_payload(b"\xff\x00");
        assert!(told(&Framing::Wsrooms, "e", bytes()).is_ok());
        for framing in [Framing::Grows, Framing::Easy, Framing::Iris(iris::Codec::default())] {
            assert_eq!(told(&framing, "e", bytes()), Err(Unframed::Bytes));
        }
    }

    #[test]
    fn a_name_that_a_protocol_cannot_carry_is_said_to_be_one() {
        let iris = Framing::Iris(iris::Codec::default());
        let semicolon = Unframed::Iris(iris::EncodeError::Semicolon { at: 1 });
        assert_eq!(told(&iris, "a;b", json("1")), Err(semicolon));
        let colon = Unframed::Easy(easy::CommandError::Colon);
        assert_eq!(told(&Framing::Easy, "a:b", json("1")), Err(colon));
        assert!(told(&Framing::Grows, "a:b;c", json("1")).is_ok());
    }

    #[test]
    fn a_direct_message_names_its_receiver_to_wsrooms_clients() {
        let data = json("1");
        let message = Message { room: "root", event: "e", sender: "s", dst: "d", data };
        let encoded = Framing::Wsrooms.encode(&message).unwrap();
        let limits = crate::Limits::default();
        let frame = wsrooms::Frame::decode(encoded.as_bytes(), &limits).unwrap();
        assert_eq!((frame.room, frame.dst, frame.src), ("root", "d", "s"));
    }
}
