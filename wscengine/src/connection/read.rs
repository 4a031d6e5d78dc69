//! Reading: from the connection into the batch, and from there into the inbox where it cannot be lent.

use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Inline, Io, Phase};
use crate::config::DataPlane;
use crate::dispatch::KeyFn;
use crate::error::{CloseErrorKind, ReadError, ReadErrorKind};
use crate::inbox::{Item, Taker, Watch};
use crate::lifecycle::SessionEvent;
use crate::message::{CloseCode, CloseFrame};
use crate::telemetry;
use crate::transport::{Connection, Entry, own};

/// What is known about reading.
pub(super) struct Reading {
    state: State,
    /// Whether the inbox holds anything: what is older than the batch.
    queued: bool,
    /// Good messages since the last read error, if there was one.
    since_error: Option<u64>,
    /// Survivable read errors reported so far.
    errors: u64,
    /// Where workers keep an order by key.
    key: Option<KeyFn>,
    /// Its memory is used again for each batch that goes to the inbox.
    items: Vec<Item>,
    /// What the gauge of messages read ahead was last set to.
    depth: Option<usize>,
}

#[derive(Clone, Debug)]
enum State {
    Reading,
    /// The inbox is full.
    Parked,
    /// The peer sent its close frame.
    PeerClosed,
    /// Reading failed behind messages that are being lent: they come first, and what is sent because of them.
    Failing(ReadError),
    Failed,
}

impl Reading {
    pub(super) fn new(config: &DataPlane) -> Self {
        Self {
            state: State::Reading,
            queued: false,
            since_error: None,
            errors: 0,
            // One worker keeps every order.
            key: config.key.clone().filter(|_| config.workers > 1),
            items: Vec::new(),
            depth: None,
        }
    }

    pub(super) fn has_queued(&self) -> bool {
        self.queued
    }

    pub(super) fn set_queued(&mut self, queued: bool) {
        self.queued = queued;
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    pub(super) fn peer_closed(&self) -> bool {
        matches!(self.state, State::PeerClosed)
    }

    pub(super) fn failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    pub(super) fn is_over(&self) -> bool {
        match self.state {
            State::Reading | State::Parked => false,
            State::PeerClosed | State::Failing(_) | State::Failed => true,
        }
    }

    /// Whether the peer is being listened to.
    pub(super) fn is_listening(&self) -> bool {
        matches!(self.state, State::Reading)
    }

    pub(super) fn fail(&mut self) {
        self.state = State::Failed;
    }

    /// The error that waited for the messages before it to be lent.
    fn take_failure(&mut self) -> Option<ReadError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Failing(error) => Some(error),
            other => {
                self.state = other;
                None
            }
        }
    }
}

/// How many reads one wake-up may do before others get their turn.
const READS_PER_POLL: usize = 16;

