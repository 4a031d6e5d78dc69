//! Streams of messages that were opened elsewhere.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use wscengine::transport::{Batch, ConnectRequest, Connected, Connection, Outgoing, Transport};
use wscengine::{
    CloseFrame, ConnectError, Message, ReadError, ReadErrorKind, WriteError, WriteErrorKind,
};
use wscengine_frames::MAX_CONTROL;

use crate::convert::{incoming_close, outgoing, outgoing_close, read_error, text, write_error};

/// The most messages that one read appends, so that writing gets its turn.
const MAX_MESSAGES: usize = 256;
/// No more is read once this many payload bytes are in hand.
const MAX_BYTES: usize = 256 << 10;
/// No more is read while this many bytes of pongs wait to be written, to a peer that only sends pings.
const MAX_PONGS: usize = 64 << 10;
/// The longest header of a client's frame, and so the most that a control frame has besides its payload.
const CONTROL_HEADER: usize = 6;

/// A transport over [`WebSocketStream`]s that an async closure opens, one for each attempt.
///
/// The closure is given the request and has to honour its headers, subprotocols and limits itself; where
/// it has no server's answer to report, [`HandshakeResponse::accepted`] will do. See [`ReadyConnection`]
/// on what a stream that was made elsewhere does not give.
///
/// [`HandshakeResponse::accepted`]: wscengine::transport::HandshakeResponse::accepted
///
/// # Examples
/// ```
/// use tokio_tungstenite::WebSocketStream;
/// use tokio_tungstenite::tungstenite::protocol::Role;
/// use wscengine::transport::{ConnectRequest, Connected, HandshakeResponse};
/// use wscengine_tungstenite::{FromStreams, tokio_tungstenite};
///
/// let transport = FromStreams::new(|_request: ConnectRequest| async {
///     // Any stream that has been upgraded already; here one without a network.
///     let (client, _server) = tokio::io::duplex(4096);
///     let connection = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
///     Ok(Connected { connection, response: HandshakeResponse::accepted() })
/// });
/// # fn is_transport(_: impl wscengine::transport::Transport) {}
/// # is_transport(transport);
/// ```
#[derive(Clone)]
pub struct FromStreams<F> {
    open: F,
}

impl<F> FromStreams<F> {
    /// A transport whose connections `open` opens.
    pub fn new(open: F) -> Self {
        Self { open }
    }
}

impl<F> fmt::Debug for FromStreams<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromStreams").finish_non_exhaustive()
    }
}

impl<F, Opening, S> Transport for FromStreams<F>
where
    F: Fn(ConnectRequest) -> Opening + Send + Sync + 'static,
    Opening: Future<Output = Result<Connected<WebSocketStream<S>>, ConnectError>> + Send,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Connection = ReadyConnection<S>;

    async fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<Connected<ReadyConnection<S>>, ConnectError> {
        let Connected { connection, response } = (self.open)(request).await?;
        Ok(Connected { connection: ReadyConnection::new(connection), response })
    }
}

/// A connection over a stream of messages that was made elsewhere, in the role of a client.
///
/// The engine is given less than by [`TungsteniteConnection`](crate::TungsteniteConnection), since the
/// bytes beneath cannot be seen:
/// - messages are owned, not lent: each costs about as much as in a loop over the stream itself;
/// - bytes are counted by whole messages, so that a message which takes longer than the heartbeat's
///   time-out does not prove that its sender lives;
/// - lengths in a longer form than needed are taken;
/// - a close frame with a code that tungstenite does not know is reported as 1002 "Protocol violation";
/// - limits are those of the stream's own configuration, and a bounded `max_write_buffer_size` bounds
///   what can be sent as one message: it is then refused with an error of kind
///   [`Invalid`](WriteErrorKind::Invalid).
pub struct ReadyConnection<S> {
    socket: WebSocketStream<S>,
    reading: Reading,
    closing: Closing,
    /// Bytes of pongs since the last complete flush.
    pongs: usize,
    read: u64,
    /// Bytes of frames since the last complete flush.
    unwritten: u64,
    written: u64,
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

impl<S> ReadyConnection<S> {
    /// A connection over `socket`.
    pub fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            reading: Reading::Open,
            closing: Closing::Not,
            pongs: 0,
            read: 0,
            unwritten: 0,
            written: 0,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReadyConnection<S> {
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
        self.read += (message.len() + header_len(message.len())) as u64;
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

    fn send(&mut self, message: WsMessage) -> Result<(), WriteError> {
        let (mask, payload) = (4, message.len());
        self.unwritten += (payload + header_len(payload) + mask) as u64;
        Pin::new(&mut self.socket).start_send(message).map_err(write_error)
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
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection for ReadyConnection<S> {
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
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(read_error(error))),
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
        Pin::new(&mut self.socket).poll_ready(cx).map_err(write_error)
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
        self.pongs = 0;
        self.written += std::mem::take(&mut self.unwritten);
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
        self.read
    }

    fn bytes_written(&self) -> u64 {
        self.written
    }
}

/// Shows no payload: tungstenite's own output would.
impl<S> fmt::Debug for ReadyConnection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyConnection")
            .field("reading", &self.reading)
            .field("closing", &self.closing)
            .field("bytes_read", &self.read)
            .field("bytes_written", &self.written)
            .finish_non_exhaustive()
    }
}

/// The length of the header, without a mask, of a frame with so many bytes of payload.
fn header_len(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    }
}
