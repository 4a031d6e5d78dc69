//! What the server does with what clients send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};

use super::WIRE_BYTES;
use crate::wire;

/// Counts so many messages by their headers, then says that it has them.
pub(super) fn sink(mut stream: TcpStream, count: u64) -> Result<()> {
    let mut sink = Sink { left: count, skip: 0, wire: 0 };
    let mut buffer = vec![0; 512 << 10];
    let mut filled = 0;
    while sink.left > 0 || sink.skip > 0 {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            bail!("the client closed");
        }
        filled += read;
        let taken = sink.take(&buffer[..filled]);
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
    }
    WIRE_BYTES.store(sink.wire, Ordering::Release);
    let mut answer = Vec::new();
    wire::put_frame(&mut answer, wire::TEXT, b"done");
    stream.write_all(&answer)?;
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

struct Sink {
    left: u64,
    /// What is still to come of the payload of the last frame.
    skip: usize,
    /// Bytes of all data frames.
    wire: u64,
}

impl Sink {
    /// Looks at the headers; returns how much was taken.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut at = self.skip.min(bytes.len());
        self.skip -= at;
        while self.skip == 0 && self.left > 0 {
            let Some(head) = wire::head(&bytes[at..]) else { break };
            if head.is_data() {
                self.left -= 1;
                self.wire += head.total() as u64;
            }
            let next = at + head.total();
            at = next.min(bytes.len());
            self.skip = next - at;
        }
        at
    }
}

/// Sends data frames back and answers pings, with one write for each read.
pub(super) fn echo(mut stream: TcpStream, capacity: usize) -> Result<()> {
    let mut buffer = vec![0; capacity];
    let mut out = Vec::new();
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let mut at = 0;
        while let Some(head) =
            wire::head(&buffer[at..filled]).filter(|head| at + head.total() <= filled)
        {
            let payload = &mut buffer[at + head.head..at + head.total()];
            if let Some(key) = head.mask {
                wire::mask(payload, key);
            }
            answer(&mut out, head.opcode, payload);
            at += head.total();
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        stream.write_all(&out)?;
        out.clear();
    }
}

fn answer(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    match opcode {
        wire::TEXT | wire::BINARY | wire::CLOSE => wire::put_frame(out, opcode, payload),
        wire::PING => wire::put_frame(out, wire::PONG, payload),
        _ => {}
    }
}