impl<C: Connection> Io<C> {
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) {
        if self.batch.is_empty()
            && let Some(error) = self.reading.take_failure()
        {
            return self.fail_behind_messages(cx, error);
        }
        for _ in 0..READS_PER_POLL {
            if !self.may_read(cx) {
                return;
            }
            let result = self.connection.poll_recv(cx, &mut self.batch);
            let failed = match result {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => None,
                Poll::Ready(Err(error)) => Some(error),
            };
            let _span = telemetry::observes_reads().then(|| {
                telemetry::read(&self.session, self.batch.len(), failed.as_ref()).entered()
            });
            self.took_in();
            self.take_replies();
            // A close frame is heeded before anything more is written.
            let lends = self.lends_batch() && !self.batch.ends();
            match failed {
                None if lends && !self.batch.is_empty() => return,
                None => self.queue_batch(),
                Some(error) if lends && error.is_fatal() && !self.batch.is_empty() => {
                    self.reading.state = State::Failing(error);
                    return;
                }
                Some(error) => {
                    self.queue_batch();
                    self.fail_behind_messages(cx, error);
                }
            }
        }
        cx.waker().wake_by_ref();
    }

    /// What was sent because of the messages before a violation goes out before its close frame, as far as the socket
    /// takes it at once.
    fn fail_behind_messages(&mut self, cx: &mut Context<'_>, error: ReadError) {
        if violated(&error).is_some() {
            self.poll_write(cx);
        }
        self.read_failed(error);
    }

    /// Text in the batch that is about to be lent is none: what was lent before it comes first.
    pub(super) fn lending_failed(&mut self, error: ReadError) {
        self.drop_batch();
        self.reading.state = State::Failing(error);
    }

    /// Whether there is room for what a read would give. Where there is none, the peer is not listened to.
    fn may_read(&mut self, cx: &Context<'_>) -> bool {
        if self.reading.is_over() || !self.batch.is_empty() {
            return false;
        }
        let wanted = match &self.phase {
            Phase::Serving => true,
            // What comes before the peer's close frame is read and let go.
            Phase::Closing(_) => return true,
            Phase::Draining(_) | Phase::GivingUp(_) | Phase::Drained | Phase::Over(_) => {
                return false;
            }
        };
        let reads = self.has_room(cx) && wanted;
        if reads && matches!(self.reading.state, State::Parked) {
            self.timers.resume(Instant::now());
        }
        self.reading.state = if reads { State::Reading } else { State::Parked };
        reads
    }

    fn has_room(&mut self, cx: &Context<'_>) -> bool {
        let mut room = (0, true);
        // Only this task puts anything in: what was empty is.
        if self.reading.queued {
            let level = self.session.inbox().level(Watch::Room, cx);
            room = (level.len, level.has_room);
            self.reading.queued = level.len > 0;
        }
        if self.reading.depth.replace(room.0) != Some(room.0) {
            self.counters.metrics.read_ahead(room.0);
        }
        room.1
    }

    /// Whether the batch can be lent to a callback on this task, without a detour through the inbox.
    fn lends_batch(&self) -> bool {
        self.callback == Inline::Idle
            && self.taker == Taker::OnMessage
            && matches!(self.phase, Phase::Serving)
            && !self.reading.queued
    }

    /// Counts what was read.
    fn took_in(&mut self) {
        let messages = self.batch.messages() as u64;
        self.counters.received(messages, self.batch.payload_bytes() as u64);
        if let (Some(since), true) = (&mut self.reading.since_error, messages > 0) {
            *since += messages;
        }
        if messages > 0 && self.config.idle_timeout.is_some() {
            self.timers.heard_message(Instant::now());
        }
        if self.batch.len() > messages as usize {
            // A ping or a close frame wants its answer.
            self.writing.want_flush();
        }
    }

    /// Gives replies to the calls that wait for them, before anybody else sees them.
    fn take_replies(&mut self) {
        if let Some(replies) = self.session.replies()
            && replies.is_waiting()
        {
            self.batch.remove_taken(|message| replies.take(message));
        }
    }

    /// Moves what the batch still holds to the inbox.
    pub(super) fn queue_batch(&mut self) {
        if !self.batch.is_empty() {
            let chunk = self.batch.chunk().clone();
            let mut items = std::mem::take(&mut self.reading.items);
            let failed = self.collect(&chunk, &mut items);
            self.append(&mut items);
            self.reading.items = items;
            if let Err(error) = failed {
                return self.read_failed(error);
            }
        }
        self.batch.release_chunk();
    }

    /// Makes items for the inbox of what the batch still holds.
    fn collect(&mut self, chunk: &Bytes, items: &mut Vec<Item>) -> Result<(), ReadError> {
        items.reserve(self.batch.messages());
        while let Some(entry) = self.batch.pop() {
            let message = match entry {
                Entry::Owned(message) => message,
                Entry::Range(kind, range) => own(chunk, kind, range)?,
                control @ (Entry::Pong(_) | Entry::Ping | Entry::Close(_)) => {
                    self.append(items);
                    self.on_control(control);
                    continue;
                }
            };
            let key = self.reading.key.as_ref().map_or(0, |key| key(&message));
            items.push(Item::Message(message, key));
        }
        Ok(())
    }

    fn append(&mut self, items: &mut Vec<Item>) {
        if matches!(self.phase, Phase::Closing(_)) {
            items.clear();
        }
        if !items.is_empty() {
            self.session.inbox().append(items);
            self.reading.queued = true;
        }
    }

    pub(super) fn on_control(&mut self, entry: Entry) {
        match entry {
            Entry::Pong(payload) => self.pings.on_pong(&payload, Instant::now(), &self.counters),
            Entry::Close(frame) => {
                self.reading.state = State::PeerClosed;
                self.writing.end();
                // Before a holder hears of it: an `on_open` that fails with that must not be taken for the cause.
                if matches!(self.phase, Phase::Serving) {
                    self.report(SessionEvent::PeerClosed(frame));
                }
                self.session.end_calls();
                self.session.inbox().no_more();
            }
            Entry::Ping | Entry::Owned(_) | Entry::Range(..) => {}
        }
    }

    /// A read failed: after all that came before it.
    pub(super) fn read_failed(&mut self, error: ReadError) {
        if matches!(self.phase, Phase::Closing(_)) {
            return self.closing_failed(CloseErrorKind::Io, error);
        }
        let messages_since = self.reading.since_error.replace(0);
        if !error.is_fatal() && messages_since != Some(0) {
            self.session.inbox().push(Item::Error(error, messages_since));
            self.reading.queued = true;
            return;
        }
        self.reading.state = State::Failed;
        self.drop_batch();
        self.answer_violation(&error);
        self.report(SessionEvent::ReadFailed { error, messages_since });
        self.session.end_calls();
        self.session.inbox().no_more();
    }

    /// What follows a frame that breaks the protocol in the same chunk means nothing.
    fn drop_batch(&mut self) {
        while self.batch.pop().is_some() {}
        self.batch.release_chunk();
    }

    /// Tells the peer what it did wrong.
    fn answer_violation(&mut self, error: &ReadError) {
        match violated(error) {
            Some(code) => self.start_close_frame(CloseFrame::bare(code)),
            None => self.writing.fail(),
        }
    }

    /// Hands the read error that is next in turn to whoever decides; nothing is called until it has.
    pub(super) fn poll_error(&mut self) {
        if self.callback == Inline::Pending || !self.reading.queued {
            return;
        }
        let Some((error, messages_since)) = self.session.inbox().pop_error() else { return };
        self.reading.set_queued(!self.session.inbox().is_empty());
        self.set_taker(Taker::Nobody);
        self.reading.errors += 1;
        self.report(SessionEvent::ReadFailed { error, messages_since });
    }
}

/// What the peer did wrong, where RFC 6455 section 7.1.7 and the codes of 7.4.1 ask for it.
fn violated(error: &ReadError) -> Option<CloseCode> {
    match error.kind() {
        ReadErrorKind::Protocol => Some(CloseCode::PROTOCOL_ERROR),
        ReadErrorKind::InvalidUtf8 => Some(CloseCode::INVALID_PAYLOAD),
        ReadErrorKind::TooBig => Some(CloseCode::MESSAGE_TOO_BIG),
        ReadErrorKind::Codec => Some(CloseCode::UNSUPPORTED_DATA),
        ReadErrorKind::Io | ReadErrorKind::UnexpectedEof | ReadErrorKind::Closed => None,
    }
}
