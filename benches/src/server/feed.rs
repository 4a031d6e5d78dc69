//! What the server sends by itself: messages that were made before the clock starts.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use flate2::{Compress, Compression, FlushCompress};

use super::WIRE_BYTES;
use crate::{corpus, wire};

/// What is written at once, about.
const CHUNK: usize = 512 << 10;

/// The level at which the server compresses: what servers that have many clients can afford.
const LEVEL: u32 = 1;

pub(super) fn flood(mut stream: TcpStream, opcode: u8, size: usize, count: u64) -> Result<()> {
    let mut frame = Vec::new();
    wire::put_frame(&mut frame, opcode, &wire::payload(size));
    let per_chunk = (CHUNK / frame.len()).max(1);
    let chunk = Frames { bytes: frame.repeat(per_chunk), ends: ends(frame.len(), per_chunk) };
    send(&mut stream, &chunk, count)
}

pub(super) fn json(mut stream: TcpStream, count: u64) -> Result<()> {
    static PLAIN: LazyLock<Frames> = LazyLock::new(|| {
        let mut frames = Frames::default();
        for message in corpus::messages() {
            wire::put_frame(&mut frames.bytes, wire::TEXT, &message);
            frames.ends.push(frames.bytes.len());
        }
        frames
    });
    send(&mut stream, &PLAIN, count)
}

/// The corpus as one stream of DEFLATE, each message ending on a byte (RFC 7692 section 7.2.1). It may be sent again
/// and again: the first message of a round refers to nothing before it.
pub(super) fn json_compressed(mut stream: TcpStream, count: u64) -> Result<()> {
    static COMPRESSED: LazyLock<Frames> = LazyLock::new(|| {
        let mut frames = Frames::default();
        let mut compress = Compress::new(Compression::new(LEVEL), false);
        for message in corpus::messages() {
            let mut out = Vec::with_capacity(2 * corpus::SIZE);
            compress
                .compress_vec(&message, &mut out, FlushCompress::Sync)
                .expect("the output has room for what cannot be made smaller");
            // An empty block ends a flush, and is left out.
            out.truncate(out.len() - 4);
            wire::put_frame(&mut frames.bytes, wire::TEXT | wire::COMPRESSED, &out);
            frames.ends.push(frames.bytes.len());
        }
        frames
    });
    send(&mut stream, &COMPRESSED, count)
}

/// Frames one after the other, and where each ends.
#[derive(Debug, Default)]
struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

fn ends(length: usize, count: usize) -> Vec<usize> {
    (1..=count).map(|number| number * length).collect()
}

/// Waits for a message, then writes the frames round and round until there were so many; then keeps the connection.
fn send(stream: &mut TcpStream, frames: &Frames, count: u64) -> Result<()> {
    let rounds = count / frames.ends.len() as u64;
    let rest = match (count % frames.ends.len() as u64) as usize {
        0 => 0,
        messages => frames.ends[messages - 1],
    };
    WIRE_BYTES.store(rounds * frames.bytes.len() as u64 + rest as u64, Ordering::Release);
    wait_for_message(stream)?;
    for _ in 0..rounds {
        stream.write_all(&frames.bytes)?;
    }
    stream.write_all(&frames.bytes[..rest])?;
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// A client's own ping is no message.
fn wait_for_message(stream: &mut TcpStream) -> Result<()> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            bail!("the client closed");
        }
        bytes.extend_from_slice(&piece[..read]);
        while let Some(head) = wire::head(&bytes).filter(|head| head.total() <= bytes.len()) {
            if head.is_data() {
                return Ok(());
            }
            bytes.drain(..head.total());
        }
    }
}
