//! A client over a pipe, and a server that is the core of sockudo-ws in the other role.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::future::poll_fn;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use sockudo_ws::deflate::DeflateConfig;
use sockudo_ws::protocol::{CompressedProtocol, Message as WsMessage, Protocol, Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::unconstrained;
use wscengine::transport::{Batch, Connection, Inbound, Limits, Outgoing};
use wscengine::{CloseFrame, Message, ReadError};
use wscengine_dial::Extension;
use wscengine_sockudo::{Deflate, SockudoConnection};

/// As large as any message of the tests.
pub(crate) const LIMIT: usize = 16 << 20;

/// A client whose handshake ended with this answer to the offer of `deflate`.
pub(crate) fn client<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    limits: Limits,
    deflate: &Deflate,
    answer: &str,
) -> SockudoConnection<S> {
    let accepted = match answer {
        "" => Vec::new(),
        answer => Extension::parse_list(answer.as_bytes()).unwrap(),
    };
    deflate.connection(stream, b"", limits, &accepted).unwrap()
}

/// A client without permessage-deflate, and the other end of its stream.
pub(crate) fn plain() -> (SockudoConnection<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(1 << 20);
    (SockudoConnection::new(ours, b"", Limits::default()), theirs)
}

/// A client with permessage-deflate as `answer` says, and the other end of its stream.
pub(crate) fn deflating(
    deflate: &Deflate,
    answer: &str,
) -> (SockudoConnection<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(1 << 20);
    (client(ours, Limits::default(), deflate, answer), theirs)
}

/// The server's end.
pub(crate) enum Server {
    Plain(Box<Protocol>),
    Deflate(Box<CompressedProtocol>),
}

impl Server {
    pub(crate) fn plain() -> Self {
        Self::Plain(Box::new(Protocol::new(Role::Server, LIMIT, LIMIT)))
    }

    pub(crate) fn deflate(config: DeflateConfig) -> Self {
        Self::Deflate(Box::new(CompressedProtocol::server(LIMIT, LIMIT, config)))
    }

    pub(crate) fn encode(&mut self, message: &WsMessage) -> BytesMut {
        let mut bytes = BytesMut::new();
        match self {
            Self::Plain(core) => core.encode_message(message, &mut bytes),
            Self::Deflate(core) => core.encode_message(message, &mut bytes),
        }
        .unwrap();
        bytes
    }

    pub(crate) fn decode(&mut self, bytes: &mut BytesMut) -> Vec<WsMessage> {
        match self {
            Self::Plain(core) => core.process(bytes),
            Self::Deflate(core) => core.process(bytes),
        }
        .unwrap()
    }
}

/// What was read, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) entries: Vec<Inbound<'static>>,
    pub(crate) error: Option<ReadError>,
}

impl Seen {
    pub(crate) fn messages(&self) -> Vec<Message<'static>> {
        let message = |entry: &Inbound<'static>| match entry {
            Inbound::Message(message) => Some(message.clone()),
            _ => None,
        };
        self.entries.iter().filter_map(message).collect()
    }

    /// Reads what is there for now, as the engine does.
    pub(crate) async fn read<C: Connection>(&mut self, connection: &mut C) {
        let mut batch = Batch::new();
        unconstrained(poll_fn(|cx| {
            while self.error.is_none()
                && let Poll::Ready(result) = connection.poll_recv(cx, &mut batch)
            {
                self.take(&mut batch);
                if let (Err(error), None) = (result, &self.error) {
                    self.error = Some(error);
                }
                let _ = connection.poll_flush(cx);
            }
            Poll::Ready(())
        }))
        .await;
    }

    fn take(&mut self, batch: &mut Batch) {
        while let Some(entry) = batch.next() {
            match entry {
                Ok(Inbound::Message(message)) => {
                    self.entries.push(Inbound::Message(message.into_owned()));
                }
                Ok(Inbound::Ping) => self.entries.push(Inbound::Ping),
                Ok(Inbound::Pong(payload)) => self.entries.push(Inbound::Pong(payload)),
                Ok(Inbound::Close(frame)) => self.entries.push(Inbound::Close(frame)),
                Ok(_) => unreachable!("there is no other entry"),
                Err(error) => return self.error = Some(error),
            }
        }
    }
}

/// Everything that comes of `bytes`, written at once.
pub(crate) async fn read_all(
    connection: &mut SockudoConnection<DuplexStream>,
    peer: &mut DuplexStream,
    bytes: &[u8],
) -> Seen {
    let mut seen = Seen::default();
    for part in bytes.chunks(512 << 10) {
        peer.write_all(part).await.unwrap();
        seen.read(connection).await;
    }
    seen
}

/// Hands frames over and flushes once; gives what went over the wire.
pub(crate) async fn sent(
    connection: &mut SockudoConnection<DuplexStream>,
    peer: &mut DuplexStream,
    frames: Vec<Outgoing>,
) -> BytesMut {
    let before = connection.bytes_written();
    let send = async {
        for frame in frames {
            poll_fn(|cx| connection.poll_ready(cx)).await.unwrap();
            connection.start_send(frame).unwrap();
        }
        poll_fn(|cx| connection.poll_flush(cx)).await.unwrap();
        connection.bytes_written() - before
    };
    let mut send = std::pin::pin!(send);
    let mut wire = BytesMut::new();
    let count = loop {
        tokio::select! {
            biased;
            count = &mut send => break usize::try_from(count).unwrap(),
            read = peer.read_buf(&mut wire) => assert_ne!(read.unwrap(), 0),
        }
    };
    while wire.len() < count {
        peer.read_buf(&mut wire).await.unwrap();
    }
    wire
}

pub(crate) fn outgoing(message: Message<'static>) -> Outgoing {
    Outgoing::Message(message)
}

pub(crate) fn close(code: u16, reason: &str) -> Outgoing {
    Outgoing::Close(Some(CloseFrame::received(code, reason.to_owned())))
}

/// A frame of a server's.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(len as u8),
        len @ 126..65_536 => {
            bytes.push(126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// The same message in the types of the core.
pub(crate) fn to_core(message: &Message<'_>) -> WsMessage {
    let payload = Bytes::copy_from_slice(message.payload());
    if message.is_text() { WsMessage::Text(payload) } else { WsMessage::Binary(payload) }
}
