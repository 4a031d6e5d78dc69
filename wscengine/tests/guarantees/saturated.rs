//! Senders that are quicker than the socket: it takes some all the time, and there is always more. Who asked hears that
//! his message was written, all the same.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use wscengine::transport::{
    Batch, ConnectRequest, Connected, Connection, HandshakeResponse, Outgoing, Transport,
};
use wscengine::{ConnectError, Engine, Fate, Outbox, ReadError, WriteError};

use crate::support::{Probe, millis, secs};

/// A socket that takes a frame each millisecond, behind a buffer that is never waited for to be empty.
#[derive(Clone, Default)]
struct Narrow(Arc<Mutex<Pipe>>);

#[derive(Default)]
struct Pipe {
    waiting: usize,
    written: u64,
    writer: Option<Waker>,
}

const ROOM: usize = 8;

impl Narrow {
    fn poll_below(&self, cx: &Context<'_>, frames: usize) -> Poll<Result<(), WriteError>> {
        let mut pipe = self.0.lock().unwrap();
        if pipe.waiting < frames {
            return Poll::Ready(Ok(()));
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    async fn take_slowly(self) {
        loop {
            tokio::time::sleep(millis(1)).await;
            let mut pipe = self.0.lock().unwrap();
            if pipe.waiting > 0 {
                pipe.waiting -= 1;
                pipe.written += 1;
            }
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
        }
    }
}

impl Transport for Narrow {
    type Connection = Self;

    async fn connect(&self, _: ConnectRequest) -> Result<Connected<Self>, ConnectError> {
        let response = HandshakeResponse::accepted();
        Ok(Connected { connection: self.clone(), response })
    }
}

impl Connection for Narrow {
    fn poll_recv(&mut self, _: &mut Context<'_>, _: &mut Batch) -> Poll<Result<(), ReadError>> {
        Poll::Pending
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.poll_below(cx, ROOM)
    }

    fn start_send(&mut self, _: Outgoing) -> Result<(), WriteError> {
        self.0.lock().unwrap().waiting += 1;
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.poll_below(cx, 1)
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        Poll::Ready(Ok(()))
    }

    fn bytes_read(&self) -> u64 {
        0
    }

    fn bytes_written(&self) -> u64 {
        self.0.lock().unwrap().written
    }
}

/// An engine on such a socket, and others who send without end.
async fn saturated(outbox: Option<Outbox>) -> Engine {
    let narrow = Narrow::default();
    tokio::spawn(narrow.clone().take_slowly());
    let mut builder = Engine::builder(narrow, Probe::default()).url("ws://server.test/");
    if let Some(outbox) = outbox {
        builder = builder.outbox(outbox);
    }
    let engine = builder.build().unwrap().start().await.unwrap();
    let others = engine.session().unwrap();
    tokio::spawn(async move { while others.send("more").await.is_ok() {} });
    tokio::time::sleep(millis(100)).await;
    engine
}

#[tokio::test(start_paused = true)]
async fn send_flushed_returns_though_others_always_have_more_to_send() {
    let engine = saturated(None).await;
    let flushed = tokio::time::timeout(secs(10), engine.send_flushed("mine")).await;
    flushed.expect("it was written seconds ago").unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_fate_of_a_message_is_told_though_others_always_have_more_to_send() {
    let engine = saturated(Some(Outbox::new())).await;
    let others = engine.clone();
    tokio::spawn(async move { while others.send("more").await.is_ok() {} });
    let delivery = tokio::time::timeout(secs(10), engine.enqueue("mine")).await;
    let delivery = delivery.expect("there was room").unwrap();
    let fate = tokio::time::timeout(secs(10), delivery).await.expect("it was written seconds ago");
    assert!(matches!(fate, Fate::Written { .. }), "{fate:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_session_sends_is_written_though_the_outbox_always_has_more() {
    let engine = saturated(Some(Outbox::new())).await;
    let others = engine.clone();
    tokio::spawn(async move { while others.send("more").await.is_ok() {} });
    let session = engine.session().unwrap();
    let flushed = tokio::time::timeout(secs(20), session.send_flushed("mine")).await;
    flushed.expect("it was written seconds ago").unwrap();
}
