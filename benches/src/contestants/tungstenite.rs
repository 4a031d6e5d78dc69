//! The raw loop over tokio-tungstenite that all others are compared with; the same with a small read buffer; and
//! tungstenite's own synchronous state machine, driven over the socket directly.

use std::io::{self, ErrorKind, Read, Write};

use anyhow::{Result, bail};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::calls;
use crate::contestant::{Contestant, Work};
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};

pub(super) const BASELINE: &str = "tokio-tungstenite";

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Tokio<0>>(), raw::<Tokio<16>>(), raw::<Direct>()]
}

/// `KIB`: the read buffer, 0 for the default of 128 KiB.
struct Tokio<const KIB: usize>(WebSocketStream<TcpStream>);

impl<const KIB: usize> Raw for Tokio<KIB> {
    const NAME: &'static str = if KIB == 0 { BASELINE } else { "tokio-tungstenite-rb16k" };
    const ABOUT: &'static str = if KIB == 0 {
        "raw loop, default config, feed and flush"
    } else {
        "raw loop, read_buffer_size 16 KiB"
    };
    const DRAIN: Drain = Drain::Ready;
    const WORKS: &'static [Work] = if KIB == 0 { Work::WITH_CALLS } else { Work::PLAIN };

    async fn call(self, cx: Cx) -> Result<()> {
        calls::by_hand(cx, self.0).await
    }

    async fn open(cx: &Cx) -> Result<Self> {
        let mut config = WebSocketConfig::default();
        if KIB > 0 {
            config = config.read_buffer_size(KIB << 10);
        }
        Ok(Self(client_async_with_config(cx.url(), cx.dial().await?, Some(config)).await?.0))
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        loop {
            let Some(message) = self.0.next().await else { bail!("the server closed") };
            if deliver(message?, &mut handler)? {
                return Ok(());
            }
        }
    }

    fn recv_now(&mut self, handler: impl FnMut(&[u8])) -> Result<bool> {
        match self.0.next().now_or_never() {
            Some(Some(message)) => deliver(message?, handler),
            Some(None) => bail!("the server closed"),
            None => Ok(false),
        }
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        Ok(self.0.feed(Message::Binary(payload.clone())).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }
}

#[inline]
fn deliver(message: Message, mut handler: impl FnMut(&[u8])) -> Result<bool> {
    match message {
        Message::Binary(payload) => handler(&payload),
        Message::Text(text) => handler(text.as_str().as_bytes()),
        Message::Close(_) => bail!("closed"),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(false),
    }
    Ok(true)
}

struct Direct(WebSocket<Socket>);

impl Raw for Direct {
    const NAME: &'static str = "tungstenite-direct";
    const ABOUT: &'static str =
        "synchronous tungstenite over try_read and try_write, read buffer 32 KiB: no waker proxies";
    const DRAIN: Drain = Drain::Ready;

    async fn open(cx: &Cx) -> Result<Self> {
        let socket = Socket(cx.dial_upgraded().await?);
        Ok(Self(WebSocket::from_raw_socket(socket, Role::Client, Some(small_buffers()))))
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        while !self.recv_now(&mut handler)? {
            self.0.get_ref().0.readable().await?;
        }
        Ok(())
    }

    fn recv_now(&mut self, handler: impl FnMut(&[u8])) -> Result<bool> {
        match self.0.read() {
            Ok(message) => deliver(message, handler),
            Err(error) if is_blocked(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        match self.0.write(Message::Binary(payload.clone())) {
            // It is queued; now make room.
            Err(error) if is_blocked(&error) => self.flush().await,
            result => Ok(result?),
        }
    }

    async fn flush(&mut self) -> Result<()> {
        loop {
            match self.0.flush() {
                Err(error) if is_blocked(&error) => self.0.get_ref().0.writable().await?,
                result => return Ok(result?),
            }
        }
    }
}

pub(super) fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(32 << 10)
}

pub(super) fn is_blocked(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::WouldBlock)
}

/// A socket of tokio's that says `WouldBlock` instead of waiting.
pub(super) struct Socket(pub(super) TcpStream);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
