//! The handler of all cases.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wscengine::{Exclusive, Handler, HandlerError, Message, Opened, Session};

use super::Sending;
use crate::context::Cx;
use crate::handlers::{Calls, EchoLog, SharedTally};

#[derive(Debug)]
pub(super) struct Bench {
    cx: Cx,
    role: Role,
    sending: Sending,
    payload: Bytes,
}

/// What is done with a message.
#[derive(Debug)]
pub(super) enum Role {
    Tally(SharedTally),
    /// The first one is the last.
    Last,
    Echo(Arc<Mutex<EchoLog>>),
    Idle,
}

impl Role {
    pub(super) fn tally(cx: &Cx, calls: Calls) -> Self {
        Self::Tally(SharedTally::new(cx, calls))
    }

    pub(super) fn echo(cx: &Cx) -> (Self, Arc<Mutex<EchoLog>>) {
        let log = Arc::new(Mutex::new(EchoLog::new(cx)));
        (Self::Echo(log.clone()), log)
    }
}

impl Bench {
    pub(super) fn new(cx: &Cx, role: Role, sending: Sending) -> Self {
        Self { cx: cx.clone(), role, sending, payload: cx.payload() }
    }

    fn finish(&self) {
        self.cx.meter.stop();
        self.cx.done.notify_one();
    }

    async fn echo(&self, session: &Session, log: &Mutex<EchoLog>, payload: &[u8]) {
        let more = lock(log).back(payload);
        let Some(more) = more else { return self.cx.done.notify_one() };
        for _ in 0..more {
            // Should it fail, the time limit ends the run.
            let _ = self.sending.send(session, &self.payload).await;
        }
    }
}

impl Handler for Bench {
    async fn on_open(&self, _: &mut Exclusive, _: Opened) -> Result<(), HandlerError> {
        self.cx.opened();
        Ok(())
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        match &self.role {
            Role::Tally(tally) => {
                if tally.hit(message.payload()) {
                    self.finish();
                }
            }
            Role::Last => self.finish(),
            Role::Echo(log) => self.echo(session, log, message.payload()).await,
            Role::Idle => {}
        }
    }
}

pub(super) fn lock(log: &Mutex<EchoLog>) -> MutexGuard<'_, EchoLog> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
