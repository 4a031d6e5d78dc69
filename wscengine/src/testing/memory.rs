//! An in-memory transport: a server that lives in the test, without sockets and without real time.
//!
//! [`transport`] gives both halves. The [`MemoryTransport`] goes where a real transport would; the
//! [`MemoryServer`] stays with the test and decides what becomes of each dial: accepted
//! ([`accept`](MemoryServer::accept)), refused or left hanging ([`next_dial`](MemoryServer::next_dial)),
//! or answered by a script of [`Fault`]s written beforehand. An accepted dial gives a [`MemoryPeer`], the
//! server's end of that one connection, which sends, receives, closes, breaks and stalls on command.
//!
//! Nothing in here sleeps or reads a clock, so tests run on tokio's paused one
//! (`#[tokio::test(start_paused = true)]`): a time-out of 30 s is over as soon as everything waits for it.
//!
//! The client's end keeps the contract of [`Connection`](crate::transport::Connection): pings and the
//! peer's close frame are answered by the connection itself, and the answers reach the peer with the next
//! flush. As on a real socket, what was not flushed was not sent: the peer never sees it.
//!
//! # Examples
//! ```
//! use std::future::poll_fn;
//! use wscengine::testing::memory::{self, PeerEvent};
//! use wscengine::transport::{Batch, ConnectRequest, Connection, Inbound, Outgoing, Transport};
//! use wscengine::{CloseCode, CloseFrame, Message};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (transport, mut server) = memory::transport();
//! let request = ConnectRequest::new("ws://server.test/feed".parse()?);
//! let (connected, mut peer) = tokio::join!(transport.connect(request), server.accept());
//! let mut connection = connected?.connection;
//! assert_eq!(server.live(), 1);
//!
//! // The server speaks.
//! peer.send("welcome");
//! let mut batch = Batch::new();
//! poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await?;
//! assert_eq!(batch.next().transpose()?, Some(Inbound::Message(Message::from("welcome"))));
//!
//! // The client answers: the peer sees what was flushed.
//! poll_fn(|cx| connection.poll_ready(cx)).await?;
//! connection.start_send(Outgoing::Message(Message::from("thanks")))?;
//! poll_fn(|cx| connection.poll_flush(cx)).await?;
//! assert_eq!(peer.next_message().await, Message::from("thanks"));
//!
//! // The server closes; the connection echoes the code by itself.
//! peer.close(Some(CloseFrame::new(CloseCode::SERVICE_RESTART, "back soon")?));
//! poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await?;
//! poll_fn(|cx| connection.poll_close(cx)).await?;
//! drop(connection);
//! let echo = CloseFrame::new(CloseCode::SERVICE_RESTART, "")?;
//! assert_eq!(peer.recv().await, Some(PeerEvent::Close(Some(echo))));
//! assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
//! assert_eq!((server.live(), server.max_live()), (0, 1));
//! # Ok(())
//! # }
//! ```

use std::future::pending;
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::error::{ConnectError, ConnectErrorKind};
use crate::transport::{ConnectRequest, Connected, Transport};

mod connection;
mod link;
mod observer;
mod peer;
mod server;
#[cfg(test)]
mod tests;
mod wire;

pub use connection::MemoryConnection;
pub use observer::MemoryObserver;
pub use peer::{MemoryPeer, PeerEvent};
pub use server::{Fault, MemoryServer, PendingDial};

use server::Script;

/// A transport and the server that it dials, whatever the URL.
///
/// Pairs are independent of each other, so tests that run side by side do not meet.
pub fn transport() -> (MemoryTransport, MemoryServer) {
    let (dials, queue) = mpsc::unbounded_channel();
    let script = Arc::new(Script::default());
    let observer = MemoryObserver::default();
    let server = MemoryServer::new(queue, Arc::clone(&script), observer.clone());
    (MemoryTransport { dials, script, observer }, server)
}

/// The dialing half: give it to whatever dials. Clones dial the same server.
///
/// A dial waits until the [`MemoryServer`] accepts or refuses it. If the server was dropped before, it fails
/// with [`ConnectErrorKind::Connect`]; if the server, or the [`PendingDial`], is dropped meanwhile, with
/// [`ConnectErrorKind::Io`].
#[derive(Clone, Debug)]
pub struct MemoryTransport {
    dials: mpsc::UnboundedSender<PendingDial>,
    script: Arc<Script>,
    observer: MemoryObserver,
}

impl Transport for MemoryTransport {
    type Connection = MemoryConnection;

    async fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<Connected<MemoryConnection>, ConnectError> {
        self.observer.dialled();
        let limits = request.limits;
        let (answer, answered) = oneshot::channel();
        let dial = PendingDial::new(request, answer);
        match self.script.next() {
            Fault::Accept => self.dials.send(dial).map_err(|_| nobody_listens())?,
            Fault::Refuse(error) => dial.refuse(error),
            Fault::Hang => pending().await,
            Fault::AcceptThenClose(frame) => dial.accept().close(frame),
            Fault::AcceptThenReset => dial.accept().reset(),
            Fault::AcceptThenEof => dial.accept().eof(),
        }
        let (end, response) =
            answered.await.map_err(|_| ConnectError::new(ConnectErrorKind::Io))??;
        let connection = MemoryConnection::new(end, self.observer.hold(), limits);
        Ok(Connected { connection, response })
    }
}

/// What a dial gets when there is no server any more.
fn nobody_listens() -> ConnectError {
    ConnectError::with_source(
        ConnectErrorKind::Connect,
        io::Error::from(io::ErrorKind::ConnectionRefused),
    )
}
