//! The two tasks of a client: one sends what the machine wants sent, one watches the engine.

use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wscengine::{Engine, EnqueueOptions, Message, Scope, SendError, SendErrorKind, Status};

use crate::client::Inner;
use crate::event::State;
use crate::protocol::Protocol;
use crate::shared::{Order, Shared, What};

/// The client, once there is one.
pub(crate) type Handle<P> = Arc<OnceLock<Weak<Inner<P>>>>;

/// Sends joins and leaves, in order, each on the connection that it is meant for or not at all.
pub(crate) async fn send<P: Protocol>(
    mut orders: mpsc::UnboundedReceiver<Order>,
    shared: Weak<Shared<P>>,
    client: Handle<P>,
) {
    while let Some(Order { session, what }) = orders.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        let message = match what {
            What::Join(room) => shared.protocol.join(&room),
            What::Leave(room, id) => shared.protocol.leave(&room, id.as_deref()),
            What::Barrier(done) => {
                // Who waited for it may have gone.
                let _ = done.send(());
                continue;
            }
        };
        drop(shared);
        // What cannot be said was refused before it was ordered.
        let Ok(message) = message else { continue };
        let client = client.get().and_then(Weak::upgrade);
        let engine = client.as_ref().map(|client| client.engine());
        // Behind what was said before, which may wait in the outbox still.
        let open =
            engine.filter(|engine| engine.session().is_some_and(|it| it.id() == session.id()));
        let unsent = match open {
            Some(engine) => enqueue(engine, message).await,
            None => Some(message),
        };
        if let Some(message) = unsent {
            // A session that has ended is dealt with where that is reported.
            let _ = session.send(message).await;
        }
    }
}

/// Gives the message back if no session is open yet.
async fn enqueue(engine: &Engine, message: Message<'static>) -> Option<Message<'static>> {
    let this_session = EnqueueOptions::new().scope(Scope::ThisSession);
    match engine.enqueue_with(message, this_session).await {
        Ok(delivery) => {
            drop(delivery);
            None
        }
        Err(error) if error.kind() == SendErrorKind::NotConnected => SendError::into_message(error),
        Err(_) => None,
    }
}

/// Says what the engine does, until it has ended.
pub(crate) async fn watch<P: Protocol>(
    mut status: watch::Receiver<Status>,
    shared: Arc<Shared<P>>,
    state: watch::Sender<State>,
) {
    let mut last_attempt = 1;
    loop {
        let now = status.borrow_and_update().clone();
        match &now {
            Status::Waiting { attempt, until } => {
                let delay = until.saturating_duration_since(Instant::now());
                shared.apply(|machine| machine.waiting(*attempt, delay));
                last_attempt = *attempt;
            }
            Status::Connecting { attempt } => last_attempt = *attempt,
            Status::Stopped { outcome } => {
                shared.apply(|machine| machine.ended(outcome.clone()));
            }
            _ => {}
        }
        let ends = matches!(now, Status::Stopped { .. });
        let shown =
            shown(now, last_attempt, || shared.read(|machine| machine.id().map(str::to_owned)));
        state.send_replace(shown);
        if ends || status.changed().await.is_err() {
            break;
        }
    }
    shared.end();
}

fn shown(status: Status, attempt: u32, id: impl FnOnce() -> Option<String>) -> State {
    match status {
        Status::Open { .. } | Status::Paused { .. } => State::Open { id: id() },
        Status::Waiting { until, attempt } => State::Reconnecting { attempt, until: Some(until) },
        Status::Closing { .. } | Status::Disconnecting => State::Closing,
        Status::Stopped { outcome } => State::Closed { outcome },
        // Connecting, and opening.
        _ => State::Reconnecting { attempt, until: None },
    }
}
