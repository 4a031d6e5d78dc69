//! A client in an exchange, and the messages of a recording as they are for it.

use std::net::SocketAddr;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use wscengine_rooms_protocol::Limits;
use wscengine_rooms_protocol::wsrooms::{Frame, decode_members};
use wscengine_rooms_server::wsrooms;

use crate::common::Talker;
use crate::entry::text;

pub(crate) struct Player {
    pub(crate) name: String,
    pub(crate) talker: Talker,
    /// That of a wsrooms client.
    pub(crate) id: Option<String>,
}

impl Player {
    pub(crate) async fn connect(
        addr: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
        name: char,
    ) -> Self {
        let talker = Talker::connect(addr, path, headers).await.expect("101");
        Self { name: name.to_string(), talker, id: None }
    }

    /// Learns its id from the first message. The other that is returned is the one in the recording.
    pub(crate) async fn greeted(&mut self) -> (String, String) {
        let ack = self.receive().await;
        assert_eq!((&*ack.room, &*ack.event), ("root", "join_ack"));
        self.id = Some(ack.src.clone());
        (ack.src, format!("00000000-0000-4000-8000-00000000000{}", self.name.to_lowercase()))
    }

    pub(crate) async fn join(&mut self, room: &str) {
        let join = Frame::join(room).encode().unwrap();
        self.talker.send(Message::binary(join.as_bytes().clone())).await;
        let ack = self.receive().await;
        assert_eq!((&*ack.room, &*ack.event), (room, "join_ack"));
    }

    /// Is told of a new member.
    pub(crate) async fn hears_of_somebody(&mut self, room: &str) {
        let news = self.receive().await;
        assert_eq!((&*news.room, &*news.event), (room, "new_member"));
    }

    async fn receive(&mut self) -> wsrooms::Message {
        let message = self.talker.receive().await;
        wsrooms::Message::from_bytes(&message.into_data()).unwrap()
    }
}

/// A recorded message with other ids, which are of the same length.
pub(crate) fn as_now(ids: &[(String, String)], recorded: &Value) -> Vec<u8> {
    let mut bytes = unhex(text(recorded, "hex"));
    for (now, recorded) in ids {
        assert_eq!(now.len(), recorded.len());
        for at in 0..bytes.len().saturating_sub(now.len() - 1) {
            if bytes[at..].starts_with(recorded.as_bytes()) {
                bytes[at..at + now.len()].copy_from_slice(now.as_bytes());
            }
        }
    }
    bytes
}

/// Lists of members have none of their own.
pub(crate) fn in_order(message: Message) -> Message {
    let bytes = message.clone().into_data();
    let Ok(frame) = Frame::decode(&bytes, &Limits::default()) else { return message };
    if frame.event != "join_ack" {
        return message;
    }
    let mut members = decode_members(frame.payload).unwrap();
    members.sort_unstable();
    let members = serde_json::to_vec(&members).unwrap();
    Message::binary(Frame { payload: &members, ..frame }.encode().unwrap().as_bytes().clone())
}

/// A message of that many bytes: of a wsrooms client to the lobby, or a text.
pub(crate) fn message_of(length: usize, wsrooms_id: Option<&str>) -> Message {
    let Some(src) = wsrooms_id else { return Message::text("x".repeat(length)) };
    let empty = Frame { room: "lobby", event: "chat", dst: "", src, payload: b"" };
    let payload = vec![b'x'; length - empty.encode().unwrap().as_bytes().len()];
    Message::binary(Frame { payload: &payload, ..empty }.encode().unwrap().as_bytes().clone())
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
