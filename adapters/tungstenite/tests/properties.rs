//! The adapter and tungstenite by itself read the same: any messages, in any frames, cut anywhere, and any violation.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::future::poll_fn;
use std::io::{self, Cursor, Read, Write};
use std::task::Poll;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::task::unconstrained;
use wscengine::transport::{Batch, Connection, Inbound, Limits, Outgoing};
use wscengine::{Message, MessageKind, ReadErrorKind};
use wscengine_tungstenite::TungsteniteConnection;
use wscengine_tungstenite::tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use wscengine_tungstenite::tokio_tungstenite::tungstenite::{
    Error, Message as WsMessage, WebSocket,
};

/// What a client reads.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Message(MessageKind, Vec<u8>),
    Ping,
    Pong(Vec<u8>),
}

/// What is read until it ends, and how that is.
type Seen = (Vec<Entry>, ReadErrorKind);

/// As many bytes as one end may be ahead of the other.
const PIPE: usize = 1 << 20;

/// What the adapter reads of bytes that come in parts of these sizes, over and over, and of the end behind them.
fn by_adapter(bytes: &[u8], parts: &[usize], limits: Limits) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (ours, mut peer) = duplex(PIPE);
        let mut connection = TungsteniteConnection::new(ours, b"", limits);
        let (mut seen, mut rest) = (Vec::new(), bytes);
        for part in parts.iter().cycle() {
            let (now, later) = rest.split_at((*part).min(rest.len()));
            peer.write_all(now).await.unwrap();
            if let Some(end) = read(&mut connection, &mut seen).await {
                return (seen, end);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        peer.shutdown().await.unwrap();
        let end = read(&mut connection, &mut seen).await;
        (seen, end.expect("nothing is left to wait for"))
    })
}

/// Reads what is there for now, as the engine does; the error if there is one.
async fn read(connection: &mut impl Connection, seen: &mut Vec<Entry>) -> Option<ReadErrorKind> {
    let mut batch = Batch::new();
    unconstrained(poll_fn(|cx| {
        loop {
            let Poll::Ready(polled) = connection.poll_recv(cx, &mut batch) else {
                return Poll::Ready(None);
            };
            while let Some(inbound) = batch.next() {
                match inbound {
                    Ok(inbound) => seen.push(entry(inbound)),
                    Err(error) => return Poll::Ready(Some(error.kind())),
                }
            }
            if let Err(error) = polled {
                return Poll::Ready(Some(error.kind()));
            }
        }
    }))
    .await
}

fn entry(inbound: Inbound<'_>) -> Entry {
    match inbound {
        Inbound::Message(message) => Entry::Message(message.kind(), message.payload().to_vec()),
        Inbound::Ping => Entry::Ping,
        Inbound::Pong(payload) => Entry::Pong(payload.to_vec()),
        other => unreachable!("{other:?}"),
    }
}

/// Bytes to be read; what is written is thrown away.
struct Source(Cursor<Vec<u8>>);

impl Read for Source {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl Write for Source {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite reads of the same bytes.
fn by_tungstenite(bytes: &[u8], limits: Limits) -> Seen {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.frame));
    let source = Source(Cursor::new(bytes.to_vec()));
    let mut socket = WebSocket::from_raw_socket(source, Role::Client, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(WsMessage::Text(text)) => {
                Entry::Message(MessageKind::Text, text.as_bytes().to_vec())
            }
            Ok(WsMessage::Binary(payload)) => Entry::Message(MessageKind::Binary, payload.to_vec()),
            Ok(WsMessage::Ping(_)) => Entry::Ping,
            Ok(WsMessage::Pong(payload)) => Entry::Pong(payload.to_vec()),
            Ok(other) => unreachable!("{other:?}"),
            Err(error) => return (seen, kind(&error)),
        });
    }
}

fn kind(error: &Error) -> ReadErrorKind {
    use wscengine_tungstenite::tokio_tungstenite::tungstenite::error::ProtocolError;
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            ReadErrorKind::UnexpectedEof
        }
        Error::Protocol(_) => ReadErrorKind::Protocol,
        Error::Capacity(_) => ReadErrorKind::TooBig,
        Error::Utf8(_) => ReadErrorKind::InvalidUtf8,
        other => unreachable!("{other:?}"),
    }
}

