//! What has been read and what it means: frames are lent where they lie, or given to the core of sockudo-ws.

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use sockudo_ws::protocol::{CompressedReaderProtocol, Message as WsMessage, Protocol, Role};
use wscengine::transport::{Batch, Limits};
use wscengine::{CloseFrame, Message, MessageKind, ReadError, ReadErrorKind};

use crate::convert::{incoming_close, read_error};
use crate::deflate::Agreement;
use crate::header::{Begun, Frame, Header, Rules};

/// The most entries that one read appends, so that writing gets its turn.
const MAX_ENTRIES: usize = 1024;
/// No more is appended once this many payload bytes are in hand.
const MAX_BYTES: usize = 256 << 10;
/// What the first read of a connection has room for, and what it has when nothing much comes.
const MIN_SPACE: usize = 4 << 10;
/// The least room that a read is made with.
const MIN_SPARE: usize = 1 << 10;

/// What a frame asks of the connection.
pub(crate) enum Request<'a> {
    /// A pong with this payload.
    Pong(&'a [u8]),
    /// The echo of this close frame; nothing after it is read.
    Echo(Option<CloseFrame>),
}

/// Turns bytes into entries of a batch.
pub(crate) struct Reader {
    core: Core,
    rules: Rules,
    /// What has been read and not been taken yet. Empty, it holds no memory while the connection waits.
    buf: BytesMut,
    /// The core has begun a frame and wants so many bytes of `buf` for the rest of it.
    inside: Option<usize>,
    /// How much room a read is given: as much as lately was of use.
    space: usize,
    max_space: usize,
    /// The most that one read has brought since the connection last had to wait.
    most: usize,
}

/// The state that outlasts a frame: parts of messages, text cut within a character, DEFLATE's window.
enum Core {
    /// Made for the first frame that needs it: many connections never see one.
    Unmade(Option<Agreement>),
    Plain(Box<Protocol>),
    Deflate(Box<CompressedReaderProtocol>),
}

impl Core {
    fn make(limits: Limits, deflate: Option<&Agreement>) -> Self {
        let Limits { message, frame } = limits;
        match deflate {
            None => Self::Plain(Box::new(Protocol::new(Role::Client, frame, message))),
            Some(agreed) => Self::Deflate(Box::new(CompressedReaderProtocol::client(
                frame,
                message,
                &agreed.config(),
            ))),
        }
    }

    /// Takes the frame, or the part of one, in `bytes`: there is one message at most.
    fn take(
        &mut self,
        bytes: &mut BytesMut,
        limits: Limits,
    ) -> Result<Option<WsMessage>, ReadError> {
        if let Self::Unmade(deflate) = self {
            *self = Self::make(limits, deflate.as_ref());
        }
        let taken = match self {
            Self::Unmade(_) => Ok(Vec::new()),
            Self::Plain(core) => core.process(bytes),
            Self::Deflate(core) => core.process(bytes),
        };
        taken.map(|mut messages| messages.pop()).map_err(read_error)
    }
}

impl Reader {
    pub(crate) fn new(limits: Limits, deflate: Option<Agreement>, max_space: usize) -> Self {
        let max_space = max_space.max(MIN_SPARE);
        Self {
            rules: Rules { limits, deflate: deflate.is_some(), begun: None },
            core: Core::Unmade(deflate),
            buf: BytesMut::new(),
            inside: None,
            space: MIN_SPACE.min(max_space),
            max_space,
            most: 0,
        }
    }

