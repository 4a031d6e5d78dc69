//! What is to be written: frames, masked and gathered, until the socket takes them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use wscengine::{MessageKind, WriteError, WriteErrorKind};

use crate::{FIN, OPCODE_PONG, RSV1};

use crate::encode::{MAX_HEADER, Masks, encode};

/// Gathers the frames of a client, masked with a CSPRNG's bytes, and hands them to the socket.
///
/// It takes memory as it is of use and holds none once all is written, but for a large buffer that [`rest`](Self::rest) has
/// not seen unused: one that is filled again and again is not made anew each time. The first failure of the stream is kept:
/// it is everyone's from then on, and nothing more is gathered.
///
/// # Examples
/// ```
/// use std::future::poll_fn;
/// use wscengine_frames::FrameWriter;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wscengine::WriteError> {
/// let mut stream = Vec::new();
/// let mut writer = FrameWriter::new(64 << 10);
/// writer.frame(0x81, b"hello");
/// poll_fn(|cx| writer.poll_flush(&mut stream, cx)).await?;
/// // Two bytes of header, four of mask, five of payload.
/// assert_eq!((stream.len(), &stream[..2]), (11, &[0x81, 0x85][..]));
/// # Ok(())
/// # }
/// ```
pub struct FrameWriter {
    bytes: Vec<u8>,
    /// How many of them the stream has taken.
    sent: usize,
    /// How much was gathered lately: the next buffer is made for as much at once.
    lately: usize,
    /// As much as is gathered without a write.
    full: usize,
    /// What `written` was at the last rest.
    rested: u64,
    masks: Masks,
    /// Bytes of pongs since the last complete flush.
    pongs: usize,
    written: u64,
    /// What was given to the stream since it was last flushed.
    unflushed: bool,
    failure: Option<Arc<io::Error>>,
}

/// Making a buffer of this size anew costs more than a list of free ones: the system is asked for it.
const LARGE: usize = 64 << 10;

impl FrameWriter {
    /// One that gathers `full` bytes without a write.
    pub fn new(full: usize) -> Self {
        Self {
            bytes: Vec::new(),
            sent: 0,
            lately: 0,
            full,
            rested: 0,
            masks: Masks::new(),
            pongs: 0,
            written: 0,
            unflushed: false,
            failure: None,
        }
    }

    /// Bytes given to the stream.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Gives the buffer back if nothing was written since the last rest. To be called when there is nothing to read.
    pub fn rest(&mut self) {
        if self.bytes.is_empty() && self.rested == self.written {
            self.bytes = Vec::new();
        }
        self.rested = self.written;
    }

    /// Bytes of pongs since the last complete flush: a peer that sends pings and reads nothing is to be held back.
    pub fn pongs(&self) -> usize {
        self.pongs
    }

    /// Takes a pong.
    pub fn pong(&mut self, payload: &[u8]) {
        let before = self.waiting();
        self.frame(FIN | OPCODE_PONG, payload);
        self.pongs += self.waiting() - before;
    }

    /// Takes a message, in one frame.
    #[inline]
    pub fn message(&mut self, kind: MessageKind, payload: &[u8]) {
        self.frame(FIN | opcode(kind), payload);
    }

    /// Takes a compressed message, in one frame (RFC 7692 section 6).
    #[inline]
    pub fn compressed(&mut self, kind: MessageKind, payload: &[u8]) {
        self.frame(FIN | RSV1 | opcode(kind), payload);
    }

    /// Takes a frame whose first byte, FIN and reserved bits and opcode, is `first` (RFC 6455 section 5.2). What it may
    /// carry is for the caller to judge.
    #[inline]
    pub fn frame(&mut self, first: u8, payload: &[u8]) {
        // Nothing that is written now reaches anyone.
        if self.failure.is_some() {
            return;
        }
        let most = MAX_HEADER + payload.len();
        if self.bytes.capacity() - self.bytes.len() < most {
            self.grow(most);
        }
        let mask = self.masks.next();
        encode(&mut self.bytes, first, mask, payload);
    }
}

impl FrameWriter {
    /// Bytes that the stream has not taken yet.
    fn waiting(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Makes room for so many bytes more.
    #[cold]
    fn grow(&mut self, most: usize) {
        self.bytes.drain(..self.sent);
        self.sent = 0;
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(self.lately.max(most));
        }
        self.bytes.reserve(most);
    }
}

/// Towards the socket.
impl FrameWriter {
    /// Waits until less than a full buffer is left to write.
    ///
    /// # Errors
    /// The first of the stream, of kind `Io`.
    #[inline]
    pub fn poll_room(
        &mut self,
        stream: impl AsyncWrite + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        // Most often there is room, and what failed holds nothing.
        if self.waiting() <= self.full && self.failure.is_none() {
            return Poll::Ready(Ok(()));
        }
        self.poll_write(stream, cx, self.full)
    }