/// A frame whose length is in its shortest form.
fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let len = payload.len();
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(mask | len as u8),
        126..65_536 => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend([0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// Text and what is nearly text, of all the lengths that have a header of their own.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "\\PC{0,30}".prop_map(String::into_bytes),
        2 => ("\\PC{1,9}", 1..60_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
        2 => vec(any::<u8>(), 0..140),
        1 => (65_500..66_000_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

/// A message in parts, with pings and pongs between them.
fn parts() -> impl Strategy<Value = Vec<u8>> {
    let cut = (
        any::<prop::sample::Index>(),
        prop_oneof![4 => Just(None), 1 => Just(Some(0x89)), 1 => Just(Some(0x8a))],
    );
    (payload(), any::<bool>(), vec(cut, 0..4)).prop_map(|(payload, text, mut cuts)| {
        cuts.sort_by_key(|(at, _)| at.index(payload.len() + 1));
        let (mut bytes, mut start) = (Vec::new(), 0);
        let mut opcode = if text { 1 } else { 2 };
        for (at, control) in cuts {
            let end = at.index(payload.len() + 1);
            bytes.extend(frame(opcode, false, &payload[start..end]));
            bytes.extend(control.map_or_else(Vec::new, |first| frame(first, false, b"between")));
            (start, opcode) = (end, 0);
        }
        bytes.extend(frame(0x80 | opcode, false, &payload[start..]));
        bytes
    })
}

/// What a server sends, close frames left out: of those the adapter knows more than tungstenite does.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let first = any::<u8>().prop_filter("no close frame", |first| first & 0x0f != 8);
    let piece = prop_oneof![
        8 => (prop_oneof![Just(0x81), Just(0x82)], payload()).prop_map(|(first, payload)| frame(first, false, &payload)),
        3 => parts(),
        2 => (prop_oneof![Just(0x89), Just(0x8a)], vec(any::<u8>(), 0..126)).prop_map(|(first, payload)| frame(first, false, &payload)),
        1 => (first, prop::bool::weighted(0.2), payload()).prop_map(|(first, masked, payload)| frame(first, masked, &payload)),
    ];
    (vec(piece, 0..10), 0..20_usize).prop_map(|(pieces, missing)| {
        let mut bytes = pieces.concat();
        // Now and then the end is missing.
        bytes.truncate(bytes.len() - if missing < 15 { 0 } else { missing.min(bytes.len()) });
        bytes
    })
}

/// Whether the adapter may say `ours` where tungstenite says `theirs`. It judges a header before the payload is there, and
/// text as it comes; of a frame that breaks several rules another one may be named.
fn is_allowed(ours: ReadErrorKind, theirs: ReadErrorKind) -> bool {
    use ReadErrorKind::{InvalidUtf8, Protocol, TooBig, UnexpectedEof};
    ours == theirs
        || match theirs {
            UnexpectedEof => matches!(ours, Protocol | TooBig | InvalidUtf8),
            Protocol | TooBig => matches!(ours, Protocol | TooBig),
            _ => false,
        }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_adapter_reads_what_tungstenite_reads_however_it_is_cut(
        bytes in wire(),
        sizes in vec(prop_oneof![2 => 1..4_usize, 2 => 1..400_usize, 1 => 1_000..100_000_usize], 1..6),
        message in prop_oneof![2 => Just(1 << 20), 1 => 20..700_usize],
        // The adapter takes every control frame that RFC 6455 allows, whatever the limit.
        frame in prop_oneof![2 => Just(1 << 20), 1 => 125..700_usize],
    ) {
        let limits = Limits { message, frame };
        let (theirs, their_end) = by_tungstenite(&bytes, limits);
        let (ours, our_end) = by_adapter(&bytes, &sizes, limits);
        prop_assert!(ours == theirs, "{} entries instead of {}, then {our_end:?} instead of {their_end:?}", ours.len(), theirs.len());
        prop_assert!(is_allowed(our_end, their_end), "{our_end:?} instead of {their_end:?}");
    }

    #[test]
    fn tungstenite_reads_what_the_adapter_sends(
        messages in vec((any::<bool>(), "\\PC{0,40}", 0..2_000_usize), 1..8),
    ) {
        let messages: Vec<Message<'static>> = messages
            .into_iter()
            .map(|(text, content, times)| match text {
                true => Message::from(content.repeat(times % 50)),
                false => Message::from(content.repeat(times).into_bytes()),
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let wire = runtime.block_on(sent(messages.clone()));
        let mut server = WebSocket::from_raw_socket(Source(Cursor::new(wire)), Role::Server, None);
        for message in messages {
            let got = server.read().unwrap();
            prop_assert_eq!(got.is_text(), message.is_text());
            prop_assert!(got.into_data() == message.payload());
        }
        prop_assert!(server.read().is_err());
    }
}

/// What goes over the wire for these messages.
async fn sent(messages: Vec<Message<'static>>) -> Vec<u8> {
    let (ours, mut peer) = duplex(PIPE);
    let mut connection = TungsteniteConnection::new(ours, b"", Limits::default());
    let send = async move {
        for message in messages {
            poll_fn(|cx| connection.poll_ready(cx)).await.unwrap();
            connection.start_send(Outgoing::Message(message)).unwrap();
        }
        poll_fn(|cx| connection.poll_flush(cx)).await.unwrap();
    };
    let mut wire = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut wire);
    let (read, ()) = tokio::join!(read, send);
    read.unwrap();
    wire
}
