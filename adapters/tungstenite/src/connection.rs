//! An open connection: tungstenite's stream of messages, polled as the engine polls.

use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use wscengine::transport::{Batch, Connection, Limits, Outgoing};
use wscengine::{CloseFrame, Message, ReadError, ReadErrorKind, WriteError, WriteErrorKind};
use wscengine_dial::Stream;

use crate::convert::{Ended, ended, incoming_close, outgoing, outgoing_close, text, write_error};
use crate::stream::{Checked, Traffic};

/// The most messages that one read appends, so that writing gets its turn.
const MAX_MESSAGES: usize = 256;
/// No more is read once this many payload bytes are in hand.
const MAX_BYTES: usize = 256 << 10;
/// No more is read while this many bytes of pongs wait to be written, to a peer that only sends pings.
const MAX_PONGS: usize = 64 << 10;
/// The longest payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL: usize = 125;
/// The longest header of a client's frame, and so the most that a control frame has besides its payload.
const CONTROL_HEADER: usize = 6;

/// A connection on tokio-tungstenite: [`TungsteniteTransport`](crate::TungsteniteTransport) opens it.
pub struct TungsteniteConnection<S = Checked<Stream>> {
    socket: WebSocketStream<S>,
    traffic: Arc<Traffic>,
    counting: Counting,
    reading: Reading,
    closing: Closing,
    /// Bytes of pongs since the last complete flush.
    pongs: usize,
    /// Bytes of frames since the last complete flush, where messages are counted.
    unwritten: usize,
}

/// Who counts the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// [`Checked`], as they pass.
    Bytes,
    /// The connection, by whole messages: the stream is one that was made elsewhere.
    Messages,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Open,
    /// The peer's close frame has been read.
    Closed,
}

/// Our close frame, the engine's or the echo of the peer's: there is one.
#[derive(Debug)]
enum Closing {
    Not,
    /// Written by the next flush, when all before it is: so that it always fits into tungstenite's buffer.
    Queued(Option<CloseFrame>),
    Sent,
    /// And our side of the stream is shut down.
    Shut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TungsteniteConnection<Checked<S>> {
    /// A connection over an upgraded byte stream, with tungstenite's settings for all but the limits.
    ///
    /// `leftover` are the bytes that were read behind the server's answer.
    ///
    /// # Cancel safety
    /// It never waits. Dropping the future drops the stream.
    pub async fn new(stream: S, leftover: Bytes, limits: Limits) -> Self {
        Self::with_config(stream, leftover, limited(WebSocketConfig::default(), limits)).await
    }

    pub(crate) async fn with_config(stream: S, leftover: Bytes, config: WebSocketConfig) -> Self {
        let traffic = Arc::<Traffic>::default();
        let stream = Checked::new(stream, leftover, Arc::clone(&traffic));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        Self::over(socket, traffic, Counting::Bytes)
    }
}

impl<S> TungsteniteConnection<S> {
    /// A connection over a stream of messages that was made elsewhere, in the role of a client.
    ///
    /// The engine is given less than by [`new`](TungsteniteConnection::new), since the bytes beneath cannot
    /// be seen:
    /// - bytes are counted by whole messages, so that a message which takes longer than the heartbeat's
    ///   time-out does not prove that its sender lives;
    /// - lengths in a longer form than needed are taken;
    /// - a close frame with a code that tungstenite does not know is reported as 1002 "Protocol violation";
    /// - limits are those of the stream's own configuration, and a bounded `max_write_buffer_size` bounds
    ///   what can be sent as one message: it is then refused with an error of kind
    ///   [`Invalid`](WriteErrorKind::Invalid).
    pub fn from_stream(socket: WebSocketStream<S>) -> Self {
        Self::over(socket, Arc::default(), Counting::Messages)
    }

