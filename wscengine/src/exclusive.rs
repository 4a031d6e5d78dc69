//! The right to read the connection: held by a callback, or by whoever paused the engine.

use std::fmt;
use std::future::poll_fn;
use std::time::Duration;

use crate::engine::Request;
use crate::error::{PingError, RecvError, Revoked, SendError, SendErrorKind};
use crate::lifecycle::HoldId;
use crate::message::Message;
use crate::outbound::Lane;
use crate::session::Session;

/// The right to read the connection: a request is sent, its response received.
///
/// `on_open` and `on_close` are given one; [`Engine::pause`](crate::Engine::pause) and
/// [`Session::pause`] grant one. Pings are answered and a close is served all the while. Dropping it gives the
/// connection back: what was not received goes to `on_message`, in the order it arrived.
///
/// It is a lease: a stop, a restart, the loss of the connection or the end of its time takes it back, and its calls
/// fail with a typed error from then on.
///
/// # Examples
/// ```
/// use wscengine::{Exclusive, HandlerError};
///
/// async fn log_in(conn: &mut Exclusive) -> Result<(), HandlerError> {
///     conn.send(r#"{"login":"me"}"#).await?;
///     let answer = conn.recv_matching(|message| message.text().is_some_and(|text| text.contains("login"))).await?;
///     if answer.text() == Some(r#"{"login":"ok"}"#) { Ok(()) } else { Err("the login was refused".into()) }
/// }
/// ```
pub struct Exclusive {
    session: Session,
    hold: HoldId,
    lane: Lane,
}

impl Exclusive {
    pub(crate) fn new(session: Session, hold: HoldId, lane: Lane) -> Self {
        Self { session, hold, lane }
    }

    /// The session whose connection this is.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Receives the next message.
    ///
    /// # Errors
    /// [`RecvError`]: the hold was taken back, or a read failed in a way that the connection survives.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, no message is lost.
    pub async fn recv(&mut self) -> Result<Message<'static>, RecvError> {
        poll_fn(|cx| self.session.inbox().poll_recv(self.hold, cx)).await
    }

    /// Receives the first message for which `matches` is true, and passes over the others: they stay in order, for
    /// later calls and at last for `on_message`.
    ///
    /// # Errors
    /// [`RecvError`]; [`RecvError::ReadAheadFull`] if as many messages were passed over as may be read ahead.
    ///
    /// # Panics
    /// If `matches` does. It is called under a lock: it must not call this session.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, no message is lost.
    pub async fn recv_matching(
        &mut self,
        mut matches: impl FnMut(&Message<'static>) -> bool + Send,
    ) -> Result<Message<'static>, RecvError> {
        let mut seen = 0;
        poll_fn(|cx| {
            self.session.inbox().poll_recv_matching(self.hold, &mut seen, &mut matches, cx)
        })
        .await
    }

    /// Sends a message: waits for room in the send queue, not for the socket.
    ///
    /// # Errors
    /// [`SendError`], with the message: the hold was taken back, or the session has ended.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped while it waits, it has sent nothing.
    pub async fn send(&mut self, message: impl Into<Message<'static>>) -> Result<(), SendError> {
        let message = self.checked(message.into())?;
        self.session.outbound().send(self.lane, message, None).await
    }

    /// Sends a message, and returns when its bytes were handed to the socket.
    ///
    /// # Errors
    /// As [`Session::send_flushed`], and if the hold was taken back.
    ///
    /// # Cancel safety
    /// As [`Session::send_flushed`].
    pub async fn send_flushed(
        &mut self,
        message: impl Into<Message<'static>>,
    ) -> Result<(), SendError> {
        let message = self.checked(message.into())?;
        self.session.send_flushed_on(self.lane, message).await
    }

    /// Sends a ping, and returns the time until its pong came.
    ///
    /// # Errors
    /// [`PingError`]: no pong in time, the hold was taken back, or the session ended.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ping(&mut self) -> Result<Duration, PingError> {
        self.session.inbox().check(self.hold).map_err(|_| PingError::Revoked)?;
        self.session.ping().await
    }

    /// Whether the hold was taken back, and why.
    pub fn revoked(&self) -> Option<Revoked> {
        self.session.inbox().check(self.hold).err()
    }

    fn checked(&self, message: Message<'static>) -> Result<Message<'static>, SendError> {
        match self.session.inbox().check(self.hold) {
            Ok(()) => Ok(message),
            Err(_) => Err(SendError::returning(SendErrorKind::Revoked, message)),
        }
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.session.inbox().release(self.hold);
        self.session.control().request(Request::Release { hold: self.hold });
    }
}

impl fmt::Debug for Exclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exclusive")
            .field("session", &self.session)
            .field("revoked", &self.revoked())
            .finish_non_exhaustive()
    }
}
