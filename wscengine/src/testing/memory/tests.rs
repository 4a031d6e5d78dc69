//! Behaviour of the in-memory transport, seen from both of its ends.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{MemoryConnection, MemoryPeer, MemoryServer, MemoryTransport, transport};
use crate::error::{ConnectError, ReadError, WriteError};
use crate::message::{CloseCode, CloseFrame, Message};
use crate::transport::{
    Batch, ConnectRequest, Connected, Connection, Inbound, Limits, Outgoing, Transport,
};

mod dials;
mod reads;
mod writes;

/// A connection and all that belongs to it.
struct Open {
    connection: MemoryConnection,
    peer: MemoryPeer,
    server: MemoryServer,
}

async fn open() -> Open {
    open_with(Limits::default()).await
}

async fn open_with(limits: Limits) -> Open {
    let (transport, mut server) = transport();
    let mut request = request();
    request.limits = limits;
    let (connected, peer) = tokio::join!(transport.connect(request), server.accept());
    Open { connection: connected.unwrap().connection, peer, server }
}

fn request() -> ConnectRequest {
    ConnectRequest::new("ws://server.test/".parse().unwrap())
}

async fn dial(transport: &MemoryTransport) -> Result<Connected<MemoryConnection>, ConnectError> {
    transport.connect(request()).await
}

/// What a read gave, kept.
fn drain(batch: &mut Batch) -> Vec<Inbound<'static>> {
    let mut entries = Vec::new();
    while let Some(entry) = batch.next() {
        entries.push(match entry.unwrap() {
            Inbound::Message(message) => Inbound::Message(message.into_owned()),
            Inbound::Ping => Inbound::Ping,
            Inbound::Pong(payload) => Inbound::Pong(payload),
            Inbound::Close(frame) => Inbound::Close(frame),
        });
    }
    entries
}

async fn read(connection: &mut MemoryConnection) -> Result<Vec<Inbound<'static>>, ReadError> {
    let mut batch = Batch::new();
    poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await?;
    Ok(drain(&mut batch))
}

async fn flush(connection: &mut MemoryConnection) -> Result<(), WriteError> {
    poll_fn(|cx| connection.poll_flush(cx)).await
}

async fn write(connection: &mut MemoryConnection, frame: Outgoing) -> Result<(), WriteError> {
    poll_fn(|cx| connection.poll_ready(cx)).await?;
    connection.start_send(frame)?;
    flush(connection).await
}

fn message(text: &str) -> Inbound<'static> {
    Inbound::Message(Message::from_text(text.to_owned()))
}

fn outgoing(text: &str) -> Outgoing {
    Outgoing::Message(Message::from_text(text.to_owned()))
}

fn frame(code: CloseCode, reason: &'static str) -> Option<CloseFrame> {
    Some(CloseFrame::new(code, reason).unwrap())
}

/// Polls once, with a waker that counts.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll_once<R>(wakes: &Arc<Wakes>, poll: impl FnOnce(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    let waker = Waker::from(Arc::clone(wakes));
    poll(&mut Context::from_waker(&waker))
}
