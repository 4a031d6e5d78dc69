//! A TCP connection whose far end seems to know permessage-deflate: messages in one piece are compressed on their way to
//! the client and inflated on their way back. All else, legal or not, passes as it is.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod inward;
mod outward;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;
use wscengine::{ConnectError, ConnectErrorKind};
use wscengine_dial::{BoxedIo, Connector, Target};

use inward::Inward;
use outward::Outward;

/// What every compressed message leaves out at its end (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Opens such connections.
pub(crate) struct Compressing;

#[async_trait]
impl Connector for Compressing {
    async fn connect(&self, target: &Target) -> Result<BoxedIo, ConnectError> {
        let tcp = TcpStream::connect((target.host.as_str(), target.port)).await;
        let tcp =
            tcp.map_err(|error| ConnectError::with_source(ConnectErrorKind::Connect, error))?;
        tcp.set_nodelay(true).unwrap();
        Ok(Box::new(Link { tcp, inward: Inward::new(), outward: Outward::new() }))
    }
}

struct Link {
    tcp: TcpStream,
    inward: Inward,
    outward: Outward,
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.inward.ready.is_empty() {
            let mut read = BytesMut::with_capacity(256 << 10);
            if ready!(poll_read_buf(Pin::new(&mut this.tcp), cx, &mut read))? == 0 {
                return Poll::Ready(Ok(()));
            }
            this.inward.take(&read);
        }
        let count = this.inward.ready.len().min(buf.remaining());
        buf.put_slice(&this.inward.ready[..count]);
        this.inward.ready.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl Link {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outward.ready.is_empty() {
            let count = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.outward.ready))?;
            self.outward.ready.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        this.outward.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

/// The lengths of the header and the payload of the frame at the start, if its header is there.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let &[_, second, ref rest @ ..] = bytes else { return None };
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    let (header, payload) = match (second & 0x7f, rest) {
        (126, &[a, b, ..]) => (4, u64::from(u16::from_be_bytes([a, b]))),
        (127, &[a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        (126 | 127, _) => return None,
        (len, _) => (2, u64::from(len)),
    };
    Some((header + mask, usize::try_from(payload).unwrap()))
}

/// Appends the header of a frame, without a mask.
fn put_header(out: &mut BytesMut, first: u8, mask_bit: u8, len: usize) {
    out.extend_from_slice(&[first]);
    match len {
        0..126 => out.extend_from_slice(&[mask_bit | len as u8]),
        126..65_536 => {
            out.extend_from_slice(&[mask_bit | 126]);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.extend_from_slice(&[mask_bit | 127]);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}
