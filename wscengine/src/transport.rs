//! The seam between the engine and a WebSocket library: what an adapter implements.
//!
//! An adapter only translates. It dials, frames and unframes; it neither reconnects nor keeps time nor
//! calls user code. `testing::conformance`, with the feature `testing`, checks what is asked here.

mod batch;
mod frames;

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::error::{ConnectError, ReadError, WriteError};
use crate::message::{CloseFrame, Message};
pub use batch::{Batch, Inbound};
pub(crate) use batch::{Entry, lend, own};

/// Dials WebSocket connections. One value serves an engine for its whole life, and may be shared.
pub trait Transport: Send + Sync + 'static {
    /// An open connection: a new object for each dial.
    type Connection: Connection;

    /// Dials, and completes the opening handshake.
    ///
    /// The engine bounds the whole call with its connect time-out.
    ///
    /// # Errors
    /// [`ConnectError`], whose kind says which phase failed. A refusal by the server keeps its response.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the attempt and closes whatever it had opened.
    fn connect(
        &self,
        request: ConnectRequest,
    ) -> impl Future<Output = Result<Connected<Self::Connection>, ConnectError>> + Send;
}

/// An open WebSocket connection, polled by the one task that owns it.
///
/// Every method is poll-based, so that a read that is given up loses nothing. A connection
/// - answers each ping with a pong of the same payload by itself: the pong is queued by `poll_recv`
///   and reaches the wire with the next `poll_flush`, which the engine calls after each read;
/// - answers a close frame of the peer in the same way, unless it sent one first;
/// - never writes a close frame of its own accord for an error: the engine sends the code it asks for;
/// - drops its socket when it is dropped.
pub trait Connection: Send + 'static {
    /// Reads what has arrived and appends at least one entry to `batch`, as far as nothing blocks.
    ///
    /// A transport that holds one chunk of received bytes starts the batch with it ([`Batch::set_chunk`])
    /// and appends ranges; one whose library gives owned messages pushes those. After an entry that is a
    /// close frame nothing more is appended; polled again, the call gives an error of kind
    /// [`ReadErrorKind::Closed`](crate::ReadErrorKind::Closed).
    ///
    /// # Errors
    /// [`ReadError`]. What was appended before stays valid and is handled first. After a fatal error the
    /// call is not made again. An end of stream without a close frame is
    /// [`ReadErrorKind::UnexpectedEof`](crate::ReadErrorKind::UnexpectedEof).
    fn poll_recv(&mut self, cx: &mut Context<'_>, batch: &mut Batch)
    -> Poll<Result<(), ReadError>>;

    /// Waits until a message can be taken by [`start_send`](Self::start_send), flushing if need be.
    ///
    /// # Errors
    /// [`WriteError`]: the connection is lost.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>>;

    /// Takes one frame to be written. Called only after `poll_ready` was ready, except for a close frame,
    /// which is always taken.
    ///
    /// After [`Outgoing::Close`] nothing but `poll_flush`, `poll_recv` and `poll_close` is called.
    ///
    /// # Errors
    /// [`WriteError`]: the connection is lost.
    fn start_send(&mut self, frame: Outgoing) -> Result<(), WriteError>;

    /// Hands everything taken so far to the socket.
    ///
    /// # Errors
    /// [`WriteError`]: the connection is lost.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>>;

    /// Flushes, then shuts the stream down. Called when both close frames have passed, or when ours has after an error
    /// of the peer's. In that case it then also waits for the end of the peer's side and throws away what still comes:
    /// a socket that is closed with unread bytes in it is reset, and the reset takes our close frame with it (RFC 6455
    /// section 7.1.1). The engine bounds the call by a second.
    ///
    /// # Errors
    /// [`WriteError`]: the connection was lost meanwhile.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>>;

    /// Bytes taken from the socket since the connection opened, complete messages or not: what proves
    /// that the peer lives.
    fn bytes_read(&self) -> u64;

    /// Bytes given to the socket since the connection opened: what proves that writing goes on.
    fn bytes_written(&self) -> u64;
}

/// What to dial.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// The URL, `ws` or `wss`, with a host and without a fragment.
    pub url: Url,
    /// Headers of the user, to be sent with the handshake besides those that RFC 6455 demands.
    pub headers: HeaderMap,
    /// Subprotocols offered, most wanted first.
    pub subprotocols: Vec<String>,
    /// A bound on the dial as a whole; the engine enforces it, an adapter may use it to divide its time.
    pub timeout: Duration,
    /// The largest message and the largest frame to accept, in payload bytes.
    pub limits: Limits,
}

impl ConnectRequest {
    /// A request for `url` with the default limits and time-out.
    ///
    /// The engine makes its own; this is for tests and for adapters used alone.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            headers: HeaderMap::new(),
            subprotocols: Vec::new(),
            timeout: Duration::from_secs(15),
            limits: Limits::default(),
        }
    }
}

/// Shows no header value, no query value and no subprotocol: they carry secrets.
impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("url", &crate::telemetry::redact(&self.url))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("subprotocols", &self.subprotocols.len())
            .field("timeout", &self.timeout)
            .field("limits", &self.limits)
            .finish()
    }
}

/// Bounds on what is accepted from the peer, in payload bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, all fragments together; a compressed one once it is inflated. 64 MiB by default.
    pub message: usize,
    /// Largest frame. 16 MiB by default.
    pub frame: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 64 << 20, frame: 16 << 20 }
    }
}

/// A connection that was opened, and how the server answered.
#[derive(Debug)]
pub struct Connected<C> {
    /// The open connection.
    pub connection: C,
    /// The server's answer.
    pub response: HandshakeResponse,
}

/// The server's answer to a handshake: of an acceptance, or of a refusal.
#[derive(Clone, PartialEq, Eq)]
pub struct HandshakeResponse {
    /// 101 for an acceptance.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The subprotocol that the server chose, one of those offered.
    pub subprotocol: Option<String>,
    /// The body of a refusal, as far as it was kept (64 KiB at most); empty for an acceptance.
    pub body: Bytes,
}

impl HandshakeResponse {
    /// How long the server wants to be left alone: its `Retry-After`, in seconds or as a date (RFC 9110 section
    /// 10.2.3). A date is compared with the answer's own `Date`, or else with `now`; one that has passed is zero.
    ///
    /// The default classifier waits at least that long.
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        crate::classify::retry_after(&self.headers, now)
    }

    /// An acceptance without headers, for transports that have no HTTP handshake.
    pub fn accepted() -> Self {
        Self {
            status: StatusCode::SWITCHING_PROTOCOLS,
            headers: HeaderMap::new(),
            subprotocol: None,
            body: Bytes::new(),
        }
    }
}

/// Shows the names of headers, no values, and the length of the body.
impl fmt::Debug for HandshakeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("subprotocol", &self.subprotocol)
            .field("body_len", &self.body.len())
            .finish()
    }
}

/// A frame on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A message, to be sent in one frame.
    Message(Message<'static>),
    /// A ping with a payload of at most 125 bytes.
    Ping(Bytes),
    /// A close frame; `None` has no status code.
    Close(Option<CloseFrame>),
}
