//! From sockudo-ws's errors to the engine's.

use sockudo_ws::error::Error;
use wscengine::{ReadError, ReadErrorKind};

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
