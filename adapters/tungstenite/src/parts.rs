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
