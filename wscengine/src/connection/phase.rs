//! What the task is at: serving, draining, closing.

use std::task::{Context, Poll};

use tokio::time::Instant;

use super::{Command, Grant, Inline, Io, Turn};
use crate::error::{CloseError, CloseErrorKind, SendErrorKind};
use crate::inbox::{Taker, Watch};
use crate::lifecycle::{HoldId, Rest, SessionEvent};
use crate::message::CloseFrame;
use crate::transport::Connection;

/// The phases of a connection. It goes from one to the next as it is told.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Read and write.
    Serving,
    /// Read nothing more; bring what was read, or what is to be written, to its end.
    Draining(Rest),
    /// That took too long: only the callbacks that were told to go are waited for.
    GivingUp(Rest),
    /// That is done; wait to be told more.
    Drained,
    Closing(Step),
    Over(Result<(), CloseError>),
}

/// The steps of the closing handshake (RFC 6455 section 7.1).
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// What was accepted for sending goes out first.
    Flushing(CloseFrame),
    /// Our close frame goes out, the peer's is awaited.
    Awaiting,
    /// Both have passed: end the stream.
    Shutdown,
}

impl Step {
    pub(super) fn flushes_messages(&self) -> bool {
        match self {
            Self::Flushing(_) => true,
            Self::Awaiting | Self::Shutdown => false,
        }
    }
}

