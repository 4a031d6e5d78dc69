//! The server half: dials waiting for an answer, and faults written down beforehand.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::connection::ClientEnd;
use super::link::Link;
use super::observer::MemoryObserver;
use super::peer::MemoryPeer;
use crate::error::ConnectError;
use crate::message::CloseFrame;
use crate::transport::{ConnectRequest, HandshakeResponse};

/// The server that a [`MemoryTransport`](super::MemoryTransport) dials: the test's half.
///
/// A dial meets the [`script`](Self::script) first. What the script lets through waits, in order, until
/// [`accept`](Self::accept) or [`next_dial`](Self::next_dial) takes it. Dropping the server fails the dials
/// that wait and all later ones; open connections go on.
///
/// # Examples
/// Refuse the first dial, accept the second:
/// ```
/// use wscengine::ConnectErrorKind;
/// use wscengine::testing::memory::{self, Fault};
/// use wscengine::transport::{ConnectRequest, Transport};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (transport, mut server) = memory::transport();
/// server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
/// let request = ConnectRequest::new("ws://server.test/".parse()?);
///
/// let error = transport.connect(request.clone()).await.unwrap_err();
/// assert_eq!(error.kind(), ConnectErrorKind::Connect);
/// let (connected, _peer) = tokio::join!(transport.connect(request), server.accept());
/// assert!(connected.is_ok());
/// assert_eq!(server.dials(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryServer {
    queue: mpsc::UnboundedReceiver<PendingDial>,
    script: Arc<Script>,
    observer: MemoryObserver,
}

impl MemoryServer {
    pub(super) fn new(
        queue: mpsc::UnboundedReceiver<PendingDial>,
        script: Arc<Script>,
        observer: MemoryObserver,
    ) -> Self {
        Self { queue, script, observer }
    }

    /// Waits for the next dial and accepts it, with an answer that has no headers.
    ///
    /// Waits for ever if there is none: put a time-out around it to show that nobody dials.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn accept(&mut self) -> MemoryPeer {
        self.next_dial().await.accept()
    }

    /// Waits for the next dial, and leaves the answer to the test. Dials abandoned meanwhile are skipped.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn next_dial(&mut self) -> PendingDial {
        loop {
            match self.queue.recv().await {
                Some(dial) if dial.is_abandoned() => {}
                Some(dial) => return dial,
                // Every transport is gone. Nobody dials any more, which is not the server's failure.
                None => pending().await,
            }
        }
    }

    /// Writes down what becomes of the next dials: one fault for each, after those written before.
    ///
    /// Once all are used up, dials reach [`accept`](Self::accept) again.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script.extend(faults);
    }

    /// Dials begun so far, whatever became of them.
    pub fn dials(&self) -> u64 {
        self.observer.dials()
    }

    /// Connections that the dialing side holds at this moment.
    pub fn live(&self) -> usize {
        self.observer.live()
    }

    /// The most connections that were ever held at once.
    pub fn max_live(&self) -> usize {
        self.observer.max_live()
    }

    /// A handle on the counters that can be kept elsewhere.
    pub fn observer(&self) -> MemoryObserver {
        self.observer.clone()
    }
}

/// What becomes of one dial: see [`MemoryServer::script`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// No fault: the dial reaches [`MemoryServer::accept`] or [`MemoryServer::next_dial`].
    Accept,
    /// The dial fails with this error.
    Refuse(ConnectError),
    /// The dial never ends. The dialing side has to give it up.
    Hang,
    /// Accepted, and closed at once with this frame.
    AcceptThenClose(Option<CloseFrame>),
    /// Accepted, and reset at once: reads and writes fail.
    AcceptThenReset,
    /// Accepted, and ended at once without a close frame.
    AcceptThenEof,
}

/// The faults of the dials to come.
#[derive(Debug, Default)]
pub(super) struct Script {
    faults: Mutex<VecDeque<Fault>>,
}

impl Script {
    /// The fault of the dial that begins now.
    pub(super) fn next(&self) -> Fault {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.pop_front().unwrap_or(Fault::Accept)
    }

    fn extend(&self, faults: impl IntoIterator<Item = Fault>) {
        // Collected before the lock is taken: the iterator is the caller's code.
        let more: Vec<_> = faults.into_iter().collect();
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }
}

/// A dial that waits for its answer.
///
/// Kept without an answer, it is a handshake that hangs; dropped, one whose connection was lost
/// ([`ConnectErrorKind::Io`](crate::ConnectErrorKind::Io)).
#[derive(Debug)]
pub struct PendingDial {
    request: ConnectRequest,
    answer: oneshot::Sender<Answer>,
}

/// The client's end and the server's response, or the refusal.
pub(super) type Answer = Result<(ClientEnd, HandshakeResponse), ConnectError>;

impl PendingDial {
    pub(super) fn new(request: ConnectRequest, answer: oneshot::Sender<Answer>) -> Self {
        Self { request, answer }
    }

    /// What is dialled: URL, headers, subprotocols.
    pub fn request(&self) -> &ConnectRequest {
        &self.request
    }

    /// Accepts, with an answer that has no headers.
    pub fn accept(self) -> MemoryPeer {
        self.accept_with(HandshakeResponse::accepted())
    }

    /// Accepts with this answer.
    ///
    /// If the dial was abandoned, the peer receives [`PeerEvent::Dropped`](super::PeerEvent::Dropped).
    pub fn accept_with(self, response: HandshakeResponse) -> MemoryPeer {
        let link = Arc::new(Link::default());
        // An answer that nobody takes is dropped, and with it the client's end.
        let _ = self.answer.send(Ok((ClientEnd::new(Arc::clone(&link)), response)));
        MemoryPeer::new(link, self.request)
    }

    /// Refuses: the dial fails with this error.
    pub fn refuse(self, error: ConnectError) {
        // Nobody to refuse if the dial was abandoned.
        let _ = self.answer.send(Err(error));
    }

    /// Whether the dialing side gave the attempt up.
    pub fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Waits until the dialing side gives the attempt up.
    ///
    /// # Cancel safety
    /// The future may be dropped and the method called again.
    pub async fn abandoned(&mut self) {
        self.answer.closed().await;
    }
}
