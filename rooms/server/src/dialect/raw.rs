//! No protocol at all, for the load generator: `join ROOM` enters a room, any other text goes as it is to
//! the others in the room entered last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use wscengine_rooms_protocol::room::{Data, Message};

use super::{Admission, Dialect, Incoming, Link, Pace, Work};
use crate::handshake::HandshakeError;
use crate::hub::{Audience, Profile, Voice};
use crate::ws::{Kind, Packet};

const MAX_MESSAGE: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Raw {
    voice: Arc<dyn Voice>,
}

#[derive(Debug)]
struct RawVoice;

pub(crate) struct RawConn {
    link: Link,
    room: Mutex<String>,
}

impl Raw {
    pub(crate) fn new() -> Self {
        Self { voice: Arc::new(RawVoice) }
    }
}

impl Voice for RawVoice {
    fn message(&self, message: &Message<'_>) -> Option<Packet> {
        let kind = if matches!(message.data, Data::Bytes(_)) { Kind::Binary } else { Kind::Text };
        Some(Packet::message(kind, message.data.plain()))
    }
}

impl Dialect for Raw {
    type Guest = ();
    type Conn = RawConn;

    const NAME: &'static str = "raw";

    fn pace(&self) -> Pace {
        Pace { max_message: MAX_MESSAGE, ping: None, idle: None }
    }

    async fn admit(
        self: &Arc<Self>,
        _: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<()>, Response> {
        handshake.map_err(HandshakeError::into_response)?;
        let id = uuid::Uuid::new_v4().to_string().into();
        let profile = Profile { id, voice: Arc::clone(&self.voice), claims: HashMap::new() };
        Ok(Admission { profile, headers: HeaderMap::new(), guest: () })
    }

    fn conn(self: &Arc<Self>, link: Link, (): ()) -> RawConn {
        RawConn { link, room: Mutex::default() }
    }

    fn opened(&self, _: &RawConn) -> Work {
        Work::Done
    }

    fn received(&self, conn: &RawConn, message: Incoming<'_>) -> Work {
        let mut room = conn.room.lock().unwrap_or_else(PoisonError::into_inner);
        let Link { hub, member } = &conn.link;
        let data = Data::from_payload(message.payload);
        match &data {
            Data::Text(text) if text.starts_with("join ") => {
                room.clear();
                room.push_str(&text["join ".len()..]);
                // A refusal shows in that nothing is received.
                let _ = hub.join(member, &room);
            }
            _ => {
                let said = Message { room: &room, event: "", sender: member.id(), dst: "", data };
                hub.publish(&room, Audience::OthersOfMember(member), &said);
            }
        }
        Work::Done
    }
}