    /// Writes all there is, and flushes the stream.
    ///
    /// # Errors
    /// The first of the stream, of kind `Io`.
    pub fn poll_flush(
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

    /// Writes until no more than `left` bytes are left. Not inlined: most calls of `poll_room` do without.
    #[inline(never)]
    fn poll_write(
        &mut self,
        mut stream: impl AsyncWrite + Unpin,
        cx: &mut Context<'_>,
        left: usize,
    ) -> Poll<Result<(), WriteError>> {
        if let Some(error) = &self.failure {
            return Poll::Ready(Err(failed(error)));
        }
        while self.waiting() > left {
            match ready!(Pin::new(&mut stream).poll_write(cx, &self.bytes[self.sent..])) {
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
        self.sent += count;
        if self.sent == self.bytes.len() {
            // A connection that has nothing to say holds no memory for it; of one that has much to say the next round is near.
            self.lately = self.bytes.len().max(self.lately / 2).min(self.full);
            if self.bytes.capacity() < LARGE || self.bytes.capacity() / 2 > self.full {
                self.bytes = Vec::new();
            }
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Keeps the first failure.
    fn fail(&mut self, error: io::Error) -> WriteError {
        self.bytes = Vec::new();
        self.sent = 0;
        failed(self.failure.get_or_insert_with(|| Arc::new(error)))
    }
}

fn opcode(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Text => 1,
        MessageKind::Binary => 2,
    }
}

fn failed(error: &Arc<io::Error>) -> WriteError {
    WriteError::with_source(WriteErrorKind::Io, Arc::clone(error))
}

/// Shows no payload.
impl fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameWriter")
            .field("waiting", &self.waiting())
            .field("written", &self.written)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;
    use crate::encode::tests::taken_apart;

    #[tokio::test]
    async fn the_first_failure_is_told_to_everyone_and_nothing_is_gathered_any_more() {
        let (client, server) = duplex(8);
        drop(server);
        let mut client = client;
        let mut writer = FrameWriter::new(4);
        writer.frame(0x81, b"hello");
        for _ in 0..2 {
            let error = poll_fn(|cx| writer.poll_room(&mut client, cx)).await;
            assert_eq!(error.expect_err("nobody reads").kind(), WriteErrorKind::Io);
        }
        writer.frame(0x81, b"hello");
        assert_eq!(writer.waiting(), 0);
        assert!(poll_fn(|cx| writer.poll_flush(&mut client, cx)).await.is_err());
    }

    #[tokio::test]
    async fn a_large_buffer_is_kept_from_one_round_to_the_next_and_given_back_at_rest() {
        let mut writer = FrameWriter::new(160 << 10);
        let mut sink = tokio::io::sink();
        for _ in 0..2 {
            writer.frame(0x82, &[0; 100 << 10]);
            poll_fn(|cx| writer.poll_flush(&mut sink, cx)).await.expect("a sink takes all");
            assert!(writer.bytes.capacity() > 100 << 10);
            writer.rest();
        }
        assert!(writer.bytes.capacity() > 0);
        writer.rest();
        assert_eq!(writer.bytes.capacity(), 0);

        let mut writer = FrameWriter::new(160 << 10);
        writer.frame(0x82, &[0; 100]);
        poll_fn(|cx| writer.poll_flush(&mut sink, cx)).await.expect("a sink takes all");
        assert_eq!(writer.bytes.capacity(), 0, "a small one is not kept");
    }

    proptest! {
        /// However much the stream takes at a time, and whatever is added in between.
        #[test]
        fn what_is_gathered_arrives(
            rounds in proptest::collection::vec(proptest::collection::vec(0..300_usize, 0..6), 1..8),
            pipe in 1..700_usize,
            full in 0..500_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let wire = runtime.block_on(async {
                let (mut client, mut server) = duplex(pipe);
                let write = async {
                    let mut writer = FrameWriter::new(full);
                    for round in &rounds {
                        for len in round {
                            writer.pong(&vec![*len as u8; *len]);
                        }
                        poll_fn(|cx| writer.poll_room(&mut client, cx)).await.expect("it is read");
                        assert!(writer.waiting() <= full);
                    }
                    poll_fn(|cx| writer.poll_flush(&mut client, cx)).await.expect("it is read");
                    assert_eq!(writer.pongs(), 0);
                    drop(client);
                };
                let mut wire = Vec::new();
                let (_, read) = tokio::join!(write, server.read_to_end(&mut wire));
                read.expect("the end");
                wire
            });
            let wanted: Vec<_> =
                rounds.concat().iter().map(|len| (0x8a, vec![*len as u8; *len])).collect();
            prop_assert_eq!(taken_apart(&wire), wanted);
        }
    }
}
