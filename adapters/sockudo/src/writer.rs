//! What is to be written: frames, masked and gathered, until the socket takes them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use rand::RngExt;
use sockudo_ws::deflate::DeflateEncoder;
use sockudo_ws::frame::{OpCode, encode_frame_with_rsv};
use tokio::io::AsyncWrite;
use wscengine::{CloseFrame, Message, MessageKind, WriteError, WriteErrorKind};

use crate::convert::write_failed;
use crate::deflate::Agreement;

/// Gathers frames and hands them to the socket.
pub(crate) struct Writer {
    buf: BytesMut,
    /// How much the last flush wrote: the next buffer is made for as much at once.
    lately: usize,
    /// As much as is gathered without a write.
    full: usize,
    masks: Masks,
    deflate: Option<Deflater>,
    /// Bytes of pongs since the last complete flush.
    pongs: usize,
    written: u64,
    /// What was given to the stream since it was last flushed.
    unflushed: bool,
    failure: Option<Arc<io::Error>>,
}

impl Writer {
    pub(crate) fn new(deflate: Option<Agreement>, full: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            lately: 0,
            full,
            masks: Masks::new(),
            deflate: deflate.map(Deflater::new),
            pongs: 0,
            written: 0,
            unflushed: false,
            failure: None,
        }
    }

    /// Bytes given to the stream.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of pongs since the last complete flush.
    pub(crate) fn pongs(&self) -> usize {
        self.pongs
    }

    /// Takes a message, compressed where that was agreed on and is worth it.
    pub(crate) fn message(&mut self, message: &Message<'_>) -> Result<(), WriteError> {
        let opcode = match message.kind() {
            MessageKind::Text => OpCode::Text,
            MessageKind::Binary => OpCode::Binary,
        };
        let payload = message.payload();
        let compressed = match &mut self.deflate {
            Some(deflate) => deflate.compress(payload)?,
            None => None,
        };
        match compressed {
            Some(compressed) => self.frame(opcode, &compressed, true),
            None => self.frame(opcode, payload, false),
        }
        Ok(())
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.frame(OpCode::Ping, payload, false);
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let before = self.buf.len();
        self.frame(OpCode::Pong, payload, false);
        self.pongs += self.buf.len() - before;
    }

    pub(crate) fn close(&mut self, frame: Option<&CloseFrame>) {
        let payload = frame.map_or_else(Vec::new, |frame| {
            [&frame.code().0.to_be_bytes(), frame.reason().as_bytes()].concat()
        });
        self.frame(OpCode::Close, &payload, false);
    }

    fn frame(&mut self, opcode: OpCode, payload: &[u8], compressed: bool) {
        // Nothing that is written now reaches anyone.
        if self.failure.is_some() {
            return;
        }
        if self.buf.capacity() == 0 {
            self.buf.reserve(self.lately);
        }
        let mask = Some(self.masks.next());
        encode_frame_with_rsv(&mut self.buf, opcode, payload, true, mask, compressed);
    }
}

/// Towards the socket.
impl Writer {
    /// Waits until less than a full buffer is left to write.
    pub(crate) fn poll_room(
        &mut self,
        stream: impl AsyncWrite + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        self.poll_write(stream, cx, self.full)
    }

    /// Writes all there is, and flushes the stream.
    pub(crate) fn poll_flush(
        &mut self,
        mut stream: impl AsyncWrite + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        ready!(self.poll_write(&mut stream, cx, 0))?;
        if self.unflushed {
            if let Err(error) = ready!(Pin::new(&mut stream).poll_flush(cx)) {
                return Poll::Ready(Err(self.fail(error)));
            }
            self.unflushed = false;
        }
        self.pongs = 0;
        Poll::Ready(Ok(()))
    }

    /// Writes until no more than `left` bytes are left.
    fn poll_write(
        &mut self,
        mut stream: impl AsyncWrite + Unpin,
        cx: &mut Context<'_>,
        left: usize,
    ) -> Poll<Result<(), WriteError>> {
        if let Some(error) = &self.failure {
            return Poll::Ready(Err(write_failed(Arc::clone(error))));
        }
        while self.buf.len() > left {
            match ready!(Pin::new(&mut stream).poll_write(cx, &self.buf)) {
                Ok(0) => return Poll::Ready(Err(self.fail(io::ErrorKind::WriteZero.into()))),
                Ok(count) => self.wrote(count),
                Err(error) => return Poll::Ready(Err(self.fail(error))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, count: usize) {
        self.written += count as u64;
        self.unflushed = true;
        self.buf.advance(count);
        if self.buf.is_empty() {
            // A connection that has nothing to say holds no memory for it.
            self.buf = BytesMut::new();
            self.lately = count.min(self.full);
        }
    }

    /// Keeps the first failure: it is everyone's from now on.
    fn fail(&mut self, error: io::Error) -> WriteError {
        self.buf = BytesMut::new();
        let error = Arc::clone(self.failure.get_or_insert_with(|| Arc::new(error)));
        write_failed(error)
    }
}

/// Masks for frames, drawn from a CSPRNG many at a time: RFC 6455 section 5.3 wants them unpredictable.
struct Masks {
    drawn: [u8; MASKS],
    at: usize,
}

/// For 32 frames.
const MASKS: usize = 128;

impl Masks {
    fn new() -> Self {
        Self { drawn: [0; MASKS], at: MASKS }
    }

    fn next(&mut self) -> [u8; 4] {
        if self.at == MASKS {
            rand::rng().fill(&mut self.drawn[..]);
            self.at = 0;
        }
        let start = self.at;
        self.at += 4;
        [0, 1, 2, 3].map(|byte| self.drawn[start + byte])
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
