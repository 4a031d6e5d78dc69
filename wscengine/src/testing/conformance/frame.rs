//! Raw frames ([RFC 6455 section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)): the server's are
//! made here byte by byte, so that they can be wrong; the client's are taken apart.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::outcome::{Outcome, check};

pub(super) const FIN: u8 = 0x80;
pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

/// A frame of the server's: `first` is its first byte as it is sent, `FIN` and reserved bits included.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// The header alone of a frame of the server's that announces `len` bytes, in the shortest form.
pub(super) fn header(first: u8, len: u64) -> Vec<u8> {
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short), _) if short < 126 => vec![first, short],
        (_, Ok(medium)) => [&[first, 126][..], &medium.to_be_bytes()].concat(),
        _ => [&[first, 127][..], &len.to_be_bytes()].concat(),
    }
}

/// A whole text message in one frame.
pub(super) fn text(text: &str) -> Vec<u8> {
    frame(FIN | TEXT, text.as_bytes())
}

/// A close frame with a status code, legal or not.
pub(super) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

/// A frame as the client sent it, its payload unmasked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFrame {
    pub(super) fin: bool,
    pub(super) opcode: u8,
    pub(super) mask: [u8; 4],
    pub(super) payload: Vec<u8>,
}

impl ClientFrame {
    /// The status code of a close frame.
    pub(super) fn close_code(&self) -> Option<u16> {
        Some(u16::from_be_bytes(self.payload.get(..2)?.try_into().ok()?))
    }
}

/// Reads one frame and checks what holds for every frame of a client: it is masked, no reserved bit is
/// set, and its length is in the shortest form.
pub(super) async fn read_frame<R: AsyncRead + Unpin>(stream: &mut R) -> Outcome<ClientFrame> {
    let [first, second] = read_array(stream).await?;
    check!(first & 0x70 == 0, "the client set reserved bits: {first:#04x}");
    check!(second & 0x80 != 0, "the client sent a frame without a mask");
    let len = read_length(stream, second & 0x7f).await?;
    let mask = read_array(stream).await?;
    let mut payload = vec![0; usize::try_from(len)?];
    stream.read_exact(&mut payload).await?;
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Ok(ClientFrame { fin: first & FIN != 0, opcode: first & 0x0f, mask, payload })
}

async fn read_length<R: AsyncRead + Unpin>(stream: &mut R, form: u8) -> Outcome<u64> {
    let len = match form {
        126 => u64::from(u16::from_be_bytes(read_array(stream).await?)),
        127 => u64::from_be_bytes(read_array(stream).await?),
        short => u64::from(short),
    };
    let shortest = header(0, len)[1] == form;
    check!(shortest, "the client sent the length {len} in a longer form than it needs");
    Ok(len)
}

async fn read_array<const N: usize, R: AsyncRead + Unpin>(stream: &mut R) -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
