//! The headers of frames that clients send, judged before anything is kept of what they announce
//! (RFC 6455 section 5.2).

use super::close_code;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x30;
/// The first of a compressed message (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const MASK: usize = 4;

/// The longest payload of a control frame (section 5.5).
const MAX_CONTROL: usize = 125;

/// A frame that is allowed where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) last: bool,
    /// Whether this is agreed to is for others to judge.
    pub(super) compressed: bool,
    pub(super) opcode: u8,
    pub(super) mask: [u8; MASK],
    /// The length of the header itself.
    pub(super) size: usize,
    /// The length of the payload.
    pub(super) len: usize,
}

/// What a client broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("a frame has a reserved bit")]
    ReservedBit,
    #[error("a frame has the reserved opcode {0:#x}")]
    Opcode(u8),
    #[error("a frame is not masked")]
    NotMasked,
    #[error("a length is in a longer form than it needs")]
    Length,
    #[error("a control frame is fragmented")]
    FragmentedControl,
    #[error("a control frame has more than 125 bytes")]
    LongControl,
    #[error("a continuation frame continues nothing")]
    NothingBegun,
    #[error("a message begins before the one before it has ended")]
    NotEnded,
    #[error("a close frame has no such code")]
    CloseCode,
    #[error("text is not UTF-8")]
    NotUtf8,
    #[error("a compressed message is no DEFLATE")]
    Deflate,
    #[error("message too big")]
    TooBig,
}

impl Violation {
    /// The code of the close frame that tells the client.
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Self::TooBig => close_code::TOO_BIG,
            Self::NotUtf8 | Self::Deflate => close_code::INVALID,
            Self::ReservedBit
            | Self::Opcode(_)
            | Self::NotMasked
            | Self::Length
            | Self::FragmentedControl
            | Self::LongControl
            | Self::NothingBegun
            | Self::NotEnded
            | Self::CloseCode => close_code::PROTOCOL,
        }
    }
}

impl Header {
    pub(super) const fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }

    /// The header at the start of `bytes`; `None` if it is not there in full.
    ///
    /// # Errors
    /// What it breaks, as soon as the bytes show it.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let (last, opcode) = (first & FIN != 0, first & OPCODE);
        check(first, second)?;
        let (length, len) = match (second & LENGTH, rest) {
            (126, &[a, b, ..]) => (2, u64::from(u16::from_be_bytes([a, b]))),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (8, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            (126 | 127, _) => return Ok(None),
            (len, _) => (0, u64::from(len)),
        };
        if length == 2 && len < 126 || length == 8 && (len <= 0xffff || len >> 63 != 0) {
            return Err(Violation::Length);
        }
        let len = usize::try_from(len).map_err(|_| Violation::TooBig)?;
        let Some(&[a, b, c, d]) = rest.get(length..length + MASK) else { return Ok(None) };
        let (compressed, mask) = (first & COMPRESSED != 0, [a, b, c, d]);
        Ok(Some(Self { last, compressed, opcode, mask, size: 2 + length + MASK, len }))
    }
}

/// What the first two bytes show.
fn check(first: u8, second: u8) -> Result<(), Violation> {
    let opcode = first & OPCODE;
    // Only the first frame of a message can say that it is compressed.
    if first & RESERVED != 0 || first & COMPRESSED != 0 && !matches!(opcode, 1 | 2) {
        return Err(Violation::ReservedBit);
    }
    if !matches!(opcode, 0..=2 | 8..=10) {
        return Err(Violation::Opcode(opcode));
    }
    if second & MASKED == 0 {
        return Err(Violation::NotMasked);
    }
    if opcode >= 8 {
        if first & FIN == 0 {
            return Err(Violation::FragmentedControl);
        }
        if usize::from(second & LENGTH) > MAX_CONTROL {
            return Err(Violation::LongControl);
        }
    }
    Ok(())
}

/// Takes the mask off a payload (section 5.3).
#[inline]
pub(super) fn unmask(payload: &mut [u8], mask: [u8; MASK]) {
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_cut_anywhere_is_waited_for() {
        for whole in [
            &[0x82, 0x85, 1, 2, 3, 4][..],
            &[0x81, 0xfe, 0, 126, 1, 2, 3, 4],
            &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4],
        ] {
            for end in 0..whole.len() {
                assert_eq!(Header::read(&whole[..end]), Ok(None), "{whole:?} {end}");
            }
            let header = Header::read(whole).unwrap().unwrap();
            assert_eq!((header.size, header.mask), (whole.len(), [1, 2, 3, 4]));
        }
    }

    #[test]
    fn each_rule_of_the_header_is_kept() {
        for (bytes, violation) in [
            (&[0xa2, 0x80][..], Violation::ReservedBit),
            (&[0x92, 0x80], Violation::ReservedBit),
            (&[0xc0, 0x80], Violation::ReservedBit),
            (&[0xc9, 0x80], Violation::ReservedBit),
            (&[0x83, 0x80], Violation::Opcode(3)),
            (&[0x8b, 0x80], Violation::Opcode(11)),
            (&[0x82, 0x00], Violation::NotMasked),
            (&[0x82, 0xfe, 0, 125], Violation::Length),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Violation::Length),
            (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0], Violation::Length),
            (&[0x09, 0x80], Violation::FragmentedControl),
            (&[0x89, 0xfe], Violation::LongControl),
        ] {
            assert_eq!(Header::read(bytes), Err(violation), "{bytes:?}");
        }
    }

    #[test]
    fn unmasking_is_the_exclusive_or_with_the_mask_repeated() {
        let mask = [1, 2, 4, 8];
        for len in 0..40_u8 {
            let plain: Vec<u8> = (0..len).collect();
            let mut bytes = plain.clone();
            unmask(&mut bytes, mask);
            for (at, (byte, plain)) in bytes.iter().zip(&plain).enumerate() {
                assert_eq!(byte ^ plain, mask[at % 4]);
            }
        }
    }
}
