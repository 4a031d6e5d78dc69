//! The headers of frames, judged before anything is kept of what they announce (RFC 6455 section 5.2).
//!
//! sockudo-ws judges them too. It does so frame by frame, and some rules only once the payload is there; here the
//! answer is the same however the bytes are cut, and a frame's length is known before memory is given to it.

use wscengine::transport::Limits;
use wscengine::{MessageKind, ReadError, ReadErrorKind};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// A frame that is allowed where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) frame: Frame,
    /// The length of the header itself.
    pub(crate) size: usize,
    /// The length of the payload.
    pub(crate) len: usize,
}

/// What a frame is, as far as it matters who takes care of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message in one piece, as it is.
    Whole(MessageKind),
    /// A compressed message in one piece.
    Compressed,
    /// A part of a message, whether the message is compressed, and whether the part is the last one.
    Part {
        compressed: bool,
        last: bool,
    },
    Ping,
    Pong,
    Close,
}

impl Frame {
    /// Whether no state is needed to take it: it may be followed by more of the same in one chunk.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Whole(_) | Self::Ping | Self::Pong | Self::Close)
    }
}

/// What decides whether a frame is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    /// Whether permessage-deflate was negotiated.
    pub(crate) deflate: bool,
    /// The message that has begun and not ended.
    pub(crate) begun: Option<Begun>,
}

/// A message of which parts have come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) compressed: bool,
    /// The payload bytes so far.
    pub(crate) len: usize,
}

/// What a header breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("a frame has a reserved bit")]
    ReservedBit,
    #[error("a frame has the reserved opcode {0:#x}")]
    Opcode(u8),
    #[error("a frame of the server's is masked")]
    Masked,
    #[error("a frame's length is in a longer form than it needs")]
    Length,
    #[error("a control frame is fragmented")]
    FragmentedControl,
    #[error("a control frame has more than 125 bytes")]
    LongControl,
    #[error("a continuation frame continues nothing")]
    NothingBegun,
    #[error("a message begins before the one before it has ended")]
    NotEnded,
    #[error("a frame is larger than the limit")]
    FrameTooBig,
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
    /// The header at the start of `bytes`; `None` if it is not there in full.
    ///
    /// # Errors
    /// What it breaks, as soon as the bytes show it.
    #[inline]
    pub(crate) fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        // Most of what comes: a short message in one piece.
        if let [first @ (0x81 | 0x82), len @ 0..126, ..] = *bytes
            && self.begun.is_none()
        {
            let (kind, len) = (kind(first), usize::from(len));
            return self.sized(Header { frame: Frame::Whole(kind), size: 2, len }).map(Some);
        }
        self.any_header(bytes)
    }

    fn any_header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let frame = self.frame(first)?;
        if second & MASKED != 0 {
            return Err(Violation::Masked);
        }
        if !matches!(frame, Frame::Whole(_) | Frame::Compressed | Frame::Part { .. })
            && usize::from(second) > MAX_CONTROL
        {
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
        self.sized(Header { frame, size, len }).map(Some)
    }

    fn frame(&self, first: u8) -> Result<Frame, Violation> {
        let (last, opcode) = (first & FIN != 0, first & OPCODE);
        let compressed = first & RSV1 != 0;
        if first & RSV2_AND_3 != 0 || compressed && !(self.deflate && matches!(opcode, 1 | 2)) {
            return Err(Violation::ReservedBit);
        }
        match (opcode, self.begun) {
            (0, None) => Err(Violation::NothingBegun),
            (0, Some(begun)) => Ok(Frame::Part { compressed: begun.compressed, last }),
            (1 | 2, Some(_)) => Err(Violation::NotEnded),
            (1 | 2, None) if !last => Ok(Frame::Part { compressed, last }),
            (1 | 2, None) if compressed => Ok(Frame::Compressed),
            (1 | 2, None) => Ok(Frame::Whole(kind(first))),
            (8..=10, _) if !last => Err(Violation::FragmentedControl),
            (8, _) => Ok(Frame::Close),
            (9, _) => Ok(Frame::Ping),
            (10, _) => Ok(Frame::Pong),
            _ => Err(Violation::Opcode(opcode)),
        }
    }

    #[inline]
    fn sized(&self, header: Header) -> Result<Header, Violation> {
        match header.frame {
            Frame::Ping | Frame::Pong | Frame::Close => return Ok(header),
            Frame::Whole(_) | Frame::Compressed | Frame::Part { .. } => {}
        }
        if header.len > self.limits.frame {
            return Err(Violation::FrameTooBig);
        }
        // Compressed or not: what is larger than its message may be cannot be made smaller by inflating.
        match self.begun.map_or(0, |begun| begun.len).checked_add(header.len) {
            Some(message) if message <= self.limits.message => Ok(header),
            _ => Err(Violation::MessageTooBig),
        }
    }
}

#[inline]
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
