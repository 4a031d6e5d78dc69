//! The headers of frames, judged before anything is kept of what they announce (RFC 6455 section 5.2).
//!
//! WebSocket libraries judge them too, often frame by frame, and some rules only once the payload is there. Here the answer
//! is the same however the bytes are cut, and a frame's length is known before memory is given to it.

use wscengine::transport::Limits;
use wscengine::{MessageKind, ReadError, ReadErrorKind};

use crate::{FIN, RSV1};

const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub const MAX_CONTROL: usize = 125;

/// The header of a frame that is allowed where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub frame: Frame,
    /// The length of the header itself.
    pub size: usize,
    /// The length of the payload.
    pub len: usize,
}

/// What a frame is, as far as it matters who takes care of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message in one piece, as it is.
    Whole(MessageKind),
    /// A compressed message in one piece. Whoever inflates it sees to the limit for messages, and so for one in parts.
    Compressed,
    /// A part of a message, whether the message is compressed, and whether the part is the last one.
    Part {
        /// Whether the message is compressed: its first frame says so.
        compressed: bool,
        /// Whether its end is the message's.
        last: bool,
    },
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A close frame.
    Close,
}

/// What decides whether a frame of a server's is allowed: judges headers, before memory is given to what they announce.
///
/// # Examples
/// ```
/// use wscengine::transport::Limits;
/// use wscengine_frames::{Frame, Rules, Violation};
///
/// let mut rules = Rules::new(Limits::default());
/// let ping = rules.header(&[0x89, 4])?.expect("it is there in full");
/// assert_eq!((ping.frame, ping.size, ping.len), (Frame::Ping, 2, 4));
/// assert_eq!(rules.header(&[0x81, 126, 0])?, None);
/// assert_eq!(rules.header(&[0x80, 0]), Err(Violation::NothingBegun));
///
/// let first = rules.header(&[0x01, 9])?.expect("it is there in full");
/// assert_eq!(rules.enter(first), 9);
/// assert_eq!(rules.header(&[0x82, 0]), Err(Violation::NotEnded));
/// # Ok::<(), Violation>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The largest frame and the largest message.
    pub limits: Limits,
    /// Whether permessage-deflate was negotiated.
    pub deflate: bool,
    /// The message that has begun and not ended; [`enter`](Self::enter) keeps account of it.
    pub begun: Option<Begun>,
}

/// A message of which parts have come.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// Whether it is compressed.
    pub compressed: bool,
    /// The payload bytes so far.
    pub len: usize,
}

/// What a header breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit is set whose meaning was not negotiated.
    #[error("a frame has a reserved bit")]
    ReservedBit,
    /// None of the opcodes of RFC 6455.
    #[error("a frame has the reserved opcode {0:#x}")]
    Opcode(u8),
    /// Only a client masks.
    #[error("a frame of the server's is masked")]
    Masked,
    /// The length has more bytes than it needs, or more than 63 bits.
    #[error("a frame's length is in a longer form than it needs")]
    Length,
    /// A control frame without FIN.
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A control frame of more than 125 bytes.
    #[error("a control frame has more than 125 bytes")]
    LongControl,
    /// A continuation frame, and nothing to be continued.
    #[error("a continuation frame continues nothing")]
    NothingBegun,
    /// A new message within another one.
    #[error("a message begins before the one before it has ended")]
    NotEnded,
    /// Larger than [`Limits::frame`].
    #[error("a frame is larger than the limit")]
    FrameTooBig,
    /// All parts so far are larger than [`Limits::message`], or compressed ones than [`compressed_limit`].
    #[error("a message is larger than the limit")]
    MessageTooBig,
}

impl From<Violation> for ReadError {
    fn from(violation: Violation) -> Self {
        let kind = match violation {
            Violation::FrameTooBig | Violation::MessageTooBig => ReadErrorKind::TooBig,
            _ => ReadErrorKind::Protocol,
        };
        Self::with_source(kind, violation)
    }
}

impl Rules {
    /// Those of a connection without extensions, between messages.
    pub fn new(limits: Limits) -> Self {
        Self { limits, deflate: false, begun: None }
    }

    /// Keeps account of a data frame that is being taken: the payload bytes of its message so far, this frame's among
    /// them. Control frames change nothing.
    pub fn enter(&mut self, header: Header) -> usize {
        let Frame::Part { compressed, last } = header.frame else { return header.len };
        let begun = self.begun.get_or_insert(Begun { compressed, len: 0 });
        begun.len += header.len;
        let len = begun.len;
        if last {
            self.begun = None;
        }
        len
    }

