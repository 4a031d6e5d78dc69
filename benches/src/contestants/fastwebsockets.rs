//! A raw loop over fastwebsockets. It writes one frame at a time, so a `BufWriter` gathers them; `FragmentCollector`
//! hides `flush`, so this is the bare `WebSocket`, whole frames only. Its reading future loses bytes when it is dropped.

use ::fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket};
use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::io::BufWriter;
use tokio::net::TcpStream;

use crate::contestant::{Contestant, Work};
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Socket>()]
}

struct Socket(WebSocket<BufWriter<TcpStream>>);

impl Raw for Socket {
    const NAME: &'static str = "fastwebsockets";
    const ABOUT: &'static str = "raw loop, WebSocket over a BufWriter of 64 KiB, upgrade by hand";
    const DRAIN: Drain = Drain::Never;

    async fn open(cx: &Cx) -> Result<Self> {
        let idle = matches!(cx.job.work, Work::Idle | Work::Reopen);
        let capacity = if idle { 0 } else { 64 << 10 };
        let stream = BufWriter::with_capacity(capacity, cx.dial_upgraded().await?);
        let mut socket = WebSocket::after_handshake(stream, Role::Client);
        socket.set_writev(false);
        Ok(Self(socket))
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        loop {
            let frame = self.0.read_frame().await?;
            match frame.opcode {
                OpCode::Binary | OpCode::Text => {
                    handler(&frame.payload);
                    return Ok(());
                }
                OpCode::Close => bail!("closed"),
                OpCode::Continuation | OpCode::Ping | OpCode::Pong => {}
            }
        }
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        Ok(self.0.write_frame(Frame::binary(Payload::Borrowed(payload))).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }
}
