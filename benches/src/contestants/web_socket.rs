//! A raw loop over web-socket. It reads and writes frame by frame, so a `BufStream` gathers them. It does not check
//! UTF-8, and its reading future loses bytes when it is dropped.

use ::web_socket::{Event, Frame, MessageType, WebSocket};
use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::io::BufStream;
use tokio::net::TcpStream;

use crate::contestant::{Contestant, Work};
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Socket>()]
}

struct Socket(WebSocket<BufStream<TcpStream>>);

impl Raw for Socket {
    const NAME: &'static str = "web-socket";
    const ABOUT: &'static str =
        "raw loop, WebSocket over a BufStream of 64 KiB, no check of UTF-8, upgrade by hand";
    const DRAIN: Drain = Drain::Never;

    async fn open(cx: &Cx) -> Result<Self> {
        let idle = matches!(cx.job.work, Work::Idle | Work::Reopen);
        let (read, write) = if idle { (4 << 10, 0) } else { (64 << 10, 64 << 10) };
        let stream = BufStream::with_capacity(read, write, cx.dial_upgraded().await?);
        Ok(Self(WebSocket::client(stream)))
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        loop {
            match self.0.recv().await? {
                Event::Data { data, .. } => {
                    handler(&data);
                    return Ok(());
                }
                Event::Close { .. } => bail!("closed"),
                Event::Error(error) => bail!(error),
                Event::Ping(_) | Event::Pong(_) => {}
            }
        }
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        let frame = Frame { fin: true, opcode: MessageType::Binary as u8, data: payload };
        Ok(self.0.send(frame).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flash().await?)
    }
}
