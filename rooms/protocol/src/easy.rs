//! go-easy-websocket: a command, a colon, a space, the content.
//!
//! # Wire format
//! The same in both directions:
//!
//! ```text
//! message = command ": " content
//! ```
//!
//! | part | what |
//! |---|---|
//! | command | 1 to 255 bytes of UTF-8, no colon |
//! | `: ` | the first colon with a space behind it; its space is at byte 257 at the latest |
//! | content | any bytes, none of them special; nothing at all means "no content" |
//!
//! The server sends text messages; from a client it takes text and binary ones alike. Content that is
//! not UTF-8 is sent as a binary message here, since as text it would break the connection.
//!
//! | command | from a client | from the server |
//! |---|---|---|
//! | [`WEBSOCKET`] | not supported | an error, see [`Refusal`] |
//! | [`LISTEN`] | be told what is written to the channel that the content names | free |
//! | [`OPEN`] | not supported: the server runs it itself when a client connects | free |
//!
//! A message that [`Frame::decode`] refuses is answered like an unknown command, with
//! [`Refusal::NotSupported`]; the connection stays.

use std::fmt;

use memchr::memmem;

use crate::{Encoded, Limits};

/// The longest command, in bytes.
pub const MAX_COMMAND: usize = 255;
/// The subprotocol that the server confirms when it is offered.
pub const SUBPROTOCOL: &str = "cmd.fossores.de";
/// The cookie whose value is the client's token.
pub const COOKIE: &str = "auth";
/// The command of the server's errors; no client and no handler may use it.
pub const WEBSOCKET: &str = "websocket";
/// The command by which a client asks to be told what is written to a channel.
pub const LISTEN: &str = "listen";
/// The command that the server runs once for each client that connects.
pub const OPEN: &str = "open";

const SEPARATOR: &[u8] = b": ";

/// A go-easy-websocket message, in either direction. It borrows; [`share`](crate::share) keeps a part.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::{Limits, easy::Frame};
///
/// let frame = Frame::decode(b"echo: a: b", &Limits::default())?;
/// assert_eq!(frame, Frame { command: "echo", content: b"a: b" });
/// assert_eq!(frame.encode()?.as_bytes(), "echo: a: b");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame<'a> {
    /// What is to be done. As received it may contain colons, but no colon before a space; such a
    /// command has no handler, since none can be registered for it.
    pub command: &'a str,
    /// What to do it with; empty for "no content".
    pub content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a message, the content of a text or binary WebSocket message. Looks for the separator no
    /// further than the longest command reaches, and allocates nothing.
    ///
    /// # Errors
    /// No command can be read; [`DecodeError`] says why.
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let limit = limits.name().min(MAX_COMMAND);
        let searched = bytes.len().min(limit + SEPARATOR.len());
        let separator = bytes.get(..searched).and_then(|head| memmem::find(head, SEPARATOR));
        let Some(length) = separator else {
            return Err(DecodeError::NoSeparator { searched });
        };
        let (command, rest) = bytes.split_at(length);
        if command.is_empty() {
            return Err(DecodeError::EmptyCommand);
        }
        let command = std::str::from_utf8(command)
            .map_err(|wrong| DecodeError::NotUtf8 { at: wrong.valid_up_to() })?;
        Ok(Self { command, content: rest.get(SEPARATOR.len()..).unwrap_or_default() })
    }

    /// How many bytes the message has when written.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.command.len().saturating_add(SEPARATOR.len()).saturating_add(self.content.len())
    }

    /// Writes the message: as text, or as binary if the content is not UTF-8.
    ///
    /// # Errors
    /// The command is one that cannot be read again. [`WEBSOCKET`] is allowed here: the server sends it.
    pub fn encode(&self) -> Result<Encoded, CommandError> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut out)?;
        Ok(Encoded::text_if_utf8(out))
    }

    /// Appends the message to `out`, which may hold the header of the WebSocket frame already.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); nothing is appended then.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CommandError> {
        check_form(self.command)?;
        out.extend_from_slice(self.command.as_bytes());
        out.extend_from_slice(SEPARATOR);
        out.extend_from_slice(self.content);
        Ok(())
    }

    /// What the client that sent this frame wants.
    ///
    /// # Examples
    /// ```
    /// use wscengine_rooms_protocol::easy::{Frame, Request};
    ///
    /// let listen = Frame { command: "listen", content: b"news" };
    /// assert_eq!(listen.request(), Request::Listen { channel: b"news" });
    /// ```
    #[must_use]
    pub fn request(self) -> Request<'a> {
        match self.command {
            LISTEN => Request::Listen { channel: self.content },
            WEBSOCKET | OPEN => Request::Reserved(self),
            _ => Request::Command(self),
        }
    }

    /// The error that the server tells with this frame, if it is one of the four that there are.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let told = |refusal: &Refusal| refusal.text().as_bytes() == self.content;
        if self.command == WEBSOCKET { Refusal::ALL.into_iter().find(told) } else { None }
    }
}

/// What a client wants from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// To be told what is written to a channel.
    Listen {
        /// The name of the channel, perhaps empty, perhaps no text; then no such channel exists.
        channel: &'a [u8],
    },
    /// That the handler of the command gets this; [`Refusal::NotSupported`] if there is none.
    Command(Frame<'a>),
    /// A command that is the server's own; answered with [`Refusal::NotSupported`].
    Reserved(Frame<'a>),
}

/// The errors that the server tells a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The command has no handler, or no command could be read.
    NotSupported,
    /// The channel does not take this client; why is not told.
    NotAuthorized,
    /// There is no such channel.
    ChannelDoesNotExist,
    /// The client listens to this channel already.
    AlreadyListening,
}

