//! A handle to one open connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::mpsc;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::connection::Command;
use crate::engine::{Control, Request};
use crate::error::{PauseError, PingError, SendError, SendErrorKind};
use crate::exclusive::Exclusive;
use crate::inbox::Inbox;
use crate::lifecycle::Epoch;
use crate::message::Message;
use crate::outbound::{Lane, SendQueue};
use crate::request::Replies;

/// A handle to one session: one open connection. Cheap to clone, and safe to keep.
///
/// It belongs to its session. When that has ended, every call fails with a typed error; nothing is ever written into
/// a later connection.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) id: Uuid,
    pub(crate) epoch: Epoch,
    pub(crate) control: Control,
    pub(crate) outbound: SendQueue,
    pub(crate) inbox: Inbox,
    /// The calls that wait for their replies, where requests go by id.
    pub(crate) replies: Option<Arc<dyn Replies>>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
}

impl Session {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The session's id: a UUID of version 4, as in the attribute `wscengine.session_id` of its spans.
    pub fn id(&self) -> Uuid {
        self.inner.id
    }

    /// Sends a message: waits for room in the send queue, not for the socket.
    ///
    /// # Errors
    /// [`SendError`], with the message, when the session ends or has ended.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped while it waits, it has sent nothing.
    // No `async fn`: a second future around the queue's would move the message twice more.
    pub fn send(
        &self,
        message: impl Into<Message<'static>>,
    ) -> impl Future<Output = Result<(), SendError>> + Send {
        self.inner.outbound.send(Lane::Session, message.into(), None)
    }

    /// Sends a message if there is room in the send queue now.
    ///
    /// # Errors
    /// [`SendError`], with the message: [`SendErrorKind::Full`], or the session has ended.
    pub fn try_send(&self, message: impl Into<Message<'static>>) -> Result<(), SendError> {
        self.inner.outbound.try_send(Lane::Session, message.into())
    }

    /// Sends a message, and returns when its bytes were handed to the socket.
    ///
    /// That is all that can be known here: it does not say that the peer has read them.
    ///
    /// # Errors
    /// [`SendError`]: before it was queued, with the message; [`SendErrorKind::Lost`] if the connection was lost
    /// after that and before the bytes were handed over.
    ///
    /// # Cancel safety
    /// Dropped while it waits for room, it has sent nothing; dropped later, the message is still sent.
    pub async fn send_flushed(
        &self,
        message: impl Into<Message<'static>>,
    ) -> Result<(), SendError> {
        self.send_flushed_on(Lane::Session, message.into()).await
    }

    /// Sends a ping with a payload of its own, and returns the time until its pong came.
    ///
    /// # Errors
    /// [`PingError`]: no pong within the ping time-out, or the session ended.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, its pong is ignored.
    pub async fn ping(&self) -> Result<Duration, PingError> {
        let (reply, answer) = oneshot::channel();
        let asked = self.inner.commands.unbounded_send(Command::Ping(reply));
        asked.map_err(|_| PingError::SessionEnded)?;
        answer.await.unwrap_or(Err(PingError::SessionEnded))
    }

    /// Pauses the engine: `on_message` is not called until the [`Exclusive`] is dropped, and what arrives is
    /// received from it instead. Granted at once, or when those who asked before have returned it.
    ///
    /// It may be awaited inside `on_message`, with one worker too.
    ///
    /// # Errors
    /// [`PauseError`]: inside `on_open` and `on_close` the connection is held already.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, the request is withdrawn.
    pub async fn pause(&self) -> Result<Exclusive, PauseError> {
        self.inner.control.pause(Some(self.inner.epoch), None).await
    }

    /// The same, but taken back `hold` after the grant.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    ///
    /// # Cancel safety
    /// As [`pause`](Self::pause).
    pub async fn pause_for(&self, hold: Duration) -> Result<Exclusive, PauseError> {
        self.inner.control.pause(Some(self.inner.epoch), Some(hold)).await
    }

    /// Asks for a new connection in place of this one, as [`Control::restart`] does. Does nothing if the session has
    /// ended already.
    pub fn restart(&self) {
        self.inner.control.request(Request::Restart { epoch: Some(self.inner.epoch) });
    }

    /// Asks the engine to stop. Does not wait.
    pub fn exit(&self) {
        self.inner.control.exit();
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.inner.epoch
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inner.inbox
    }

    pub(crate) fn outbound(&self) -> &SendQueue {
        &self.inner.outbound
    }

    pub(crate) fn replies(&self) -> Option<&dyn Replies> {
        self.inner.replies.as_deref()
    }

    /// No reply comes any more: calls fail, those to come too.
    pub(crate) fn end_calls(&self) {
        if let Some(replies) = self.replies() {
            replies.end();
        }
    }

    pub(crate) fn control(&self) -> &Control {
        &self.inner.control
    }

    pub(crate) async fn send_flushed_on(
        &self,
        lane: Lane,
        message: Message<'static>,
    ) -> Result<(), SendError> {
        let (flushed, answer) = oneshot::channel();
        self.inner.outbound.send(lane, message, Some(flushed)).await?;
        answer.await.unwrap_or(Err(SendError::new(SendErrorKind::Lost)))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.inner.id).finish_non_exhaustive()
    }
}
