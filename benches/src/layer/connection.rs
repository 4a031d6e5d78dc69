//! A connection that has its messages at hand: what it costs to read from it is next to nothing.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use wscengine::transport::{
    Batch, ConnectRequest, Connected, Connection, HandshakeResponse, Outgoing, Transport,
};
use wscengine::{ConnectError, Message, MessageKind, ReadError, WriteError};

use crate::contestant::Kind;
use crate::job::Job;
use crate::wire;

/// How messages are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As ranges of one chunk.
    Lent,
    /// Each with a payload of its own.
    Owned,
}

#[derive(Clone, Debug)]
pub(super) struct ReadyTransport {
    connection: ReadyConnection,
}

impl ReadyTransport {
    pub(super) fn new(form: Form, batch: usize, job: &Job) -> Self {
        Self { connection: ReadyConnection::new(form, batch, job) }
    }
}

impl Transport for ReadyTransport {
    type Connection = ReadyConnection;

    async fn connect(&self, _: ConnectRequest) -> Result<Connected<ReadyConnection>, ConnectError> {
        let connection = self.connection.clone();
        Ok(Connected { connection, response: HandshakeResponse::accepted() })
    }
}

/// Gives `left` messages from the first that is sent to it on, and nothing after that.
#[derive(Clone, Debug)]
pub(super) struct ReadyConnection {
    form: Form,
    kind: MessageKind,
    /// The frames of a batch, one behind the other.
    chunk: Bytes,
    size: usize,
    batch: usize,
    left: u64,
    asked: bool,
    reader: Option<Waker>,
}

/// What a frame of this size has in front of its payload.
const HEADER: usize = 2;

impl ReadyConnection {
    pub(super) fn new(form: Form, batch: usize, job: &Job) -> Self {
        let frame = [&[0; HEADER][..], &wire::payload(job.size)].concat();
        Self {
            form,
            kind: if job.kind == Kind::Text { MessageKind::Text } else { MessageKind::Binary },
            chunk: frame.repeat(batch).into(),
            size: job.size,
            batch,
            left: job.count,
            asked: false,
            reader: None,
        }
    }
}

impl Connection for ReadyConnection {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<Result<(), ReadError>> {
        if !self.asked || self.left == 0 {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = self.left.min(self.batch as u64);
        self.left -= count;
        if self.form == Form::Lent {
            batch.set_chunk(self.chunk.clone());
        }
        let mut start = 0;
        for _ in 0..count {
            let payload = start + HEADER..start + HEADER + self.size;
            start = payload.end;
            match self.form {
                Form::Lent => batch.push_range(self.kind, payload),
                Form::Owned => batch.push(Message::from_binary(self.chunk.slice(payload))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        if let Outgoing::Message(_) = frame {
            self.asked = true;
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        Poll::Ready(Ok(()))
    }

    fn bytes_read(&self) -> u64 {
        0
    }

    fn bytes_written(&self) -> u64 {
        0
    }
}
