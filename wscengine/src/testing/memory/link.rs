//! What lies between the two ends of a connection: both directions, in one lock.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::peer::PeerEvent;
use super::wire::{Arriving, check_size, echo, read_chunk};
use crate::error::{ReadError, ReadErrorKind, WriteError, WriteErrorKind};
use crate::transport::{Batch, Outgoing};

/// A connection's two directions, shared by its ends.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: Mutex<State>,
}

impl Link {
    /// Changes the state, and wakes whom the change concerns after the lock is given back.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let due = mem::take(&mut state.due);
        drop(state);
        due.into_iter().for_each(Waker::wake);
        result
    }
}

/// The state of a link.
#[derive(Debug)]
pub(super) struct State {
    /// Pings of the client are answered when they arrive.
    pub(super) auto_pong: bool,
    /// A close frame of the client is answered when it arrives.
    pub(super) auto_close: bool,

    arriving: VecDeque<Arriving>,
    reads_stalled: bool,
    /// The peer has sent its last: a close frame or a fatal error.
    peer_finished: bool,
    /// What every further read gives.
    read_end: Option<ReadError>,
    bytes_read: u64,

    /// Taken from the client, not flushed yet.
    unflushed: VecDeque<PeerEvent>,
    writes_stalled: bool,
    writes_broken: bool,
    /// The client's last frame was taken: its close frame, or its echo of the peer's.
    client_finished: bool,
    bytes_written: u64,

    /// Flushed by the client, not received by the peer yet.
    events: VecDeque<PeerEvent>,
    client_gone: bool,
    peer_gone: bool,

    reader: Option<Waker>,
    writer: Option<Waker>,
    receiver: Option<Waker>,
    /// To be woken once the lock is free.
    due: Vec<Waker>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            auto_pong: true,
            auto_close: true,
            arriving: VecDeque::new(),
            reads_stalled: false,
            peer_finished: false,
            read_end: None,
            bytes_read: 0,
            unflushed: VecDeque::new(),
            writes_stalled: false,
            writes_broken: false,
            client_finished: false,
            bytes_written: 0,
            events: VecDeque::new(),
            client_gone: false,
            peer_gone: false,
            reader: None,
            writer: None,
            receiver: None,
            due: Vec::new(),
        }
    }
}

