//! Between sockudo-ws's types and the engine's.

use std::io;
use std::sync::Arc;

use sockudo_ws::error::{CloseReason, Error};
use wscengine::{CloseFrame, ReadError, ReadErrorKind, WriteError, WriteErrorKind};

/// What an error of the core's means while reading.
///
/// Data that cannot be inflated are a violation of the protocol that was agreed on (1002): the code for bad data (1007)
/// is about the type of a message, and nobody has seen yet what it holds.
pub(crate) fn read_error(error: Error) -> ReadError {
    let kind = match error {
        Error::InvalidUtf8 => ReadErrorKind::InvalidUtf8,
        Error::MessageTooLarge | Error::FrameTooLarge => ReadErrorKind::TooBig,
        // Of an I/O it knows nothing: all else that it can say is about the peer's frames.
        _ => ReadErrorKind::Protocol,
    };
    ReadError::with_source(kind, error)
}

/// Why the stream cannot be read. TLS reports an end without its own goodbye as an error of its kind.
pub(crate) fn io_failed(error: io::Error) -> ReadError {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadErrorKind::UnexpectedEof,
        _ => ReadErrorKind::Io,
    };
    ReadError::with_source(kind, error)
}

pub(crate) fn write_failed(error: Arc<io::Error>) -> WriteError {
    WriteError::with_source(WriteErrorKind::Io, error)
}

pub(crate) fn incoming_close(reason: CloseReason) -> CloseFrame {
    CloseFrame::received(reason.code, reason.reason)
}
