//! How go-easy clients are told what happens.

use wscengine_rooms_protocol::easy::{Frame, check_command};
use wscengine_rooms_protocol::room::{Data, Message};

use crate::hub::{Native, Voice};
use crate::ws::{Kind, Packet};

#[derive(Debug)]
pub(super) struct EasyVoice;

impl Voice for EasyVoice {
    fn message(&self, message: &Message<'_>) -> Option<Packet> {
        match message.data {
            // Of a client of another protocol: it disturbs nobody who does not expect it.
            Data::Bytes(_) => None,
            Data::Text(_) | Data::Json(_) => self.written(message),
        }
    }

    fn native(&self, _: &Native<'_>) -> Option<Packet> {
        None
    }

    fn written(&self, message: &Message<'_>) -> Option<Packet> {
        // Not even `websocket`: clients of other protocols do not forge errors of the server.
        check_command(message.event).ok()?;
        let is_text = !matches!(message.data, Data::Bytes(_));
        let kind = if is_text { Kind::Text } else { Kind::Binary };
        Some(framed(kind, message.event, message.data.plain()))
    }
}

/// A message of the server, of which the command has been checked. It goes as binary if it is no text.
pub(super) fn packet(command: &str, content: &[u8]) -> Packet {
    let is_text = std::str::from_utf8(content).is_ok();
    framed(if is_text { Kind::Text } else { Kind::Binary }, command, content)
}

fn framed(kind: Kind, command: &str, content: &[u8]) -> Packet {
    let frame = Frame { command, content };
    Packet::message_with(kind, frame.encoded_len(), |out| {
        // Fails only for a command that no check lets through.
        let _ = frame.encode_into(out);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: &str, data: Data<'_>) -> Option<Packet> {
        EasyVoice.message(&Message { room: "r", event, sender: "s", dst: "", data })
    }

    #[test]
    fn members_of_other_protocols_can_neither_forge_an_error_nor_send_what_is_no_text() {
        let text = Data::from_payload(b"not authorized");
        let expected = Packet::message(Kind::Text, b"chat: not authorized");
        assert_eq!(told("chat", text.clone()), Some(expected));
        for event in ["websocket", "", "a:b", &"a".repeat(256)] {
            assert_eq!(told(event, text.clone()), None, "{event}");
        }
        assert_eq!(told("chat", Data::from_payload(b"\xff")), None);
        assert_eq!(EasyVoice.native(&Native { room: "r", sender: "s", dst: "", data: text }), None);
    }
}
