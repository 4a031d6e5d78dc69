//! Writing: pings first, then what is queued, and one flush for all of it.

mod outbox;

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::{Io, Phase};
use crate::error::{SendError, SendErrorKind, WriteError};
use crate::lifecycle::Rest;
use crate::message::CloseFrame;
use crate::outbound::{Flushed, Queued, Released, Sleep};
use crate::outbox::Receipt;
use crate::telemetry;
use crate::transport::{Connection, Outgoing};

/// What is on its way out.
pub(super) struct Writing {
    state: State,
    /// Taken from the queue, not yet given to the transport.
    out: VecDeque<Queued>,
    /// Those who want to know when what the transport was given is flushed.
    unflushed: Vec<Flushed>,
    /// The same of messages from the outbox.
    receipts: Vec<Receipt>,
    /// Messages the transport was given since its last complete flush, and their bytes.
    unflushed_messages: usize,
    unflushed_bytes: usize,
    /// How many messages of the outbox may go out before it is the turn of the queue.
    outbox_turn: usize,
    flush_wanted: bool,
    /// Messages given up so far.
    unsent: usize,
    /// Since when the socket has taken nothing, and how many bytes it had taken by then.
    stalled: Option<(Instant, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Writing,
    /// A close frame was sent or answered: no message may follow it (RFC 6455 section 5.5.1).
    Ended,
    /// The socket failed.
    Failed,
}

impl Writing {
    pub(super) fn new() -> Self {
        Self {
            state: State::Writing,
            out: VecDeque::new(),
            unflushed: Vec::new(),
            receipts: Vec::new(),
            unflushed_messages: 0,
            unflushed_bytes: 0,
            outbox_turn: 0,
            flush_wanted: false,
            unsent: 0,
            stalled: None,
        }
    }

    pub(super) fn want_flush(&mut self) {
        self.flush_wanted = true;
    }

    /// No message may be written any more.
    pub(super) fn end(&mut self) {
        if self.state == State::Writing {
            self.state = State::Ended;
        }
    }

    /// Nothing at all can be written any more.
    pub(super) fn fail(&mut self) {
        self.state = State::Failed;
        self.stalled = None;
        self.flush_wanted = false;
    }

    pub(super) fn failed(&self) -> bool {
        self.state == State::Failed
    }

    pub(super) fn is_over(&self) -> bool {
        self.state != State::Writing
    }

    /// Whether all that was taken is with the socket.
    pub(super) fn is_clear(&self) -> bool {
        self.out.is_empty() && !self.flush_wanted
    }

    /// The transport is given a message.
    fn gave(&mut self, len: usize) {
        self.flush_wanted = true;
        self.unflushed_messages += 1;
        self.unflushed_bytes = self.unflushed_bytes.saturating_add(len);
    }

    /// Whether all that the transport was given is to go out before it is given more.
    fn flush_is_due(&self) -> bool {
        self.unflushed_messages >= MOST_UNFLUSHED || self.unflushed_bytes >= MOST_UNFLUSHED_BYTES
    }

    /// Whether the socket has taken something since it was last looked at; the clock then starts anew.
    pub(super) fn moved_on(&mut self, written: u64, now: Instant) -> bool {
        match &mut self.stalled {
            Some((since, then)) if *then != written => {
                (*since, *then) = (now, written);
                true
            }
            Some(_) => false,
            None => true,
        }
    }

    /// When the socket counts as stalled, if it takes nothing until then.
    pub(super) fn stalled_at(&self, limit: Duration) -> Option<Instant> {
        self.stalled.map(|(since, _)| since + limit)
    }
}

/// How much the transport is given at most without a complete flush. While senders are quicker than the socket there is
/// always more to write, and nobody would ever hear that his message was written.
const MOST_UNFLUSHED: usize = 1024;
const MOST_UNFLUSHED_BYTES: usize = 256 << 10;

/// How often one wake-up takes from the queue before others get their turn.
const TAKES_PER_POLL: usize = 8;

impl<C: Connection> Io<C> {
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) {
        if self.writing.failed() {
            return;
        }
        let result = match self.poll_messages(cx) {
            Poll::Ready(Ok(())) if self.writing.flush_wanted => self.poll_flush(cx),
            other => other,
        };
        match result {
            Poll::Ready(Ok(())) => self.writing.stalled = None,
            Poll::Ready(Err(error)) => self.write_failed(error),
            Poll::Pending => self.note_stall(),
        }
    }

    /// Whether the phase lets messages go out.
    fn may_write_messages(&self) -> bool {
        !self.writing.is_over()
            && match &self.phase {
                Phase::Serving | Phase::Draining(Rest::Keep) => true,
                Phase::Closing(step) => step.flushes_messages(),
                Phase::Draining(Rest::Handle)
                | Phase::GivingUp(_)
                | Phase::Drained
                | Phase::Over(_) => false,
            }
    }

