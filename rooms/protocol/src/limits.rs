//! What the codecs take besides the bytes.

/// How long a name may be: of a room, an event, a command, a client.
///
/// Names are what a server keeps, as keys of its tables, so that their length is limited where they come
/// in. The size of a whole message is the business of the WebSocket connection.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::Limits;
///
/// let strict = Limits::default().max_name(64);
/// assert_eq!(strict.name(), 64);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    name: usize,
}

impl Limits {
    /// No limit but those that a protocol has of its own: 255 bytes for a command of go-easy-websocket.
    pub const NONE: Self = Self { name: usize::MAX };

    /// The longest name that is accepted, in bytes. Default 1024: far above every name in use, and little
    /// enough to be kept.
    #[must_use]
    pub const fn max_name(mut self, bytes: usize) -> Self {
        self.name = bytes;
        self
    }

    /// The longest name that is accepted, in bytes.
    #[must_use]
    pub const fn name(&self) -> usize {
        self.name
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { name: 1024 }
    }
}
