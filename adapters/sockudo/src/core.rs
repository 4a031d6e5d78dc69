//! The sans-I/O core of sockudo-ws: what outlasts a frame.

use std::fmt;

use bytes::{Bytes, BytesMut};
use sockudo_ws::deflate::DeflateEncoder;
use sockudo_ws::protocol::{CompressedReaderProtocol, Message as WsMessage, Protocol, Role};
use wscengine::transport::Limits;
use wscengine::{Message, MessageKind, ReadError, WriteError, WriteErrorKind};
use wscengine_frames::{FrameWriter, Library, Violation, compressed_limit};

use crate::convert::read_error;
use crate::deflate::Agreement;

/// sockudo-ws, as far as a [`SockudoConnection`](crate::SockudoConnection) leaves messages to it: those that come in parts,
/// and what is compressed.
#[derive(Default)]
pub struct Sockudo {
    reading: Reading,
    deflater: Option<Deflater>,
}

/// Parts of messages, text cut within a character, DEFLATE's window.
enum Reading {
    /// Made for the first frame that needs it: many connections never see one.
    Unmade(Option<Agreement>),
    Plain(Box<Protocol>),
    Deflate(Box<CompressedReaderProtocol>),
}

impl Default for Reading {
    fn default() -> Self {
        Self::Unmade(None)
    }
}

impl Reading {
    fn make(limits: Limits, deflate: Option<&Agreement>) -> Self {
        let Limits { message, frame } = limits;
        match deflate {
            None => Self::Plain(Box::new(Protocol::new(Role::Client, frame, message))),
            Some(agreed) => Self::Deflate(Box::new(CompressedReaderProtocol::client(
                frame,
                // It holds the bytes of parts to the same limit as what is inflated of them.
                compressed_limit(limits),
                &agreed.config(),
            ))),
        }
    }
}

impl Sockudo {
    pub(crate) fn new(deflate: Option<Agreement>) -> Self {
        Self {
            reading: Reading::Unmade(deflate.clone()),
            deflater: deflate.map(|agreed| Deflater { agreed, encoder: None }),
        }
    }
}

impl Library for Sockudo {
    fn deflates(&self) -> bool {
        self.deflater.is_some()
    }

    fn take(
        &mut self,
        bytes: &mut BytesMut,
        limits: Limits,
    ) -> Result<Option<(MessageKind, Bytes)>, ReadError> {
        if let Reading::Unmade(deflate) = &self.reading {
            self.reading = Reading::make(limits, deflate.as_ref());
        }
        let taken = match &mut self.reading {
            Reading::Unmade(_) => Ok(Vec::new()),
            Reading::Plain(core) => core.process(bytes),
            Reading::Deflate(core) => core.process(bytes),
        };
        // No more than one comes of one frame.
        let (kind, payload) = match taken.map_err(read_error)?.pop() {
            Some(WsMessage::Text(payload)) => (MessageKind::Text, payload),
            Some(WsMessage::Binary(payload)) => (MessageKind::Binary, payload),
            _ => return Ok(None),
        };
        if payload.len() > limits.message {
            return Err(Violation::MessageTooBig.into());
        }
        Ok(Some((kind, payload)))
    }

    /// Compressed where that was agreed on and is worth it.
    #[inline]
    fn send(&mut self, message: &Message<'_>, writer: &mut FrameWriter) -> Result<(), WriteError> {
        let (kind, payload) = (message.kind(), message.payload());
        if let Some(deflater) = &mut self.deflater
            && let Some(compressed) = deflater.compress(payload)?
        {
            writer.compressed(kind, &compressed);
        } else {
            writer.message(kind, payload);
        }
        Ok(())
    }
}

/// The compressing half of permessage-deflate.
struct Deflater {
    agreed: Agreement,
    /// Made for the first message that wants it: it is most of what a connection with permessage-deflate holds.
    encoder: Option<DeflateEncoder>,
}

impl Deflater {
    /// The compressed payload; `None` if it is to be sent as it is.
    fn compress(&mut self, payload: &[u8]) -> Result<Option<Bytes>, WriteError> {
        // Of an empty message behind another one zlib makes nothing, which is no message (RFC 7692 section 7.2.3.6).
        if payload.len() < self.agreed.threshold.max(1) {
            return Ok(None);
        }
        if self.encoder.is_none() {
            self.encoder = self.agreed.encoder();
        }
        let Some(encoder) = &mut self.encoder else { return Ok(None) };
        encoder
            .compress(payload)
            .map_err(|error| WriteError::with_source(WriteErrorKind::Io, error))
    }
}

/// Shows no payload.
impl fmt::Debug for Sockudo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockudo").field("deflates", &self.deflates()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use wscengine_dial::Extension;

    use super::*;
    use crate::deflate::Deflate;

    #[test]
    fn the_compressing_half_is_made_for_the_first_message_that_wants_it() {
        let answer = Extension::new("permessage-deflate");
        let agreed = Deflate::new().agree(&[answer]).expect("it is what was offered");
        let (mut core, mut writer) = (Sockudo::new(agreed), FrameWriter::new(1 << 10));
        for (length, is_made) in [(0, false), (63, false), (64, true)] {
            let message = Message::from_binary(vec![0; length]);
            core.send(&message, &mut writer).expect("there is room");
            let deflater = core.deflater.as_ref().expect("it was agreed on");
            assert_eq!(deflater.encoder.is_some(), is_made, "{length} bytes");
        }
    }
}
