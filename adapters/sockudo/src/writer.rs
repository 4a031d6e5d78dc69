//! What is to be written: messages compressed where that was agreed on, and made into frames.

use std::task::{Context, Poll};

use bytes::Bytes;
use sockudo_ws::deflate::DeflateEncoder;
use tokio::io::AsyncWrite;
use wscengine::{CloseFrame, Message, MessageKind, WriteError, WriteErrorKind};
use wscengine_frames::FrameWriter;

use crate::deflate::Agreement;

const FIN_AND_TEXT: u8 = 0x81;
const FIN_AND_BINARY: u8 = 0x82;
const FIN_AND_CLOSE: u8 = 0x88;
const FIN_AND_PING: u8 = 0x89;
/// The message is compressed (RFC 7692 section 6).
const RSV1: u8 = 0x40;

/// Gathers frames and hands them to the socket.
pub(crate) struct Writer {
    frames: FrameWriter,
    deflate: Option<Deflater>,
}

impl Writer {
    pub(crate) fn new(deflate: Option<Agreement>, full: usize) -> Self {
        Self { frames: FrameWriter::new(full), deflate: deflate.map(Deflater::new) }
    }

    /// Bytes given to the stream.
    pub(crate) fn written(&self) -> u64 {
        self.frames.written()
    }

    /// Bytes of pongs since the last complete flush.
    pub(crate) fn pongs(&self) -> usize {
        self.frames.pongs()
    }

    /// Takes a message, compressed where that was agreed on and is worth it.
    pub(crate) fn message(&mut self, message: &Message<'_>) -> Result<(), WriteError> {
        let first = match message.kind() {
            MessageKind::Text => FIN_AND_TEXT,
            MessageKind::Binary => FIN_AND_BINARY,
        };
        let payload = message.payload();
        if let Some(deflate) = &mut self.deflate
            && let Some(compressed) = deflate.compress(payload)?
        {
            self.frames.frame(first | RSV1, &compressed);
        } else {
            self.frames.frame(first, payload);
        }
        Ok(())
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.frames.frame(FIN_AND_PING, payload);
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.frames.pong(payload);
    }

    pub(crate) fn close(&mut self, frame: Option<&CloseFrame>) {
        let payload = frame.map_or_else(Vec::new, |frame| {
            [&frame.code().0.to_be_bytes(), frame.reason().as_bytes()].concat()
        });
        self.frames.frame(FIN_AND_CLOSE, &payload);
    }

    /// Waits until less than a full buffer is left to write.
    pub(crate) fn poll_room(
        &mut self,
        stream: impl AsyncWrite + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        self.frames.poll_room(stream, cx)
    }

    /// Writes all there is, and flushes the stream.
    pub(crate) fn poll_flush(
        &mut self,
        stream: impl AsyncWrite + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        self.frames.poll_flush(stream, cx)
    }
}

/// The compressing half of permessage-deflate.
struct Deflater {
    agreed: Agreement,
    /// Made for the first message that wants it: it is most of what a connection with permessage-deflate holds.
    encoder: Option<DeflateEncoder>,
}

impl Deflater {
    fn new(agreed: Agreement) -> Self {
        Self { agreed, encoder: None }
    }

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