impl Refusal {
    /// All four.
    pub const ALL: [Self; 4] = [
        Self::NotSupported,
        Self::NotAuthorized,
        Self::ChannelDoesNotExist,
        Self::AlreadyListening,
    ];

    /// The text, which is the content of the message.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotSupported => "command not supported by server",
            Self::NotAuthorized => "not authorized",
            Self::ChannelDoesNotExist => "channel does not exist",
            Self::AlreadyListening => "already listening",
        }
    }

    /// The whole message.
    #[must_use]
    pub const fn frame(self) -> Frame<'static> {
        Frame { command: WEBSOCKET, content: self.text().as_bytes() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Why no command can be read. The sender is at fault: answer with [`Refusal::NotSupported`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No colon with a space behind it where one must be: it is missing, or the command too long.
    #[error("no colon and space within the first {searched} bytes")]
    NoSeparator {
        /// How much of the message was looked at.
        searched: usize,
    },
    /// The message begins with a colon and a space.
    #[error("no command before the colon and space at byte 0")]
    EmptyCommand,
    /// The command is not UTF-8; only in binary messages.
    #[error("the command is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Where the first byte is that is wrong.
        at: usize,
    },
}

/// Why a name cannot be a command. The texts are those of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is nothing.
    #[error("command may not be empty")]
    Empty,
    /// More than [`MAX_COMMAND`] bytes.
    #[error("command may not be longer than 255 characters")]
    TooLong,
    /// A colon, with or without a space.
    #[error("command may not contain a colon")]
    Colon,
    /// [`WEBSOCKET`], which only the server itself uses.
    #[error("command websocket is reserved")]
    Reserved,
}

/// Whether `name` may be the command of a handler, or of a message that the application sends.
///
/// # Errors
/// [`CommandError`] says why not.
pub fn check_command(name: &str) -> Result<(), CommandError> {
    check_form(name)?;
    if name == WEBSOCKET { Err(CommandError::Reserved) } else { Ok(()) }
}

fn check_form(name: &str) -> Result<(), CommandError> {
    match name.len() {
        0 => Err(CommandError::Empty),
        1..=MAX_COMMAND if name.contains(':') => Err(CommandError::Colon),
        1..=MAX_COMMAND => Ok(()),
        _ => Err(CommandError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
        Frame::decode(bytes, &Limits::default())
    }

    #[test]
    fn a_command_has_1_to_255_bytes() {
        for length in [1, 254, 255] {
            let message = [&vec![b'a'; length][..], b": x"].concat();
            assert_eq!(decode(&message).unwrap().command.len(), length);
        }
        let too_long = [&[b'a'; 256][..], b": x"].concat();
        assert_eq!(decode(&too_long), Err(DecodeError::NoSeparator { searched: 257 }));
        assert_eq!(decode(b": x"), Err(DecodeError::EmptyCommand));
        assert_eq!(decode(b"a\xff: x"), Err(DecodeError::NotUtf8 { at: 1 }));
        let strict = Frame::decode(b"abc: x", &Limits::default().max_name(2));
        assert_eq!(strict, Err(DecodeError::NoSeparator { searched: 4 }));
    }

    #[test]
    fn what_cannot_be_a_command_is_not_written() {
        let long = "a".repeat(256);
        let cases = [
            ("", CommandError::Empty),
            (long.as_str(), CommandError::TooLong),
            ("a:b", CommandError::Colon),
        ];
        for (command, expected) in cases {
            let mut out = Vec::new();
            let frame = Frame { command, content: b"x" };
            assert_eq!(frame.encode_into(&mut out), Err(expected));
            assert!(out.is_empty());
            assert_eq!(check_command(command), Err(expected));
        }
        assert_eq!(check_command("websocket"), Err(CommandError::Reserved));
        assert_eq!(check_command(&"a".repeat(255)), Ok(()));
    }

    #[test]
    fn content_that_is_no_text_goes_as_binary() {
        let frame = Frame { command: "b", content: b"\xff" };
        assert_eq!(frame.encode(), Ok(Encoded::Binary((&b"b: \xff"[..]).into())));
        let text = Frame { command: "b", content: b"" };
        assert_eq!(text.encode(), Ok(Encoded::Text("b: ".into())));
    }

    #[test]
    fn a_refusal_is_recognised_by_its_text() {
        for refusal in Refusal::ALL {
            assert_eq!(refusal.frame().refusal(), Some(refusal));
            assert_eq!(Frame { command: "x", ..refusal.frame() }.refusal(), None);
        }
        assert_eq!(Frame { command: WEBSOCKET, content: b"?" }.refusal(), None);
    }

    #[test]
    fn the_servers_own_commands_are_no_ones_to_send() {
        for command in [WEBSOCKET, OPEN] {
            let frame = Frame { command, content: b"x" };
            assert_eq!(frame.request(), Request::Reserved(frame));
        }
        let own = Frame { command: "Listen", content: b"x" };
        assert_eq!(own.request(), Request::Command(own));
    }
}
