//! The client side of the opening handshake: RFC 6455 sections 4.1 and 4.2.2.

mod body;
mod check;
mod head;
mod request;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use wscengine::transport::{ConnectRequest, HandshakeResponse};
use wscengine::{ConnectError, ConnectErrorKind, HandlerError, Phase};

use self::check::Chosen;
pub(crate) use self::head::Head;
use self::head::HeadReader;
pub(crate) use self::request::Opening;
use crate::deadline::after;
use crate::extension::Extension;
use crate::tls::tls_kind;

/// The most interim answers (100, 102, 103, ...) passed over before the final one: none is expected.
const MAX_INTERIM: usize = 16;

/// Until when to wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// For the request to be written and the header block of the answer to arrive.
    head: Instant,
    /// For the body of a refusal: what has not come by then is left out.
    body: Instant,
}

impl Deadlines {
    /// The deadlines of the handshake that begins now, in a dial that began at `started`.
    ///
    /// The body's is before the end of the dial as a whole, lest a refusal be lost with it.
    pub(crate) fn of_dial(started: Instant, whole: Duration, upgrade: Duration) -> Self {
        let head = after(Instant::now(), upgrade);
        Self { head, body: head.min(after(started, whole - whole / 10)) }
    }

    /// One deadline for both.
    pub(crate) fn both(end: Instant) -> Self {
        Self { head: end, body: end }
    }

    pub(crate) fn head(self) -> Instant {
        self.head
    }
}

/// Completes the opening handshake over `stream`, which is connected already: sends the request, checks the
/// answer, and returns it with the bytes that were read after it.
///
/// The path, query, host and credentials of the URL go into the request; what `stream` is connected to is not
/// looked at. [`ConnectRequest::timeout`] bounds the whole. No extension is offered.
///
/// | answer | result |
/// |---|---|
/// | 101 that passes all checks of RFC 6455 section 4.1 | the answer, the bytes after it |
/// | 101 that does not; no HTTP/1.1 | `Handshake` |
/// | 100, 102 to 199 | passed over, up to 16 of them |
/// | another status | `Status`, with headers and up to 64 KiB of the body |
/// | a header block over 64 KiB | `ResponseTooLarge` |
/// | an end of stream in the header block | `Io` |
/// | no whole header block in time | `Timeout(Phase::Upgrade)` |
///
/// # Errors
/// [`ConnectError`] of the kinds above; `InvalidRequest`, before anything is written, for
/// - a header of the user's that the handshake sets itself (`Upgrade`, `Connection`, `Sec-WebSocket-Key`,
///   `-Version`, `-Accept`, `-Extensions`, `-Protocol`) or that announces a body (`Content-Length`,
///   `Transfer-Encoding`), and for more than one `Host`;
/// - a subprotocol that is no token (RFC 7230 section 3.2.6), or that is offered twice;
/// - a URL that is not `ws` or `wss`, or has no host, or a user name with a colon.
///
/// # Panics
/// Outside of a Tokio runtime with its time driver enabled.
///
/// # Cancel safety
/// Not cancel safe: once the future is dropped, the stream is in the middle of a handshake and of no more use.
///
/// # Examples
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use wscengine::ConnectErrorKind;
/// use wscengine::transport::ConnectRequest;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut client, mut server) = tokio::io::duplex(4096);
/// server.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot you").await?;
///
/// let request = ConnectRequest::new("ws://example.com/chat".parse()?);
/// let error = wscengine_dial::handshake(&mut client, &request).await.unwrap_err();
/// assert_eq!(error.kind(), ConnectErrorKind::Status);
/// assert_eq!(error.response().map(|response| &response.body[..]), Some(&b"not you"[..]));
/// # Ok(())
/// # }
/// ```
pub async fn handshake<S>(
    stream: &mut S,
    request: &ConnectRequest,
) -> Result<(HandshakeResponse, Bytes), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Upgraded { response, leftover, .. } = handshake_with(stream, request, &[]).await?;
    Ok((response, leftover))
}

/// Like [`handshake`], and offers extensions, the most wanted first. One may be offered more than once, with different
/// parameters.
///
/// An answer with an extension that was not offered, with one more often than it was offered, or one that breaks the
/// syntax of RFC 6455 section 9.1 is refused as `Handshake`. What the parameters say is the caller's to check.
///
/// # Errors
/// As of [`handshake`]; an offer that is not made of tokens is `InvalidRequest`.
///
/// # Panics
/// Outside of a Tokio runtime with its time driver enabled.
///
/// # Cancel safety
/// Not cancel safe, like [`handshake`].
pub async fn handshake_with<S>(
    stream: &mut S,
    request: &ConnectRequest,
    offers: &[Extension],
) -> Result<Upgraded, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = after(Instant::now(), request.timeout);
    open(stream, &Opening::new(request, offers)?, Deadlines::both(end), &|_| true).await
}

