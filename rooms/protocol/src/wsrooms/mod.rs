//! wsrooms (roomer): five fields with lengths in front, in binary messages.
//!
//! # Wire format
//! A message is five fields in this order, the same in both directions, and nothing after them:
//!
//! ```text
//! message = field(room) field(event) field(dst) field(src) field(payload)
//! field   = length, 4 bytes, big-endian; then as many bytes
//! ```
//!
//! | field | what | from a client | from the server |
//! |---|---|---|---|
//! | room | UTF-8 | the room meant | the room it happened in |
//! | event | UTF-8 | [`event::JOIN`], [`event::LEAVE`], or a name of its own | an acknowledgement, news of a member, or a name of a client's own |
//! | dst | UTF-8 | the id of the one receiver, or empty for the room | as sent |
//! | src | UTF-8 | its own id, or empty: the server sets it | the sender; the receiver itself in acknowledgements; empty in news of members |
//! | payload | any bytes | any | any; see [`Notice`] |
//!
//! The shortest message has 20 bytes, all five fields empty. Text messages are malformed whatever is in
//! them, which is for the caller to see.
//!
//! A length that reaches beyond the end, bytes after the payload, or a name that is not UTF-8 make a
//! message malformed: [`Frame::decode`] says which and where. It is to be dropped, and never relayed.
//!
//! # Two ways to look at a frame
//! A server asks [`Frame::request`] what a client wants, a client [`Frame::notice`] what the server
//! tells. To overwrite `src` before a relay, set the field and encode again; where it is the sender's id
//! already, what was received can be relayed as it is, since each message has one form only.

mod error;
mod frame;
mod members;
mod views;

pub use self::error::{DecodeError, EncodeError, Field, MembersError, NoticeError};
pub use self::frame::Frame;
pub use self::members::{decode_members, encode_members};
pub use self::views::{Notice, Request};

/// The room that every client is put into when it connects.
pub const ROOT: &str = "root";

/// The names of events that have a meaning of their own.
pub mod event {
    /// A client wants to be in a room.
    pub const JOIN: &str = "join";
    /// The server's answer to [`JOIN`], with the list of members.
    pub const JOIN_ACK: &str = "join_ack";
    /// A client wants to be out of a room.
    pub const LEAVE: &str = "leave";
    /// The server's answer to [`LEAVE`].
    pub const LEAVE_ACK: &str = "leave_ack";
    /// Tells the members of a room who came.
    pub const NEW_MEMBER: &str = "new_member";
    /// Tells the members of a room who went.
    pub const MEMBER_LEFT: &str = "member_left";
    /// What clients call the moment when a room is joined; never on the wire.
    pub const OPEN: &str = "open";
    /// What clients call the moment when a room is left; never on the wire.
    pub const CLOSE: &str = "close";

    /// Whether a client may not use `name` for messages of its own.
    #[must_use]
    pub fn is_reserved(name: &str) -> bool {
        const RESERVED: [&str; 8] =
            [JOIN, JOIN_ACK, LEAVE, LEAVE_ACK, NEW_MEMBER, MEMBER_LEFT, OPEN, CLOSE];
        RESERVED.contains(&name)
    }
}
