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
    /// The message that has begun.
    begun: Option<Begun>,
    /// The largest message.
    message: usize,
    whole: Whole,
}

/// What is known of a message of which parts have come.
#[derive(Clone, Copy)]
struct Begun {
    compressed: bool,
    /// The bytes of its parts so far.
    len: usize,
}

enum Core {
    Plain(Box<Protocol>),
    Deflate(Box<CompressedReaderProtocol>),
}

impl ByCore {
    fn new(Limits { message, frame }: Limits, deflate: bool) -> Self {
        let config = DeflateConfig::default();
        let core = if deflate {
            // It would judge the parts of a compressed message as if they were inflated.
            let most = most_compressed(message);
            Core::Deflate(Box::new(CompressedReaderProtocol::client(frame, most, &config)))
        } else {
            Core::Plain(Box::new(Protocol::new(Role::Client, frame, message)))
        };
        let whole =
            Whole { read: Vec::new(), end: ReadErrorKind::UnexpectedEof, pings: Vec::new() };
        Self { core, begun: None, message, whole }
    }

    /// Takes frame after frame until one is refused, or was the last one.
    fn read_all(&mut self, mut bytes: &[u8], last: LastFrame) {
        while !bytes.is_empty() {
            let len = frame_len(bytes);
            let (frame, rest) = bytes.split_at(len.min(bytes.len()));
            let (is_too_big, mut frame) = self.look_at(frame);
            if last == LastFrame::Completed && len <= MAX_FRAME {
                frame.resize(len.max(frame.len()), 0);
            }
            let taken = match &mut self.core {
                Core::Plain(core) => core.process(&mut frame),
                Core::Deflate(core) => core.process(&mut frame),
            };
            match taken {
                // Its header says so, before its payload can be found wrong.
                Ok(_) if is_too_big => self.whole.end = ReadErrorKind::TooBig,
                Err(Error::InvalidUtf8 | Error::Compression(_)) if is_too_big => {
                    self.whole.end = ReadErrorKind::TooBig;
                }
                Ok(messages) => messages.into_iter().for_each(|message| self.push(message)),
                Err(error) => self.whole.end = kind(&error),
            }
            if self.whole.end != ReadErrorKind::UnexpectedEof {
                return;
            }
            bytes = rest;
        }
    }

    /// Keeps account of a frame that may be allowed: whether its message is too big with it; and the frame, but an empty
    /// compressed message in the form that RFC 7692 section 7.2.3.6 wants: the adapter takes it without, too.
    fn look_at(&mut self, frame: &[u8]) -> (bool, BytesMut) {
        let as_it_is = BytesMut::from(frame);
        let [first, second, ..] = *frame else { return (false, as_it_is) };
        if matches!(self.core, Core::Plain(_)) || second & 0x80 != 0 {
            return (false, as_it_is);
        }
        let so_far = match (first & 0x7f, self.begun) {
            (0x01 | 0x02 | 0x41 | 0x42, None) => Begun { compressed: first & 0x40 != 0, len: 0 },
            (0, Some(begun)) => begun,
            _ => return (false, as_it_is),
        };
        let len = so_far.len.saturating_add(payload_len(frame));
        let fin = first & 0x80 != 0;
        self.begun = (!fin).then_some(Begun { len, ..so_far });
        let most = if so_far.compressed { most_compressed(self.message) } else { self.message };
        let is_empty = so_far.compressed && fin && len == 0 && second == 0;
        (len > most, if is_empty { BytesMut::from(&[first, 1, 0][..]) } else { as_it_is })
    }

    fn push(&mut self, message: Message) {
        let read = match message {
            Message::Text(payload) | Message::Binary(payload) if payload.len() > self.message => {
                self.whole.end = ReadErrorKind::TooBig;
                return;
            }
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

/// The largest compressed message that is inflated at all.
fn most_compressed(message: usize) -> usize {
    message + message / 8 + 1_024
}

/// The length of the frame at the front, as far as its header is there: a length that may not be is the core's to refuse.
fn frame_len(bytes: &[u8]) -> usize {
    let size = match *bytes {
        // Masked: it is refused for that.
        [_, 128..=255, ..] => return bytes.len(),
        [_, 126, ..] => 4,
        [_, 127, ..] => 10,
        _ => 2,
    };
    payload_len(bytes).saturating_add(size)
}

/// The length of the payload of the frame at the front; 0 where its header is cut.
fn payload_len(bytes: &[u8]) -> usize {
    let len = match *bytes {
        [_, len @ 0..126, ..] => u64::from(len),
        [_, 126, a, b, ..] => u64::from(u16::from_be_bytes([a, b])),
        [_, 127, a, b, c, d, e, f, g, h, ..] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    };
    usize::try_from(len).unwrap_or(usize::MAX)
}

fn kind(error: &Error) -> ReadErrorKind {
    match error {
        Error::InvalidUtf8 => ReadErrorKind::InvalidUtf8,
        Error::MessageTooLarge | Error::FrameTooLarge => ReadErrorKind::TooBig,
        _ => ReadErrorKind::Protocol,
    }
}
