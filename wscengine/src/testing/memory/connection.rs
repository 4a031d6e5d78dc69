//! The client's end of a connection.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::link::{Link, State};
use super::observer::Held;
use crate::error::{ReadError, WriteError};
use crate::transport::{Batch, Connection, Limits, Outgoing};

/// An open connection to a [`MemoryServer`](super::MemoryServer), made by
/// [`MemoryTransport`](super::MemoryTransport).
///
/// - One read gives at most 32 entries or 64 KiB, then the next one goes on: as much as a socket buffer would.
/// - Up to 16 frames are taken before `poll_ready` flushes by itself.
/// - The byte counters take two bytes for each frame's header, and for a close code.
/// - Every message counts as one frame: longer than the smaller one of the two [`Limits`], it fails the
///   read with [`ReadErrorKind::TooBig`](crate::ReadErrorKind::TooBig).
#[derive(Debug)]
pub struct MemoryConnection {
    end: ClientEnd,
    max_payload: usize,
    _held: Held,
}

impl MemoryConnection {
    pub(super) fn new(end: ClientEnd, held: Held, limits: Limits) -> Self {
        Self { end, max_payload: limits.message.min(limits.frame), _held: held }
    }
}

impl Connection for MemoryConnection {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<Result<(), ReadError>> {
        self.end.link.with(|state| state.poll_recv(cx, batch, self.max_payload))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.end.link.with(|state| state.poll_ready(cx))
    }

    fn start_send(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        self.end.link.with(|state| state.start_send(frame))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.end.link.with(|state| state.poll_flush(cx))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.end.link.with(|state| state.poll_close(cx))
    }

    fn bytes_read(&self) -> u64 {
        self.end.link.with(|state| state.bytes_read())
    }

    fn bytes_written(&self) -> u64 {
        self.end.link.with(|state| state.bytes_written())
    }
}

/// The client's hold on a link: when it goes, the peer is told.
///
/// It exists before the connection does, while an acceptance is on its way to a dial: a dial that is
/// dropped then shows at the peer, and was never counted as live.
#[derive(Debug)]
pub(super) struct ClientEnd {
    link: Arc<Link>,
}

impl ClientEnd {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        self.link.with(State::client_dropped);
    }
}
