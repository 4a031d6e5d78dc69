//! The client side of the opening handshake: RFC 6455 sections 4.1 and 4.2.2.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use wscengine::ConnectError;
use wscengine::transport::{ConnectRequest, HandshakeResponse};

pub(crate) struct Opening;
impl Opening {
    pub(crate) fn new(_request: &ConnectRequest) -> Result<Self, ConnectError> {
        Ok(Self)
    }
}
#[derive(Clone, Copy)]
pub(crate) struct Deadlines;
impl Deadlines {
    pub(crate) fn of_dial(_started: Instant, _whole: Duration, _upgrade: Duration) -> Self {
        Self
    }
}

/// Completes the opening handshake.
///
/// # Errors
/// [`ConnectError`]
pub async fn handshake<S>(
    stream: &mut S,
    request: &ConnectRequest,
) -> Result<(HandshakeResponse, Bytes), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    open(stream, &Opening::new(request)?, Deadlines).await
}

pub(crate) async fn open<S>(
    _stream: &mut S,
    _opening: &Opening,
    _deadlines: Deadlines,
) -> Result<(HandshakeResponse, Bytes), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Err(wscengine::ConnectErrorKind::Other.into())
}
