//! RFC 6455 frames, put together and taken apart as plainly as can be: what the adapter's reading is compared with.

use wscengine::transport::Limits;
use wscengine::{CloseCode, CloseFrame, MessageKind, ReadErrorKind};

/// What a client reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Message(MessageKind, Vec<u8>),
    Ping,
    Pong(Vec<u8>),
    Close(Option<CloseFrame>),
}

/// All that a client reads from some bytes of a server.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) read: Vec<Read>,
    /// The error with which reading ends.
    pub(crate) end: ReadErrorKind,
    /// The payloads of pings.
    pub(crate) pings: Vec<Vec<u8>>,
}

/// Reads until there is nothing more to read.
pub(crate) fn read_all(bytes: &[u8], limits: Limits) -> Whole {
    let mut client = Client { bytes, limits, begun: None, read: Vec::new(), pings: Vec::new() };
    loop {
        if let Err(end) = client.frame() {
            return Whole { read: client.read, end, pings: client.pings };
        }
    }
}

struct Client<'a> {
    /// What is left.
    bytes: &'a [u8],
    limits: Limits,
    /// The message of which some fragments have come.
    begun: Option<(MessageKind, Vec<u8>)>,
    read: Vec<Read>,
    pings: Vec<Vec<u8>>,
}

impl Client<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], ReadErrorKind> {
        let (taken, rest) =
            self.bytes.split_at_checked(count).ok_or(ReadErrorKind::UnexpectedEof)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next frame. Its header is judged as soon as its bytes are there, before its payload is.
    fn frame(&mut self) -> Result<(), ReadErrorKind> {
        let head = self.take(2)?;
        let (first, masked, short) = (head[0], head[1] & 0x80 != 0, head[1] & 0x7f);
        let (fin, reserved, opcode) = (first & 0x80 != 0, first & 0x70 != 0, first & 0x0f);
        let allowed = match opcode {
            0..=2 => true,
            8..=10 => fin && short <= 125,
            _ => false,
        };
        if !allowed || reserved || masked {
            return Err(ReadErrorKind::Protocol);
        }
        let len = self.length(short)?;
        if opcode < 8 {
            self.check_place(opcode, len)?;
        }
        if opcode == 1 && fin {
            self.check_beginning(usize::try_from(len).unwrap_or(usize::MAX))?;
        }
        let payload = self.take(usize::try_from(len).unwrap_or(usize::MAX))?.to_vec();
        match opcode {
            8 => self.close(&payload),
            9 => {
                self.pings.push(payload);
                self.push(Read::Ping)
            }
            10 => self.push(Read::Pong(payload)),
            _ => self.data(opcode, fin, &payload),
        }
    }

    /// Whether a data frame fits where it stands.
    fn check_place(&self, opcode: u8, len: u64) -> Result<(), ReadErrorKind> {
        if len > self.limits.frame as u64 {
            return Err(ReadErrorKind::TooBig);
        }
        if (opcode == 0) != self.begun.is_some() {
            return Err(ReadErrorKind::Protocol);
        }
        let begun = self.begun.as_ref().map_or(0, |(_, begun)| begun.len());
        let message = len.saturating_add(begun as u64);
        if message > self.limits.message as u64 { Err(ReadErrorKind::TooBig) } else { Ok(()) }
    }

    /// A text in one frame is judged as it comes, even if its end never does.
    fn check_beginning(&self, len: usize) -> Result<(), ReadErrorKind> {
        match str::from_utf8(&self.bytes[..len.min(self.bytes.len())]) {
            Err(error) if error.error_len().is_some() => Err(ReadErrorKind::InvalidUtf8),
            _ => Ok(()),
        }
    }

    fn length(&mut self, short: u8) -> Result<u64, ReadErrorKind> {
        let (extra, least) = match short {
            126 => (2, 126),
            127 => (8, 65_536),
            short => return Ok(short.into()),
        };
        let len = self.take(extra)?.iter().fold(0, |len, byte| (len << 8) | u64::from(*byte));
        if (least..1 << 63).contains(&len) { Ok(len) } else { Err(ReadErrorKind::Protocol) }
    }

