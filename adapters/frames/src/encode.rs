//! A client's frame: header, mask and masked payload (RFC 6455 section 5).

use rand::RngExt;

const MASKED: u8 = 0x80;
/// Two bytes, a length of eight, a mask.
pub(crate) const MAX_HEADER: usize = 14;

/// Appends a frame.
#[inline]
pub(crate) fn encode(bytes: &mut Vec<u8>, first: u8, mask: u32, payload: &[u8]) {
    let [a, b, c, d] = mask.to_ne_bytes();
    let len = payload.len();
    match len {
        0..126 => bytes.extend_from_slice(&[first, MASKED | len as u8, a, b, c, d]),
        126..=0xffff => {
            let [high, low] = (len as u16).to_be_bytes();
            bytes.extend_from_slice(&[first, MASKED | 126, high, low, a, b, c, d]);
        }
        _ => extend_long_header(bytes, first, mask, len),
    }
    extend_masked(bytes, mask, payload);
}

#[cold]
fn extend_long_header(bytes: &mut Vec<u8>, first: u8, mask: u32, len: usize) {
    bytes.extend_from_slice(&[first, MASKED | 127]);
    bytes.extend_from_slice(&(len as u64).to_be_bytes());
    bytes.extend_from_slice(&mask.to_ne_bytes());
}

/// As many bytes as are masked on their way, by a few vector instructions and without a call.
const BLOCK: usize = 64;

/// Appends the masked payload: in blocks, and what is left over is masked where it then lies.
#[inline(always)]
fn extend_masked(bytes: &mut Vec<u8>, mask: u32, payload: &[u8]) {
    let (blocks, rest) = payload.as_chunks::<BLOCK>();
    for block in blocks {
        let mut masked = *block;
        apply(mask, &mut masked);
        bytes.extend_from_slice(&masked);
    }
    if !rest.is_empty() {
        let start = bytes.len();
        bytes.extend_from_slice(rest);
        apply(mask, &mut bytes[start..]);
    }
}

/// Masks `bytes`. The compiler makes of the loop over words one over vectors.
#[inline(always)]
fn apply(mask: u32, bytes: &mut [u8]) {
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ mask).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.to_ne_bytes()) {
        *byte ^= mask;
    }
}

/// Masks for frames, drawn from a CSPRNG many at a time: RFC 6455 section 5.3 wants them unpredictable.
pub(crate) struct Masks {
    drawn: [u32; MASKS],
    at: usize,
}

const MASKS: usize = 32;

impl Masks {
    pub(crate) fn new() -> Self {
        Self { drawn: [0; MASKS], at: MASKS }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u32 {
        let mask = match self.drawn.get(self.at) {
            Some(mask) => *mask,
            None => self.draw(),
        };
        self.at += 1;
        mask
    }

    #[cold]
    fn draw(&mut self) -> u32 {
        rand::rng().fill(&mut self.drawn[..]);
        self.at = 0;
        self.drawn[0]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The first byte and the payload of each frame that a client wrote, its mask taken off byte by byte.
    pub(crate) fn taken_apart(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while let [first, second, rest @ ..] = bytes {
            assert_eq!(second & MASKED, MASKED, "a client masks");
            let size = match second & !MASKED {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            let (extended, rest) = rest.split_at(size);
            let long = extended.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte));
            let len = if size == 0 { usize::from(second & !MASKED) } else { long };
            let (mask, rest) = rest.split_at(4);
            let (payload, rest) = rest.split_at(len);
            let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            frames.push((*first, payload.collect()));
            bytes = rest;
        }
        frames
    }

    #[test]
    fn frames_of_all_lengths_are_masked_and_have_the_shortest_header() {
        for (lens, header) in
            [(0..126, 6), (126..300, 8), (65_530..65_536, 8), (65_536..65_540, 14)]
        {
            for len in lens {
                let payload: Vec<u8> = (0..len).map(|at: usize| at as u8).collect();
                let mut wire = vec![1, 2, 3];
                encode(&mut wire, 0x82, 0x1234_5678, &payload);
                assert_eq!(wire.len(), 3 + header + len);
                assert_eq!(taken_apart(&wire[3..]), [(0x82, payload)]);
            }
        }
    }

    #[test]
    fn hardly_two_of_two_hundred_masks_are_the_same() {
        let mut masks = Masks::new();
        let mut drawn: Vec<_> = (0..200).map(|_| masks.next()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        // One pair is a chance of one in two hundred thousand.
        assert!(drawn.len() >= 199, "{}", drawn.len());
    }
}
