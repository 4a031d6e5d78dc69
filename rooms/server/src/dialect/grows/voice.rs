//! How groWs clients are told what happens.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, OnceLock};

use wscengine_rooms_protocol::room::{Data, Message};

use super::conn::{Conn, WeakConn};
use super::middleware::Change;
use crate::hub::{End, Native, Voice};
use crate::ws::{Kind, Packet, close_code};

/// Of all clients whose route has no send middleware.
#[derive(Debug)]
pub(super) struct SharedVoice;

impl Voice for SharedVoice {
    fn message(&self, message: &Message<'_>) -> Option<Packet> {
        let about =
            message.event.len() + message.data.plain().len() + r#"{"event":"","data":""}"#.len();
        let mut written = Ok(());
        let packet = Packet::text_of_about(about, |out| written = message.write_grows(out));
        written.is_ok().then_some(packet)
    }

    fn native(&self, native: &Native<'_>) -> Option<Packet> {
        raw(native).map(|text| Packet::message(Kind::Text, text))
    }
}

/// Of one client, whose route has send middlewares.
pub(super) struct OwnVoice {
    middlewares: Arc<[Change]>,
    conn: OnceLock<WeakConn>,
}

impl OwnVoice {
    pub(super) fn new(middlewares: &Arc<[Change]>) -> Self {
        Self { middlewares: Arc::clone(middlewares), conn: OnceLock::new() }
    }

    pub(super) fn speak_for(&self, conn: &Conn) {
        let _ = self.conn.set(conn.downgrade());
    }

    /// What becomes of a text on its way out; an error is that of the broadcast's receiver, and so is a panic: the
    /// sender, on whose task this runs, must not end of it.
    fn change(&self, text: String) -> Option<Packet> {
        let conn = self.conn.get()?.upgrade()?;
        let change = AssertUnwindSafe(|| changed(&self.middlewares, &conn, text));
        let Ok(result) = panic::catch_unwind(change) else {
            conn.member().end(End::new(close_code::INTERNAL, "a send middleware failed"));
            return None;
        };
        match result {
            Ok(text) => Some(Packet::message(Kind::Text, text.as_bytes())),
            Err(error) => {
                tracing::warn!(id = conn.id(), %error, "a send middleware failed");
                conn.member().meters().overflowed.inc();
                None
            }
        }
    }
}

impl fmt::Debug for OwnVoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnVoice").finish_non_exhaustive()
    }
}

impl Voice for OwnVoice {
    fn message(&self, message: &Message<'_>) -> Option<Packet> {
        let mut text = Vec::new();
        message.write_grows(&mut text).ok()?;
        self.change(String::from_utf8(text).ok()?)
    }

    fn native(&self, native: &Native<'_>) -> Option<Packet> {
        let text = std::str::from_utf8(raw(native)?).ok()?;
        self.change(text.to_owned())
    }
}

/// What the middlewares make of a text, one after the other.
pub(super) fn changed(
    middlewares: &[Change],
    conn: &Conn,
    text: String,
) -> Result<String, super::HandlerError> {
    middlewares.iter().try_fold(text, |text, change| change(conn, text))
}

/// Bytes that are no text are not for groWs clients.
fn raw<'a>(native: &'a Native<'_>) -> Option<&'a [u8]> {
    (!matches!(native.data, Data::Bytes(_))).then(|| native.data.plain())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(data: Data<'_>) -> Option<Packet> {
        let message = Message { room: "r", event: "e", sender: "s", dst: "", data: data.clone() };
        let native = Native { room: "r", sender: "s", dst: "", data };
        let raw = SharedVoice.native(&native);
        let event = SharedVoice.message(&message);
        assert_eq!(raw.is_some(), event.is_some());
        event
    }

    #[test]
    fn a_packet_is_as_long_as_what_is_in_it() {
        for data in ["x", "<\u{2028}>", "\"\\", "null", "{\"a\":1}"] {
            let text = Data::Text(data.into());
            let raw = serde_json::value::RawValue::from_string(data.to_owned());
            let json = raw.ok().map(|json| Data::Json(std::borrow::Cow::Owned(json)));
            for data in [Some(text), json].into_iter().flatten() {
                let packet = told(data).unwrap();
                assert_eq!(usize::from(packet.bytes()[1]), packet.len() - 2, "{packet:?}");
            }
        }
        assert_eq!(told(Data::from_payload(b"\xff")), None);
    }
}
