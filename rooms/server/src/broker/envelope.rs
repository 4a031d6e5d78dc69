//! What is said, as it travels in our own terms.
//!
//! ```text
//! version, origin (8 bytes), to + name, audience (+ name, + value), form,
//! room, event, sender, dst, kind of data, data; texts and data behind their lengths (4 bytes)
//! ```

use serde_json::Value;
use serde_json::value::RawValue;
use wscengine_rooms_protocol::room::{Data, Message};

use super::wire::{Malformed, Reader, Writer};
use super::{Carried, Said, To, Wide};
use crate::hub::{Content, Native, Voice, Written};
use crate::ws::Packet;

const VERSION: u8 = 1;

/// What one node said to the others.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    /// Which node, of which start.
    pub(crate) origin: u64,
    pub(crate) to: To<'a>,
    pub(crate) audience: Heard<'a>,
    pub(crate) content: Form<'a>,
}

/// [`Wide`], read.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard<'a> {
    Everyone,
    But(&'a str),
    WithMeta(&'a str, Value),
}

/// [`Carried`], read.
#[derive(Debug)]
pub(crate) enum Form<'a> {
    Message(Message<'a>),
    Native(Native<'a>),
    Written(Written<'a>),
}

impl Heard<'_> {
    pub(crate) fn wide(&self) -> Wide<'_> {
        match self {
            Self::Everyone => Wide::Everyone,
            Self::But(id) => Wide::But(id),
            Self::WithMeta(name, value) => Wide::WithMeta(name, value),
        }
    }
}

impl<'a> Form<'a> {
    /// For clients that are told all three alike.
    pub(crate) fn into_message(self) -> Message<'a> {
        match self {
            Self::Message(message) | Self::Written(Written(message)) => message,
            Self::Native(native) => native.message(),
        }
    }
}

impl Content for Form<'_> {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        match self {
            Self::Message(message) => message.packet(voice),
            Self::Native(native) => native.packet(voice),
            Self::Written(written) => written.packet(voice),
        }
    }
}

/// Puts what is said.
pub(crate) fn encode(origin: u64, said: &Said<'_>) -> Vec<u8> {
    let parts = Parts::of(said.content);
    let data = parts.data.plain();
    let names = parts.room.len() + parts.event.len() + parts.sender.len() + parts.dst.len();
    let mut out = Writer::with_capacity(64 + 2 * names + data.len());
    out.byte(VERSION).number(origin);
    let (to, name) = match said.to {
        To::Room(name) => (0, name),
        To::Crowd(name) => (1, name),
        To::Client(id) => (2, id),
    };
    out.byte(to).field(name);
    match said.audience {
        Wide::Everyone => _ = out.byte(0),
        Wide::But(id) => _ = out.byte(1).field(id),
        Wide::WithMeta(name, value) => _ = out.byte(2).field(name).field(value.to_string()),
    }
    out.byte(parts.form).field(parts.room).field(parts.event);
    out.field(parts.sender).field(parts.dst);
    let kind = match parts.data {
        Data::Text(_) => 0,
        Data::Json(_) => 1,
        Data::Bytes(_) => 2,
    };
    out.byte(kind).field(data);
    out.into_bytes()
}

/// Reads it.
///
/// # Errors
/// It is none, or of another version.
pub(crate) fn decode(bytes: &[u8]) -> Result<Envelope<'_>, Malformed> {
    let mut from = Reader::new(bytes);
    if from.byte()? != VERSION {
        return Err(Malformed);
    }
    let origin = from.number()?;
    let to = match (from.byte()?, from.text()?) {
        (0, name) => To::Room(name),
        (1, name) => To::Crowd(name),
        (2, id) => To::Client(id),
        _ => return Err(Malformed),
    };
    let audience = match from.byte()? {
        0 => Heard::Everyone,
        1 => Heard::But(from.text()?),
        2 => Heard::WithMeta(from.text()?, json(from.field()?)?),
        _ => return Err(Malformed),
    };
    let content = form(&mut from)?;
    Ok(Envelope { origin, to, audience, content })
}

