//! An open connection: frames over a byte stream, polled as the engine polls.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wscengine::transport::{Batch, Connection, Limits, Outgoing};
use wscengine::{CloseFrame, ReadError, ReadErrorKind, WriteError, WriteErrorKind};

use crate::reader::{Reader, Request};
use crate::{FIN, FrameWriter, Library, MAX_CONTROL, OPCODE_CLOSE, OPCODE_PING, Rules, close};

/// No more is read while this many bytes of pongs wait to be written, to a peer that only sends pings.
const MAX_PONGS: usize = 64 << 10;

/// A connection of a client over an upgraded byte stream: whole messages are lent where they lie in what was read, control
/// frames are answered, and parts of messages are left to the library `L`.
///
/// It holds memory for what is received or gathered, and none while nothing comes and goes.
///
/// # Examples
/// ```
/// use std::future::poll_fn;
/// use bytes::{Bytes, BytesMut};
/// use tokio::io::AsyncWriteExt;
/// use wscengine::transport::{Batch, Connection, Inbound, Limits};
/// use wscengine::{MessageKind, ReadError, ReadErrorKind};
/// use wscengine_frames::{Buffers, FramedConnection, Library};
///
/// /// Takes no message that comes in parts.
/// struct WholeMessagesOnly;
///
/// impl Library for WholeMessagesOnly {
///     fn take(&mut self, _: &mut BytesMut, _: Limits) -> Result<Option<(MessageKind, Bytes)>, ReadError> {
///         Err(ReadErrorKind::TooBig.into())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (client, mut server) = tokio::io::duplex(4096);
/// let buffers = Buffers { read: 16 << 10, ..Buffers::default() };
/// let mut connection =
///     FramedConnection::with_library(client, b"", Limits::default(), buffers, WholeMessagesOnly);
///
/// server.write_all(b"\x81\x05hello").await?;
/// let mut batch = Batch::new();
/// poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await?;
/// let Some(Ok(Inbound::Message(message))) = batch.next() else { panic!("it has come") };
/// assert_eq!(message.text(), Some("hello"));
/// # Ok(())
/// # }
/// ```
pub struct FramedConnection<S, L> {
    stream: S,
    reader: Reader<L>,
    writer: FrameWriter,
    bytes_read: u64,
    reading: Reading,
    closing: Closing,
}

/// What can still be read.
#[derive(Debug)]
enum Reading {
    Open,
    /// The stream has ended, with this error once all that came before it has been taken.
    Ended(Option<ReadError>),
    /// The peer's close frame has been read.
    Closed,
}

/// Our close frame, the engine's or the echo of the peer's: there is one.
#[derive(Debug)]
enum Closing {
    Not,
    /// The echo, to be written by the next flush. Before that the engine may have something else to say: the peer's
    /// close frame may follow a violation.
    Echo(Option<CloseFrame>),
    Sent,
    /// And our side of the stream is shut down.
    Shut,
}

/// How much memory a connection may use for what passes.
#[derive(Clone, Copy, Debug)]
pub struct Buffers {
    /// How much is read before it is looked at: 32 KiB by default, and 1 KiB at least.
    pub read: usize,
    /// How much is gathered before it is written to the socket without a flush: 160 KiB by default, so that a full send queue
    /// of short messages (1,024 of 128 B) goes out in one write. Memory is taken as it is of use.
    pub write: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { read: 32 << 10, write: 160 << 10 }
    }
}

impl<S, L: Library> FramedConnection<S, L> {
    /// A connection over an upgraded byte stream.
    ///
    /// `leftover` are the bytes that were read behind the server's answer.
    pub fn with_library(
        stream: S,
        leftover: &[u8],
        limits: Limits,
        buffers: Buffers,
        library: L,
    ) -> Self {
        let rules = Rules { deflate: library.deflates(), ..Rules::new(limits) };
        let mut reader = Reader::new(library, rules, buffers.read);
        reader.put(leftover);
        Self {
            stream,
            reader,
            writer: FrameWriter::new(buffers.write),
            bytes_read: leftover.len() as u64,
            reading: Reading::Open,
            closing: Closing::Not,
        }
    }

    /// The same with the library's defaults and [`Buffers::default`].
    pub fn new(stream: S, leftover: &[u8], limits: Limits) -> Self
    where
        L: Default,
    {
        Self::with_library(stream, leftover, limits, Buffers::default(), L::default())
    }
}