    fn over(socket: WebSocketStream<S>, traffic: Arc<Traffic>, counting: Counting) -> Self {
        Self {
            socket,
            traffic,
            counting,
            reading: Reading::Open,
            closing: Closing::Not,
            pongs: 0,
            unwritten: 0,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TungsteniteConnection<S> {
    /// The stream beneath tungstenite.
    pub fn get_ref(&self) -> &S {
        self.socket.get_ref()
    }

    /// The stream beneath tungstenite, to set options. Bytes are not to be read or written.
    pub fn get_mut(&mut self) -> &mut S {
        self.socket.get_mut()
    }

    /// Appends what tungstenite gave.
    fn take(&mut self, message: WsMessage, batch: &mut Batch) {
        self.count_read(message.len());
        match message {
            WsMessage::Text(payload) => batch.push(Message::from_text(text(payload))),
            WsMessage::Binary(payload) => batch.push(Message::from_binary(payload)),
            WsMessage::Pong(payload) => batch.push_pong(payload),
            WsMessage::Ping(payload) => {
                self.pongs += payload.len() + CONTROL_HEADER;
                batch.push_ping();
            }
            WsMessage::Close(frame) => {
                // tungstenite has queued the echo, unless we were first.
                if matches!(self.closing, Closing::Not) {
                    self.closing = Closing::Sent;
                }
                self.reading = Reading::Closed;
                batch.push_close(frame.as_ref().map(incoming_close));
            }
            // Never comes out of a read.
            WsMessage::Frame(_) => {}
        }
    }

    /// Appends a close frame that was kept from tungstenite, or gives the error.
    fn end(&mut self, ended: Ended, batch: &mut Batch) -> Result<(), ReadError> {
        match ended {
            Ended::Closed(frame) => {
                self.reading = Reading::Closed;
                if matches!(self.closing, Closing::Not) {
                    self.closing = Closing::Queued(frame.clone());
                }
                batch.push_close(frame);
                Ok(())
            }
            Ended::Failed(error) => Err(error),
        }
    }

    fn count_read(&self, payload: usize) {
        if self.counting == Counting::Messages {
            self.traffic.add_read(payload + header_len(payload));
        }
    }

    fn send(&mut self, message: WsMessage) -> Result<(), WriteError> {
        let (mask, payload) = (4, message.len());
        self.unwritten += payload + header_len(payload) + mask;
        Pin::new(&mut self.socket).start_send(message).map_err(write_error)
    }

    /// Whether everything given to the stream beneath was really written.
    fn writable(&self) -> Result<(), WriteError> {
        match self.traffic.failure() {
            Some(error) => Err(WriteError::with_source(WriteErrorKind::Io, error)),
            None => Ok(()),
        }
    }

    /// Throws away what still comes, until the peer ends the stream. A socket that is closed with unread bytes in it is
    /// reset, and the reset takes our close frame with it (RFC 6455 section 7.1.1).
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 4096];
        loop {
            let mut rest = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(self.socket.get_mut()).poll_read(cx, &mut rest));
            if read.is_err() || rest.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Everything is written.
    fn flushed(&mut self) {
        self.pongs = 0;
        let written = mem::take(&mut self.unwritten);
        if self.counting == Counting::Messages {
            self.traffic.add_written(written);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection for TungsteniteConnection<S> {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<Result<(), ReadError>> {
        if self.pongs > MAX_PONGS && self.poll_flush(cx).is_pending() {
            return Poll::Pending;
        }
        let (entries, bytes) = (batch.len(), batch.payload_bytes());
        while self.reading == Reading::Open {
            match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => self.take(message, batch),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.end(ended(error), batch)),
                Poll::Ready(None) => self.reading = Reading::Closed,
                Poll::Pending if batch.len() == entries => return Poll::Pending,
                Poll::Pending => break,
            }
            if batch.len() - entries >= MAX_MESSAGES || batch.payload_bytes() - bytes >= MAX_BYTES {
                break;
            }
        }
        match batch.len() == entries {
            true => Poll::Ready(Err(ReadErrorKind::Closed.into())),
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(write_error)?;
        Poll::Ready(self.writable())
    }

    fn start_send(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        match frame {
            Outgoing::Message(message) => self.send(outgoing(message)?),
            Outgoing::Ping(payload) if payload.len() > MAX_CONTROL => {
                Err(WriteErrorKind::Invalid.into())
            }
            Outgoing::Ping(payload) => self.send(WsMessage::Ping(payload)),
            Outgoing::Close(frame) => {
                if matches!(self.closing, Closing::Not) {
                    self.closing = Closing::Queued(frame);
                }
                Ok(())
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx)).map_err(write_error)?;
        if let Closing::Queued(frame) = &mut self.closing {
            let frame = frame.take();
            self.closing = Closing::Sent;
            self.send(WsMessage::Close(frame.as_ref().map(outgoing_close)))?;
            ready!(Pin::new(&mut self.socket).poll_flush(cx)).map_err(write_error)?;
        }
        self.writable()?;
        self.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        if !matches!(self.closing, Closing::Shut) {
            ready!(self.poll_flush(cx))?;
            match ready!(Pin::new(self.socket.get_mut()).poll_shutdown(cx)) {
                // The peer was quicker.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                result => {
                    result.map_err(|error| WriteError::with_source(WriteErrorKind::Io, error))?;
                }
            }
            self.closing = Closing::Shut;
        }
        match self.reading {
            Reading::Open => self.poll_discard(cx).map(Ok),
            Reading::Closed => Poll::Ready(Ok(())),
        }
    }

    fn bytes_read(&self) -> u64 {
        self.traffic.read()
    }

    fn bytes_written(&self) -> u64 {
        self.traffic.written()
    }
}

/// Shows no payload: tungstenite's own output would.
impl<S> fmt::Debug for TungsteniteConnection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TungsteniteConnection")
            .field("reading", &self.reading)
            .field("closing", &self.closing)
            .field("bytes_read", &self.traffic.read())
            .field("bytes_written", &self.traffic.written())
            .finish_non_exhaustive()
    }
}

/// Sets the limits. A frame larger than a message may be is refused by its header, before it is read.
pub(crate) fn limited(config: WebSocketConfig, limits: Limits) -> WebSocketConfig {
    config
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.frame.min(limits.message)))
}

/// The length of the header, without a mask, of a frame with so many bytes of payload.
fn header_len(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    }
}
