//! The byte stream of a dialled connection.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::ClientConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::connector::BoxedIo;

/// The byte stream of a dialled connection: plain or TLS, over TCP or over what a
/// [`Connector`](crate::Connector) gave.
///
/// # Examples
/// ```no_run
/// # fn example(stream: &wscengine_dial::Stream) {
/// if let Some(tcp) = stream.tcp() {
///     println!("connected to {:?}", tcp.peer_addr());
/// }
/// # }
/// ```
#[non_exhaustive]
pub enum Stream {
    /// `ws` over TCP.
    Tcp(TcpStream),
    /// `wss` over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// `ws` over a stream of the connector's own.
    Boxed(BoxedIo),
    /// `wss` over a stream of the connector's own.
    TlsBoxed(Box<TlsStream<BoxedIo>>),
}

impl Stream {
    /// The TCP socket underneath, to read its addresses or to set options. Bytes are not to be read or written.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            Self::Tls(tls) => Some(tls.get_ref().0),
            Self::Boxed(_) | Self::TlsBoxed(_) => None,
        }
    }

    /// The connector's own stream underneath, if it is not TCP; it can be downcast through `Any`.
    pub fn boxed(&self) -> Option<&BoxedIo> {
        match self {
            Self::Boxed(io) => Some(io),
            Self::TlsBoxed(tls) => Some(tls.get_ref().0),
            Self::Tcp(_) | Self::Tls(_) => None,
        }
    }

    /// The state of TLS: protocol version, cipher suite, the server's certificates. `None` for `ws`.
    pub fn tls(&self) -> Option<&ClientConnection> {
        match self {
            Self::Tls(tls) => Some(tls.get_ref().1),
            Self::TlsBoxed(tls) => Some(tls.get_ref().1),
            Self::Tcp(_) | Self::Boxed(_) => None,
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Stream");
        if let Some(tcp) = self.tcp() {
            out.field("tcp", tcp);
        }
        out.field("tls", &self.tls().and_then(|tls| tls.protocol_version())).finish()
    }
}

/// Calls a method of whichever stream there is.
macro_rules! forward {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Stream::Tcp(io) => Pin::new(io).$method($($argument),*),
            Stream::Tls(io) => Pin::new(io).$method($($argument),*),
            Stream::Boxed(io) => Pin::new(io).$method($($argument),*),
            Stream::TlsBoxed(io) => Pin::new(io).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
            Self::Boxed(io) => io.is_write_vectored(),
            Self::TlsBoxed(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown(cx))
    }
}
