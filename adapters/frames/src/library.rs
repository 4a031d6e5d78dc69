//! What is left to a WebSocket library.

use bytes::{Bytes, BytesMut};
use wscengine::transport::Limits;
use wscengine::{Message, MessageKind, ReadError, WriteError};

use crate::FrameWriter;

/// The WebSocket library beneath a [`FramedConnection`](crate::FramedConnection): it takes what needs state that
/// outlasts a frame.
///
/// [`FramedConnection`](crate::FramedConnection) has an example.
pub trait Library: Send + 'static {
    /// Whether permessage-deflate was negotiated (RFC 7692). Not by default.
    fn deflates(&self) -> bool {
        false
    }

    /// Takes the next bytes of a frame that is a part of a message or is compressed, from its header on. What it leaves it
    /// is given again once more has come, and of a frame that is there in full it leaves nothing. Gives the message, if it
    /// has ended with this frame; text is judged afterwards in any case. There is nothing of the frame behind it in `bytes`.
    ///
    /// The header has been judged by [`Rules`](crate::Rules) with these limits: a compressed message may be as large as
    /// [`compressed_limit`](crate::compressed_limit), and is larger than the limit for messages if it is so once inflated.
    /// Control frames that come between the parts are not given.
    ///
    /// # Errors
    /// What the peer broke: text that is not UTF-8, data that cannot be inflated, or becomes larger than the limit.
    fn take(
        &mut self,
        bytes: &mut BytesMut,
        limits: Limits,
    ) -> Result<Option<(MessageKind, Bytes)>, ReadError>;

    /// Gives a message to `writer`: by default in one frame, as it is.
    ///
    /// # Errors
    /// The message cannot be sent.
    fn send(&mut self, message: &Message<'_>, writer: &mut FrameWriter) -> Result<(), WriteError> {
        writer.message(message.kind(), message.payload());
        Ok(())
    }
}