    /// The header at the start of `bytes`; `None` if it is not there in full.
    ///
    /// # Errors
    /// What it breaks, as soon as the bytes show it; of several things the one that sockudo-ws would name.
    pub fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        self.judge_first(first)?;
        if second & MASKED != 0 {
            return Err(Violation::Masked);
        }
        if is_control(first) && usize::from(second) > MAX_CONTROL {
            return Err(Violation::LongControl);
        }
        let (size, len) = match (second & LENGTH, rest) {
            (126, &[a, b, ..]) => (4, u64::from(u16::from_be_bytes([a, b]))),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            (126 | 127, _) => return Ok(None),
            (len, _) => (2, u64::from(len)),
        };
        if !has_shortest_form(size, len) {
            return Err(Violation::Length);
        }
        let len = usize::try_from(len).map_err(|_| Violation::FrameTooBig)?;
        let frame = self.frame(first, len)?;
        Ok(Some(Header { frame, size, len }))
    }

    /// What can be said of the first byte alone.
    fn judge_first(&self, first: u8) -> Result<(), Violation> {
        let opcode = first & OPCODE;
        let reserved = match first & RESERVED {
            0 => false,
            RSV1 => !(self.deflate && matches!(opcode, 1 | 2)),
            _ => true,
        };
        match opcode {
            _ if reserved => Err(Violation::ReservedBit),
            0..=2 => Ok(()),
            8..=10 if first & FIN == 0 => Err(Violation::FragmentedControl),
            8..=10 => Ok(()),
            _ => Err(Violation::Opcode(opcode)),
        }
    }

    /// What the frame is, of which the first byte has been judged. The limits hold for data frames: control frames are
    /// short anyhow.
    fn frame(&self, first: u8, len: usize) -> Result<Frame, Violation> {
        match first & OPCODE {
            8 => return Ok(Frame::Close),
            9 => return Ok(Frame::Ping),
            10 => return Ok(Frame::Pong),
            _ if len > self.limits.frame => return Err(Violation::FrameTooBig),
            _ => {}
        }
        let (last, compressed) = (first & FIN != 0, first & RSV1 != 0);
        let frame = match (first & OPCODE, self.begun) {
            (0, None) => return Err(Violation::NothingBegun),
            (0, Some(begun)) => Frame::Part { compressed: begun.compressed, last },
            (_, Some(_)) => return Err(Violation::NotEnded),
            _ if !last => Frame::Part { compressed, last },
            _ if compressed => Frame::Compressed,
            _ => Frame::Whole(kind(first)),
        };
        let most = match frame {
            Frame::Compressed | Frame::Part { compressed: true, .. } => {
                compressed_limit(self.limits)
            }
            _ => self.limits.message,
        };
        match self.begun.map_or(0, |begun| begun.len).checked_add(len) {
            Some(message) if message <= most => Ok(frame),
            _ => Err(Violation::MessageTooBig),
        }
    }
}

/// The largest compressed message that is taken, in payload bytes before it is inflated, in one frame or in parts: an
/// eighth and 1 KiB more than [`Limits::message`].
///
/// What cannot be compressed becomes larger by it: only what is inflated shows whether a message is too big, and whoever
/// inflates it has to see to that. An eighth is what the fixed codes of DEFLATE cost at worst, nine bits for a byte
/// (RFC 1951 section 3.2.6); the rest is for the ends of blocks. It bounds the memory that a peer can make us hold.
pub fn compressed_limit(limits: Limits) -> usize {
    limits.message.saturating_add(limits.message / 8).saturating_add(1 << 10)
}

/// Opcodes from 8 on (RFC 6455 section 5.5).
fn is_control(first: u8) -> bool {
    first & 0x08 != 0
}

fn kind(first: u8) -> MessageKind {
    if first & OPCODE == 1 { MessageKind::Text } else { MessageKind::Binary }
}

