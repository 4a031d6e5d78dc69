//! What can be wrong with a wsrooms message.

use std::fmt;

/// One of the five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The first: the room.
    Room,
    /// The second: the name of the event.
    Event,
    /// The third: the id of the receiver.
    Dst,
    /// The fourth: the id of the sender.
    Src,
    /// The fifth: the payload.
    Payload,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Room => "room",
            Self::Event => "event",
            Self::Dst => "dst",
            Self::Src => "src",
            Self::Payload => "payload",
        })
    }
}

/// Why bytes are no wsrooms message. The sender is at fault: drop the message, count it, keep the
/// connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message ends before or within the four bytes that say how long a field is.
    #[error("the length of {field} at byte {at} takes 4 bytes, {left} are left")]
    LengthCutOff {
        /// The field.
        field: Field,
        /// Where its length begins.
        at: usize,
        /// What is left of the message from there on.
        left: usize,
    },
    /// A field claims to be longer than what is left of the message.
    #[error("{field} at byte {at} claims {length} bytes, {left} are left")]
    FieldCutOff {
        /// The field.
        field: Field,
        /// Where its content begins.
        at: usize,
        /// How long it claims to be.
        length: u32,
        /// What is left of the message from there on.
        left: usize,
    },
    /// A name is longer than [`Limits`](crate::Limits) allow.
    #[error("{field} at byte {at} has {length} bytes, more than the limit of {limit}")]
    NameTooLong {
        /// The field, any but the payload.
        field: Field,
        /// Where its content begins.
        at: usize,
        /// How long it is.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A field other than the payload is not UTF-8.
    #[error("{field} is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The field.
        field: Field,
        /// Where the first byte is that is wrong.
        at: usize,
    },
    /// Something follows the payload.
    #[error("{count} bytes follow the payload, from byte {at} on")]
    TrailingBytes {
        /// Where they begin.
        at: usize,
        /// How many.
        count: usize,
    },
}

/// Why a frame cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A field has more bytes than its 4-byte length can say.
    #[error("{field} has {length} bytes, more than 4294967295")]
    FieldTooLong {
        /// The field.
        field: Field,
        /// How long it is.
        length: usize,
    },
}

/// Why a payload is no list of members.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no list of members, wrong at byte {at}: {reason}")]
pub struct MembersError {
    /// Where in the payload the fault is, counted from 0.
    pub at: usize,
    /// What the JSON reader says.
    pub reason: String,
}

/// Why a frame of the server cannot be understood. The server is at fault: drop the frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// A `join_ack` without a list of members.
    #[error("join_ack: {0}")]
    Members(#[from] MembersError),
    /// News of a member whose id is not UTF-8.
    #[error("the id in the payload is not UTF-8 from its byte {at} on")]
    IdNotUtf8 {
        /// Where in the payload the first byte is that is wrong.
        at: usize,
    },
}
