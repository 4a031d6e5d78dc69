//! Fragmented messages: put together by the core of tungstenite (RFC 6455 section 5.4).

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message as WsMessage};
use wscengine::transport::Limits;
use wscengine::{MessageKind, ReadError};
use wscengine_frames::Library;

use crate::convert::read_error;

/// tungstenite, as far as a [`TungsteniteConnection`](crate::TungsteniteConnection) leaves messages to it: those that come
/// in parts.
#[derive(Default)]
pub struct Tungstenite {
    /// There while a message has begun and not ended: most connections never need it.
    core: Option<Box<WebSocketContext>>,
}

/// How much tungstenite takes at a time.
const STEP: usize = 4 << 10;

impl Library for Tungstenite {
    fn take(
        &mut self,
        bytes: &mut BytesMut,
        limits: Limits,
    ) -> Result<Option<(MessageKind, Bytes)>, ReadError> {
        let core = self.core.get_or_insert_with(|| Box::new(core(limits)));
        let message = match core.read(&mut Received(bytes)) {
            Ok(WsMessage::Text(payload)) => (MessageKind::Text, payload.into()),
            Ok(WsMessage::Binary(payload)) => (MessageKind::Binary, payload),
            // It is given no control frame.
            Ok(_) => return Ok(None),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(read_error(error)),
        };
        self.core = None;
        Ok(Some(message))
    }
}

fn core(limits: Limits) -> WebSocketContext {
    let config = WebSocketConfig::default()
        .read_buffer_size(STEP)
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.frame));
    WebSocketContext::new(Role::Client, Some(config))
}

/// What has come, and then nothing for now.
struct Received<'a>(&'a mut BytesMut);

impl Read for Received<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = space.len().min(self.0.len());
        self.0.copy_to_slice(&mut space[..count]);
        Ok(count)
    }
}

/// tungstenite wants it for the answers to control frames, which it is given none of.
impl Write for Received<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows no payload: tungstenite's own output would.
impl fmt::Debug for Tungstenite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tungstenite").field("within_message", &self.core.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use wscengine::ReadErrorKind;

    use super::*;

    const LIMITS: Limits = Limits { message: 100, frame: 50 };

    /// What comes of these bytes, given one by one.
    fn take(
        library: &mut Tungstenite,
        bytes: &[u8],
    ) -> Result<Vec<(MessageKind, Bytes)>, ReadError> {
        let mut messages = Vec::new();
        for byte in bytes {
            let mut bytes = BytesMut::from(&[*byte][..]);
            messages.extend(library.take(&mut bytes, LIMITS)?);
            assert!(bytes.is_empty(), "all is taken");
        }
        Ok(messages)
    }

    #[test]
    fn parts_become_a_message_and_nothing_is_kept_behind_it() {
        let mut library = Tungstenite::default();
        // The first part ends within a character.
        assert_eq!(take(&mut library, b"\x01\x02a\xc3").ok(), Some(vec![]));
        assert!(library.core.is_some());
        let got = take(&mut library, b"\x00\x00\x80\x02\xa4b").ok();
        assert_eq!(got, Some(vec![(MessageKind::Text, "a\u{e4}b".into())]));
        assert!(library.core.is_none());
        let got = take(&mut library, b"\x02\x01x\x80\x00").ok();
        assert_eq!(got, Some(vec![(MessageKind::Binary, "x".into())]));
    }

    #[test]
    fn what_tungstenite_refuses_has_its_kind() {
        let long = [&[0x02, 50][..], &[7; 50], &[0x00, 50], &[7; 50], &[0x80, 1, 7]].concat();
        let cases: [(&[u8], _); 4] = [
            (b"\x01\x01\xff", ReadErrorKind::InvalidUtf8),
            (b"\x01\x01\xc3\x80\x00", ReadErrorKind::InvalidUtf8),
            (b"\x02\x33", ReadErrorKind::TooBig),
            (&long, ReadErrorKind::TooBig),
        ];
        for (bytes, kind) in cases {
            let error = take(&mut Tungstenite::default(), bytes).expect_err("it is refused");
            assert_eq!(error.kind(), kind, "{bytes:?}");
        }
    }

    #[test]
    fn no_payload_is_shown() {
        let mut library = Tungstenite::default();
        take(&mut library, b"\x01\x06secret").expect("a part");
        assert_eq!(format!("{library:?}"), "Tungstenite { within_message: true }");
    }
}