    fn data(&mut self, opcode: u8, fin: bool, payload: &[u8]) -> Result<(), ReadErrorKind> {
        let (kind, mut message) = match (opcode, self.begun.take()) {
            (0, Some(begun)) => begun,
            (1, None) => (MessageKind::Text, Vec::new()),
            (2, None) => (MessageKind::Binary, Vec::new()),
            _ => return Err(ReadErrorKind::Protocol),
        };
        message.extend_from_slice(payload);
        if let (MessageKind::Text, Err(error)) = (kind, str::from_utf8(&message)) {
            // A character may be cut in two by the end of a fragment, not by that of the message.
            if fin || error.error_len().is_some() {
                return Err(ReadErrorKind::InvalidUtf8);
            }
        }
        if fin {
            return self.push(Read::Message(kind, message));
        }
        self.begun = Some((kind, message));
        Ok(())
    }

    fn close(&mut self, payload: &[u8]) -> Result<(), ReadErrorKind> {
        let frame = match payload {
            [] => None,
            [_] => return Err(ReadErrorKind::Protocol),
            [high, low, reason @ ..] => {
                let code = CloseCode(u16::from_be_bytes([*high, *low]));
                if !may_be_sent(code.0) {
                    return Err(ReadErrorKind::Protocol);
                }
                let reason = str::from_utf8(reason).map_err(|_| ReadErrorKind::InvalidUtf8)?;
                Some(CloseFrame::received(code, reason))
            }
        };
        self.read.push(Read::Close(frame));
        Err(ReadErrorKind::Closed)
    }

    fn push(&mut self, read: Read) -> Result<(), ReadErrorKind> {
        self.read.push(read);
        Ok(())
    }
}

/// RFC 6455 section 7.4 and the registry that it opened: 1004 to 1006 and 1015 are for local use.
pub(crate) fn may_be_sent(code: u16) -> bool {
    match code {
        1004..=1006 | 1015 => false,
        1000..=1014 | 3000..=4999 => true,
        _ => false,
    }
}

/// A frame that a client wrote, its mask taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// Takes apart what a client wrote: whole frames, each final, without reserved bits, masked, its length in the
/// shortest form.
pub(crate) fn written(mut bytes: &[u8]) -> Vec<Written> {
    let mut frames = Vec::new();
    let take = |from: &mut &[u8], count: usize| {
        let (taken, rest) = from.split_at_checked(count).expect("a whole frame");
        *from = rest;
        taken.to_vec()
    };
    while !bytes.is_empty() {
        let head = take(&mut bytes, 2);
        assert_eq!(head[0] & 0xf0, 0x80, "it is final, and no bit is set that must not be");
        assert_eq!(head[1] & 0x80, 0x80, "a client masks");
        let len = match head[1] & 0x7f {
            126 => take(&mut bytes, 2).iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)),
            127 => take(&mut bytes, 8).iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)),
            len => len.into(),
        };
        let shortest = match len {
            0..=125 => len,
            126..=65_535 => 126,
            _ => 127,
        };
        assert_eq!(usize::from(head[1] & 0x7f), shortest);
        let mask = take(&mut bytes, 4);
        let payload = take(&mut bytes, len);
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        frames.push(Written { opcode: head[0] & 0x0f, payload: payload.collect() });
    }
    frames
}

/// Checks what a client wrote: for each ping its pong, and an answer to the close frame.
pub(crate) fn check_answers(whole: &Whole, bytes: &[u8]) {
    let mut frames = written(bytes);
    if let Some(Read::Close(close)) = whole.read.last() {
        let echo = frames.pop().expect("the close frame is answered");
        assert_eq!(echo.opcode, 8);
        match close {
            Some(close) => assert!(echo.payload.starts_with(&close.code().0.to_be_bytes())),
            None => assert!(echo.payload.is_empty()),
        }
    }
    let pongs: Vec<_> = frames
        .iter()
        .map(|frame| {
            assert_eq!(frame.opcode, 10, "nothing but pongs");
            &frame.payload
        })
        .collect();
    let pings: Vec<_> = whole.pings.iter().collect();
    if whole.end == ReadErrorKind::InvalidUtf8 {
        // Text that is none fails the connection: what waits to be answered in that moment need not be.
        assert!(pings.starts_with(&pongs), "{pongs:?} of {pings:?}");
    } else {
        assert_eq!(pongs, pings);
    }
}