/// Whether a length may stand in a header of that size.
fn has_shortest_form(size: usize, len: u64) -> bool {
    match size {
        2 => true,
        4 => len >= 126,
        _ => len > u64::from(u16::MAX) && len >> 63 == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { message: 300, frame: 200 };

    fn header(frame: Frame, size: usize, len: usize) -> Result<Option<Header>, Violation> {
        Ok(Some(Header { frame, size, len }))
    }

    #[test]
    fn frames_of_a_server_are_what_rfc_6455_says() {
        let rules = Rules::new(LIMITS);
        let part = Frame::Part { compressed: false, last: false };
        let cases: &[(&[u8], _)] = &[
            (&[0x81, 0], header(Frame::Whole(MessageKind::Text), 2, 0)),
            (&[0x82, 125], header(Frame::Whole(MessageKind::Binary), 2, 125)),
            (&[0x82, 126, 0, 200], header(Frame::Whole(MessageKind::Binary), 4, 200)),
            (&[0x01, 7], header(part, 2, 7)),
            (&[0x88, 125], header(Frame::Close, 2, 125)),
            (&[0x89, 0], header(Frame::Ping, 2, 0)),
            (&[0x8a, 1], header(Frame::Pong, 2, 1)),
            (&[], Ok(None)),
            (&[0xff], Ok(None)),
            (&[0x82, 126, 0], Ok(None)),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0], Ok(None)),
            (&[0xc1, 0], Err(Violation::ReservedBit)),
            (&[0xa1, 0], Err(Violation::ReservedBit)),
            (&[0x99, 0], Err(Violation::ReservedBit)),
            (&[0x83, 0], Err(Violation::Opcode(3))),
            (&[0x8b, 0], Err(Violation::Opcode(11))),
            (&[0x81, 0x80], Err(Violation::Masked)),
            (&[0x09, 0], Err(Violation::FragmentedControl)),
            (&[0x88, 126], Err(Violation::LongControl)),
            (&[0x82, 126, 0, 125], Err(Violation::Length)),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Err(Violation::Length)),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0], Err(Violation::Length)),
            (&[0x80, 0], Err(Violation::NothingBegun)),
            (&[0x82, 126, 0, 201], Err(Violation::FrameTooBig)),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], Err(Violation::FrameTooBig)),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(rules.header(bytes), *wanted, "{bytes:x?}");
        }
    }

    #[test]
    fn parts_of_a_message_follow_each_other_and_count_together() {
        let mut rules = Rules::new(LIMITS);
        let first =
            rules.header(&[0x01, 126, 0, 200]).expect("it is allowed").expect("it is there");
        assert_eq!(rules.enter(first), 200);
        assert_eq!(rules.header(&[0x81, 0]), Err(Violation::NotEnded));
        assert_eq!(rules.header(&[0x80, 101]), Err(Violation::MessageTooBig));
        assert_eq!(rules.header(&[0x89, 3]), header(Frame::Ping, 2, 3), "in between");
        let last = rules.header(&[0x80, 100]).expect("it is allowed").expect("it is there");
        assert_eq!(last.frame, Frame::Part { compressed: false, last: true });
        assert_eq!(rules.enter(last), 300);
        assert_eq!(rules.header(&[0x80, 0]), Err(Violation::NothingBegun));
    }

    #[test]
    fn where_deflate_was_agreed_on_the_first_frame_says_whether_a_message_is_compressed() {
        let mut rules = Rules { deflate: true, ..Rules::new(LIMITS) };
        assert_eq!(rules.header(&[0xc2, 9]), header(Frame::Compressed, 2, 9));
        assert_eq!(rules.header(&[0xc9, 0]), Err(Violation::ReservedBit));
        let small = Rules { limits: Limits { message: 8, frame: 200 }, ..rules };
        assert_eq!(small.header(&[0xc2, 9]), header(Frame::Compressed, 2, 9));
        let first = rules.header(&[0x41, 9]).expect("it is allowed").expect("it is there");
        rules.enter(first);
        let part = Frame::Part { compressed: true, last: false };
        assert_eq!(rules.header(&[0x00, 9]), header(part, 2, 9));
        assert_eq!(rules.header(&[0x40, 9]), Err(Violation::ReservedBit));
    }

    #[test]
    fn compressed_messages_may_be_a_little_larger_than_the_limit_before_they_are_inflated() {
        let limits = Limits { message: 8_000, frame: 20_000 };
        let rules = Rules { deflate: true, ..Rules::new(limits) };
        // An eighth and a kilobyte more: 10,024.
        for (fin, frame) in
            [(0x80, Frame::Compressed), (0, Frame::Part { compressed: true, last: false })]
        {
            assert_eq!(rules.header(&[fin | 0x42, 126, 0x27, 0x28]), header(frame, 4, 10_024));
            let bytes = [fin | 0x42, 126, 0x27, 0x29];
            assert_eq!(rules.header(&bytes), Err(Violation::MessageTooBig));
        }
        let begun = Some(Begun { compressed: true, len: 10_000 });
        let rules = Rules { begun, ..rules };
        let last = Frame::Part { compressed: true, last: true };
        assert_eq!(rules.header(&[0x80, 24]), header(last, 2, 24));
        assert_eq!(rules.header(&[0x80, 25]), Err(Violation::MessageTooBig));
    }
}