impl<C: Connection> Io<C> {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            // A read error that was reported meanwhile is answered by a dispatch that knows of it.
            Command::Dispatch { errors } if errors < self.reading.errors() => {}
            Command::Dispatch { .. } => self.set_taker(Taker::OnMessage),
            Command::Hold { hold, grant } => self.on_hold(hold, grant),
            Command::Drain { rest } => self.on_drain(rest),
            Command::AbortMessages => self.on_abort(),
            Command::Close { frame } => self.on_close(frame),
            Command::Disconnect => self.on_disconnect(),
            Command::Ping(reply)
                if matches!(self.phase, Phase::Serving) && !self.writing.is_over() =>
            {
                self.pings.start(Instant::now(), Some(reply));
            }
            Command::Ping(reply) => {
                let _ = reply.send(Err(crate::PingError::SessionEnded));
            }
        }
    }

    pub(super) fn set_taker(&mut self, taker: Taker) {
        self.taker = taker;
        self.session.inbox().set_taker(taker);
    }

    fn on_hold(&mut self, hold: HoldId, grant: Option<Grant>) {
        self.queue_batch();
        if matches!(self.phase, Phase::Drained) {
            self.phase = Phase::Serving;
        }
        self.set_taker(Taker::Holder(hold));
        if let Some(Grant { exclusive, reply }) = grant {
            // Nobody may wait for it any more: then it is dropped here, and so given back.
            let _ = reply.send(Ok(exclusive));
        }
    }

    fn on_drain(&mut self, rest: Rest) {
        self.session.outbound().close(SendErrorKind::SessionEnded);
        self.phase = Phase::Draining(rest);
        // Nothing is read any more, so neither pong nor reply can come.
        self.pings.fail();
        self.session.end_calls();
        match rest {
            Rest::Handle => self.set_taker(Taker::OnMessage),
            Rest::Keep => {
                self.queue_batch();
                self.set_taker(Taker::Nobody);
            }
        }
    }

    fn on_abort(&mut self) {
        if let Phase::Draining(rest) = self.phase {
            self.phase = Phase::GivingUp(rest);
            self.set_taker(Taker::Nobody);
            if self.callback != Inline::Idle {
                self.callback = Inline::Aborting;
            }
        }
    }

    fn on_close(&mut self, frame: CloseFrame) {
        self.session.outbound().close_all(SendErrorKind::SessionEnded);
        self.queue_batch();
        self.set_taker(Taker::Nobody);
        if self.reading.failed() || self.writing.failed() {
            self.phase = Phase::Over(Err(CloseError::new(CloseErrorKind::Io)));
        } else if !matches!(self.phase, Phase::Over(_)) {
            self.phase = Phase::Closing(Step::Flushing(frame));
        }
    }

    fn on_disconnect(&mut self) {
        let again = matches!(self.phase, Phase::Closing(_));
        if again || self.writing.failed() {
            self.phase = Phase::Over(Ok(()));
            return;
        }
        self.session.outbound().close_all(SendErrorKind::SessionEnded);
        self.timers.start_shutdown();
        self.phase = Phase::Closing(Step::Shutdown);
    }

    /// Goes as far as the phase allows, and says what else there is to do.
    pub(super) fn poll_phase(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        match self.phase.clone() {
            Phase::Serving => {
                if self.writing.is_over() {
                    // Whoever waits for the socket, an `on_close` of ours for one, hears of it now.
                    self.end_sending();
                }
                self.poll_error();
                if self.may_call() && (!self.batch.is_empty() || self.may_take_queued()) {
                    return Poll::Ready(Turn::Dispatch);
                }
            }
            Phase::Draining(rest) => return self.poll_drain(cx, rest),
            Phase::GivingUp(_) if self.callback == Inline::Aborting => {
                return Poll::Ready(Turn::Abort);
            }
            Phase::GivingUp(rest) => self.drained(rest),
            Phase::Drained => {}
            Phase::Closing(step) => return self.poll_closing(cx, step),
            Phase::Over(result) => return self.finish(result),
        }
        Poll::Pending
    }

    /// Whether the inbox has something for the callback on this task: not where an error is next.
    fn may_take_queued(&self) -> bool {
        self.reading.has_queued() && self.taker == Taker::OnMessage
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, rest: Rest) -> Poll<Turn> {
        if rest == Rest::Handle || self.writing.is_over() {
            // Nothing can be written any more; a callback may be waiting to hear of it.
            self.give_up_writing();
        }
        if rest == Rest::Handle {
            self.poll_error();
            if self.may_call() && (!self.batch.is_empty() || self.may_take_queued()) {
                return Poll::Ready(Turn::Dispatch);
            }
        }
        let level = self.session.inbox().level(Watch::Rest, cx);
        let messages_done = match rest {
            // After a read error was reported, the drain goes on when told so again.
            Rest::Handle => level.len == 0 && self.taker == Taker::OnMessage,
            Rest::Keep => true,
        };
        let written = rest == Rest::Handle
            || self.writing.is_over()
            || (self.writing.is_clear()
                && self.session.outbound().is_empty()
                && !self.outbox_has_messages());
        if self.callback != Inline::Pending && level.running == 0 && messages_done && written {
            self.drained(rest);
        }
        Poll::Pending
    }

    fn drained(&mut self, rest: Rest) {
        self.queue_batch();
        let unsent = self.give_up_writing();
        let unhandled = match rest {
            Rest::Handle => self.session.inbox().clear(),
            Rest::Keep => self.session.inbox().waiting(),
        };
        self.set_taker(Taker::Nobody);
        self.phase = Phase::Drained;
        self.report(SessionEvent::Drained { unhandled, unsent });
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>, step: Step) -> Poll<Turn> {
        if self.reading.peer_closed() && !matches!(step, Step::Shutdown) {
            self.timers.start_shutdown();
            self.phase = Phase::Closing(Step::Shutdown);
            return self.poll_phase(cx);
        }
        match step {
            _ if self.writing.failed() => {
                self.phase = Phase::Over(Err(CloseError::new(CloseErrorKind::Io)));
                self.poll_phase(cx)
            }
            Step::Flushing(frame) => {
                if !self.writing.is_clear() || !self.session.outbound().is_empty() {
                    return Poll::Pending;
                }
                self.start_close_frame(frame);
                self.phase = Phase::Closing(Step::Awaiting);
                self.poll_write(cx);
                self.poll_phase(cx)
            }
            Step::Awaiting => Poll::Pending,
            Step::Shutdown => match self.connection.poll_close(cx) {
                // Both sides have said what they had to: how the stream ends does not matter.
                Poll::Ready(_) => {
                    self.phase = Phase::Over(Ok(()));
                    self.poll_phase(cx)
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn finish(&mut self, result: Result<(), CloseError>) -> Poll<Turn> {
        self.session.outbound().close_all(SendErrorKind::SessionEnded);
        self.give_up_writing();
        self.session.inbox().end();
        self.pings.fail();
        Poll::Ready(Turn::Over(result))
    }
}
