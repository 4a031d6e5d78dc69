//! The sans-I/O core of sockudo-ws over our own buffers; and a sketch with a scanner before it, which lends the payload of
//! whole unfragmented data frames to the handler and gives all else to the core. Both show what an adapter could reach.

use std::io::ErrorKind;

use anyhow::{Result, bail};
use bytes::{Buf, Bytes, BytesMut};
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{Message, Role};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::sockudo_ws::deliver;
use crate::contestant::Contestant;
use crate::context::Cx;
use crate::raw::{Drain, Raw, raw};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![raw::<Core<32>>(), raw::<Core<128>>(), raw::<Scan>()]
}

/// What is gathered before it is written.
const OUT: usize = 64 << 10;

/// `KIB`: the read buffer.
struct Core<const KIB: usize> {
    socket: TcpStream,
    protocol: Protocol,
    input: BytesMut,
    output: BytesMut,
    /// Messages of the last read, the next one last.
    ready: Vec<Message>,
}

impl<const KIB: usize> Core<KIB> {
    fn pop(&mut self, mut handler: impl FnMut(&[u8])) -> Result<bool> {
        while let Some(message) = self.ready.pop() {
            if deliver(&message, &mut handler)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads once and parses; `false` when the socket has nothing.
    fn pull(&mut self) -> Result<bool> {
        // The messages handed out are gone by now, so this takes the same allocation again.
        if self.input.capacity() - self.input.len() < (KIB << 10) / 4 {
            self.input.reserve(KIB << 10);
        }
        match self.socket.try_read_buf(&mut self.input) {
            Ok(0) => bail!("the server closed"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.protocol.process_into(&mut self.input, &mut self.ready)?;
        self.ready.reverse();
        Ok(true)
    }
}

impl<const KIB: usize> Raw for Core<KIB> {
    const NAME: &'static str = if KIB == 32 { "sockudo-ws-core" } else { "sockudo-ws-core-rb128k" };
    const ABOUT: &'static str = if KIB == 32 {
        "its sans-I/O Protocol over try_read and write_all: reads of 32 KiB, writes of 64 KiB, check of UTF-8"
    } else {
        "the same with reads of 128 KiB"
    };
    const DRAIN: Drain = Drain::Ready;

    async fn open(cx: &Cx) -> Result<Self> {
        Ok(Self {
            socket: cx.dial_upgraded().await?,
            protocol: Protocol::new(Role::Client, 16 << 20, 64 << 20),
            input: BytesMut::new(),
            output: BytesMut::new(),
            ready: Vec::new(),
        })
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        while !self.pop(&mut handler)? {
            if !self.pull()? {
                self.socket.readable().await?;
            }
        }
        Ok(())
    }

    fn recv_now(&mut self, mut handler: impl FnMut(&[u8])) -> Result<bool> {
        Ok(self.pop(&mut handler)? || self.pull()? && self.pop(&mut handler)?)
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        self.protocol.encode_message(&Message::Binary(payload.clone()), &mut self.output)?;
        if self.output.len() >= OUT {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        while self.output.has_remaining() {
            self.socket.write_buf(&mut self.output).await?;
        }
        Ok(())
    }
}

/// What the scanner reads at a time.
const SCAN: usize = 128 << 10;

struct Scan {
    core: Core<32>,
    /// What was read; `buffer[at..end]` is not handled yet.
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Within a message of several frames.
    fragmented: bool,
}

impl Scan {
    fn pop(&mut self, mut handler: impl FnMut(&[u8])) -> Result<bool> {
        loop {
            if !self.core.ready.is_empty() && self.core.pop(&mut handler)? {
                return Ok(true);
            }
            let bytes = &self.buffer[self.at..self.end];
            let (head, length) = match *bytes {
                [_, length @ 0..=125, ..] => (2, usize::from(length)),
                [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
                [_, 127..=255, ..] => {
                    bail!("lengths of 64 bits and masks are left out of this sketch")
                }
                _ => return Ok(false),
            };
            let Some(frame) = bytes.get(..head + length) else { return Ok(false) };
            self.at += frame.len();
            let payload = &frame[head..];
            if !self.fragmented && is_whole(frame[0], payload) {
                handler(payload);
                return Ok(true);
            }
            if frame[0] & 0x08 == 0 {
                self.fragmented = frame[0] & 0x80 == 0;
            }
            self.core.protocol.process_into(&mut BytesMut::from(frame), &mut self.core.ready)?;
        }
    }

    fn pull(&mut self) -> Result<bool> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; SCAN];
        }
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        match self.core.socket.try_read(&mut self.buffer[self.end..]) {
            Ok(0) => bail!("the server closed"),
            Ok(read) => self.end += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // It may be idle for long.
                if self.end == 0 {
                    self.buffer = Vec::new();
                }
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

fn is_whole(first: u8, payload: &[u8]) -> bool {
    first == 0x82 || first == 0x81 && std::str::from_utf8(payload).is_ok()
}

impl Raw for Scan {
    const NAME: &'static str = "sockudo-ws-scan";
    const ABOUT: &'static str =
        "sketch: a scanner that lends payloads, reads of 128 KiB, before its Protocol";
    const DRAIN: Drain = Drain::Ready;

    async fn open(cx: &Cx) -> Result<Self> {
        Ok(Self {
            core: Core::open(cx).await?,
            buffer: Vec::new(),
            at: 0,
            end: 0,
            fragmented: false,
        })
    }

    async fn recv(&mut self, mut handler: impl FnMut(&[u8]) + Send) -> Result<()> {
        while !self.pop(&mut handler)? {
            if !self.pull()? {
                self.core.socket.readable().await?;
            }
        }
        Ok(())
    }

    fn recv_now(&mut self, mut handler: impl FnMut(&[u8])) -> Result<bool> {
        Ok(self.pop(&mut handler)? || self.pull()? && self.pop(&mut handler)?)
    }

    async fn feed(&mut self, payload: &Bytes) -> Result<()> {
        self.core.feed(payload).await
    }

    async fn flush(&mut self) -> Result<()> {
        self.core.flush().await
    }
}
