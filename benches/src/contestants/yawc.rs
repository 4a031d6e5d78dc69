//! A raw loop over yawc: default options without compression, and the buffers that its README advises.

use ::yawc::{Frame, OpCode, Options, Role, WebSocket};
use anyhow::{Result, bail};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt};
use tokio::net::TcpStream;

use crate::contestant::Contestant;
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Socket<false>>(), raw::<Socket<true>>()]
}

struct Socket<const TUNED: bool>(WebSocket<TcpStream>);

impl<const TUNED: bool> Raw for Socket<TUNED> {
    const NAME: &'static str = if TUNED { "yawc-tuned" } else { "yawc" };
    const ABOUT: &'static str = if TUNED {
        "raw loop, read buffer 128 KiB, write boundary 64 KiB, check of UTF-8"
    } else {
        "raw loop, no compression, check of UTF-8, upgrade by hand"
    };
    const DRAIN: Drain = Drain::Ready;

    async fn open(cx: &Cx) -> Result<Self> {
        let mut options = Options::default().without_compression().with_utf8();
        if TUNED {
            options =
                options.with_read_buffer_capacity(128 << 10).with_backpressure_boundary(64 << 10);
        }
        Ok(Self(WebSocket::from_stream(cx.dial_upgraded().await?, Role::Client, options)?))
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        while !deliver(&self.0.next_frame().await?, &mut handler)? {}
        Ok(())
    }

    fn recv_now(&mut self, handler: impl FnMut(&[u8])) -> Result<bool> {
        match self.0.next_frame().now_or_never() {
            Some(frame) => deliver(&frame?, handler),
            None => Ok(false),
        }
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        Ok(self.0.feed(Frame::binary(payload.clone())).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }
}

fn deliver(frame: &Frame, mut handler: impl FnMut(&[u8])) -> Result<bool> {
    match frame.opcode() {
        OpCode::Binary | OpCode::Text => handler(frame.payload()),
        OpCode::Close => bail!("closed"),
        OpCode::Continuation | OpCode::Ping | OpCode::Pong => return Ok(false),
    }
    Ok(true)
}
