//! Messages and close frames: lent while a callback runs, owned when kept.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

/// A text or binary message ([RFC 6455 section 5.6](https://www.rfc-editor.org/rfc/rfc6455#section-5.6)).
///
/// In [`Handler::on_message`](crate::Handler::on_message) the payload is *lent*: looking at it costs
/// nothing, and it is gone when the callback returns. [`into_owned`](Self::into_owned) keeps it without
/// a copy, [`to_compact`](Self::to_compact) with one.
///
/// # Examples
/// ```
/// use wscengine::Message;
///
/// let greeting = Message::from("hello");
/// assert_eq!(greeting.text(), Some("hello"));
/// assert_eq!(greeting.payload(), b"hello");
/// let numbers = Message::from(vec![1u8, 2, 3]);
/// assert!(numbers.is_binary());
/// ```
#[derive(Clone)]
pub struct Message<'a> {
    body: Body<'a>,
}

#[derive(Clone)]
enum Body<'a> {
    /// The text, and the chunk it lies in.
    LentText(&'a str, &'a Bytes),
    LentBinary(&'a [u8], &'a Bytes),
    Text(ByteString),
    Binary(Bytes),
}

/// Whether a message is text or binary: the opcode of its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8 text, opcode 1.
    Text,
    /// Any bytes, opcode 2.
    Binary,
}

impl<'a> Message<'a> {
    /// A text message that owns its payload.
    pub fn from_text(text: impl Into<ByteString>) -> Self {
        Self { body: Body::Text(text.into()) }
    }

    /// A binary message that owns its payload.
    pub fn from_binary(payload: impl Into<Bytes>) -> Self {
        Self { body: Body::Binary(payload.into()) }
    }

    /// A text message lent from `chunk`, of which `text` must be a part.
    #[inline]
    pub(crate) fn lend_text(text: &'a str, chunk: &'a Bytes) -> Self {
        Self { body: Body::LentText(text, chunk) }
    }

    /// A binary message lent from `chunk`, of which `payload` must be a part.
    #[inline]
    pub(crate) fn lend_binary(payload: &'a [u8], chunk: &'a Bytes) -> Self {
        Self { body: Body::LentBinary(payload, chunk) }
    }

    /// Lends the message, as if from a chunk of its own.
    #[inline]
    pub(crate) fn lend(&self) -> Message<'_> {
        let body = match &self.body {
            Body::LentText(text, chunk) => Body::LentText(text, chunk),
            Body::LentBinary(payload, chunk) => Body::LentBinary(payload, chunk),
            Body::Text(text) => Body::LentText(text, text.as_bytes()),
            Body::Binary(payload) => Body::LentBinary(payload, payload),
        };
        Message { body }
    }

    /// Whether this is text or binary.
    #[inline]
    pub fn kind(&self) -> MessageKind {
        match self.body {
            Body::LentText(..) | Body::Text(_) => MessageKind::Text,
            Body::LentBinary(..) | Body::Binary(_) => MessageKind::Binary,
        }
    }

    /// Whether this is a text message.
    #[inline]
    pub fn is_text(&self) -> bool {
        self.kind() == MessageKind::Text
    }

    /// Whether this is a binary message.
    #[inline]
    pub fn is_binary(&self) -> bool {
        self.kind() == MessageKind::Binary
    }

    /// The text, or `None` if the message is binary.
    #[inline]
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::LentText(text, _) => Some(text),
            Body::Text(text) => Some(text),
            Body::LentBinary(..) | Body::Binary(_) => None,
        }
    }

    /// The payload bytes, of text and binary messages alike.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        match &self.body {
            Body::LentText(text, _) => text.as_bytes(),
            Body::LentBinary(payload, _) => payload,
            Body::Text(text) => text.as_bytes(),
            Body::Binary(payload) => payload,
        }
    }

    /// The length of the payload in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// Whether the payload is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.payload().is_empty()
    }

    /// Keeps the message without copying it: a lent one then shares the chunk of received bytes it
    /// lies in, by a reference count.
    ///
    /// The chunk stays in memory as long as the message does, so keeping a 128-byte quote may keep
    /// 32 KiB. For messages kept long, use [`to_compact`](Self::to_compact).
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        let body = match self.body {
            Body::LentText(text, chunk) => {
                let bytes = chunk.slice_ref(text.as_bytes());
                match ByteString::try_from(bytes) {
                    Ok(text) => Body::Text(text),
                    // Cannot happen: the slice is a `str`. A copy keeps even that case whole.
                    Err(_) => Body::Text(ByteString::from(text)),
                }
            }
            Body::LentBinary(payload, chunk) => Body::Binary(chunk.slice_ref(payload)),
            Body::Text(text) => Body::Text(text),
            Body::Binary(payload) => Body::Binary(payload),
        };
        Message { body }
    }

    /// Copies the message into memory of its own size, so that nothing else is kept alive by it.
    #[must_use]
    pub fn to_compact(&self) -> Message<'static> {
        match self.text() {
            Some(text) => Message::from_text(ByteString::from(text)),
            None => Message::from_binary(Bytes::copy_from_slice(self.payload())),
        }
    }

    /// The payload as [`Bytes`], without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.into_owned().body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(payload) => payload,
            Body::LentText(text, _) => Bytes::copy_from_slice(text.as_bytes()),
            Body::LentBinary(payload, _) => Bytes::copy_from_slice(payload),
        }
    }
}

