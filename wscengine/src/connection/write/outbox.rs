//! Writing what the outbox has, in turns with the queue of the session.

use std::task::{Context, Poll};

use crate::connection::Io;
use crate::error::WriteError;
use crate::outbound::Sleep;
use crate::transport::{Connection, Outgoing};

/// How many messages of the outbox are written before it is the turn of others.
const OUTBOX_AT_ONCE: usize = 1024;

impl<C: Connection> Io<C> {
    /// It is the outbox's turn, if it has something.
    pub(super) fn begin_outbox_turn(&mut self) {
        self.writing.outbox_turn = if self.outbox_has_messages() { OUTBOX_AT_ONCE } else { 0 };
    }

    /// Lets the next message in the outbox wake the task; `false` if there is one already.
    pub(super) fn outbox_sleeps(&self, cx: &Context<'_>) -> bool {
        let outbox = self.config.outbox.as_ref();
        outbox.is_none_or(|outbox| outbox.sleep(self.session.epoch(), cx) == Sleep::Sound)
    }

    /// Whether the outbox has something for this session.
    pub(in crate::connection) fn outbox_has_messages(&self) -> bool {
        let outbox = self.config.outbox.as_ref();
        outbox.is_some_and(|outbox| outbox.has(self.session.epoch()))
    }

    /// Gives messages from the outbox to the transport: each leaves it only when it is taken there, so that what is left
    /// when the session is cut cannot have been seen by the peer.
    pub(super) fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let Some(outbox) = &self.config.outbox else { return Poll::Ready(Ok(())) };
        let (mut messages, mut bytes) = (0, 0);
        let result = loop {
            if self.writing.outbox_turn == 0 || self.writing.flush_is_due() {
                break Poll::Ready(Ok(()));
            }
            match self.connection.poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                other => break other,
            }
            let next = outbox.pop(self.session.epoch(), self.session.id());
            let Some(handed) = next else { break Poll::Ready(Ok(())) };
            self.writing.outbox_turn -= 1;
            messages += 1;
            bytes += handed.message.len() as u64;
            self.writing.gave(handed.message.len());
            self.writing.receipts.extend(handed.receipt);
            if let Err(error) = self.connection.start_send(Outgoing::Message(handed.message)) {
                break Poll::Ready(Err(error));
            }
        };
        self.counters.sent(messages, bytes);
        result
    }

    /// Nothing more is written in this session: what the outbox still has is for later ones.
    pub(super) fn end_outbox(&self) {
        if let Some(outbox) = &self.config.outbox {
            outbox.over(self.session.epoch());
        }
    }
}
