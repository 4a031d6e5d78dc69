//! A raw loop over tokio-websockets: its default config, and one that flushes less often.

use ::tokio_websockets::{ClientBuilder, Config, Message, WebSocketStream};
use anyhow::{Result, bail};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;

use crate::contestant::Contestant;
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Socket<0>>(), raw::<Socket<64>>()]
}

/// `KIB`: the flush threshold, 0 for the default of 8 KiB.
struct Socket<const KIB: usize>(WebSocketStream<TcpStream>);

impl<const KIB: usize> Raw for Socket<KIB> {
    const NAME: &'static str = if KIB == 0 { "tokio-websockets" } else { "tokio-websockets-ft64k" };
    const ABOUT: &'static str = if KIB == 0 {
        "raw loop, default config, feed and flush"
    } else {
        "raw loop, flush_threshold 64 KiB"
    };
    const DRAIN: Drain = Drain::Ready;

    async fn open(cx: &Cx) -> Result<Self> {
        let mut config = Config::default();
        if KIB > 0 {
            config = config.flush_threshold(KIB << 10);
        }
        let builder = ClientBuilder::new().uri(&cx.url())?.config(config);
        Ok(Self(builder.connect_on(cx.dial().await?).await?.0))
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
        Ok(self.0.feed(Message::binary(payload.clone())).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }
}

fn deliver(message: &Message, mut handler: impl FnMut(&[u8])) -> Result<bool> {
    if message.is_close() {
        bail!("closed");
    }
    let data = message.is_binary() || message.is_text();
    if data {
        handler(message.as_payload());
    }
    Ok(data)
}