/// The client's side: reading.
impl State {
    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
        max_payload: usize,
    ) -> Poll<Result<(), ReadError>> {
        if let Some(error) = &self.read_end {
            return Poll::Ready(Err(error.clone()));
        }
        let (entries, bytes) = (batch.len(), batch.payload_bytes());
        let full = |batch: &Batch| {
            batch.len() - entries >= READ_ENTRIES || batch.payload_bytes() - bytes >= READ_BYTES
        };
        while !self.reads_stalled && self.read_end.is_none() && !full(batch) {
            // A second chunk waits for the next read: this batch refers to the first one.
            let chunk_waits =
                matches!(self.arriving.front(), Some(Arriving::Chunk(..))) && batch.is_lent();
            if chunk_waits && batch.len() > entries {
                break;
            }
            let Some(next) = self.arriving.pop_front() else { break };
            if let Err(error) = self.read(next, batch, max_payload) {
                if error.is_fatal() {
                    self.read_end = Some(error.clone());
                }
                return Poll::Ready(Err(error));
            }
        }
        if batch.len() > entries {
            return Poll::Ready(Ok(()));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Appends what has arrived, and queues the answer that it asks for.
    fn read(
        &mut self,
        what: Arriving,
        batch: &mut Batch,
        max_payload: usize,
    ) -> Result<(), ReadError> {
        self.bytes_read += what.wire_len();
        match what {
            Arriving::Message(message) => {
                check_size(message.len(), max_payload)?;
                batch.push(message);
            }
            Arriving::Chunk(chunk, ranges) => read_chunk(&chunk, ranges, batch, max_payload)?,
            Arriving::Ping(payload) => {
                batch.push_ping();
                if !self.client_finished {
                    self.unflushed.push_back(PeerEvent::Pong(payload));
                }
            }
            Arriving::Pong(payload) => batch.push_pong(payload),
            Arriving::Close(frame) => {
                if !self.client_finished {
                    self.client_finished = true;
                    self.unflushed.push_back(PeerEvent::Close(echo(frame.as_ref())));
                }
                batch.push_close(frame);
                self.read_end = Some(ReadErrorKind::Closed.into());
            }
            Arriving::Error(error) => return Err(error),
            Arriving::Part(_) => {}
        }
        Ok(())
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }
}

/// The client's side: writing.
impl State {
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.writable()?;
        let must_flush = self.writes_stalled || self.unflushed.len() >= WRITE_FRAMES;
        if must_flush { self.poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }

    pub(super) fn start_send(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        if let (Outgoing::Close(_), true, false) =
            (&frame, self.client_finished, self.writes_broken)
        {
            // The echo of the peer's close frame came first; a connection has one close frame.
            return Ok(());
        }
        self.writable()?;
        self.unflushed.push_back(match frame {
            Outgoing::Message(message) => PeerEvent::Message(message),
            Outgoing::Ping(payload) => PeerEvent::Ping(payload),
            Outgoing::Close(frame) => {
                self.client_finished = true;
                PeerEvent::Close(frame)
            }
        });
        Ok(())
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        if self.unflushed.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.writes_broken {
            return Poll::Ready(Err(broken_pipe()));
        }
        if self.writes_stalled {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while let Some(frame) = self.unflushed.pop_front() {
            self.bytes_written += frame.wire_len();
            self.answer(&frame);
            self.tell_peer(frame);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let flushed = self.poll_flush(cx);
        if flushed.is_ready() {
            self.client_finished = true;
        }
        flushed
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    pub(super) fn client_dropped(&mut self) {
        self.client_gone = true;
        self.arriving.clear();
        self.unflushed.clear();
        self.tell_peer(PeerEvent::Dropped);
    }

    fn writable(&self) -> Result<(), WriteError> {
        if self.writes_broken {
            return Err(broken_pipe());
        }
        if self.client_finished {
            return Err(WriteErrorKind::Closed.into());
        }
        Ok(())
    }

    /// The peer's own answer to a frame of the client.
    fn answer(&mut self, frame: &PeerEvent) {
        match frame {
            PeerEvent::Ping(payload) if self.auto_pong => {
                self.arrive(Arriving::Pong(payload.clone()));
            }
            PeerEvent::Close(frame) if self.auto_close => {
                self.arrive(Arriving::Close(echo(frame.as_ref())));
            }
            PeerEvent::Message(_)
            | PeerEvent::Ping(_)
            | PeerEvent::Pong(_)
            | PeerEvent::Close(_)
            | PeerEvent::Dropped => {}
        }
    }

    fn tell_peer(&mut self, event: PeerEvent) {
        if !self.peer_gone {
            self.events.push_back(event);
            self.due.extend(self.receiver.take());
        }
    }
}

/// The peer's side.
impl State {
    /// Puts something on its way to the client, if the stream has not ended.
    pub(super) fn arrive(&mut self, what: Arriving) {
        if self.peer_finished || self.client_gone {
            return;
        }
        self.peer_finished = match &what {
            Arriving::Close(_) => true,
            Arriving::Error(error) => error.is_fatal(),
            Arriving::Message(_)
            | Arriving::Chunk(..)
            | Arriving::Ping(_)
            | Arriving::Pong(_)
            | Arriving::Part(_) => false,
        };
        self.arriving.push_back(what);
        if !self.reads_stalled {
            self.due.extend(self.reader.take());
        }
    }

    pub(super) fn stall_reads(&mut self, on: bool) {
        self.reads_stalled = on;
        if !on {
            self.due.extend(self.reader.take());
        }
    }

    pub(super) fn stall_writes(&mut self, on: bool) {
        self.writes_stalled = on;
        if !on {
            self.due.extend(self.writer.take());
        }
    }

    pub(super) fn break_writes(&mut self) {
        self.writes_broken = true;
        self.due.extend(self.writer.take());
    }

    pub(super) fn unread(&self) -> usize {
        self.arriving.iter().map(Arriving::messages).sum()
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<PeerEvent>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if self.client_gone {
            return Poll::Ready(None);
        }
        self.receiver = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn peer_dropped(&mut self) {
        self.peer_gone = true;
        self.events.clear();
    }
}

fn broken_pipe() -> WriteError {
    WriteError::with_source(WriteErrorKind::Io, io::Error::from(io::ErrorKind::BrokenPipe))
}

/// One read appends at most this many entries, and ends once it has this many bytes of payload: about what
/// a socket buffer gives, so that a client's own bounds on reading ahead mean something.
const READ_ENTRIES: usize = 32;
const READ_BYTES: usize = 64 * 1024;

/// So many frames are taken before `poll_ready` flushes them.
const WRITE_FRAMES: usize = 16;
