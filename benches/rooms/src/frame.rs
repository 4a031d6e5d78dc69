//! RFC 6455 frames by hand.

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// One mask for every frame: it must not be zero, or a server might skip unmasking.
pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The key of the example in RFC 6455, and the answer it must get.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Nothing here sends more than that at once.
const MOST: usize = 64 << 20;

/// Appends a client frame; returns where its payload starts in `out`.
pub(crate) fn client(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) -> usize {
    header(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ MASK[i & 3]));
    start
}

/// Appends a server frame.
pub(crate) fn server(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    header(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

fn header(out: &mut Vec<u8>, opcode: u8, length: usize, mask_bit: u8) {
    out.push(0x80 | opcode);
    match length {
        0..=125 => out.push(mask_bit | length as u8),
        126..=65535 => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// Where the payload lies in the bytes given to `parse`.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Parsed {
    Frame(Frame),
    Incomplete,
    /// Not a frame that an honest peer sends here (fragments included: nobody needs them).
    Corrupt,
}

pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let [first, second, ..] = *bytes else {
        return Parsed::Incomplete;
    };
    let opcode = first & 0x0f;
    if first & 0xf0 != 0x80 || !matches!(opcode, TEXT | BINARY | CLOSE | PING | PONG) {
        return Parsed::Corrupt;
    }
    let Some((length, mut start)) = length(bytes, second & 0x7f) else {
        return Parsed::Incomplete;
    };
    if length > MOST || (opcode >= CLOSE && length > 125) {
        return Parsed::Corrupt;
    }
    let mut mask = None;
    if second & 0x80 != 0 {
        let Some(bytes) = bytes[start..].first_chunk() else {
            return Parsed::Incomplete;
        };
        mask = Some(*bytes);
        start += 4;
    }
    let end = start + length;
    if bytes.len() < end {
        return Parsed::Incomplete;
    }
    Parsed::Frame(Frame { opcode, mask, start, end })
}

/// The length of the payload and where the header goes on, if that much is there.
fn length(bytes: &[u8], short: u8) -> Option<(usize, usize)> {
    Some(match short {
        126 => (u16::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 4),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 10),
        short => (short as usize, 2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_parsed_as_it_was_written_and_not_before_it_is_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'p'; length];
            let (mut masked, mut plain) = (Vec::new(), Vec::new());
            let start = client(&mut masked, BINARY, &payload);
            server(&mut plain, TEXT, &payload);
            let end = masked.len();
            let frame = Frame { opcode: BINARY, mask: Some(MASK), start, end };
            assert_eq!(parse(&masked), Parsed::Frame(frame));
            assert_eq!(parse(&masked[..end - 1]), Parsed::Incomplete);
            let (start, end) = (plain.len() - length, plain.len());
            let frame = Frame { opcode: TEXT, mask: None, start, end };
            assert_eq!(parse(&plain), Parsed::Frame(frame));
            let unmasked =
                (0..length).all(|i| masked[masked.len() - length + i] ^ MASK[i & 3] == b'p');
            assert!(unmasked);
        }
    }

    #[test]
    fn a_frame_that_nobody_should_send_is_corrupt() {
        // A fragment, a reserved bit, an unknown opcode, a close frame that is too long, a length that cannot be.
        let frames: [&[u8]; 5] = [
            &[0x01, 0],
            &[0xc1, 0],
            &[0x83, 0],
            &[0x88, 126, 0, 126],
            &[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255],
        ];
        for frame in frames {
            assert_eq!(parse(frame), Parsed::Corrupt, "{frame:?}");
        }
    }
}
