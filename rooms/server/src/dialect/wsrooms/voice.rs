//! How wsrooms clients are told what happens.

use wscengine_rooms_protocol::room;
use wscengine_rooms_protocol::wsrooms::{Frame, encode_members};

use crate::hub::{Kept, News, Voice};
use crate::ws::Packet;

/// The event with which a client asks what it missed in a room, and is answered.
pub(super) const HISTORY: &str = "rooms.history";

/// The event that tells a client the position of its own message.
const AT: &str = "rooms.at";

#[derive(Debug)]
pub(super) struct WsroomsVoice;

impl Voice for WsroomsVoice {
    fn message(&self, message: &room::Message<'_>) -> Option<Packet> {
        let room::Message { room, event, sender: src, dst, ref data } = *message;
        Some(packet(&Frame { room, event, dst, src, payload: data.plain() }))
    }

    fn kept(&self, kept: Kept<'_>) -> Option<Packet> {
        Some(match kept {
            Kept::Message(message, at) => {
                let room::Message { room, event, sender: src, ref data, .. } = *message;
                let dst = format!("@{at}");
                packet(&Frame { room, event, dst: &dst, src, payload: data.plain() })
            }
            Kept::Own { room, id, at } => {
                let dst = format!("@{at}");
                packet(&Frame { room, event: AT, dst: &dst, src: id, payload: b"" })
            }
            Kept::Missed { room, id, at, messages, has_gap } => {
                let answer = serde_json::json!({"at": at, "missed": messages, "gap": has_gap});
                let payload = answer.to_string();
                let payload = payload.as_bytes();
                packet(&Frame { room, event: HISTORY, dst: id, src: "", payload })
            }
        })
    }

    fn welcome(
        &self,
        room: &str,
        id: &str,
        members: &mut dyn Iterator<Item = &str>,
    ) -> Option<Packet> {
        Some(packet(&Frame::join_ack(room, id, &encode_members(members))))
    }

    fn news(&self, room: &str, news: News<'_>) -> Option<Packet> {
        Some(packet(&match news {
            News::Came(id) => Frame::new_member(room, id),
            News::Left(id) => Frame::member_left(room, id),
        }))
    }
}

/// The acknowledgement of a leave.
pub(super) fn left(room: &str, id: &str) -> Packet {
    packet(&Frame::leave_ack(room, id))
}

/// What a wsrooms client says, for everybody.
pub(super) fn said<'a>(frame: &Frame<'a>) -> room::Message<'a> {
    let Frame { room, event, dst, src: sender, payload } = *frame;
    room::Message { room, event, sender, dst, data: room::Data::from_payload(payload) }
}

pub(super) fn packet(frame: &Frame<'_>) -> Packet {
    Packet::binary_with(frame.encoded_len(), |out| {
        // Fails only for a field of more than 4 GiB, which no message limit lets in.
        let _ = frame.encode_into(out);
    })
}
