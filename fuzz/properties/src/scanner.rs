//! What the sockudo adapter reads from a server, and what the core beneath it makes of the same bytes by itself.

use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use sockudo_ws::Role;
use sockudo_ws::deflate::DeflateConfig;
use sockudo_ws::error::Error;
use sockudo_ws::protocol::{CompressedReaderProtocol, Message, Protocol};
use wscengine::transport::{Batch, Connection, Inbound, Limits};
use wscengine::{CloseFrame, MessageKind, ReadErrorKind};
use wscengine_dial::Extension;
use wscengine_sockudo::{Deflate, SockudoConnection};

use crate::script::{Script, split_cuts};
use crate::wire::{Read, Whole, check_answers};

/// Two bytes of limits, one with how much is left over from the handshake and whether messages may be compressed, a
/// list of pieces, and the bytes of a server.
///
/// Read in any pieces, by the scanner that lends whole frames and gives the rest to the core, they give what the core
/// gives if it has them all frame by frame: the same messages, the same kind of error. Only that a frame may be refused
/// for its header before the rest of it is there.
pub fn scanner(input: &[u8]) {
    let Some((&[message, frame, how], rest)) = input.split_first_chunk() else { return };
    let (cuts, bytes) = split_cuts(rest);
    // The core takes no control frame beyond the limit for frames; the adapter takes all that RFC 6455 allows.
    let limits = Limits { message: limit(message), frame: limit(frame).max(125) };
    let deflate = how & 1 != 0;

    let (leftover, rest) = bytes.split_at(usize::from(how / 2).min(bytes.len()));
    let mut connection = connection(leftover, Script::new(rest, cuts), limits, deflate);
    let (read, end) = read_by_pieces(&mut connection);

    let mut core = ByCore::new(limits, deflate);
    core.read_all(bytes, LastFrame::AsItIs);
    if core.whole.end == end || core.whole.read != read {
        assert_eq!((&read, end), (&core.whole.read, core.whole.end));
    } else {
        core = ByCore::new(limits, deflate);
        core.read_all(bytes, LastFrame::Completed);
        assert_eq!((&read, end), (&core.whole.read, core.whole.end), "refused for its header");
    }
    check_answers(&core.whole, &connection.get_ref().written);
    assert_eq!(connection.bytes_written(), connection.get_ref().written.len() as u64);
    assert!(connection.bytes_read() <= bytes.len() as u64);
}

/// Small limits more often than large ones.
fn limit(byte: u8) -> usize {
    match byte {
        0..200 => usize::from(byte) + 1,
        200.. => usize::from(byte - 199) * 4_000,
    }
}

fn connection(
    leftover: &[u8],
    script: Script,
    limits: Limits,
    deflate: bool,
) -> SockudoConnection<Script> {
    if !deflate {
        return SockudoConnection::new(script, leftover, limits);
    }
    let accepted = Extension::parse_list(b"permessage-deflate").expect("it is well-formed");
    Deflate::new().connection(script, leftover, limits, &accepted).expect("it was offered")
}

/// Reads as the engine does: a flush after each read, and no more reads after an error.
fn read_by_pieces(connection: &mut impl Connection) -> (Vec<Read>, ReadErrorKind) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut batch, mut read) = (Batch::new(), Vec::new());
    loop {
        let polled = connection.poll_recv(&mut cx, &mut batch);
        assert!(!matches!(polled, Poll::Ready(Ok(()))) || !batch.is_empty(), "nothing was read");
        let mut end = None;
        while let (None, Some(inbound)) = (end, batch.next()) {
            match inbound {
                Ok(inbound) => read.push(taken(inbound)),
                Err(error) => end = Some(error.kind()),
            }
        }
        assert!(connection.poll_flush(&mut cx).is_ready(), "all that is written is taken");
        if let (None, Poll::Ready(Err(error))) = (end, polled) {
            end = Some(error.kind());
        }
        if let Some(end) = end {
            return (read, end);
        }
    }
}

fn taken(inbound: Inbound<'_>) -> Read {
    match inbound {
        Inbound::Message(message) => Read::Message(message.kind(), message.payload().to_vec()),
        Inbound::Ping => Read::Ping,
        Inbound::Pong(payload) => Read::Pong(payload.to_vec()),
        Inbound::Close(frame) => Read::Close(frame),
        other => unreachable!("{other:?}"),
    }
}

/// What becomes of a last frame that is not there in full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastFrame {
    AsItIs,
    /// Zeros are put behind it, as many as its header announces.
    Completed,
}

