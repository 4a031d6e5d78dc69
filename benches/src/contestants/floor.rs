//! The floor: read(2) into a big buffer and look at headers; write(2) of big buffers of masked frames. Nothing can be
//! faster. Blocking, and on a socket of tokio's.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream as AsyncTcpStream;

use crate::contestant::{Contestant, Work};
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};
use crate::wire;

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Floor>(), raw::<FloorTokio>()]
}

/// What is gathered before it is written.
const OUT: usize = 64 << 10;

struct Codec {
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    out: Vec<u8>,
    key: u32,
}

impl Codec {
    fn new(capacity: usize) -> Self {
        let out = Vec::with_capacity(OUT + (32 << 10));
        Self { buffer: vec![0; capacity], at: 0, end: 0, out, key: 0x9e37_79b9 }
    }

    #[inline]
    fn take(&mut self) -> Option<&[u8]> {
        let head = wire::head(&self.buffer[self.at..self.end])?;
        let end = self.at + head.total();
        if end > self.end {
            return None;
        }
        let payload = self.at + head.head..end;
        self.at = end;
        Some(&self.buffer[payload])
    }

    #[inline]
    fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        &mut self.buffer[self.end..]
    }

    fn read(&mut self, bytes: usize) -> Result<()> {
        if bytes == 0 {
            bail!("the server closed");
        }
        self.end += bytes;
        Ok(())
    }

    /// A new key for each frame by xorshift: as cheap as it gets, and no CSPRNG.
    #[inline]
    fn put(&mut self, payload: &[u8]) {
        self.key ^= self.key << 13;
        self.key ^= self.key >> 17;
        self.key ^= self.key << 5;
        wire::put_masked(&mut self.out, wire::BINARY, payload, self.key);
    }
}

struct Floor {
    socket: TcpStream,
    codec: Codec,
}

impl Raw for Floor {
    const NAME: &'static str = "floor";
    const ABOUT: &'static str = "blocking read(2) and write(2), frame headers, no library";
    const DRAIN: Drain = Drain::Ready;
    const RUNTIME: bool = false;
    const WORKS: &'static [Work] =
        &[Work::Flood, Work::Blast, Work::Echo, Work::JsonIn, Work::JsonOut];

    async fn open(cx: &Cx) -> Result<Self> {
        let socket = cx.dial_upgraded().await?.into_std()?;
        socket.set_nonblocking(false)?;
        Ok(Self { socket, codec: Codec::new(256 << 10) })
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        while !self.recv_now(&mut handler)? {
            let read = self.socket.read(self.codec.room())?;
            self.codec.read(read)?;
        }
        Ok(())
    }

    fn recv_now(&mut self, handler: impl FnMut(&[u8])) -> Result<bool> {
        Ok(self.codec.take().map(handler).is_some())
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        self.codec.put(payload);
        if self.codec.out.len() >= OUT {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.socket.write_all(&self.codec.out)?;
        self.codec.out.clear();
        Ok(())
    }
}

struct FloorTokio {
    socket: AsyncTcpStream,
    codec: Codec,
}

impl Raw for FloorTokio {
    const NAME: &'static str = "floor-tokio";
    const ABOUT: &'static str = "the floor on a TcpStream of tokio's (64 KiB buffer)";
    const DRAIN: Drain = Drain::Ready;

    async fn open(cx: &Cx) -> Result<Self> {
        Ok(Self { socket: cx.dial_upgraded().await?, codec: Codec::new(64 << 10) })
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        while !self.recv_now(&mut handler)? {
            let read = self.socket.read(self.codec.room()).await?;
            self.codec.read(read)?;
        }
        Ok(())
    }

    fn recv_now(&mut self, handler: impl FnMut(&[u8])) -> Result<bool> {
        Ok(self.codec.take().map(handler).is_some())
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        self.codec.put(payload);
        if self.codec.out.len() >= OUT {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.socket.write_all(&self.codec.out).await?;
        self.codec.out.clear();
        Ok(())
    }
}
