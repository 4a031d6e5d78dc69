//! A connection, as handlers use it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wscengine_rooms_protocol::easy::Refusal;

use super::channels::Channels;
use super::{Message, WriteError, voice};
use crate::dialect::Link;
use crate::hub::When;

/// A connection, which the original calls a client or, by its id, a session. A clone is another handle to the
/// same connection, to be kept as long as one likes: what is sent after its end goes nowhere.
///
/// Nothing here waits, and everything may be called at once from any number of tasks.
#[derive(Clone)]
pub struct Conn {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    channels: Arc<Channels>,
    token: String,
    /// Whether more of this client is at hand.
    followed: AtomicBool,
}

impl Conn {
    pub(super) fn new(link: Link, channels: Arc<Channels>, token: String) -> Self {
        Self { inner: Arc::new(Inner { link, channels, token, followed: AtomicBool::new(false) }) }
    }

    pub(super) fn link(&self) -> &Link {
        &self.inner.link
    }

    /// The session id that the server gave it: a random UUID (version 4) of 36 characters.
    #[must_use]
    pub fn id(&self) -> &str {
        self.inner.link.member.id()
    }

    /// The value of the cookie `auth`; empty without one.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.inner.token
    }

    /// The channels that it listens to, in the order in which it registered.
    #[must_use]
    pub fn channels(&self) -> Vec<Arc<str>> {
        self.inner.link.member.room_names()
    }

    /// Writes to all who listen to a channel, this one too if it does; no listener is no error. wsrooms members of
    /// the room of that name are told the id of this connection.
    ///
    /// # Errors
    /// No message has such a command (see [`Message::new`]), or there is no such channel.
    pub fn write_to_channel(
        &self,
        channel: &str,
        command: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<(), WriteError> {
        self.inner.channels.write(self.id(), channel, command, content.as_ref())
    }

    /// Writes to the connection with this session id, which may be this one.
    ///
    /// # Errors
    /// No message has such a command, or there is no such connection (any more).
    pub fn write_to_client(
        &self,
        session: &str,
        command: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<(), WriteError> {
        self.inner.channels.tell(self.id(), session, self.when(), command, content.as_ref())
    }

    /// Closes the connection once what waits for it is written. The first close counts: whether it was
    /// this one.
    ///
    /// A code that may not be sent ([RFC 6455 section
    /// 7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4)) is sent as 1000, and a reason is cut to 123
    /// bytes.
    pub fn close(&self, code: u16, reason: &str) -> bool {
        self.inner.link.close(code, reason)
    }

    /// Whether the connection is at its end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.link.member.ending().is_some()
    }

    /// Before each message of the client.
    pub(super) fn set_followed(&self, when: When) {
        self.inner.followed.store(when == When::Joined, Ordering::Relaxed);
    }

    /// When what this client causes for another is written.
    fn when(&self) -> When {
        if self.inner.followed.load(Ordering::Relaxed) { When::Joined } else { When::Now }
    }

    pub(super) fn answer(&self, message: &Message) {
        self.link().member.push(&voice::packet(message.command(), message.content()));
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        let frame = refusal.frame();
        self.link().member.push(&voice::packet(frame.command, frame.content));
    }
}

impl fmt::Debug for Conn {
    /// Without the token, which is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("id", &self.id()).finish_non_exhaustive()
    }
}
