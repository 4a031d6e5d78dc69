//! Messages that are compressed each by itself (permessage-deflate, RFC 7692, without context takeover).
//!
//! Nothing of a message is kept for the next, so that no connection owns a window: a thread has one to inflate,
//! and one to compress for each size that its clients have asked for.

use std::cell::RefCell;

use axum::http::header::SEC_WEBSOCKET_EXTENSIONS;
use axum::http::{HeaderMap, HeaderValue};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Violation;

const NAME: &str = "permessage-deflate";

/// What a sender leaves off, and a receiver puts back (section 7.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The smallest window: one of 2^8 bytes, which the RFC has, too, zlib does not do.
const MIN_BITS: u8 = 9;
const MAX_BITS: u8 = 15;

/// A first guess at the size of what is inflated.
const GUESS: usize = 4;

thread_local! {
    static INFLATE: RefCell<Option<Decompress>> = const { RefCell::new(None) };
    static DEFLATE: RefCell<[Option<Compress>; WindowBits::COUNT]> =
        const { RefCell::new([const { None }; WindowBits::COUNT]) };
}

/// How far back what the server compresses may refer, as a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WindowBits(u8);

impl WindowBits {
    /// How many there are.
    pub(crate) const COUNT: usize = (MAX_BITS - MIN_BITS) as usize + 1;

    /// All of them, by [`place`](Self::place).
    pub(crate) fn all() -> [Self; Self::COUNT] {
        std::array::from_fn(|place| Self(MIN_BITS + place as u8))
    }

    pub(crate) fn place(self) -> usize {
        usize::from(self.0 - MIN_BITS)
    }

    fn parse(text: &str) -> Option<Self> {
        // No sign, no zero in front (section 7.1.2.1).
        let is_decimal = !text.starts_with(['0', '+']);
        let bits =
            text.parse().ok().filter(|bits| is_decimal && (MIN_BITS..=MAX_BITS).contains(bits));
        bits.map(Self)
    }
}

/// What is agreed to of what a client offers, and the answer that says so: the first offer, over all lines of
/// the header, that can be met. `None`: nothing is compressed.
pub(crate) fn negotiate(request: &HeaderMap) -> Option<(WindowBits, HeaderValue)> {
    let lines = request.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    let offers = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let (bits, is_asked) = offers.into_iter().find_map(agree)?;
    let mut answer = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
    if is_asked {
        answer.push_str(&format!("; server_max_window_bits={}", bits.0));
    }
    Some((bits, HeaderValue::try_from(answer).ok()?))
}

/// The window that an offer allows, and whether it speaks of it (section 7.1).
fn agree(offer: &str) -> Option<(WindowBits, bool)> {
    let mut parts = offer.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let mut seen: Vec<&str> = Vec::new();
    let (mut bits, mut is_asked) = (WindowBits(MAX_BITS), false);
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (part, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            (
                "server_no_context_takeover"
                | "client_no_context_takeover"
                | "client_max_window_bits",
                None,
            ) => {}
            // Whatever the client's window is, ours for inflating is the largest.
            ("client_max_window_bits", Some("8")) => {}
            ("client_max_window_bits", Some(value)) => _ = WindowBits::parse(value)?,
            ("server_max_window_bits", Some(value)) => {
                (bits, is_asked) = (WindowBits::parse(value)?, true);
            }
            _ => return None,
        }
    }
    Some((bits, is_asked))
}

/// Compresses a message.
pub(super) fn deflate(payload: &[u8], bits: WindowBits) -> Vec<u8> {
    DEFLATE.with_borrow_mut(|all| {
        let compress = all[bits.place()].get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::fast(), false, bits.0)
        });
        compress.reset();
        let mut out = Vec::with_capacity(payload.len() / 2 + 64);
        loop {
            let rest = payload.get(compress.total_in() as usize..).unwrap_or_default();
            // Fails only where a call makes no progress, which room for more mends.
            let _ = compress.compress_vec(rest, &mut out, FlushCompress::Sync);
            let is_taken = compress.total_in() as usize == payload.len();
            // A flush is complete when it leaves room.
            if is_taken && out.len() < out.capacity() {
                break;
            }
            out.reserve(out.len().max(64));
        }
        if out.ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        out
    })
}

/// The longest form in which a message of `max` bytes may come: what does not compress grows a little.
pub(super) fn max_compressed(max: usize) -> usize {
    max.saturating_add(max / 8).saturating_add(64)
}

/// Inflates a message of at most `max` bytes. It costs no more memory than that, whatever it claims to become.
///
/// # Errors
/// It would be larger, or it is no DEFLATE.
pub(super) fn inflate(compressed: &[u8], max: usize) -> Result<Vec<u8>, Violation> {
    INFLATE.with_borrow_mut(|inflate| {
        let inflate = inflate.get_or_insert_with(|| Decompress::new(false));
        inflate.reset(false);
        let guess = compressed.len().saturating_mul(GUESS).saturating_add(64);
        let mut out = Vec::with_capacity(guess.min(max.saturating_add(1)));
        let mut parts = Inflating { inflate, out: &mut out, max };
        if !parts.push(compressed)? {
            parts.push(&TAIL)?;
        }
        Ok(out)
    })
}

struct Inflating<'a> {
    inflate: &'a mut Decompress,
    out: &'a mut Vec<u8>,
    max: usize,
}

