//! The server's end of a connection.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::link::Link;
use super::wire::{Arriving, HEADER};
use crate::error::{ReadError, ReadErrorKind};
use crate::message::{CloseFrame, Message, MessageKind};
use crate::transport::ConnectRequest;

/// The server's end of one connection.
///
/// What is sent arrives at the client in order. After [`close`](Self::close), [`eof`](Self::eof),
/// [`reset`](Self::reset) or a fatal [`read_error`](Self::read_error) nothing more is sent; sending then, or
/// to a client that is gone, does nothing.
///
/// Dropping the peer ends the stream like [`eof`](Self::eof), unless it had ended before. Stalls outlive it:
/// a peer that stalled both directions and is dropped is a host that has vanished.
///
/// # Examples
/// A peer that stays silent, though the connection looks open:
/// ```
/// use std::future::poll_fn;
/// use std::time::Duration;
/// use wscengine::testing::memory;
/// use wscengine::transport::{Batch, ConnectRequest, Connection, Transport};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (transport, mut server) = memory::transport();
/// let request = ConnectRequest::new("ws://server.test/".parse()?);
/// let (connected, peer) = tokio::join!(transport.connect(request), server.accept());
/// let mut connection = connected?.connection;
///
/// peer.stall_reads(true);
/// peer.send("lost on the way");
/// let mut batch = Batch::new();
/// let read = poll_fn(|cx| connection.poll_recv(cx, &mut batch));
/// assert!(tokio::time::timeout(Duration::from_secs(60), read).await.is_err());
///
/// peer.stall_reads(false);
/// poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await?;
/// assert_eq!(batch.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryPeer {
    link: Arc<Link>,
    request: ConnectRequest,
}

/// What a peer receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// A message.
    Message(Message<'static>),
    /// A ping; it has been answered, unless [`MemoryPeer::auto_pong`] is off.
    Ping(Bytes),
    /// A pong: the answer to [`MemoryPeer::ping`].
    Pong(Bytes),
    /// The client's close frame; it has been answered, unless [`MemoryPeer::auto_close`] is off.
    Close(Option<CloseFrame>),
    /// The client's connection was dropped: the last event.
    Dropped,
}

impl MemoryPeer {
    pub(super) fn new(link: Arc<Link>, request: ConnectRequest) -> Self {
        Self { link, request }
    }

    /// What the client asked for when it dialled.
    pub fn request(&self) -> &ConnectRequest {
        &self.request
    }

    /// Sends a message, without a bound. The client gets it as one that owns its payload.
    pub fn send(&self, message: impl Into<Message<'static>>) {
        self.arrive(Arriving::Message(message.into()));
    }

    /// Sends messages that arrive in one chunk of bytes, so that the client lends them from it.
    ///
    /// Text is not checked here: what is not UTF-8 fails when it is lent.
    pub fn send_lent(&self, messages: &[(MessageKind, &[u8])]) {
        if messages.is_empty() {
            return;
        }
        let mut chunk = BytesMut::new();
        let mut ranges = Vec::with_capacity(messages.len());
        for &(kind, payload) in messages {
            // A gap where the header would be, so that ranges are not taken for neighbours.
            chunk.extend_from_slice(&HEADER);
            let start = chunk.len();
            chunk.extend_from_slice(payload);
            ranges.push((kind, start..chunk.len()));
        }
        self.arrive(Arriving::Chunk(chunk.freeze(), ranges));
    }

    /// Sends a ping. The client's answer is a [`PeerEvent::Pong`] with the same payload.
    pub fn ping(&self, payload: impl Into<Bytes>) {
        self.arrive(Arriving::Ping(payload.into()));
    }

    /// Sends a pong that nobody asked for, or the answer to a ping when [`auto_pong`](Self::auto_pong) is off.
    pub fn pong(&self, payload: impl Into<Bytes>) {
        self.arrive(Arriving::Pong(payload.into()));
    }

    /// Sends a close frame, `None` for one without a code. The client echoes the code.
    pub fn close(&self, frame: Option<CloseFrame>) {
        self.arrive(Arriving::Close(frame));
    }

    /// Resets the connection: what was sent before still arrives, then reads fail with a fatal
    /// [`ReadErrorKind::Io`]; writes fail from now on.
    pub fn reset(&self) {
        let error = ReadError::with_source(
            ReadErrorKind::Io,
            io::Error::from(io::ErrorKind::ConnectionReset),
        );
        self.link.with(|state| {
            state.break_writes();
            state.arrive(Arriving::Error(error));
        });
    }

    /// Ends the stream without a close frame, in this direction only: what the client writes still arrives.
    pub fn eof(&self) {
        self.arrive(Arriving::Error(ReadErrorKind::UnexpectedEof.into()));
    }

    /// Lets a read of the client fail, after what was sent before. If the error is survivable, sending goes on.
    pub fn read_error(&self, error: ReadError) {
        self.arrive(Arriving::Error(error));
    }

    /// Sends `bytes` bytes of a message that is not complete: the client's count of bytes read rises, and
    /// there is nothing to handle.
    pub fn drip(&self, bytes: u64) {
        self.arrive(Arriving::Part(bytes));
    }

    /// Whether pings of the client are answered, when they arrive, with a pong of the same payload. On by
    /// default.
    pub fn auto_pong(&self, on: bool) {
        self.link.with(|state| state.auto_pong = on);
    }

    /// Whether a close frame of the client is answered, when it arrives, with the same code and no reason.
    /// On by default.
    pub fn auto_close(&self, on: bool) {
        self.link.with(|state| state.auto_close = on);
    }

    /// Holds back everything that is sent, answers and errors included, until lifted: the link is dead
    /// towards the client, and neither side was told.
    pub fn stall_reads(&self, on: bool) {
        self.link.with(|state| state.stall_reads(on));
    }

    /// Lets the client's socket take no byte until lifted: its flush does not complete, and once a frame waits
    /// to be written no other is taken.
    pub fn stall_writes(&self, on: bool) {
        self.link.with(|state| state.stall_writes(on));
    }

    /// How many messages were sent that the client has not read yet. For tests of back-pressure: what a
    /// client cannot hold it must leave here.
    pub fn unread(&self) -> usize {
        self.link.with(|state| state.unread())
    }

    /// The next of what the client wrote and flushed, in order. When its connection is dropped:
    /// [`PeerEvent::Dropped`] once, then `None`.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<PeerEvent> {
        poll_fn(|cx| self.link.with(|state| state.poll_event(cx))).await
    }

    /// The next message; pings and pongs before it are skipped.
    ///
    /// # Panics
    /// If the connection ends before a message comes: a test that waits for one has failed.
    ///
    /// # Cancel safety
    /// No message is lost if the future is dropped; pings and pongs may have been skipped.
    pub async fn next_message(&mut self) -> Message<'static> {
        loop {
            match self.recv().await {
                Some(PeerEvent::Message(message)) => return message,
                Some(PeerEvent::Ping(_) | PeerEvent::Pong(_)) => {}
                Some(PeerEvent::Close(frame)) => {
                    panic!(
                        "waited for a message, but the client closed the connection with {frame:?}"
                    )
                }
                Some(PeerEvent::Dropped) | None => {
                    panic!("waited for a message, but the client dropped the connection")
                }
            }
        }
    }

    fn arrive(&self, what: Arriving) {
        self.link.with(|state| state.arrive(what));
    }
}

impl Drop for MemoryPeer {
    fn drop(&mut self) {
        self.link.with(|state| {
            state.arrive(Arriving::Error(ReadErrorKind::UnexpectedEof.into()));
            state.peer_dropped();
        });
    }
}
