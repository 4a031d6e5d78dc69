//! How each room protocol joins, leaves, publishes and tells one client.
//!
//! wsrooms is complete on the wire. groWs, go-easy and iris leave rooms to the application, so the
//! server under test runs the small application that README.md describes.

use crate::frame::{BINARY, TEXT};

#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub(crate) enum Kind {
    Wsrooms,
    Grows,
    Easy,
    Iris,
    Raw,
}

pub(crate) struct Protocol {
    pub(crate) kind: Kind,
    pub(crate) iris_prefix: String,
}

/// What tells that a request was carried out.
pub(crate) enum Ack {
    /// A message that starts with these bytes.
    Message(Vec<u8>),
    /// The protocol has no answer: a ping right behind the request, and its pong.
    Pong,
}

fn fields(parts: [&[u8]; 5]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u32).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

fn fields_start(room: &str, event: &str) -> Vec<u8> {
    let mut whole = fields([room.as_bytes(), event.as_bytes(), b"", b"", b""]);
    whole.truncate(8 + room.len() + event.len());
    whole
}

impl Protocol {
    pub(crate) fn opcode(&self) -> u8 {
        if self.kind == Kind::Wsrooms { BINARY } else { TEXT }
    }

    pub(crate) fn handshake_headers(&self) -> &'static str {
        match self.kind {
            Kind::Easy => "Cookie: auth=valid\r\nSec-WebSocket-Protocol: cmd.fossores.de\r\n",
            Kind::Wsrooms | Kind::Grows | Kind::Iris | Kind::Raw => "",
        }
    }

    /// Whether the first message names the client's id.
    pub(crate) fn greets_with_id(&self) -> bool {
        self.kind != Kind::Raw
    }

    /// Whether the publisher gets its own room message back.
    pub(crate) fn echoes_to_sender(&self) -> bool {
        matches!(self.kind, Kind::Grows | Kind::Easy | Kind::Iris)
    }

    /// Whether one client can be addressed; otherwise a pair shares a room.
    pub(crate) fn has_direct(&self) -> bool {
        self.kind != Kind::Raw
    }

    /// Bytes behind the payload in a delivered message.
    pub(crate) fn suffix(&self) -> usize {
        if self.kind == Kind::Grows { 2 } else { 0 }
    }

    pub(crate) fn join(&self, room: &str) -> (Vec<u8>, Ack) {
        let p = &self.iris_prefix;
        match self.kind {
            Kind::Wsrooms => (
                fields([room.as_bytes(), b"join", b"", b"", b""]),
                Ack::Message(fields_start(room, "join_ack")),
            ),
            Kind::Grows => (
                format!(r#"{{"event":"join","data":"{room}"}}"#).into(),
                Ack::Message(format!(r#"{{"event":"joined","data":"{room}""#).into()),
            ),
            Kind::Easy => (format!("listen: {room}").into(), Ack::Pong),
            Kind::Iris => (
                format!("{p}join;0;{room}").into(),
                Ack::Message(format!("{p}joined;0;{room}").into()),
            ),
            Kind::Raw => (format!("join {room}").into(), Ack::Pong),
        }
    }

    pub(crate) fn leave(&self, room: &str, id: &str) -> Option<(Vec<u8>, Ack)> {
        let p = &self.iris_prefix;
        match self.kind {
            Kind::Wsrooms => Some((
                fields([room.as_bytes(), b"leave", id.as_bytes(), id.as_bytes(), id.as_bytes()]),
                Ack::Message(fields_start(room, "leave_ack")),
            )),
            Kind::Grows => Some((
                format!(r#"{{"event":"leave","data":"{room}"}}"#).into(),
                Ack::Message(format!(r#"{{"event":"left","data":"{room}""#).into()),
            )),
            Kind::Iris => Some((
                format!("{p}leave;0;{room}").into(),
                Ack::Message(format!("{p}left;0;{room}").into()),
            )),
            Kind::Easy | Kind::Raw => None,
        }
    }

    /// A message to all in the room.
    pub(crate) fn say(&self, room: &str, own_id: &str, text: &str) -> Vec<u8> {
        let p = &self.iris_prefix;
        match self.kind {
            Kind::Wsrooms => {
                fields([room.as_bytes(), b"say", b"", own_id.as_bytes(), text.as_bytes()])
            }
            Kind::Grows => format!(r#"{{"event":"say","data":["{room}","{text}"]}}"#).into(),
            Kind::Easy => format!("say: {room} {text}").into(),
            Kind::Iris => format!("{p}say;0;{room} {text}").into(),
            Kind::Raw => text.into(),
        }
    }

    /// A message to one client.
    pub(crate) fn tell(&self, to: &str, own_id: &str, text: &str) -> Vec<u8> {
        let p = &self.iris_prefix;
        match self.kind {
            Kind::Wsrooms => {
                fields([b"root", b"say", to.as_bytes(), own_id.as_bytes(), text.as_bytes()])
            }
            Kind::Grows => format!(r#"{{"event":"tell","data":["{to}","{text}"]}}"#).into(),
            Kind::Easy => format!("tell: {to} {text}").into(),
            Kind::Iris => format!("{p}tell;0;{to} {text}").into(),
            Kind::Raw => text.into(),
        }
    }
}

/// The first text in the form of a UUID.
pub(crate) fn find_uuid(message: &[u8]) -> Option<&str> {
    let is_uuid = |w: &&[u8]| {
        w.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
    };
    message.windows(36).find(is_uuid).map(|w| std::str::from_utf8(w).expect("hex digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wsrooms_message_is_five_fields_and_its_answer_is_known_by_the_first_two() {
        let protocol = Protocol { kind: Kind::Wsrooms, iris_prefix: String::new() };
        let (message, ack) = protocol.join("r1");
        assert_eq!(message, b"\0\0\0\x02r1\0\0\0\x04join\0\0\0\0\0\0\0\0\0\0\0\0");
        let Ack::Message(start) = ack else { panic!("a join has an answer") };
        assert_eq!(start, b"\0\0\0\x02r1\0\0\0\x08join_ack");
    }

    #[test]
    fn the_first_uuid_of_a_message_is_found() {
        let id = "00000000-0000-4000-8000-00000000000a";
        let message = format!("root..join_ack{id}[\"11111111-0000-4000-8000-00000000000a\"]");
        assert_eq!(find_uuid(message.as_bytes()), Some(id));
        assert_eq!(find_uuid(b"00000000-0000-4000-8000"), None);
    }
}