impl Inflating<'_> {
    /// Inflates one part of the input. Whether it has a last block, after which nothing may come.
    fn push(&mut self, mut input: &[u8]) -> Result<bool, Violation> {
        loop {
            let before = self.inflate.total_in();
            let status = self.inflate.decompress_vec(input, self.out, FlushDecompress::Sync);
            let status = status.map_err(|_| Violation::Deflate)?;
            let taken = (self.inflate.total_in() - before) as usize;
            input = input.get(taken..).unwrap_or_default();
            if self.out.len() > self.max {
                return Err(Violation::TooBig);
            }
            if status == Status::StreamEnd {
                // Section 7.2.3.5 lets a sender end its stream; what we would put behind it is then too much.
                return if input.is_empty() || input == [0] {
                    Ok(true)
                } else {
                    Err(Violation::Deflate)
                };
            }
            let is_full = self.out.len() == self.out.capacity();
            if !is_full {
                return if input.is_empty() { Ok(false) } else { Err(Violation::Deflate) };
            }
            // One byte beyond the limit shows that it is exceeded.
            let room = self.max.saturating_add(1) - self.out.len();
            self.out.reserve_exact(self.out.len().clamp(64, 1 << 20).min(room.max(1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, line.parse().unwrap());
        }
        negotiate(&headers).map(|(_, answer)| answer.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_deflated_is_inflated_to_the_same_with_every_window() {
        let noise: Vec<u8> =
            (0..70_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let text = "again and again ".repeat(9_000).into_bytes();
        for payload in [&b""[..], b"x", b"hello hello hello", &noise, &text] {
            for bits in WindowBits::all() {
                let compressed = deflate(payload, bits);
                assert!(compressed.len() <= max_compressed(payload.len()), "{bits:?}");
                assert_eq!(inflate(&compressed, payload.len()).unwrap(), payload, "{bits:?}");
            }
        }
    }

    /// Inflates with a window of this size and no more, as a small client does.
    fn inflate_within(compressed: &[u8], bits: WindowBits) -> Vec<u8> {
        let mut inflate = Decompress::new_with_window_bits(false, bits.0);
        let (mut out, mut piece) = (Vec::new(), [0; 100]);
        let mut input = [compressed, &TAIL].concat();
        loop {
            let (taken, given) = (inflate.total_in(), inflate.total_out());
            inflate.decompress(&input, &mut piece, FlushDecompress::None).unwrap();
            let given = (inflate.total_out() - given) as usize;
            input.drain(..(inflate.total_in() - taken) as usize);
            out.extend_from_slice(&piece[..given]);
            if given < piece.len() && input.is_empty() {
                return out;
            }
        }
    }

    #[test]
    fn nothing_is_referred_to_that_is_further_back_than_the_window() {
        let block: Vec<u8> =
            (0..3_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let payload = [&block[..], &block, &block[..500], &block[..500]].concat();
        for bits in WindowBits::all() {
            assert_eq!(inflate_within(&deflate(&payload, bits), bits), payload, "{bits:?}");
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_inflated() {
        // Section 7.2.3: one block, without compression, with a last block, and two blocks.
        for compressed in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(inflate(compressed, 5).unwrap(), b"Hello");
            assert_eq!(inflate(compressed, 4), Err(Violation::TooBig));
        }
    }

    #[test]
    fn what_would_become_too_large_costs_no_more_than_the_limit() {
        let bomb = deflate(&vec![0; 8 << 20], WindowBits(15));
        assert!(bomb.len() < 128 << 10, "{}", bomb.len());
        assert_eq!(inflate(&bomb, 1024), Err(Violation::TooBig));
        assert_eq!(inflate(&bomb, (8 << 20) - 1), Err(Violation::TooBig));
        assert_eq!(inflate(&bomb, 8 << 20).unwrap().len(), 8 << 20);
    }

    #[test]
    fn what_is_no_deflate_is_refused_and_harms_nothing_that_follows() {
        for broken in
            [&[0xff, 0xff, 0xff][..], &[0x06], &[0xf3, 0x48, 0x05, 0x00, 0x00, 0xca, 0xc9]]
        {
            assert_eq!(inflate(broken, 1000), Err(Violation::Deflate), "{broken:?}");
        }
        assert_eq!(inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 5).unwrap(), b"Hello");
    }

    #[test]
    fn the_first_offer_that_can_be_met_is_agreed_to_whichever_line_it_is_on() {
        let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        let twelve = format!("{plain}; server_max_window_bits=12");
        for (lines, answer) in [
            (&[][..], None),
            (&["x-webkit-deflate-frame", "foo; a=b"], None),
            (&["permessage-deflate"], Some(plain)),
            (&["foo", "bar, permessage-deflate; client_max_window_bits"], Some(plain)),
            (
                &["permessage-deflate; client_max_window_bits=10; client_no_context_takeover"],
                Some(plain),
            ),
            (
                &["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"],
                Some(&twelve),
            ),
            (&["permessage-deflate; server_max_window_bits=\"12\""], Some(&twelve)),
            (&["permessage-deflate; server_max_window_bits=8", "permessage-deflate"], Some(plain)),
            (&["permessage-deflate; server_max_window_bits=8"], None),
            (&["permessage-deflate; server_max_window_bits"], None),
            (&["permessage-deflate; server_max_window_bits=012"], None),
            (&["permessage-deflate; client_max_window_bits=16"], None),
            (&["permessage-deflate; server_no_context_takeover; server_no_context_takeover"], None),
            (&["permessage-deflate; unknown"], None),
        ] {
            assert_eq!(offered(lines).as_deref(), answer, "{lines:?}");
        }
    }
}
