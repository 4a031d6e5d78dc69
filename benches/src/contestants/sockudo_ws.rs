//! A raw loop over the stream of sockudo-ws: its default `Config`, and one without heartbeat that writes less often.
//! The read buffer of 64 KiB is a constant of the crate.

use ::sockudo_ws::{Config, Message, WebSocketStream};
use anyhow::{Result, bail};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;

use crate::contestant::Contestant;
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Socket<false>>(), raw::<Socket<true>>()]
}

struct Socket<const TUNED: bool>(WebSocketStream<TcpStream>);

impl<const TUNED: bool> Raw for Socket<TUNED> {
    const NAME: &'static str = if TUNED { "sockudo-ws-tuned" } else { "sockudo-ws" };
    const ABOUT: &'static str = if TUNED {
        "raw loop, no ping, no idle time-out, writes of 128 KiB, check of UTF-8"
    } else {
        "raw loop, default Config (ping 30 s, idle 120 s), check of UTF-8, upgrade by hand"
    };
    const DRAIN: Drain = Drain::Ready;

    async fn open(cx: &Cx) -> Result<Self> {
        let stream = cx.dial_upgraded().await?;
        if !TUNED {
            return Ok(Self(WebSocketStream::client(stream, Config::default())));
        }
        let config = Config::builder()
            .auto_ping(false)
            .ping_interval(0)
            .idle_timeout(0)
            .write_buffer_size(4 << 10)
            .build();
        let mut socket = WebSocketStream::client(stream, config);
        socket.set_high_water_mark(128 << 10);
        Ok(Self(socket))
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        loop {
            let Some(message) = self.0.next().await else { bail!("the server closed") };
            if deliver(&message?, &mut handler)? {
                return Ok(());
            }
        }
    }

    fn recv_now(&mut self, handler: impl FnMut(&[u8])) -> Result<bool> {
        match self.0.next().now_or_never() {
            Some(Some(message)) => deliver(&message?, handler),
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

pub(super) fn deliver(message: &Message, mut handler: impl FnMut(&[u8])) -> Result<bool> {
    match message {
        Message::Binary(payload) | Message::Text(payload) => handler(payload),
        Message::Close(_) => bail!("closed"),
        Message::Ping(_) | Message::Pong(_) => return Ok(false),
    }
    Ok(true)
}