    /// Bytes that were read elsewhere, to be taken before all others.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
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
            let appended = batch.len() - entries;
            if appended >= MAX_ENTRIES || batch.payload_bytes() - bytes >= MAX_BYTES {
                return Ok(());
            }
            let goes_on = match self.inside {
                Some(wanted) => self.feed(wanted, batch)?,
                None => match self.rules.header(&self.buf)? {
                    None => false,
                    // The ranges of one batch lie in one chunk.
                    Some(next) if next.frame.is_plain() && appended > 0 && batch.is_lent() => false,
                    Some(next) if self.starts_run(next) => self.take_run(batch, &mut ask)?,
                    Some(next) => self.enter(next, batch)?,
                },
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Whether the next frame is there in full and needs no state.
    fn starts_run(&self, next: Header) -> bool {
        next.frame.is_plain() && self.buf.len() - next.size >= next.len
    }

    /// Takes whole frames that need no state, as many as follow each other: they are lent as one chunk. Whether there
    /// may be more.
    fn take_run(
        &mut self,
        batch: &mut Batch,
        ask: &mut impl FnMut(Request<'_>),
    ) -> Result<bool, ReadError> {
        let end = self.run();
        let chunk = self.buf.split_to(end).freeze();
        let lends = !batch.is_lent();
        if lends {
            batch.set_chunk(chunk.clone());
        }
        let mut at = 0;
        while let Some(next) = self.rules.header(&chunk[at..])? {
            let payload = at + next.size..at + next.size + next.len;
            match next.frame {
                Frame::Whole(kind) if lends => batch.push_range(kind, payload.clone()),
                Frame::Whole(kind) => batch.push(message(kind, chunk.slice(payload.clone()))?),
                Frame::Ping => {
                    batch.push_ping();
                    ask(Request::Pong(&chunk[payload.clone()]));
                }
                // Its few bytes must not keep the chunk.
                Frame::Pong => batch.push_pong(Bytes::copy_from_slice(&chunk[payload.clone()])),
                Frame::Close => {
                    let frame = self.close(&chunk[at..payload.end])?;
                    ask(Request::Echo(frame.clone()));
                    batch.push_close(frame);
                    self.buf = BytesMut::new();
                    return Ok(false);
                }
                // Never in a run.
                Frame::Compressed | Frame::Part { .. } => break,
            }
            at = payload.end;
        }
        Ok(true)
    }

    /// How far whole frames go that need no state, as many as one batch takes.
    fn run(&self) -> usize {
        let (mut end, mut count) = (0, 0);
        while let Ok(Some(next)) = self.rules.header(&self.buf[end..])
            && next.frame.is_plain()
            && self.buf.len() - end - next.size >= next.len
            && count < MAX_ENTRIES
            && end < MAX_BYTES
        {
            end += next.size + next.len;
            count += 1;
        }
        end
    }

    /// Judges a close frame.
    fn close(&mut self, frame: &[u8]) -> Result<Option<CloseFrame>, ReadError> {
        match self.core.take(&mut BytesMut::from(frame), self.rules.limits)? {
            Some(WsMessage::Close(reason)) => Ok(reason.map(incoming_close)),
            _ => Err(ReadErrorKind::Protocol.into()),
        }
    }

    /// Gives a frame to the core, if it is one for it: not a control frame, which is taken in one piece.
    fn enter(&mut self, next: Header, batch: &mut Batch) -> Result<bool, ReadError> {
        match next.frame {
            Frame::Ping | Frame::Pong | Frame::Close => return Ok(false),
            Frame::Compressed if next.len == 0 => return self.take_empty(next, batch),
            Frame::Whole(_) | Frame::Compressed => {}
            Frame::Part { compressed, last } => {
                let begun = self.rules.begun.get_or_insert(Begun { compressed, len: 0 });
                begun.len += next.len;
                let is_empty = begun.len == 0;
                if last {
                    self.rules.begun = None;
                }
                if compressed && last && is_empty {
                    return self.take_empty(next, batch);
                }
            }
        }
        self.feed(next.size + next.len, batch)
    }

    /// Takes the last frame of a compressed message without a single byte.
    ///
    /// RFC 7692 section 7.2.3.6 wants the byte 0 for an empty message. zlib gives none where another message came
    /// before, and some peers send just that: it means the same, but would leave the inflating half within a block.
    fn take_empty(&mut self, next: Header, batch: &mut Batch) -> Result<bool, ReadError> {
        let mut frame = BytesMut::from(&[self.buf[0], 1, 0][..]);
        self.buf.advance(next.size);
        let taken = self.core.take(&mut frame, self.rules.limits)?;
        append(taken, batch).map(|()| true)
    }

    /// Gives the core what has come of its frame, and nothing of the next one. Whether the frame was complete.
    fn feed(&mut self, wanted: usize, batch: &mut Batch) -> Result<bool, ReadError> {
        let complete = self.buf.len() >= wanted;
        let rest = if complete { self.buf.split_off(wanted) } else { BytesMut::new() };
        let before = self.buf.len();
        let taken = self.core.take(&mut self.buf, self.rules.limits)?;
        if !complete {
            // It has taken the header.
            self.inside = Some(wanted - (before - self.buf.len()));
            return Ok(false);
        }
        self.inside = None;
        self.buf = rest;
        append(taken, batch).map(|()| true)
    }
}

/// Room for reading.
impl Reader {
    /// Whether another read may be made before what is there has been taken.
    pub(crate) fn has_room(&self) -> bool {
        self.buf.len() < self.max_space.max(self.inside.unwrap_or(0))
    }

    /// The buffer, with room for the next read.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        let len = self.buf.len();
        if self.buf.capacity() - len < MIN_SPARE {
            // No more than has come already is given in advance: what a header announces may never come.
            let missing = self.inside.unwrap_or(0).saturating_sub(len);
            self.buf.reserve(missing.min(len).max(self.space));
        }
        &mut self.buf
    }

    /// A read has brought so much. Where it filled all of the room, the next one has more.
    pub(crate) fn filled(&mut self, count: usize) {
        self.most = self.most.max(count);
        if self.buf.len() == self.buf.capacity() {
            self.space = (self.space * 2).min(self.max_space);
        }
    }

    /// Nothing more has come for now: memory is not kept for what may come later.
    pub(crate) fn rest(&mut self) {
        if self.buf.len() < MIN_SPARE && self.buf.capacity() > MIN_SPARE {
            // The beginning of a frame, if anything: its rest may be long in coming.
            self.buf = BytesMut::from(&self.buf[..]);
        }
        if self.most < self.space / 2 {
            self.space = (self.space / 2).max(MIN_SPACE.min(self.max_space));
        }
        self.most = 0;
    }
}

/// Appends what the core gave. Control frames have not been given to it; nothing comes of a part of a message.
fn append(taken: Option<WsMessage>, batch: &mut Batch) -> Result<(), ReadError> {
    match taken {
        Some(WsMessage::Text(payload)) => batch.push(message(MessageKind::Text, payload)?),
        Some(WsMessage::Binary(payload)) => batch.push(message(MessageKind::Binary, payload)?),
        _ => {}
    }
    Ok(())
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
