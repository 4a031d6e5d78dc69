//! The sans-I/O core of sockudo-ws: what outlasts a frame, and what a close frame says.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use sockudo_ws::protocol::{CompressedReaderProtocol, Message as WsMessage, Protocol, Role};
use wscengine::transport::Limits;
use wscengine::{CloseFrame, Message, MessageKind, ReadError, ReadErrorKind};

use crate::convert::{incoming_close, read_error};
use crate::deflate::Agreement;

/// Parts of messages, text cut within a character, DEFLATE's window.
pub(crate) struct Core {
    limits: Limits,
    state: State,
}

enum State {
    /// Made for the first frame that needs it: many connections never see one.
    Unmade(Option<Agreement>),
    Plain(Box<Protocol>),
    Deflate(Box<CompressedReaderProtocol>),
}

impl State {
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
}

impl Core {
    pub(crate) fn new(limits: Limits, deflate: Option<Agreement>) -> Self {
        Self { limits, state: State::Unmade(deflate) }
    }

    /// Takes the data frame, or the part of one, in `bytes`: a message has ended with it or not.
    pub(crate) fn data(
        &mut self,
        bytes: &mut BytesMut,
    ) -> Result<Option<Message<'static>>, ReadError> {
        match self.take(bytes)? {
            Some(WsMessage::Text(payload)) => message(MessageKind::Text, payload).map(Some),
            Some(WsMessage::Binary(payload)) => message(MessageKind::Binary, payload).map(Some),
            _ => Ok(None),
        }
    }

    /// Judges a close frame.
    pub(crate) fn close(&mut self, frame: &[u8]) -> Result<Option<CloseFrame>, ReadError> {
        match self.take(&mut BytesMut::from(frame))? {
            Some(WsMessage::Close(reason)) => Ok(reason.map(incoming_close)),
            _ => Err(ReadErrorKind::Protocol.into()),
        }
    }

    fn take(&mut self, bytes: &mut BytesMut) -> Result<Option<WsMessage>, ReadError> {
        if let State::Unmade(deflate) = &self.state {
            self.state = State::make(self.limits, deflate.as_ref());
        }
        let taken = match &mut self.state {
            State::Unmade(_) => Ok(Vec::new()),
            State::Plain(core) => core.process(bytes),
            State::Deflate(core) => core.process(bytes),
        };
        // No more than one comes of one frame.
        taken.map(|mut messages| messages.pop()).map_err(read_error)
    }
}

/// A message that owns its payload.
pub(crate) fn message(kind: MessageKind, payload: Bytes) -> Result<Message<'static>, ReadError> {
    match kind {
        MessageKind::Binary => Ok(Message::from_binary(payload)),
        MessageKind::Text => match ByteString::try_from(payload) {
            Ok(text) => Ok(Message::from_text(text)),
            Err(error) => Err(ReadError::with_source(ReadErrorKind::InvalidUtf8, error)),
        },
    }
}