fn form<'a>(from: &mut Reader<'a>) -> Result<Form<'a>, Malformed> {
    let form = from.byte()?;
    let (room, event) = (from.text()?, from.text()?);
    let (sender, dst) = (from.text()?, from.text()?);
    let data = match (from.byte()?, from.field()?) {
        (0, text) => Data::Text(std::str::from_utf8(text).map_err(|_| Malformed)?.into()),
        (1, text) => Data::Json(std::borrow::Cow::Borrowed(json::<&RawValue>(text)?)),
        (2, bytes) => Data::Bytes(bytes.into()),
        _ => return Err(Malformed),
    };
    match form {
        0 => Ok(Form::Message(Message { room, event, sender, dst, data })),
        1 => Ok(Form::Native(Native { room, sender, dst, data })),
        2 => Ok(Form::Written(Written(Message { room, event, sender, dst, data }))),
        _ => Err(Malformed),
    }
}

fn json<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(text).map_err(|_| Malformed)
}

/// What is carried, whatever its form.
struct Parts<'a> {
    form: u8,
    room: &'a str,
    event: &'a str,
    sender: &'a str,
    dst: &'a str,
    data: &'a Data<'a>,
}

impl<'a> Parts<'a> {
    fn of(carried: Carried<'a>) -> Self {
        match carried {
            Carried::Message(message) => Self::message(0, message),
            Carried::Native(Native { room, sender, dst, data }) => {
                Self { form: 1, room, event: "", sender, dst, data }
            }
            Carried::Written(Written(message)) => Self::message(2, message),
        }
    }

    fn message(form: u8, message: &'a Message<'a>) -> Self {
        let Message { room, event, sender, dst, data } = message;
        Self { form, room, event, sender, dst, data }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::broker::Wire;

    fn message(data: Data<'static>) -> Message<'static> {
        Message { room: "r", event: "é", sender: "s", dst: "d", data }
    }

    fn encoded(to: To<'_>, audience: Wide<'_>, content: Carried<'_>) -> Vec<u8> {
        encode(7, &Said { to, audience, content, wire: Wire::Own })
    }

    fn raw(json: &'static str) -> Data<'static> {
        Data::from_json(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_is_read_is_what_was_said() {
        let value = json!({"a": [1, null]});
        let audiences = [
            (Wide::Everyone, Heard::Everyone),
            (Wide::But("x"), Heard::But("x")),
            (Wide::WithMeta("k", &value), Heard::WithMeta("k", value.clone())),
        ];
        let data = [Data::Text("ü".into()), raw(r#"{"a":1}"#), Data::Bytes(b"\xff\0"[..].into())];
        for to in [To::Room("room"), To::Crowd("crowd"), To::Client("")] {
            for (audience, heard) in &audiences {
                for data in &data {
                    let said = message(data.clone());
                    let bytes = encoded(to, *audience, Carried::Message(&said));
                    let envelope = decode(&bytes).unwrap();
                    assert_eq!((envelope.origin, envelope.to), (7, to));
                    assert_eq!(&envelope.audience, heard);
                    assert_eq!(&envelope.audience.wide(), audience);
                    let Form::Message(read) = &envelope.content else { panic!() };
                    assert_eq!(format!("{read:?}"), format!("{said:?}"));
                }
            }
        }
    }

    #[test]
    fn the_form_is_kept() {
        let said = message(raw("1"));
        let native = Native { room: "r", sender: "s", dst: "", data: Data::Text("x".into()) };
        let bytes = encoded(To::Room("r"), Wide::Everyone, Carried::Native(&native));
        assert!(matches!(decode(&bytes).unwrap().content, Form::Native(it) if it.sender == "s"));
        let written = Written(said);
        let bytes = encoded(To::Room("r"), Wide::Everyone, Carried::Written(&written));
        assert!(matches!(decode(&bytes).unwrap().content, Form::Written(it) if it.0.event == "é"));
    }

    #[test]
    fn what_is_cut_short_or_of_another_version_is_no_envelope() {
        let said = message(raw("[1]"));
        let value = json!("v");
        let whole = encoded(To::Room("r"), Wide::WithMeta("k", &value), Carried::Message(&said));
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "{end}");
        }
        let mut other = whole;
        other[0] += 1;
        assert!(matches!(decode(&other), Err(Malformed)));
        for at in 9..other.len() {
            let mut wrong = other.clone();
            wrong[0] = VERSION;
            wrong[at] = 0xff;
            // Whatever comes of it: no panic.
            let _ = decode(&wrong);
        }
    }
}
