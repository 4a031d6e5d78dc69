//! The channels of groWs and what is published there, so that nodes of the original and ours have one audience.
//!
//! ```text
//! {"Id":ROOM or CLIENT,"Message":BASE64 or null,"event":{"event":NAME,"data":JSON}}
//! ```
//!
//! A raw message has an event without name and data; an event has the message `null`. The payload does not say who
//! published it, and who published it is told too: see [`Echoes`](super::echo::Echoes).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::value::RawValue;
use wscengine_rooms_protocol::json;
use wscengine_rooms_protocol::room::{Data, Framing, Message};

use super::envelope::{Form, Heard};
use super::{Carried, Said, To, Wide};
use crate::hub::Native;

/// All that the original subscribes to.
pub(crate) const CHANNELS: [&str; 7] = [
    "grows:default",
    "grows:client",
    "grows:client:event",
    ROOM,
    "grows:Id:event",
    "grows:all:clients",
    "grows:all:clients:event",
];

/// Raw messages to a room; the original publishes its events to rooms there too.
const ROOM: &str = "grows:Id";

/// The crowd that those channels mean: the first groWs endpoint.
pub(crate) const CROWD: &str = "grows:0";

/// What the original can hear, with its channel. `None`: it has no terms for it.
pub(crate) fn encode(said: &Said<'_>) -> Option<(&'static str, Vec<u8>)> {
    let (raw, event, id) = match (said.to, said.audience) {
        (To::Room(room), Wide::Everyone) => (ROOM, "grows:Id:event", room),
        (To::Client(id), _) => ("grows:client", "grows:client:event", id),
        (To::Crowd(CROWD), Wide::Everyone) => ("grows:all:clients", "grows:all:clients:event", ""),
        (To::Crowd(CROWD), Wide::But(id)) => ("grows:all:clients", "grows:all:clients:event", id),
        _ => return None,
    };
    match said.content {
        Carried::Message(message) => {
            let framed = Framing::Grows.encode(message).ok()?;
            Some((event, payload(id, None, framed.as_bytes())?))
        }
        Carried::Native(native) => {
            let message = BASE64.encode(native.data.plain());
            Some((raw, payload(id, Some(&message), br#"{"event":"","data":null}"#)?))
        }
        Carried::Written(_) => None,
    }
}

fn payload(id: &str, message: Option<&str>, event: &[u8]) -> Option<Vec<u8>> {
    let id = json::encode(id).ok()?;
    let mut out =
        Vec::with_capacity(40 + id.get().len() + message.map_or(4, str::len) + event.len());
    out.extend_from_slice(br#"{"Id":"#);
    out.extend_from_slice(id.get().as_bytes());
    out.extend_from_slice(br#","Message":"#);
    match message {
        // Base64 needs no escapes.
        Some(message) => {
            out.push(b'"');
            out.extend_from_slice(message.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","event":"#);
    out.extend_from_slice(event);
    out.push(b'}');
    Some(out)
}

/// What was published on one of the channels.
#[derive(Debug)]
pub(crate) struct Published {
    id: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Raw(Vec<u8>),
    Event(String, Box<RawValue>),
}

/// Why something that was published is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    #[error("no groWs message: {0}")]
    Json(#[from] serde_json::Error),
    #[error("no base64: {0}")]
    Base64(#[from] base64::DecodeError),
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "Id", default, borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "Message", default, borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(default)]
    event: Named,
}

#[derive(Default, Deserialize)]
struct Named {
    #[serde(default)]
    event: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

impl Published {
    /// Reads a payload.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unheard> {
        let Payload { id, message, event: Named { event, data } } = serde_json::from_slice(bytes)?;
        let what = match message {
            Some(message) => What::Raw(BASE64.decode(&*message)?),
            // On whatever channel: the original publishes the events of rooms where its raw messages belong.
            None => What::Event(event, data.unwrap_or_else(|| RawValue::NULL.to_owned())),
        };
        Ok(Self { id: id.into_owned(), what })
    }

    /// For whom it is, going by its channel. `None`: for nobody.
    pub(crate) fn meant(&self, channel: &str) -> Option<(To<'_>, Heard<'_>)> {
        match channel {
            "grows:Id" | "grows:Id:event" => Some((To::Room(&self.id), Heard::Everyone)),
            "grows:client" | "grows:client:event" => Some((To::Client(&self.id), Heard::Everyone)),
            "grows:all:clients" | "grows:all:clients:event" if self.id.is_empty() => {
                Some((To::Crowd(CROWD), Heard::Everyone))
            }
            "grows:all:clients" | "grows:all:clients:event" => {
                Some((To::Crowd(CROWD), Heard::But(&self.id)))
            }
            _ => None,
        }
    }

    /// What is delivered.
    pub(crate) fn content(&self, to: To<'_>) -> Form<'_> {
        let (room, dst) = match to {
            To::Room(_) => (&*self.id, ""),
            To::Crowd(_) => ("", ""),
            To::Client(_) => ("", &*self.id),
        };
        match &self.what {
            What::Raw(bytes) => {
                Form::Native(Native { room, sender: "", dst, data: Data::from_payload(bytes) })
            }
            What::Event(event, data) => {
                let data = Data::from_json(data);
                Form::Message(Message { room, event, sender: "", dst, data })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Wire;

    /// The vectors `id` to its channel and payload.
    fn vector(id: &str) -> (String, String) {
        let text = include_str!("../../tests/nodes/vectors.json");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&vector["channel"]), text(&vector["text"]))
    }

    fn assert_published(id: &str, to: To<'_>, audience: Wide<'_>, content: Carried<'_>) {
        let said = Said { to, audience, content, wire: Wire::Grows };
        let (channel, payload) = encode(&said).unwrap();
        let payload = String::from_utf8(payload).unwrap();
        assert_eq!((channel.to_owned(), payload), vector(id), "{id}");
    }

    fn raw(text: &'static str) -> Native<'static> {
        Native { room: "", sender: "", dst: "", data: Data::Text(text.into()) }
    }

    fn event(name: &'static str, json: &'static str) -> Message<'static> {
        let data = Data::from_json(serde_json::from_str(json).unwrap());
        Message { room: "", event: name, sender: "", dst: "", data }
    }

    #[test]
    fn g026_to_g033_are_what_is_published() {
        let (all, room, one) = (To::Crowd(CROWD), To::Room("testRoom"), To::Client("ID"));
        let everyone = Wide::Everyone;
        assert_published("G026", all, everyone, Carried::Native(&raw("bcall msg")));
        assert_published("G027", all, Wide::But("ID"), Carried::Native(&raw("bcexcept msg")));
        let eall = event("eall", r#"{"a":null,"b":1}"#);
        assert_published("G028", all, everyone, Carried::Message(&eall));
        assert_published("G029", all, Wide::But("ID"), Carried::Message(&event("eex", "null")));
        assert_published("G030", one, everyone, Carried::Native(&raw("to me")));
        assert_published("G031", one, everyone, Carried::Message(&event("me", "1.5")));
        assert_published("G032", room, everyone, Carried::Native(&raw("bc msg")));
        assert_published("G033", room, everyone, Carried::Message(&event("e", r#""x""#)));
    }

    #[test]
    fn g026_to_g034_are_heard_by_those_they_are_meant_for() {
        let (all, room, one) = (To::Crowd(CROWD), To::Room("testRoom"), To::Client("ID"));
        let cases = [
            ("G026", Some((all, Heard::Everyone)), "raw bcall msg"),
            ("G027", Some((all, Heard::But("ID"))), "raw bcexcept msg"),
            ("G028", Some((all, Heard::Everyone)), r#"eall {"a":null,"b":1}"#),
            ("G029", Some((all, Heard::But("ID"))), "eex null"),
            ("G030", Some((one, Heard::Everyone)), "raw to me"),
            ("G031", Some((one, Heard::Everyone)), "me 1.5"),
            ("G032", Some((room, Heard::Everyone)), "raw bc msg"),
            ("G033", Some((room, Heard::Everyone)), "e x"),
            ("G034", None, ""),
        ];
        for (id, meant, content) in cases {
            let (channel, payload) = vector(id);
            let published = Published::read(payload.as_bytes()).unwrap();
            let to = published.meant(&channel).map(|(to, _)| to);
            assert_eq!(published.meant(&channel), meant, "{id}");
            let Some(to) = to else { continue };
            let told = match published.content(to) {
                Form::Native(it) => format!("raw {}", String::from_utf8_lossy(it.data.plain())),
                Form::Message(it) => {
                    format!("{} {}", it.event, String::from_utf8_lossy(it.data.plain()))
                }
                Form::Written(_) => unreachable!(),
            };
            assert_eq!(told, content, "{id}");
        }
    }

    #[test]
    fn an_event_of_the_original_on_the_channel_of_raw_messages_is_an_event() {
        let bytes = br#"{"Id":"r","Message":null,"event":{"event":"e","data":{"b":1}},"more":0}"#;
        let published = Published::read(bytes).unwrap();
        let (to, _) = published.meant("grows:Id").unwrap();
        assert!(matches!(published.content(to), Form::Message(it) if it.event == "e"));
    }

    #[test]
    fn what_grows_has_no_terms_for_is_not_put_in_them() {
        let value = serde_json::json!(1);
        let content = raw("x");
        let cases = [
            (To::Room("r"), Wide::But("a")),
            (To::Crowd(CROWD), Wide::WithMeta("k", &value)),
            (To::Crowd("grows:1"), Wide::Everyone),
        ];
        for (to, audience) in cases {
            let content = Carried::Native(&content);
            assert!(encode(&Said { to, audience, content, wire: Wire::Grows }).is_none());
        }
    }

    #[test]
    fn what_is_no_payload_is_an_error() {
        for bytes in [&b"x"[..], br#"{"Id":5}"#, br#"{"Id":"","Message":"%"}"#] {
            assert!(Published::read(bytes).is_err());
        }
    }
}
