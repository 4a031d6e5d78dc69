//! Follows the frames in a stream of bytes, for what tungstenite does not tell apart.
//!
//! It takes any length for good, in however long a form, and it replaces a close frame whose code it does
//! not know (1014 among them) by one of its own. So lengths are checked here, and close frames are taken
//! out of the stream before tungstenite sees them. All else passes, and is tungstenite's to judge.

use std::str::Utf8Error;

use wscengine::{CloseCode, CloseFrame};

/// Where in a frame the stream is.
#[derive(Debug)]
pub(crate) enum Scanner {
    /// In a header of which this much has come.
    Header { bytes: [u8; MAX_HEADER], have: usize },
    /// In a payload (or mask) that has this much left.
    Payload { left: u64 },
    /// In the payload of a close frame.
    Close { payload: Vec<u8>, len: usize },
}

/// Two bytes, and a length of eight.
const MAX_HEADER: usize = 10;
const FIN_AND_CLOSE: u8 = 0x88;
const MASKED: u8 = 0x80;
const MAX_CONTROL: u64 = 125;

/// Why no byte after this one is passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Not an error: the peer's close frame was the last that counts.
    #[error("the peer sent a close frame")]
    Close(Option<CloseFrame>),
    #[error("a frame's length is in a longer form than it needs")]
    Length,
    #[error("a close frame has a payload of one byte")]
    ClosePayload,
    #[error("a close frame has the code {0}, which must not be sent")]
    CloseCode(CloseCode),
    #[error("the reason of a close frame is not UTF-8")]
    CloseReason(#[source] Utf8Error),
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self::Header { bytes: [0; MAX_HEADER], have: 0 }
    }

    /// Takes the next bytes. Gives how many of them are to be passed on, and why the rest is not.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> (usize, Option<Stop>) {
        let mut at = 0;
        // Where the frame starts that `at` is in, as far as it is in `bytes`.
        let mut start = 0;
        while at < bytes.len() {
            match self {
                Self::Payload { left } => {
                    let step = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    at += step;
                    *left -= step as u64;
                    if *left == 0 {
                        *self = Self::new();
                        start = at;
                    }
                }
                Self::Header { bytes: header, have } => {
                    header[*have] = bytes[at];
                    *have += 1;
                    at += 1;
                    if let Some(stop) = self.end_header() {
                        return (start, Some(stop));
                    }
                    if matches!(self, Self::Header { have: 0, .. }) {
                        start = at;
                    }
                }
                Self::Close { payload, len } => {
                    let step = (*len - payload.len()).min(bytes.len() - at);
                    payload.extend_from_slice(&bytes[at..at + step]);
                    at += step;
                    if payload.len() == *len {
                        return (start, Some(close(payload)));
                    }
                }
            }
        }
        // Of a close frame nothing is passed on, not even what has come so far.
        if matches!(self, Self::Close { .. }) { (start, None) } else { (at, None) }
    }

    /// If the header is complete, goes on to what follows it.
    fn end_header(&mut self) -> Option<Stop> {
        let Self::Header { bytes, have } = self else { return None };
        let (first, second) = (bytes[0], bytes[1]);
        let extra = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if *have < 2 + extra {
            return None;
        }
        let mut length = [0; 8];
        length[8 - extra..].copy_from_slice(&bytes[2..2 + extra]);
        let len = match extra {
            0 => u64::from(second & !MASKED),
            _ => u64::from_be_bytes(length),
        };
        if !has_shortest_form(extra, len) {
            return Some(Stop::Length);
        }
        self.enter(first, second & MASKED != 0, len)
    }

    /// Goes on to the payload of a frame.
    fn enter(&mut self, first: u8, masked: bool, len: u64) -> Option<Stop> {
        // A close frame that is wrong in another way is tungstenite's to refuse.
        if first == FIN_AND_CLOSE && !masked && len <= MAX_CONTROL {
            if len == 0 {
                return Some(Stop::Close(None));
            }
            let len = usize::try_from(len).unwrap_or_default();
            *self = Self::Close { payload: Vec::with_capacity(len), len };
            return None;
        }
        let left = len + if masked { 4 } else { 0 };
        *self = if left == 0 { Self::new() } else { Self::Payload { left } };
        None
    }
}