/// The core by itself.
struct ByCore {
    core: Core,
    /// The parts so far of a compressed message have so many bytes.
    compressed: Option<usize>,
    whole: Whole,
}

enum Core {
    Plain(Box<Protocol>),
    Deflate(Box<CompressedReaderProtocol>),
}

impl ByCore {
    fn new(Limits { message, frame }: Limits, deflate: bool) -> Self {
        let config = DeflateConfig::default();
        let core = if deflate {
            Core::Deflate(Box::new(CompressedReaderProtocol::client(frame, message, &config)))
        } else {
            Core::Plain(Box::new(Protocol::new(Role::Client, frame, message)))
        };
        let whole =
            Whole { read: Vec::new(), end: ReadErrorKind::UnexpectedEof, pings: Vec::new() };
        Self { core, compressed: None, whole }
    }

    /// Takes frame after frame until one is refused, or was the last one.
    fn read_all(&mut self, mut bytes: &[u8], last: LastFrame) {
        while !bytes.is_empty() {
            let len = frame_len(bytes);
            let (frame, rest) = bytes.split_at(len.min(bytes.len()));
            let mut frame = self.with_a_byte(frame);
            if last == LastFrame::Completed && len <= MAX_FRAME {
                frame.resize(len.max(frame.len()), 0);
            }
            let taken = match &mut self.core {
                Core::Plain(core) => core.process(&mut frame),
                Core::Deflate(core) => core.process(&mut frame),
            };
            match taken {
                Ok(messages) => messages.into_iter().for_each(|message| self.push(message)),
                Err(error) => self.whole.end = kind(&error),
            }
            if self.whole.end != ReadErrorKind::UnexpectedEof {
                return;
            }
            bytes = rest;
        }
    }

    /// An empty compressed message in the form that RFC 7692 section 7.2.3.6 wants: the adapter takes it without, too.
    fn with_a_byte(&mut self, frame: &[u8]) -> BytesMut {
        if let [first, second, ..] = *frame
            && matches!(self.core, Core::Deflate(_))
        {
            let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
            let so_far = match (first & 0x4f, self.compressed) {
                (0x41 | 0x42, None) => Some(0),
                (0, Some(len)) => Some(len),
                _ => None,
            };
            let len = so_far.map(|len: usize| len.saturating_add(frame_len(frame)));
            if matches!(opcode, 0..=2) {
                self.compressed = if fin { None } else { len.filter(|_| second != 0).or(so_far) };
            }
            if fin && second == 0 && so_far == Some(0) {
                return BytesMut::from(&[first, 1, 0][..]);
            }
        }
        BytesMut::from(frame)
    }

    fn push(&mut self, message: Message) {
        let read = match message {
            Message::Text(payload) => Read::Message(MessageKind::Text, payload.to_vec()),
            Message::Binary(payload) => Read::Message(MessageKind::Binary, payload.to_vec()),
            Message::Ping(payload) => {
                self.whole.pings.push(payload.to_vec());
                Read::Ping
            }
            Message::Pong(payload) => Read::Pong(payload.to_vec()),
            Message::Close(reason) => {
                self.whole.end = ReadErrorKind::Closed;
                Read::Close(reason.map(|reason| CloseFrame::received(reason.code, reason.reason)))
            }
        };
        self.whole.read.push(read);
    }
}

/// Beyond the largest limit.
const MAX_FRAME: usize = 300_000;

/// The length of the frame at the front, as far as its header is there: a length that may not be is the core's to refuse.
fn frame_len(bytes: &[u8]) -> usize {
    let (size, len) = match *bytes {
        [_, len @ 0..126, ..] => (2, u64::from(len)),
        [_, 126, a, b, ..] => (4, u64::from(u16::from_be_bytes([a, b]))),
        [_, 127, a, b, c, d, e, f, g, h, ..] => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        // Masked: it is refused for that.
        [_, 128..=255, ..] => return bytes.len(),
        // Cut within the header.
        [_, 126, ..] => return 4,
        [_, 127, ..] => return 10,
        _ => return 2,
    };
    usize::try_from(len).unwrap_or(usize::MAX).saturating_add(size)
}

fn kind(error: &Error) -> ReadErrorKind {
    match error {
        Error::InvalidUtf8 => ReadErrorKind::InvalidUtf8,
        Error::MessageTooLarge | Error::FrameTooLarge => ReadErrorKind::TooBig,
        _ => ReadErrorKind::Protocol,
    }
}