    fn poll_messages(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        if self.writing.is_over() {
            return Poll::Ready(Ok(()));
        }
        while let Some(payload) = self.pings.next_out() {
            ready!(self.connection.poll_ready(cx))?;
            self.connection.start_send(Outgoing::Ping(payload))?;
            self.pings.sent_one();
            self.writing.flush_wanted = true;
        }
        if !self.may_write_messages() {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..TAKES_PER_POLL {
            if self.writing.flush_is_due() {
                ready!(self.poll_flush(cx))?;
            }
            if self.writing.out.is_empty() {
                ready!(self.poll_outbox(cx))?;
                self.take_queued();
            }
            if self.writing.out.is_empty() && !self.outbox_has_messages() {
                return Poll::Ready(Ok(()));
            }
            self.counters.metrics.send_queue(self.writing.out.len());
            ready!(self.poll_out(cx))?;
        }
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    /// Takes what is queued. It goes out before what the outbox has now, and that before what is queued later: neither
    /// can keep the other waiting for ever, and what `on_open` sent comes first.
    fn take_queued(&mut self) {
        self.begin_outbox_turn();
        self.session.outbound().take(&mut self.writing.out);
    }

    /// Lets the next message wake the task. While it waits for the socket, that does.
    pub(super) fn await_messages(&self, cx: &Context<'_>) {
        if self.writing.is_clear()
            && self.may_write_messages()
            && (self.session.outbound().sleep(cx) == Sleep::NotYet || !self.outbox_sleeps(cx))
        {
            cx.waker().wake_by_ref();
        }
    }

    /// Gives what was taken to the transport, and its room in the queue back.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let (mut released, mut messages, mut bytes) = (Released::new(self.config.send_queue), 0, 0);
        let result = loop {
            if self.writing.out.is_empty() || self.writing.flush_is_due() {
                break Poll::Ready(Ok(()));
            }
            match self.connection.poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                other => break other,
            }
            let Some(queued) = self.writing.out.pop_front() else { break Poll::Ready(Ok(())) };
            released.add(&queued);
            messages += 1;
            bytes += queued.message.len() as u64;
            self.writing.gave(queued.message.len());
            self.writing.unflushed.extend(queued.flushed);
            if let Err(error) = self.connection.start_send(Outgoing::Message(queued.message)) {
                break Poll::Ready(Err(error));
            }
        };
        self.session.outbound().release(released);
        self.counters.sent(messages, bytes);
        result
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        ready!(self.connection.poll_flush(cx))?;
        let _span = telemetry::write(&self.session, self.writing.unflushed_messages).entered();
        self.writing.flush_wanted = false;
        (self.writing.unflushed_messages, self.writing.unflushed_bytes) = (0, 0);
        for flushed in self.writing.unflushed.drain(..) {
            // Whoever asked may have stopped waiting.
            let _ = flushed.send(Ok(()));
        }
        self.writing.receipts.drain(..).for_each(Receipt::flushed);
        Poll::Ready(Ok(()))
    }

    /// The socket takes nothing any more: whoever waits for that hears of it at once. What the peer said last, its
    /// close frame perhaps, may still lie in the socket, so reading goes on for a moment and says how it ended.
    fn write_failed(&mut self, error: WriteError) {
        self.writing.fail();
        self.end_sending();
        if matches!(self.phase, Phase::Serving) && !self.reading.is_over() {
            self.timers.write_failed(error);
        }
    }

    /// Nothing can be written any more: those who wait, and those who come, are told so.
    pub(super) fn end_sending(&mut self) {
        self.session.outbound().close_all(SendErrorKind::SessionEnded);
        self.give_up_writing();
    }

    /// Something waits for the socket: the clock runs from when it last took a byte.
    fn note_stall(&mut self) {
        let written = self.connection.bytes_written();
        if self.writing.stalled.is_none_or(|(_, then)| then != written) {
            self.writing.stalled = Some((Instant::now(), written));
        }
    }

    /// Sends a close frame ahead of everything that waits.
    pub(super) fn start_close_frame(&mut self, frame: CloseFrame) {
        if self.writing.is_over() {
            return;
        }
        self.writing.end();
        self.writing.flush_wanted = true;
        if self.connection.start_send(Outgoing::Close(Some(frame))).is_err() {
            self.writing.fail();
        }
    }

    /// Gives up all that waits to be written, tells those who want to know, and says how many messages were given up
    /// in all.
    pub(super) fn give_up_writing(&mut self) -> usize {
        self.writing.unsent += std::mem::take(&mut self.writing.unflushed_messages);
        let mut released = Released::new(self.config.send_queue);
        let mut late = VecDeque::new();
        self.session.outbound().take(&mut late);
        for queued in self.writing.out.drain(..).chain(late) {
            self.writing.unsent += 1;
            released.add(&queued);
            self.writing.unflushed.extend(queued.flushed);
        }
        self.session.outbound().release(released);
        for flushed in self.writing.unflushed.drain(..) {
            let _ = flushed.send(Err(SendError::new(SendErrorKind::Lost)));
        }
        // Dropped, they say that it is not known what the peer has seen.
        self.writing.receipts.clear();
        self.end_outbox();
        self.writing.unsent
    }
}