impl<S, L> FramedConnection<S, L> {
    /// The stream beneath.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream beneath, to set options. Bytes are not to be read or written.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    fn close(&mut self, frame: Option<&CloseFrame>) {
        self.writer.frame(FIN | OPCODE_CLOSE, &close::encode(frame));
        self.closing = Closing::Sent;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, L: Library> FramedConnection<S, L> {
    /// Appends what has come in full, and queues the answers to it.
    fn take(&mut self, batch: &mut Batch) -> Result<(), ReadError> {
        let Self { reader, writer, reading, closing, .. } = self;
        reader.take(batch, |request| match request {
            // Nothing follows our close frame.
            Request::Pong(payload) if matches!(closing, Closing::Not) => writer.pong(payload),
            Request::Pong(_) => {}
            Request::Echo(frame) => {
                *reading = Reading::Closed;
                if matches!(closing, Closing::Not) {
                    *closing = Closing::Echo(frame);
                }
            }
        })
    }

    /// Reads until the stream has no more for now or the buffer is full. Ready if anything came, and at its end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut came = Poll::Pending;
        while self.reader.has_room() && matches!(self.reading, Reading::Open) {
            let Poll::Ready(read) = self.reader.poll_read(&mut self.stream, cx) else {
                return came;
            };
            came = Poll::Ready(());
            match read {
                Ok(0) => self.reading = Reading::Ended(None),
                Ok(count) => self.bytes_read += count as u64,
                Err(error) => self.reading = Reading::Ended(Some(io_failed(error))),
            }
        }
        came
    }

    /// Throws away what still comes, until the peer ends the stream. A socket that is closed with unread bytes in it is
    /// reset, and the reset takes our close frame with it (RFC 6455 section 7.1.1).
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 4096];
        loop {
            let mut rest = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut rest));
            if read.is_err() || rest.filled().is_empty() {
                return Poll::Ready(());
            }
            self.bytes_read += rest.filled().len() as u64;
        }
    }

    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        if let Closing::Echo(frame) = &mut self.closing {
            let frame = frame.take();
            self.close(frame.as_ref());
        }
        self.writer.poll_flush(&mut self.stream, cx)
    }

    fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        ready!(self.poll_flush_all(cx))?;
        match ready!(Pin::new(&mut self.stream).poll_shutdown(cx)) {
            // The peer was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Err(error) => {
                let error = WriteError::with_source(WriteErrorKind::Io, Arc::new(error));
                return Poll::Ready(Err(error));
            }
            Ok(()) => {}
        }
        self.closing = Closing::Shut;
        Poll::Ready(Ok(()))
    }
}

impl<S, L> Connection for FramedConnection<S, L>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    L: Library,
{
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<Result<(), ReadError>> {
        if self.writer.pongs() > MAX_PONGS && self.poll_flush_all(cx).is_pending() {
            return Poll::Pending;
        }
        let entries = batch.len();
        loop {
            if matches!(self.reading, Reading::Closed) {
                return Poll::Ready(Err(ReadErrorKind::Closed.into()));
            }
            self.take(batch)?;
            if batch.len() > entries {
                return Poll::Ready(Ok(()));
            }
            if let Reading::Ended(error) = &mut self.reading {
                let error = error.take().unwrap_or(ReadErrorKind::UnexpectedEof.into());
                return Poll::Ready(Err(error));
            }
            if self.poll_fill(cx).is_pending() {
                self.reader.rest();
                self.writer.rest();
                return Poll::Pending;
            }
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.writer.poll_room(&mut self.stream, cx)
    }

    fn start_send(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        match (frame, &self.closing) {
            (Outgoing::Message(message), Closing::Not | Closing::Echo(_)) => {
                self.reader.library.send(&message, &mut self.writer)
            }
            (Outgoing::Close(Some(frame)), _) if !close::may_be_sent(&frame) => {
                Err(WriteErrorKind::Invalid.into())
            }
            (Outgoing::Close(frame), Closing::Not | Closing::Echo(_)) => {
                self.close(frame.as_ref());
                Ok(())
            }
            (Outgoing::Close(_), _) => Ok(()),
            (Outgoing::Message(_) | Outgoing::Ping(_), Closing::Sent | Closing::Shut) => {
                Err(WriteErrorKind::Closed.into())
            }
            (Outgoing::Ping(payload), _) if payload.len() > MAX_CONTROL => {
                Err(WriteErrorKind::Invalid.into())
            }
            (Outgoing::Ping(payload), _) => {
                self.writer.frame(FIN | OPCODE_PING, &payload);
                Ok(())
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.poll_flush_all(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        if !matches!(self.closing, Closing::Shut) {
            ready!(self.poll_shut(cx))?;
        }
        match self.reading {
            Reading::Open => self.poll_discard(cx).map(Ok),
            Reading::Ended(_) | Reading::Closed => Poll::Ready(Ok(())),
        }
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    fn bytes_written(&self) -> u64 {
        self.writer.written()
    }
}

/// Why the stream cannot be read. TLS reports an end without its own goodbye as an error of its kind.
fn io_failed(error: io::Error) -> ReadError {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadErrorKind::UnexpectedEof,
        _ => ReadErrorKind::Io,
    };
    ReadError::with_source(kind, error)
}

/// Shows no payload.
impl<S, L> fmt::Debug for FramedConnection<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramedConnection")
            .field("reading", &self.reading)
            .field("closing", &self.closing)
            .field("bytes_read", &self.bytes_read)
            .field("bytes_written", &self.writer.written())
            .finish_non_exhaustive()
    }
}
