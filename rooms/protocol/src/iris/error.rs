//! What can be wrong with an iris message.

use std::fmt;

use super::Kind;

/// Why a message that begins with the prefix is no event. The sender is at fault: tell the connection's
/// error callbacks, ignore the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No semicolon ends the name.
    #[error("the name at byte {at} has no semicolon behind it")]
    NameNotEnded {
        /// Where the name begins.
        at: usize,
    },
    /// The name is longer than [`Limits`](crate::Limits) allow.
    #[error("the name at byte {at} has {length} bytes, more than the limit of {limit}")]
    NameTooLong {
        /// Where the name begins.
        at: usize,
        /// How long it is.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The name is not UTF-8; only in binary messages.
    #[error("the name is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Where the first byte is that is wrong.
        at: usize,
    },
    /// The message ends before the type, or before the semicolon behind it.
    #[error("the message ends at byte {at}, before the type and its semicolon")]
    TypeCutOff {
        /// Where the message ends.
        at: usize,
    },
    /// What follows the name is none of the digits 0 to 4.
    #[error("byte {at} is {found:#04x}, not a type from 0 to 4")]
    UnknownType {
        /// Where the type must be.
        at: usize,
        /// What is there.
        found: u8,
    },
    /// More than one byte between the semicolons.
    #[error("byte {at} is not the semicolon that ends a type of one digit")]
    TypeNotEnded {
        /// Where the semicolon must be.
        at: usize,
    },
}

/// What a listener or a type asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Text.
    Text,
    /// A whole number from -2^63 to 2^63 - 1.
    Int,
    /// `true` or `false`.
    Bool,
    /// Bytes.
    Bytes,
    /// JSON, or a value that can be made of it.
    Json,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Int => "a whole number",
            Self::Bool => "a bool",
            Self::Bytes => "bytes",
            Self::Json => "JSON",
        })
    }
}

/// Why the data of an event is not what its type says, or not what a listener takes: tell the
/// connection's error callbacks, do not call the listener.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The listener takes something else. The sender and the application do not agree.
    #[error("the listener takes {expected}, the event brings {found}")]
    Mismatch {
        /// What the listener takes.
        expected: Expected,
        /// What the event says it brings.
        found: Kind,
    },
    /// The data is not what its type says. The sender is at fault.
    #[error("the data is not {expected}")]
    Invalid {
        /// What the type says.
        expected: Expected,
    },
    /// The data is not UTF-8 where its type asks for text.
    #[error("the data is not UTF-8 from its byte {at} on")]
    NotUtf8 {
        /// Where in the data the first byte is that is wrong.
        at: usize,
    },
    /// The data is no JSON, or not of the listener's type.
    #[error("the data does not fit: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why an event or a native message cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The name has a semicolon, which would end it early at the receiver.
    #[error("the name of the event has a semicolon at byte {at}")]
    Semicolon {
        /// Where in the name.
        at: usize,
    },
    /// A native message begins with the prefix, so that it would be taken for an event.
    #[error("the native message begins with the prefix of events")]
    Prefix,
}
