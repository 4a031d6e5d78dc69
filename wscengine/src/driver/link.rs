//! The connection there is: making a session of it, and telling its task what to do.

use std::convert::Infallible;
use std::sync::Arc;

use futures_channel::mpsc;
use tokio::sync::oneshot;
use url::Url;
use uuid::Uuid;

use super::Driver;
use crate::connection::{Command, ConnectionTask, Grant};
use crate::dispatch::Calls;
use crate::engine::as_callbacks_of;
use crate::error::{CloseError, CloseErrorKind};
use crate::exclusive::Exclusive;
use crate::handler::Handler;
use crate::inbox::Inbox;
use crate::lifecycle::{Epoch, HoldId, SessionEvent};
use crate::message::CloseFrame;
use crate::outbound::{Lane, SendQueue};
use crate::outbox::SharedOutbox;
use crate::session::{Inner, Session};
use crate::transport::{Connected, HandshakeResponse, Transport};

/// The connection there is.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) url: Url,
    commands: mpsc::UnboundedSender<Command>,
    /// Until `on_open` is given it: an open session needs no headers.
    pub(super) response: Option<HandshakeResponse>,
    pub(super) attempt: u32,
    /// What `on_close` wants to be sent.
    pub(super) farewell: Option<CloseFrame>,
    /// Whether its task has ended.
    pub(super) gone: bool,
}

impl<T: Transport, H: Handler> Driver<T, H> {
    /// Makes a session of the connection that was dialled, and starts its task. `on_open` holds it at first.
    /// The task serves the connection once the gate is gone.
    pub(super) fn make_session(
        &mut self,
        epoch: Epoch,
        gate: oneshot::Receiver<Infallible>,
    ) -> Option<Exclusive> {
        let Connected { connection, response } = *self.dialed.take()?;
        let url = self.url.clone()?;
        let (commands, receiver) = mpsc::unbounded();
        let data_plane = &self.config.data_plane;
        let session = Session::new(Inner {
            id: Uuid::new_v4(),
            epoch,
            control: self.control.clone(),
            outbound: SendQueue::new(data_plane.send_queue),
            inbox: Inbox::new(data_plane.read_ahead, data_plane.order()),
            replies: data_plane.requests.as_ref().map(|requests| requests.replies()),
            commands: commands.clone(),
        });
        let calls = Calls::new(
            self.handler.clone(),
            session.clone(),
            self.outlets.counters.clone(),
            data_plane.message_timeout,
        );
        let mut task = ConnectionTask::new(
            connection,
            receiver,
            self.report.clone(),
            Arc::new(calls),
            data_plane.clone(),
        );
        let attempt = self.lifecycle.attempt();
        self.link = Some(Link {
            session,
            url,
            commands,
            response: Some(response),
            attempt,
            farewell: None,
            gone: false,
        });
        let exclusive = self.hold_for_callback(Lane::Session);
        let task = async move {
            let _gone = gate.await;
            task.run().await
        };
        self.tasks.connection(epoch, as_callbacks_of(self.control.id(), task));
        exclusive
    }

    /// Gives the connection to a callback.
    pub(super) fn hold_for_callback(&mut self, lane: Lane) -> Option<Exclusive> {
        let hold = self.new_hold();
        let link = self.link.as_ref()?;
        // So that it counts at once, and not only when the task has heard of it.
        link.session.inbox().set_taker(crate::inbox::Taker::Holder(hold));
        let _ = link.commands.unbounded_send(Command::Hold { hold, grant: None });
        Some(Exclusive::new(link.session.clone(), hold, lane))
    }

    pub(super) fn dispatch(&mut self, epoch: Epoch, errors: u64) {
        self.command(epoch, Command::Dispatch { errors });
        let Some(link) = &self.link else { return };
        if self.spans.opened(&link.session, self.config.data_plane.workers) {
            if let Some(outbox) = self.outbox() {
                outbox.open(epoch);
            }
            self.outlets.counters.session_opened();
            self.outlets.session.send_replace(Some(link.session.clone()));
        }
    }

    pub(super) fn grant(&mut self, epoch: Epoch, hold: HoldId) {
        if let (Some(reply), Some(link)) = (self.pauses.remove(&hold), self.link_of(epoch)) {
            let exclusive = Exclusive::new(link.session.clone(), hold, Lane::Session);
            let grant = Some(Grant { exclusive, reply });
            let _ = link.commands.unbounded_send(Command::Hold { hold, grant });
        }
    }

    pub(super) fn drain(&self, epoch: Epoch, command: Command) {
        match self.link_of(epoch).filter(|link| link.gone) {
            // Its callbacks went with the task.
            Some(link) => {
                let (unhandled, unsent) =
                    (link.session.inbox().clear(), link.session.outbound().clear());
                let _ = self
                    .report
                    .unbounded_send((epoch, SessionEvent::Drained { unhandled, unsent }));
            }
            None => self.command(epoch, command),
        }
    }

    pub(super) fn close(&mut self, epoch: Epoch) {
        let Some(link) = self.link.as_mut().filter(|link| !link.gone) else {
            return self.say_gone(epoch);
        };
        let frame = link.farewell.take().unwrap_or_else(CloseFrame::going_away);
        self.spans.closing(&link.session, &frame);
        self.command(epoch, Command::Close { frame });
    }

    pub(super) fn disconnect(&mut self, epoch: Epoch) {
        match &self.link {
            Some(link) if !link.gone => {
                // If it was closing, it has taken too long.
                self.spans.closed(Some(&CloseError::new(CloseErrorKind::Timeout)));
                self.command(epoch, Command::Disconnect);
            }
            Some(_) | None => self.say_gone(epoch),
        }
    }

    /// Answers for a connection whose task has ended before it was told to.
    pub(super) fn say_gone(&self, epoch: Epoch) {
        let _ = self.report.unbounded_send((epoch, SessionEvent::Disconnected(Ok(()))));
    }

    pub(super) fn outbox(&self) -> Option<&SharedOutbox> {
        self.outbox.as_deref()
    }

    pub(super) fn link_of(&self, epoch: Epoch) -> Option<&Link> {
        self.link.as_ref().filter(|link| link.session.epoch() == epoch)
    }

    pub(super) fn command(&self, epoch: Epoch, command: Command) {
        if let Some(link) = self.link_of(epoch) {
            // A task that has ended needs no telling.
            let _ = link.commands.unbounded_send(command);
        }
    }

    pub(super) fn new_hold(&mut self) -> HoldId {
        self.next_hold += 1;
        self.next_hold
    }
}
