//! Frames that an application makes itself.

use super::{AlreadyDisconnected, Conn, WriteError};
use crate::hub::End;
use crate::ws::{Kind, Packet, close_code};

/// What a frame is, by its opcode (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
    /// Opcode 8.
    Close,
    /// Opcode 9.
    Ping,
    /// Opcode 10.
    Pong,
}

const MAX_CONTROL: usize = 125;

impl Conn {
    /// Sends a frame as it is to this connection. A close frame, with a code and perhaps a reason or empty for code
    /// 1000, ends the connection once what waits for it is written.
    ///
    /// # Errors
    /// It is not what RFC 6455 allows for its kind, or the connection has ended.
    pub fn write(&self, kind: FrameKind, payload: &[u8]) -> Result<(), WriteError> {
        let packet = match kind {
            FrameKind::Text if std::str::from_utf8(payload).is_err() => {
                return Err(WriteError::NotUtf8);
            }
            FrameKind::Text => self.voice().framed(Kind::Text, payload),
            FrameKind::Binary => self.voice().framed(Kind::Binary, payload),
            FrameKind::Close => return self.end(end(payload)?).map_err(Into::into),
            FrameKind::Ping | FrameKind::Pong if payload.len() > MAX_CONTROL => {
                return Err(WriteError::TooLong);
            }
            FrameKind::Ping => Packet::ping_with(payload),
            FrameKind::Pong => Packet::pong(payload),
        };
        if self.link().member.push(&packet) { Ok(()) } else { Err(AlreadyDisconnected.into()) }
    }
}

/// The end that a close frame asks for.
fn end(payload: &[u8]) -> Result<End, WriteError> {
    let (code, reason) = match *payload {
        [] => (close_code::NORMAL, &[][..]),
        [a, b, ref reason @ ..] => (u16::from_be_bytes([a, b]), reason),
        [_] => return Err(WriteError::CloseCode),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(WriteError::CloseCode);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| WriteError::NotUtf8)?;
    Ok(End::new(code, reason.to_owned()))
}
