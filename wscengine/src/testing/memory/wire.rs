//! What travels on a link, and how long it would be on a wire.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::peer::PeerEvent;
use crate::error::{ReadError, ReadErrorKind};
use crate::message::{CloseFrame, Message, MessageKind};
use crate::transport::Batch;

/// What the peer sent, on its way to the client.
#[derive(Debug)]
pub(super) enum Arriving {
    Message(Message<'static>),
    /// Messages in one chunk of bytes.
    Chunk(Bytes, Vec<(MessageKind, Range<usize>)>),
    Ping(Bytes),
    Pong(Bytes),
    Close(Option<CloseFrame>),
    Error(ReadError),
    /// Bytes of an incomplete message.
    Part(u64),
}

impl Arriving {
    pub(super) fn wire_len(&self) -> u64 {
        match self {
            Self::Message(message) => framed(message.len()),
            // The gaps between the messages stand for their headers.
            Self::Chunk(chunk, _) => chunk.len() as u64,
            Self::Ping(payload) | Self::Pong(payload) => framed(payload.len()),
            Self::Close(frame) => framed(close_len(frame.as_ref())),
            Self::Error(_) => 0,
            Self::Part(bytes) => *bytes,
        }
    }

    /// How many messages it holds.
    pub(super) fn messages(&self) -> usize {
        match self {
            Self::Message(_) => 1,
            Self::Chunk(_, ranges) => ranges.len(),
            Self::Ping(_) | Self::Pong(_) | Self::Close(_) | Self::Error(_) | Self::Part(_) => 0,
        }
    }
}

impl PeerEvent {
    pub(super) fn wire_len(&self) -> u64 {
        match self {
            Self::Message(message) => framed(message.len()),
            Self::Ping(payload) | Self::Pong(payload) => framed(payload.len()),
            Self::Close(frame) => framed(close_len(frame.as_ref())),
            Self::Dropped => 0,
        }
    }
}

/// Appends the messages of a chunk: lent, or owned if the batch came in with another chunk in use.
pub(super) fn read_chunk(
    chunk: &Bytes,
    ranges: Vec<(MessageKind, Range<usize>)>,
    batch: &mut Batch,
    max_payload: usize,
) -> Result<(), ReadError> {
    let lend = !batch.is_lent();
    if lend {
        batch.set_chunk(chunk.clone());
    }
    for (kind, range) in ranges {
        check_size(range.len(), max_payload)?;
        if lend {
            batch.push_range(kind, range);
        } else {
            batch.push(owned(kind, chunk.slice(range))?);
        }
    }
    Ok(())
}

fn owned(kind: MessageKind, payload: Bytes) -> Result<Message<'static>, ReadError> {
    match kind {
        MessageKind::Binary => Ok(Message::from_binary(payload)),
        MessageKind::Text => match ByteString::try_from(payload) {
            Ok(text) => Ok(Message::from_text(text)),
            Err(error) => Err(ReadError::with_source(ReadErrorKind::InvalidUtf8, error)),
        },
    }
}

pub(super) fn check_size(len: usize, max_payload: usize) -> Result<(), ReadError> {
    if len > max_payload { Err(ReadErrorKind::TooBig.into()) } else { Ok(()) }
}

/// The answer to a close frame: its code, without the reason (RFC 6455 section 5.5.1).
pub(super) fn echo(frame: Option<&CloseFrame>) -> Option<CloseFrame> {
    frame.map(|frame| CloseFrame::received(frame.code(), ""))
}

fn close_len(frame: Option<&CloseFrame>) -> usize {
    frame.map_or(0, |frame| 2 + frame.reason().len())
}

fn framed(payload: usize) -> u64 {
    (HEADER.len() + payload) as u64
}

/// What stands in for a frame's header: its shortest length.
pub(super) const HEADER: [u8; 2] = [0; 2];