/// Whether a length may stand in a form of so many extra bytes (RFC 6455 section 5.2).
fn has_shortest_form(extra: usize, len: u64) -> bool {
    match extra {
        0 => true,
        2 => len >= 126,
        _ => len > u64::from(u16::MAX) && len >> 63 == 0,
    }
}

/// Judges the payload of a close frame, which is not empty (RFC 6455 sections 5.5.1 and 7.4).
fn close(payload: &[u8]) -> Stop {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Stop::ClosePayload;
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.may_be_sent() {
        return Stop::CloseCode(code);
    }
    match std::str::from_utf8(reason) {
        Ok(reason) => Stop::Close(Some(CloseFrame::received(code, reason))),
        Err(error) => Stop::CloseReason(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed on of these bytes and what stopped it, when they come in parts of this size.
    fn scan_in_parts(bytes: &[u8], size: usize) -> (Vec<u8>, Option<Stop>) {
        let (mut scanner, mut passed) = (Scanner::new(), Vec::new());
        for part in bytes.chunks(size) {
            let (count, stop) = scanner.scan(part);
            passed.extend_from_slice(&part[..count]);
            if stop.is_some() {
                return (passed, stop);
            }
        }
        (passed, None)
    }

    /// Empty, short, medium and long frames, and one with a mask: all legal to pass on.
    fn frames() -> Vec<u8> {
        let mut bytes = vec![0x81, 0, 0x82, 3, 1, 2, 3, 0x81, 0x82, 9, 9, 9, 9, 5, 6];
        bytes.extend([&[0x82, 126, 0, 126][..], &[0x88; 126]].concat());
        bytes.extend([&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0x88; 65_536]].concat());
        bytes
    }

    #[test]
    fn frames_pass_unchanged_however_they_are_cut() {
        for size in [1, 2, 3, 7, 64, 100_000] {
            let (passed, stop) = scan_in_parts(&frames(), size);
            assert!(stop.is_none() && passed == frames(), "in parts of {size}");
        }
    }

    #[test]
    fn a_close_frame_is_taken_out_and_nothing_after_it_passes() {
        let bytes = [&frames()[..], &[0x88, 5, 0x03, 0xf6, b'a', b'b', b'c', 0x81, 0]].concat();
        for size in [2, 3, 7, 100_000] {
            let (passed, stop) = scan_in_parts(&bytes, size);
            assert!(
                passed.starts_with(&frames()) && passed.len() <= frames().len() + 1,
                "in parts of {size}"
            );
            let Some(Stop::Close(Some(frame))) = stop else { panic!("{stop:?}") };
            assert_eq!((frame.code(), frame.reason()), (CloseCode::BAD_GATEWAY, "abc"));
        }
    }

    #[test]
    fn lengths_in_a_longer_form_than_they_need_stop_the_stream_before_their_frame() {
        let illegal: [&[u8]; 4] = [
            &[0x82, 126, 0, 125],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ];
        for illegal in illegal {
            let (passed, stop) = scan_in_parts(&[&[0x81, 1, b'x'], illegal].concat(), 100);
            assert_eq!(passed, [0x81, 1, b'x']);
            assert!(matches!(stop, Some(Stop::Length)), "{illegal:?}: {stop:?}");
        }
    }

    #[test]
    fn close_payloads_are_judged_by_length_code_and_reason() {
        assert!(matches!(scan_in_parts(&[0x88, 0], 9).1, Some(Stop::Close(None))));
        assert!(matches!(scan_in_parts(&[0x88, 1, 3], 9).1, Some(Stop::ClosePayload)));
        assert!(matches!(
            scan_in_parts(&[0x88, 2, 3, 0xed], 9).1,
            Some(Stop::CloseCode(CloseCode(1005)))
        ));
        assert!(matches!(
            scan_in_parts(&[0x88, 3, 3, 0xe8, 0xff], 9).1,
            Some(Stop::CloseReason(_))
        ));
    }
}
