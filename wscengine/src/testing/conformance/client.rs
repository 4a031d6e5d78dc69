//! The client under test, driven as the engine would drive it.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::task::unconstrained;

use super::outcome::{Failure, Outcome, check_eq};
use super::peer::{Peer, Server};
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::message::{CloseFrame, Message};
use crate::transport::{
    Batch, ConnectRequest, Connected, Connection, Inbound, Limits, Outgoing, Transport,
};

/// An open connection, and what it read and nobody has taken yet.
pub(super) struct Client<C> {
    connection: C,
    batch: Batch,
    /// An error that came after entries that are still in the batch.
    error: Option<ReadError>,
}

/// Connects `transport` to a peer that accepts.
pub(super) async fn open<T: Transport>(transport: &T) -> Outcome<(Client<T::Connection>, Peer)> {
    open_with_limits(transport, Limits::default()).await
}

/// The same, with limits on what the client accepts.
pub(super) async fn open_with_limits<T: Transport>(
    transport: &T,
    limits: Limits,
) -> Outcome<(Client<T::Connection>, Peer)> {
    let server = Server::bind()?;
    let mut request = ConnectRequest::new(server.url()?);
    request.limits = limits;
    open_at(transport, &server, request).await
}

/// The same, with a server and a request of the case's own.
pub(super) async fn open_at<T: Transport>(
    transport: &T,
    server: &Server,
    request: ConnectRequest,
) -> Outcome<(Client<T::Connection>, Peer)> {
    let serve = async { server.accept().await?.upgrade().await };
    let connect = async { Ok(transport.connect(request).await?) };
    let (connected, peer) = tokio::try_join!(connect, serve)?;
    Ok((Client::new(connected), peer))
}

impl<C: Connection> Client<C> {
    pub(super) fn new(connected: Connected<C>) -> Self {
        Self { connection: connected.connection, batch: Batch::new(), error: None }
    }

    /// The next thing that arrives; then flushes, as the engine does, so that pongs go out.
    pub(super) async fn recv(&mut self) -> Result<Inbound<'static>, ReadError> {
        loop {
            if let Some(entry) = self.next()? {
                return Ok(entry);
            }
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            let result = poll_fn(|cx| self.connection.poll_recv(cx, &mut self.batch)).await;
            // A write that fails is no failed read: if the connection is gone, the next read says so.
            let _ = self.flush().await;
            self.keep(result);
        }
    }

    /// What has been read already, in order.
    fn next(&mut self) -> Result<Option<Inbound<'static>>, ReadError> {
        Ok(match self.batch.next().transpose()? {
            Some(Inbound::Message(message)) => Some(Inbound::Message(message.into_owned())),
            Some(Inbound::Ping) => Some(Inbound::Ping),
            Some(Inbound::Pong(payload)) => Some(Inbound::Pong(payload)),
            Some(Inbound::Close(frame)) => Some(Inbound::Close(frame)),
            None => None,
        })
    }

    fn keep(&mut self, result: Result<(), ReadError>) {
        match result {
            Ok(()) if self.batch.is_empty() => {
                let empty = "poll_recv was ready and had appended nothing";
                self.error = Some(ReadError::with_source(ReadErrorKind::Codec, empty));
            }
            Ok(()) => {}
            Err(error) => self.error = Some(error),
        }
    }

    /// Polls the connection once for input, and gives the poll up. Whether it was pending.
    pub(super) async fn poll_recv_once(&mut self) -> bool {
        let poll = once(|cx| self.connection.poll_recv(cx, &mut self.batch)).await;
        match poll {
            Poll::Ready(result) => {
                self.keep(result);
                false
            }
            Poll::Pending => true,
        }
    }

    /// Waits for input until the connection has taken this many bytes from its socket; no whole message
    /// may come of them.
    pub(super) async fn read_bytes(&mut self, count: u64) -> Outcome {
        poll_fn(|cx| {
            let poll = self.connection.poll_recv(cx, &mut self.batch);
            match poll {
                _ if self.connection.bytes_read() >= count => Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    Poll::Ready(Err(Failure::new("a message came out of a part of it")))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Waits for room and hands a frame over, without a flush.
    pub(super) async fn queue(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        poll_fn(|cx| self.connection.poll_ready(cx)).await?;
        self.connection.start_send(frame)
    }

    /// Sends a frame and flushes it.
    pub(super) async fn send(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        self.queue(frame).await?;
        self.flush().await
    }

    /// Sends a close frame, which needs no room.
    pub(super) async fn send_close(&mut self, frame: Option<CloseFrame>) -> Result<(), WriteError> {
        self.connection.start_send(Outgoing::Close(frame))?;
        self.flush().await
    }

    pub(super) async fn flush(&mut self) -> Result<(), WriteError> {
        poll_fn(|cx| self.connection.poll_flush(cx)).await
    }

    pub(super) async fn close(&mut self) -> Result<(), WriteError> {
        poll_fn(|cx| self.connection.poll_close(cx)).await
    }

    /// Polls once for room; if there is some, hands the frame over and polls one flush. Whether it was taken.
    pub(super) async fn try_queue(&mut self, frame: Outgoing) -> Result<bool, WriteError> {
        match once(|cx| self.connection.poll_ready(cx)).await {
            Poll::Pending => return Ok(false),
            Poll::Ready(result) => result?,
        }
        self.connection.start_send(frame)?;
        match once(|cx| self.connection.poll_flush(cx)).await {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(true),
        }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.connection.bytes_read()
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.connection.bytes_written()
    }

    /// Receives, and wants this message.
    pub(super) async fn expect_message(&mut self, wanted: impl Into<Message<'static>>) -> Outcome {
        let wanted = wanted.into();
        let len = wanted.len();
        let got = self.recv().await?;
        if got == Inbound::Message(wanted) {
            return Ok(());
        }
        Err(Failure::new(format!("wanted a message of {len} bytes, got {got:?}")))
    }

    /// Receives, and wants this entry.
    pub(super) async fn expect(&mut self, wanted: Inbound<'static>) -> Outcome {
        check_eq!(self.recv().await?, wanted, "what was received");
        Ok(())
    }

    /// Receives, and wants a fatal error of this kind.
    pub(super) async fn expect_error(&mut self, kind: ReadErrorKind) -> Outcome {
        self.expect_error_of(&[kind]).await
    }

    /// Receives, and wants a fatal error of one of these kinds.
    pub(super) async fn expect_error_of(&mut self, kinds: &[ReadErrorKind]) -> Outcome {
        match self.recv().await {
            Err(error) if kinds.contains(&error.kind()) && error.is_fatal() => Ok(()),
            other => Err(Failure::new(format!("wanted a fatal error of {kinds:?}, got {other:?}"))),
        }
    }
}

/// Polls once. Unconstrained, so that tokio's budget for a task cannot look like a full or an empty socket.
async fn once<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    unconstrained(poll_fn(|cx| Poll::Ready(poll(cx)))).await
}
