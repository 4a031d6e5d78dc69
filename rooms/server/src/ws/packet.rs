//! One frame of the server's, ready to be written.

use bytes::Bytes;

use super::Kind;
use super::deflate::{WindowBits, deflate};

/// The longest header of a frame that is not masked: 2 bytes and 8 of extended length.
pub(crate) const MAX_HEADER: usize = 10;

/// Less is hardly worth the time.
const MIN_COMPRESSED: usize = 64;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
/// The first frame of a compressed message (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A whole frame: header and payload. A clone shares the bytes: it is made once for all its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet(Bytes);

impl Packet {
    /// A data frame.
    pub(crate) fn message(kind: Kind, payload: &[u8]) -> Self {
        Self::message_with(kind, payload.len(), |out| out.extend_from_slice(payload))
    }

    /// A data frame whose payload of `len` bytes is written by `write`.
    pub(crate) fn message_with(kind: Kind, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let first = if kind == Kind::Text { TEXT } else { BINARY };
        Self::build(first, len, write)
    }

    /// A compressed data frame, where that is shorter.
    pub(crate) fn compressed(kind: Kind, payload: &[u8], bits: WindowBits) -> Self {
        if payload.len() >= MIN_COMPRESSED {
            let compressed = deflate(payload, bits);
            if compressed.len() < payload.len() {
                let first = if kind == Kind::Text { TEXT } else { BINARY };
                let write = |out: &mut Vec<u8>| out.extend_from_slice(&compressed);
                return Self::build(first | COMPRESSED, compressed.len(), write);
            }
        }
        Self::message(kind, payload)
    }

    /// A binary frame whose payload of `len` bytes is written by `write`.
    pub(crate) fn binary_with(len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::build(BINARY, len, write)
    }

    pub(crate) fn ping() -> Self {
        Self(Bytes::from_static(&[PING, 0]))
    }

    /// A ping with a payload of at most 125 bytes.
    pub(crate) fn ping_with(payload: &[u8]) -> Self {
        Self::build(PING, payload.len(), |out| out.extend_from_slice(payload))
    }

    /// The answer to a ping. Payloads of control frames have at most 125 bytes.
    pub(crate) fn pong(payload: &[u8]) -> Self {
        Self::build(PONG, payload.len(), |out| out.extend_from_slice(payload))
    }

    /// A close frame; the reason is cut to what fits.
    pub(crate) fn close(code: Option<u16>, reason: &str) -> Self {
        const MAX_REASON: usize = 123;
        let Some(code) = code else { return Self(Bytes::from_static(&[CLOSE, 0])) };
        let reason = reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default();
        Self::build(CLOSE, 2 + reason.len(), |out| {
            out.extend_from_slice(&code.to_be_bytes());
            out.extend_from_slice(reason.as_bytes());
        })
    }

    /// A text frame whose payload, UTF-8 and about that long, is written by `write`.
    pub(crate) fn text_of_about(about: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut out = Vec::with_capacity(MAX_HEADER + about);
        out.resize(MAX_HEADER, 0);
        write(&mut out);
        let mut header = Vec::with_capacity(MAX_HEADER);
        push_header(&mut header, TEXT, out.len() - MAX_HEADER);
        // Right before the payload.
        let start = MAX_HEADER - header.len();
        out[start..MAX_HEADER].copy_from_slice(&header);
        Self(Bytes::from(out).slice(start..))
    }

    fn build(first: u8, len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut out = Vec::with_capacity(MAX_HEADER + len);
        push_header(&mut out, first, len);
        write(&mut out);
        Self(out.into())
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The header of a frame that is not masked.
fn push_header(out: &mut Vec<u8>, first: u8, len: usize) {
    out.push(first);
    match len {
        // Lossless: in range.
        0..126 => out.push(len as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_shortest_header_for_its_payload() {
        for (len, header) in [(0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)] {
            let packet = Packet::message(Kind::Binary, &vec![7; len]);
            assert_eq!(packet.len(), header + len);
            assert_eq!(packet.bytes()[0], 0x82);
        }
        assert_eq!(Packet::message(Kind::Text, b"hi").bytes(), &b"\x81\x02hi"[..]);
    }

    #[test]
    fn a_frame_whose_length_is_known_last_is_the_same() {
        for len in [0, 125, 126, 65535, 65536] {
            let text = "x".repeat(len);
            for about in [0, len] {
                let packet = Packet::text_of_about(about, |out| out.extend(text.bytes()));
                assert_eq!(packet, Packet::message(Kind::Text, text.as_bytes()));
            }
        }
    }

    #[test]
    fn the_reason_of_a_close_frame_is_cut_at_a_character() {
        let packet = Packet::close(Some(1000), &"é".repeat(62));
        assert_eq!(packet.len(), 2 + 2 + 122);
        assert_eq!(Packet::close(None, "x").bytes(), &b"\x88\x00"[..]);
    }

    #[test]
    fn a_frame_is_compressed_where_that_makes_it_shorter() {
        let bits = WindowBits::all()[0];
        let packet = Packet::compressed(Kind::Text, &[b'x'; 1000], bits);
        assert_eq!(packet.bytes()[0], 0xc1);
        assert!(packet.len() < 50);
        for payload in [&b"hello"[..], &(0..=127).collect::<Vec<u8>>()] {
            let plain = Packet::message(Kind::Binary, payload);
            assert_eq!(Packet::compressed(Kind::Binary, payload, bits), plain);
        }
    }
}
