//! Between tungstenite's types and the engine's.

use std::io;

use bytes::Bytes;
use bytestring::ByteString;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame as WsCloseFrame;
use tokio_tungstenite::tungstenite::{Message as WsMessage, Utf8Bytes};
use wscengine::{
    CloseFrame, Message, MessageKind, ReadError, ReadErrorKind, WriteError, WriteErrorKind,
};

/// What an error of tungstenite's means while reading.
pub(crate) fn read_error(error: Error) -> ReadError {
    match error {
        Error::Io(error) => io_failed(error),
        error => ReadError::with_source(read_error_kind(&error), error),
    }
}

/// TLS reports an end without its own goodbye as an error of this kind.
fn io_failed(error: io::Error) -> ReadError {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadErrorKind::UnexpectedEof,
        _ => ReadErrorKind::Io,
    };
    ReadError::with_source(kind, error)
}

fn read_error_kind(error: &Error) -> ReadErrorKind {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => ReadErrorKind::Closed,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            ReadErrorKind::UnexpectedEof
        }
        Error::Protocol(_) | Error::AttackAttempt => ReadErrorKind::Protocol,
        Error::Capacity(_) => ReadErrorKind::TooBig,
        Error::Utf8(_) => ReadErrorKind::InvalidUtf8,
        // The rest cannot come from a read of an open connection.
        _ => ReadErrorKind::Io,
    }
}

pub(crate) fn write_error(error: Error) -> WriteError {
    let kind = match &error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => {
            WriteErrorKind::Closed
        }
        // Only a ready stream with a bounded write buffer: the message does not fit.
        Error::WriteBufferFull(_) | Error::Capacity(_) => return WriteErrorKind::Invalid.into(),
        _ => WriteErrorKind::Io,
    };
    WriteError::with_source(kind, error)
}

/// A message to be sent; the payload is not copied.
///
/// # Errors
/// Cannot happen: the text of a [`Message`] is UTF-8. tungstenite checks it once more.
pub(crate) fn outgoing(message: Message<'static>) -> Result<WsMessage, WriteError> {
    match message.kind() {
        MessageKind::Binary => Ok(WsMessage::Binary(message.into_bytes())),
        MessageKind::Text => match Utf8Bytes::try_from(message.into_bytes()) {
            Ok(text) => Ok(WsMessage::Text(text)),
            Err(error) => Err(WriteError::with_source(WriteErrorKind::Invalid, error)),
        },
    }
}

/// A text as tungstenite gives it; the payload is not copied.
pub(crate) fn text(text: Utf8Bytes) -> ByteString {
    let bytes = Bytes::from(text);
    // Checked by tungstenite already; were it not UTF-8 all the same, it would be shown as well as can be.
    ByteString::try_from(bytes.clone())
        .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into())
}

pub(crate) fn outgoing_close(frame: &CloseFrame) -> WsCloseFrame {
    WsCloseFrame { code: frame.code().0.into(), reason: frame.reason().into() }
}

pub(crate) fn incoming_close(frame: &WsCloseFrame) -> CloseFrame {
    CloseFrame::received(u16::from(frame.code), frame.reason.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::error::CapacityError;

    #[test]
    fn each_error_of_a_read_has_the_kind_that_the_engine_answers() {
        let cases = [
            (Error::Io(io::ErrorKind::ConnectionReset.into()), ReadErrorKind::Io),
            (Error::Io(io::ErrorKind::UnexpectedEof.into()), ReadErrorKind::UnexpectedEof),
            (
                Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                ReadErrorKind::UnexpectedEof,
            ),
            (Error::Protocol(ProtocolError::NonZeroReservedBits), ReadErrorKind::Protocol),
            (
                Error::Capacity(CapacityError::MessageTooLong { size: 2, max_size: 1 }),
                ReadErrorKind::TooBig,
            ),
            (Error::Utf8(String::new()), ReadErrorKind::InvalidUtf8),
            (Error::ConnectionClosed, ReadErrorKind::Closed),
        ];
        for (error, kind) in cases {
            let shown = error.to_string();
            let error = read_error(error);
            assert!(error.is_fatal());
            assert_eq!(error.kind(), kind, "{shown}");
        }
    }

    #[test]
    fn a_write_after_the_close_is_an_error_of_kind_closed() {
        assert_eq!(write_error(Error::AlreadyClosed).kind(), WriteErrorKind::Closed);
        assert_eq!(
            write_error(ProtocolError::SendAfterClosing.into()).kind(),
            WriteErrorKind::Closed
        );
        assert_eq!(
            write_error(Error::Io(io::ErrorKind::BrokenPipe.into())).kind(),
            WriteErrorKind::Io
        );
    }

    #[test]
    fn close_codes_survive_the_way_through_tungstenite() {
        for code in [1000, 1001, 1012, 1013, 1014, 3000, 4999] {
            let frame = CloseFrame::received(code, "reason");
            assert_eq!(incoming_close(&outgoing_close(&frame)), frame);
        }
    }
}