/// Shows kind and length only: a payload has no place in a log.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Equal in kind and payload, however the payload is held.
impl PartialEq for Message<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.payload() == other.payload()
    }
}

impl Eq for Message<'_> {}

impl From<&str> for Message<'static> {
    fn from(text: &str) -> Self {
        Self::from_text(ByteString::from(text))
    }
}

impl From<String> for Message<'static> {
    fn from(text: String) -> Self {
        Self::from_text(ByteString::from(text))
    }
}

impl From<ByteString> for Message<'static> {
    fn from(text: ByteString) -> Self {
        Self::from_text(text)
    }
}

impl From<Vec<u8>> for Message<'static> {
    fn from(payload: Vec<u8>) -> Self {
        Self::from_binary(payload)
    }
}

impl From<&[u8]> for Message<'static> {
    fn from(payload: &[u8]) -> Self {
        Self::from_binary(Bytes::copy_from_slice(payload))
    }
}

impl From<Bytes> for Message<'static> {
    fn from(payload: Bytes) -> Self {
        Self::from_binary(payload)
    }
}

/// A close status code ([RFC 6455 section 7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4)).
///
/// Any `u16` can be held, since a peer may send any; what *we* send is checked by [`CloseFrame::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: an endpoint is going away: a server that shuts down, a client that stops.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that the endpoint cannot accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the peer's close frame had no code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that is not what its type says, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message that violates the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client expected an extension that the server did not negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later: the service is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid response from upstream.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Whether an endpoint may put this code into a close frame: the registered codes except those
    /// reserved for local use (1004, 1005, 1006, 1015), and 3000 to 4999.
    pub fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The code and reason of a close frame ([RFC 6455 section 5.5.1](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1)).
///
/// # Examples
/// ```
/// use wscengine::{CloseCode, CloseFrame};
///
/// let frame = CloseFrame::new(CloseCode(4001), "session moved")?;
/// assert_eq!(frame.reason(), "session moved");
/// assert!(CloseFrame::new(CloseCode::ABNORMAL, "").is_err());
/// # Ok::<(), wscengine::InvalidCloseFrame>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    code: CloseCode,
    reason: ByteString,
}

impl CloseFrame {
    /// The longest reason that fits: a control frame carries 125 bytes, the code takes two.
    pub const MAX_REASON: usize = 123;

    /// A frame that may be sent.
    ///
    /// # Errors
    /// [`InvalidCloseFrame`] if the code must not be sent ([`CloseCode::may_be_sent`]) or the reason is
    /// longer than [`MAX_REASON`](Self::MAX_REASON) bytes.
    pub fn new(
        code: impl Into<CloseCode>,
        reason: impl Into<ByteString>,
    ) -> Result<Self, InvalidCloseFrame> {
        let (code, reason) = (code.into(), reason.into());
        if !code.may_be_sent() {
            return Err(InvalidCloseFrame::Code(code));
        }
        if reason.len() > Self::MAX_REASON {
            return Err(InvalidCloseFrame::ReasonTooLong(reason.len()));
        }
        Ok(Self { code, reason })
    }

    /// A frame as a peer sent it, for transports: nothing is checked.
    pub fn received(code: impl Into<CloseCode>, reason: impl Into<ByteString>) -> Self {
        Self { code: code.into(), reason: reason.into() }
    }

    /// 1001 "Going away": what the engine sends when nobody chose a frame.
    pub fn going_away() -> Self {
        Self { code: CloseCode::GOING_AWAY, reason: ByteString::from_static("Going away") }
    }

    /// A frame with a code of the engine's own choice and no reason.
    pub(crate) fn bare(code: CloseCode) -> Self {
        Self { code, reason: ByteString::new() }
    }

    /// The status code.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, often empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A close frame that must not be sent: the caller's mistake, nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCloseFrame {
    /// RFC 6455 section 7.4 does not let an endpoint send this code.
    #[error("close code {0} must not be sent")]
    Code(CloseCode),
    /// The reason has this many bytes; [`CloseFrame::MAX_REASON`] fit.
    #[error("a close reason of {0} bytes is longer than 123")]
    ReasonTooLong(usize),
}
