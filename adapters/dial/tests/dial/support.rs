//! Hand-written servers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use wscengine::ConnectError;
use wscengine::transport::{ConnectRequest, HandshakeResponse};
use wscengine_dial::handshake;

pub(crate) type Outcome = Result<(HandshakeResponse, Bytes), ConnectError>;

pub(crate) fn request(url: &str) -> ConnectRequest {
    ConnectRequest::new(url.parse().unwrap())
}

/// Reads a request up to its empty line.
pub(crate) async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

/// The value of the only header of that name.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut values = request
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    let first = values.next();
    assert_eq!(values.next(), None, "{name} is repeated in {request}");
    first
}

/// The right `Sec-WebSocket-Accept` for a request.
pub(crate) fn accept_of(request: &str) -> String {
    let key = header(request, "Sec-WebSocket-Key").unwrap();
    STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
}

/// A right answer to `request` with more header lines.
pub(crate) fn accepted(request: &str, more: &str) -> Vec<u8> {
    let accept = accept_of(request);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
    .into_bytes()
}

/// What the server does after its answer.
pub(crate) enum Then {
    Close,
    StayOpen,
}

/// Runs a handshake against a server that reads the request and answers with what `answer` makes of it.
pub(crate) async fn answered(
    request: &ConnectRequest,
    answer: impl FnOnce(&str) -> Vec<u8>,
    then: Then,
) -> Outcome {
    let (mut client, mut server) = tokio::io::duplex(1024);
    let serving = async {
        let answer = answer(&read_request(&mut server).await);
        // The client may go away before it has read everything.
        let _ = server.write_all(&answer).await;
        match then {
            Then::Close => drop(server),
            Then::StayOpen => std::future::pending().await,
        }
    };
    client_first(handshake(&mut client, request), serving).await
}

/// Runs a handshake with a server that answers with fixed bytes, and stays open.
pub(crate) async fn answered_with(answer: impl Into<Vec<u8>>) -> Outcome {
    let answer = answer.into();
    answered(&request("ws://example.com/"), |_| answer, Then::StayOpen).await
}

/// Completes a handshake that is accepted, and returns the request that the server saw.
pub(crate) async fn seen(request: &ConnectRequest) -> String {
    let (mut client, mut server): (DuplexStream, DuplexStream) = tokio::io::duplex(64 * 1024);
    let serving = async {
        let seen = read_request(&mut server).await;
        server.write_all(&accepted(&seen, "")).await.unwrap();
        seen
    };
    let (outcome, seen) = tokio::join!(handshake(&mut client, request), serving);
    outcome.unwrap();
    seen
}

/// Accepts the handshake on any stream, and sends back what comes after it until the end.
pub(crate) async fn serve_echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let request = read_request(&mut stream).await;
    stream.write_all(&accepted(&request, "")).await.unwrap();
    let (mut from, mut to) = tokio::io::split(stream);
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Drives both until the client is done.
async fn client_first(
    client: impl Future<Output = Outcome>,
    server: impl Future<Output = ()>,
) -> Outcome {
    tokio::pin!(client, server);
    tokio::select! {
        outcome = &mut client => outcome,
        () = &mut server => client.await,
    }
}
