//! What has been read and what it means: frames are lent where they lie, or given to the library.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use tokio::io::AsyncRead;
use wscengine::transport::Batch;
use wscengine::{CloseFrame, Message, MessageKind, ReadError, ReadErrorKind};

use crate::{Frame, Header, Library, ReadBuffer, Rules, close};

/// No more is appended once there are so many entries, so that writing gets its turn.
const MAX_ENTRIES: usize = 256;
/// No more is appended once this many payload bytes are in hand.
const MAX_BYTES: usize = 256 << 10;

/// What a frame asks of the connection.
pub(crate) enum Request<'a> {
    /// A pong with this payload.
    Pong(&'a [u8]),
    /// The echo of this close frame; nothing after it is read.
    Echo(Option<CloseFrame>),
}

/// Turns bytes into entries of a batch.
pub(crate) struct Reader<L> {
    pub(crate) library: L,
    rules: Rules,
    received: ReadBuffer,
    unfinished: Unfinished,
}

/// What is known of a frame that has not come in full.
enum Unfinished {
    Nothing,
    /// It stays in the buffer until it is `whole` bytes there; so many bytes of its text are good.
    Frame {
        whole: usize,
        judged: usize,
    },
    /// The library has taken its beginning, and wants so many bytes for the rest.
    InLibrary {
        rest: usize,
    },
}

impl Unfinished {
    /// How many bytes are needed to go on, as far as that is known.
    fn wanted(&self) -> usize {
        match *self {
            Self::Nothing => 0,
            Self::Frame { whole, .. } => whole,
            Self::InLibrary { rest } => rest,
        }
    }
}

impl<L: Library> Reader<L> {
    pub(crate) fn new(library: L, rules: Rules, max_space: usize) -> Self {
        Self {
            library,
            rules,
            received: ReadBuffer::new(max_space),
            unfinished: Unfinished::Nothing,
        }
    }

