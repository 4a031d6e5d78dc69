//! The parts of RFC 6455 that the server and the floor share. By hand: what measures must be cheaper than the measured.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The bit of a first byte that says "compressed" (RFC 7692 section 6).
pub(crate) const COMPRESSED: u8 = 0x40;

/// Printable ASCII, so that the same bytes serve as text and as binary.
pub(crate) fn payload(size: usize) -> Vec<u8> {
    const SAMPLE: &[u8] =
        b"{\"type\":\"trade\",\"symbol\":\"EURUSD\",\"price\":\"1.08412\",\"amount\":\"2500\",\"time\":1750000000000}";
    SAMPLE.iter().copied().cycle().take(size).collect()
}

/// An opening handshake. `headers` are lines of the caller's, each ended by CR LF.
pub(crate) fn request(path: &str, host: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: d3NjZW5naW5lLWJlbmNoIQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    )
}

/// A request to the server that is no handshake.
pub(crate) fn control(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\n\r\n").into_bytes()
}

/// The server's answer to a handshake with that key.
pub(crate) fn response(key: &str, headers: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{headers}\r\n",
        STANDARD.encode(hash.finalize())
    )
}

/// Appends an unmasked frame, a server's. `first` is its first byte but for FIN: opcode, and `COMPRESSED`.
pub(crate) fn put_frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    put_header(out, first, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a masked frame, a client's.
#[inline]
pub(crate) fn put_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8], key: u32) {
    put_header(out, opcode, payload.len(), 0x80);
    let key = key.to_ne_bytes();
    out.extend_from_slice(&key);
    let at = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[at..], key);
}

#[inline]
fn put_header(out: &mut Vec<u8>, first: u8, length: usize, mask_bit: u8) {
    out.push(0x80 | first);
    match length {
        0..=125 => out.push(mask_bit | length as u8),
        126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Masks or unmasks, eight bytes at a time.
#[inline]
pub(crate) fn mask(payload: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// Bytes of the header.
    pub(crate) head: usize,
    /// Bytes of the payload.
    pub(crate) len: usize,
}

impl Head {
    /// Bytes of the frame.
    pub(crate) fn total(self) -> usize {
        self.head + self.len
    }

    pub(crate) fn is_data(self) -> bool {
        matches!(self.opcode, TEXT | BINARY)
    }
}

/// The header at the beginning of `bytes`, if it is all there.
#[inline]
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let &[first, second, ref rest @ ..] = bytes else { return None };
    let (mut at, len) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?) as usize),
        length => (2, usize::from(length)),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        mask = Some(*bytes.get(at..)?.first_chunk()?);
        at += 4;
    }
    Some(Head { opcode: first & 0x0f, mask, head: at, len })
}