/// What an opening handshake came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Upgraded {
    /// The server's answer.
    pub response: HandshakeResponse,
    /// Bytes of the WebSocket protocol that came together with the answer. They are the first input.
    pub leftover: Bytes,
    /// The extensions in use: each was offered.
    pub extensions: Vec<Extension>,
}

/// `keeps_body` says of which refusals the body is wanted.
pub(crate) async fn open<S>(
    stream: &mut S,
    opening: &Opening,
    deadlines: Deadlines,
    keeps_body: &(dyn Fn(StatusCode) -> bool + Sync),
) -> Result<Upgraded, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let exchange =
        Exchange { request: opening.bytes(), deadlines, phase: Phase::Upgrade, keeps_body };
    let answer = exchange.run(stream).await?;
    if answer.head.status == StatusCode::SWITCHING_PROTOCOLS {
        return accept(answer.head, opening, answer.leftover);
    }
    Err(ConnectError::new(ConnectErrorKind::Status).with_response(answer.into_response()))
}

/// A request on its own connection, and the answer to it: the opening handshake, and that with a proxy.
pub(crate) struct Exchange<'a> {
    pub(crate) request: &'a [u8],
    pub(crate) deadlines: Deadlines,
    /// The phase whose time-out it is if no answer comes.
    pub(crate) phase: Phase,
    /// Whether the body of an answer with this status is wanted; never asked for 101 and for a tunnel's success.
    pub(crate) keeps_body: &'a (dyn Fn(StatusCode) -> bool + Sync),
}

/// The final answer to a request.
pub(crate) struct Answer {
    pub(crate) head: Head,
    /// As far as it was kept.
    pub(crate) body: Bytes,
    /// What was read behind an answer that has no body, since other data follows it.
    pub(crate) leftover: Bytes,
}

impl Exchange<'_> {
    pub(crate) async fn run<S>(&self, stream: &mut S) -> Result<Answer, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut reader = HeadReader::default();
        let answered = self.head(stream, &mut reader);
        let head = match timeout_at(self.deadlines.head, answered).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(ConnectErrorKind::Timeout(self.phase).into()),
        };
        let rest = reader.into_rest();
        if self.ends_http(head.status) {
            return Ok(Answer { head, body: Bytes::new(), leftover: rest.freeze() });
        }
        let body = match (self.keeps_body)(head.status) {
            true => body::read(stream, rest, &head, self.deadlines.body).await,
            false => Bytes::new(),
        };
        Ok(Answer { head, body, leftover: Bytes::new() })
    }

    /// Whether what follows such an answer is no HTTP any more.
    fn ends_http(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS
            || (self.phase == Phase::Proxy && status.is_success())
    }

    /// Sends the request and reads the header block of the final answer.
    async fn head<S>(&self, stream: &mut S, reader: &mut HeadReader) -> Result<Head, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let written = write(stream, self.request).await;
        match (read_final(stream, reader).await, written) {
            // A server may refuse without reading the request to its end: its answer says more than the failed write.
            (Err(error), Err(cause)) if error.kind() == ConnectErrorKind::Io => {
                Err(io_error(cause))
            }
            (outcome, _) => outcome,
        }
    }
}

impl Answer {
    pub(crate) fn into_response(self) -> HandshakeResponse {
        response(self.head, None, self.body)
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Reads header blocks up to the first one that is not interim (RFC 7231 section 6.2).
async fn read_final<S>(stream: &mut S, reader: &mut HeadReader) -> Result<Head, ConnectError>
where
    S: AsyncRead + Unpin,
{
    for _ in 0..=MAX_INTERIM {
        let head = reader.next(stream).await?;
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(head);
        }
    }
    Err(invalid("the server sent too many interim answers"))
}

/// Checks an answer of status 101; one that fails is kept with the error.
fn accept(head: Head, opening: &Opening, leftover: Bytes) -> Result<Upgraded, ConnectError> {
    match check::chosen(&head, opening) {
        Ok(Chosen { subprotocol, extensions }) => {
            let response = response(head, subprotocol, Bytes::new());
            Ok(Upgraded { response, leftover, extensions })
        }
        Err(problem) => Err(invalid(problem).with_response(response(head, None, Bytes::new()))),
    }
}

fn response(head: Head, subprotocol: Option<String>, body: Bytes) -> HandshakeResponse {
    HandshakeResponse { status: head.status, headers: head.headers, subprotocol, body }
}

fn invalid(problem: impl Into<HandlerError>) -> ConnectError {
    ConnectError::with_source(ConnectErrorKind::Handshake, problem)
}

/// An error of the stream; TLS reports its own through it.
fn io_error(error: io::Error) -> ConnectError {
    ConnectError::with_source(tls_kind(&error).unwrap_or(ConnectErrorKind::Io), error)
}
