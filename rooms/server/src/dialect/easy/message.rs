//! What a handler answers.

use bytes::Bytes;
use wscengine_rooms_protocol::easy::{CommandError, check_command};

/// A command with its content, for one client: what a handler may return.
///
/// # Examples
/// ```
/// use wscengine_rooms_server::easy::Message;
///
/// let message = Message::new("response", "sent")?;
/// assert_eq!((message.command(), &message.content()[..]), ("response", &b"sent"[..]));
/// let none = Message::new("", "").unwrap_err();
/// assert_eq!(none.to_string(), "command may not be emtpy");
/// # Ok::<(), wscengine_rooms_server::easy::MessageError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    command: String,
    content: Bytes,
}

/// Why there is no such message. The texts are those of the original, as it spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// There is no command.
    #[error("command may not be emtpy")]
    Empty,
    /// The command is one that no message may have.
    #[error(transparent)]
    Command(CommandError),
}

impl Message {
    /// A message. The command has 1 to 255 bytes, no colon, and is not `websocket`; the content may be empty, and
    /// need not be text: then it goes as a binary WebSocket message.
    ///
    /// # Errors
    /// The command is not like that.
    pub fn new(
        command: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Result<Self, MessageError> {
        let (command, content) = (command.into(), content.into());
        match check_command(&command) {
            Ok(()) => Ok(Self { command, content }),
            Err(CommandError::Empty) => Err(MessageError::Empty),
            Err(error) => Err(MessageError::Command(error)),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// What it brings along; empty for "no content".
    #[must_use]
    pub fn content(&self) -> &Bytes {
        &self.content
    }
}