    /// Bytes that were read elsewhere, to be taken before all others.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.received.put(bytes);
    }

    /// Whether another read may be made before what is there has been taken.
    pub(crate) fn has_room(&self) -> bool {
        self.received.has_room(self.unfinished.wanted())
    }

    /// Reads once. `Ok(0)` is the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        stream: impl AsyncRead + Unpin,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.received.poll_read(stream, cx, self.unfinished.wanted())
    }

    /// Nothing more has come for now.
    pub(crate) fn rest(&mut self) {
        self.received.rest();
    }

    /// Appends what has come in full, as far as there is room for it in one batch. Requests go to `ask`.
    ///
    /// # Errors
    /// What the peer broke, and what has been appended came before that.
    pub(crate) fn take(
        &mut self,
        batch: &mut Batch,
        mut ask: impl FnMut(Request<'_>),
    ) -> Result<(), ReadError> {
        let (entries, bytes) = (batch.len(), batch.payload_bytes());
        loop {
            let goes_on = if let Unfinished::InLibrary { rest } = self.unfinished {
                self.feed(rest, batch)?
            } else if self.rules.begun.is_none()
                && batch.take_frames(self.received.bytes(), self.rules.limits) > 0
            {
                self.unfinished = Unfinished::Nothing;
                true
            } else {
                self.take_other(batch, batch.len() > entries, &mut ask)?
            };
            let (entries, bytes) = (batch.len() - entries, batch.payload_bytes() - bytes);
            if !goes_on || entries >= MAX_ENTRIES || bytes >= MAX_BYTES {
                return Ok(());
            }
        }
    }

    /// Takes a frame that could not be lent together with others. Whether there may be more to take.
    fn take_other(
        &mut self,
        batch: &mut Batch,
        appended: bool,
        ask: &mut impl FnMut(Request<'_>),
    ) -> Result<bool, ReadError> {
        let Some(next) = self.rules.header(self.received.bytes())? else { return Ok(false) };
        let whole = next.size + next.len;
        let is_there = self.received.bytes().len() >= whole;
        match next.frame {
            Frame::Compressed | Frame::Part { .. } => return self.enter(next, batch),
            _ if !is_there => return self.wait(next),
            // The ranges of a batch lie in one chunk. And a ping is not answered before the text in front of it is known
            // to be good, which shows when it is lent.
            _ if appended && batch.is_lent() => return Ok(false),
            _ => {}
        }
        self.unfinished = Unfinished::Nothing;
        let frame = self.received.bytes().split_to(whole).freeze();
        self.take_whole(next, &frame, batch, ask)
    }

    /// Takes a frame that is there in full and needs no state.
    fn take_whole(
        &mut self,
        header: Header,
        frame: &Bytes,
        batch: &mut Batch,
        ask: &mut impl FnMut(Request<'_>),
    ) -> Result<bool, ReadError> {
        let payload = &frame[header.size..];
        match header.frame {
            Frame::Ping => {
                batch.push_ping();
                ask(Request::Pong(payload));
            }
            // Its few bytes must not keep the chunk.
            Frame::Pong => batch.push_pong(Bytes::copy_from_slice(payload)),
            Frame::Close => {
                let close = close::decode(payload)?;
                ask(Request::Echo(close.clone()));
                batch.push_close(close);
                *self.received.bytes() = BytesMut::new();
                return Ok(false);
            }
            Frame::Whole(kind) => batch.push(message(kind, frame.slice(header.size..))?),
            Frame::Compressed | Frame::Part { .. } => {}
        }
        Ok(true)
    }

    /// Leaves a frame where it is until it is there in full. Its text is judged as it comes.
    fn wait(&mut self, next: Header) -> Result<bool, ReadError> {
        let mut judged = match self.unfinished {
            Unfinished::Frame { judged, .. } => judged,
            Unfinished::Nothing | Unfinished::InLibrary { .. } => 0,
        };
        if next.frame == Frame::Whole(MessageKind::Text) {
            judged += good_text(&self.received.bytes()[next.size + judged..])?;
        }
        self.unfinished = Unfinished::Frame { whole: next.size + next.len, judged };
        Ok(false)
    }

    /// Gives a frame to the library.
    fn enter(&mut self, next: Header, batch: &mut Batch) -> Result<bool, ReadError> {
        let is_compressed =
            matches!(next.frame, Frame::Part { compressed: true, .. } | Frame::Compressed);
        let len = self.rules.enter(next);
        if is_compressed && len == 0 && self.rules.begun.is_none() {
            return self.take_empty(next, batch);
        }
        self.feed(next.size + next.len, batch)
    }

    /// Takes the last frame of a compressed message without a single byte.
    ///
    /// RFC 7692 section 7.2.3.6 wants the byte 0 for an empty message. zlib gives none where another message came
    /// before, and some peers send just that: it means the same, but would leave the inflating half within a block.
    fn take_empty(&mut self, next: Header, batch: &mut Batch) -> Result<bool, ReadError> {
        let bytes = self.received.bytes();
        let mut frame = BytesMut::from(&[bytes[0], 1, 0][..]);
        bytes.advance(next.size);
        if let Some((kind, payload)) = self.library.take(&mut frame, self.rules.limits)? {
            batch.push(message(kind, payload)?);
        }
        Ok(true)
    }

    /// Gives the library what has come of its frame, and nothing of the next one. Whether the frame was complete.
    fn feed(&mut self, wanted: usize, batch: &mut Batch) -> Result<bool, ReadError> {
        let bytes = self.received.bytes();
        if bytes.len() < wanted {
            let before = bytes.len();
            // It has not ended, so there is no message.
            self.library.take(bytes, self.rules.limits)?;
            self.unfinished = Unfinished::InLibrary { rest: wanted - (before - bytes.len()) };
            return Ok(false);
        }
        self.unfinished = Unfinished::Nothing;
        let rest = bytes.split_off(wanted);
        let taken = self.library.take(bytes, self.rules.limits);
        *bytes = rest;
        if let Some((kind, payload)) = taken? {
            batch.push(message(kind, payload)?);
        }
        Ok(true)
    }
}

/// A message that owns its payload.
fn message(kind: MessageKind, payload: Bytes) -> Result<Message<'static>, ReadError> {
    match kind {
        MessageKind::Binary => Ok(Message::from_binary(payload)),
        MessageKind::Text => match ByteString::try_from(payload) {
            Ok(text) => Ok(Message::from_text(text)),
            Err(error) => Err(ReadError::with_source(ReadErrorKind::InvalidUtf8, error)),
        },
    }
}

/// How many bytes at the start of a text are good, of one that may go on behind them.
fn good_text(text: &[u8]) -> Result<usize, ReadError> {
    match simdutf8::compat::from_utf8(text) {
        Ok(text) => Ok(text.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(error) => Err(ReadError::with_source(ReadErrorKind::InvalidUtf8, error)),
    }
}
