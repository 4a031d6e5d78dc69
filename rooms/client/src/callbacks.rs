//! The engine's callbacks: what they are told goes to the machine.

use std::fmt;
use std::sync::Arc;

use tokio::time::timeout;
use wscengine::{
    AttemptError, CloseCause, CloseFrame, Closed, Control, Exclusive, Handler, HandlerError,
    Message, Opened, ReadError, Session,
};

use crate::error::ProtocolError;
use crate::event::Event;
use crate::machine::{Loss, Machine, Phase};
use crate::protocol::{Greeting, Protocol};
use crate::shared::{Readiness, Shared};

/// The handler of a client's engine, of which nothing can be seen: it is there so that
/// [`Builder::engine`](crate::Builder::engine) can name the engine's builder.
pub struct Callbacks<P> {
    shared: Arc<Shared<P>>,
}

impl<P: Protocol> Callbacks<P> {
    pub(crate) fn new(shared: Arc<Shared<P>>) -> Self {
        Self { shared }
    }

    /// What the server has said. What is none of the protocol, handlers are told.
    fn hear(&self, message: &Message<'_>, greeted: bool) -> Readiness {
        match self.shared.protocol.read(message, greeted) {
            Ok(notice) => self.shared.apply(|machine| machine.heard(notice)),
            Err(error) => self.shared.apply(|machine| machine.tell(Event::Unreadable(error))),
        }
    }

    /// Learns the id, and is in all rooms again.
    async fn open(&self, conn: &mut Exclusive) -> Result<(), HandlerError> {
        let mut readiness = self.shared.opening(conn.session().clone());
        if let Greeting::Asked(message) = self.shared.protocol.greeting() {
            conn.send(message).await?;
        }
        let greeting = async {
            while !self.is_greeted() {
                let message = conn.recv().await?;
                readiness = self.hear(&message, false);
            }
            Ok::<_, HandlerError>(())
        };
        timeout(self.shared.timeout, greeting).await.map_err(|_| NO_GREETING)??;
        let rejoining = async {
            while readiness == Readiness::NotYet {
                let message = conn.recv().await?;
                readiness = self.hear(&message, true);
                // Somebody may have left the last room that was waited for.
                if self.shared.read(Machine::phase) == Phase::Open {
                    break;
                }
            }
            Ok::<_, HandlerError>(())
        };
        match timeout(self.shared.timeout, rejoining).await {
            Ok(joined) => joined?,
            Err(_) => drop(self.shared.apply(Machine::overdue)),
        }
        // Nothing that waits in the outbox goes before the joins.
        let _ = self.shared.barrier().await;
        Ok(())
    }

    fn is_greeted(&self) -> bool {
        self.shared.read(|machine| !matches!(machine.phase(), Phase::Away | Phase::Greeting))
    }
}

const NO_GREETING: &str = "the server did not tell the client's id in time";

impl<P: Protocol> Handler for Callbacks<P> {
    async fn on_open(&self, conn: &mut Exclusive, _: Opened) -> Result<(), HandlerError> {
        self.open(conn).await
    }

    async fn on_message(&self, _: &Session, message: Message<'_>) {
        self.hear(&message, true);
    }

    async fn on_read_error(&self, _: &Session, error: &ReadError) {
        let error = ProtocolError::malformed(error.clone());
        self.shared.apply(|machine| machine.tell(Event::Unreadable(error)));
    }

    async fn on_close(&self, _: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        let (cause, reconnecting) = (closed.cause.clone(), closed.restarting);
        let loss = loss(&closed.cause);
        self.shared.apply(|machine| {
            machine.tell(Event::Lost { cause, reconnecting });
            machine.lost(loss);
        });
        None
    }

    async fn on_restart_error(&self, _: &Control, error: &AttemptError, attempt: u32) {
        let error = error.clone();
        // The server may have ended the connection while the rooms were joined again.
        let loss = match &error {
            AttemptError::ConnectionLost(cause) => loss(cause),
            _ => Loss::Other,
        };
        self.shared.apply(|machine| {
            machine.tell(Event::AttemptFailed { error, attempt });
            machine.lost(loss);
        });
    }
}

fn loss(cause: &CloseCause) -> Loss {
    let refused = cause.frame().is_some_and(|frame| frame.code().0 == REFUSED);
    if refused { Loss::Refused } else { Loss::Other }
}

/// RFC 6455 section 7.4.1: the message violates the server's policy, such as one room too many.
const REFUSED: u16 = 1008;

impl<P> fmt::Debug for Callbacks<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").finish_non_exhaustive()
    }
}
