//! Whatever the messages, the frames and the reads they come in: what one side sends is what the other gets, and bytes
//! that are no frames have the same verdict however they are cut.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{LIMIT, Seen, Server, client, frame, outgoing, sent, to_core};
use proptest::collection::vec;
use proptest::prelude::*;
use sockudo_ws::DeflateWindowBits;
use sockudo_ws::deflate::DeflateConfig;
use tokio::io::{AsyncWriteExt, duplex};
use wscengine::transport::{Inbound, Limits};
use wscengine::{Message, ReadErrorKind};
use wscengine_sockudo::{Deflate, WindowBits};

const PIPE: usize = 1 << 20;

/// What was agreed on, for both sides.
#[derive(Clone, Debug)]
struct Agreed {
    deflate: Deflate,
    answer: String,
    server: Option<DeflateConfig>,
}

fn agreed() -> impl Strategy<Value = Agreed> {
    let deflate = (
        9..=15_u8,
        9..=15_u8,
        any::<bool>(),
        any::<bool>(),
        1..=9_u32,
        prop_oneof![Just(0), 0..300_usize],
    );
    prop_oneof![
        1 => Just(Agreed { deflate: Deflate::new(), answer: String::new(), server: None }),
        3 => deflate.prop_map(|(server, client, server_takeover, client_takeover, level, threshold)| {
            let mut answer = format!(
                "permessage-deflate; server_max_window_bits={server}; client_max_window_bits={client}"
            );
            if !server_takeover {
                answer += "; server_no_context_takeover";
            }
            if !client_takeover {
                answer += "; client_no_context_takeover";
            }
            Agreed {
                deflate: Deflate::new()
                    .client_window(WindowBits::try_from(client).unwrap())
                    .level(level)
                    .threshold(threshold),
                answer,
                server: Some(DeflateConfig {
                    server_max_window_bits: DeflateWindowBits::try_from(server).unwrap(),
                    client_max_window_bits: DeflateWindowBits::try_from(client).unwrap(),
                    server_no_context_takeover: !server_takeover,
                    client_no_context_takeover: !client_takeover,
                    compression_level: level,
                    compression_threshold: threshold,
                }),
            }
        }),
    ]
}

fn message() -> impl Strategy<Value = Message<'static>> {
    let len = prop_oneof![4 => 0..200_usize, 2 => 100..300_usize, 1 => 60_000..70_000_usize];
    prop_oneof![
        Just(Message::from("")),
        "\\PC{0,40}".prop_map(Message::from),
        ("\\PC{1,20}", 1..400_usize).prop_map(|(text, count)| Message::from(text.repeat(count))),
        (len.clone(), any::<u8>()).prop_map(|(len, byte)| Message::from(vec![byte; len])),
        // What cannot be compressed.
        (len, any::<u32>()).prop_map(|(len, seed)| {
            let step = |state: u32| state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut state = seed;
            let bytes = std::iter::repeat_with(|| {
                state = step(state);
                (state >> 24) as u8
            });
            Message::from(bytes.take(len).collect::<Vec<_>>())
        }),
    ]
}

/// Cuts a frame into a first one and continuations, with pings between them.
fn fragmented(whole: &[u8], cuts: &[usize]) -> Vec<u8> {
    let header = match whole[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let (first, payload) = (whole[0], &whole[header..]);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (payload.len() + 1)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([payload.len()]);
    let mut bytes = Vec::new();
    let mut start = 0;
    for (number, end) in ends.enumerate() {
        let opcode = if number == 0 { first & 0x4f } else { 0 };
        let fin = if number == cuts.len() { 0x80 } else { 0 };
        bytes.extend(frame(fin | opcode, &payload[start..end]));
        if fin == 0 {
            bytes.extend(frame(0x89, b"between"));
        }
        start = end;
    }
    bytes
}

/// What a client sees of bytes that come in these parts (sizes, over and over), and of the end behind them.
fn seen(agreed: &Agreed, limits: Limits, bytes: &[u8], parts: &[usize]) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (ours, mut peer) = duplex(PIPE);
        let mut connection = client(ours, limits, &agreed.deflate, &agreed.answer);
        let mut seen = Seen::default();
        let mut rest = bytes;
        for part in parts.iter().cycle() {
            let (now, later) = rest.split_at((*part).min(rest.len()));
            peer.write_all(now).await.unwrap();
            seen.read(&mut connection).await;
            rest = later;
            if rest.is_empty() || seen.error.is_some() {
                break;
            }
        }
        peer.shutdown().await.unwrap();
        seen.read(&mut connection).await;
        seen
    })
}

/// Bytes that a server could send, or nearly.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        6 => Just(0x81_u8), 6 => Just(0x82), 3 => Just(0xc1), 3 => Just(0x01), 2 => Just(0x41),
        4 => Just(0x80), 3 => Just(0x00), 3 => Just(0x89), 2 => Just(0x8a), 1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        3 => "\\PC{0,30}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..140),
        1 => vec(Just(b'x'), 120..700),
        // A block of DEFLATE that ends well: "Hello".
        2 => Just(vec![0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]),
        1 => Just(vec![0x03, 0xe8, b'o', b'k']),
    ];
    let piece = prop_oneof![
        12 => (first, payload).prop_map(|(first, payload)| frame(first, &payload)),
        1 => vec(any::<u8>(), 0..20),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What counts: the entries, and which error.
fn verdict(seen: Seen) -> (Vec<Inbound<'static>>, Option<ReadErrorKind>) {
    (seen.entries, seen.error.map(|error| error.kind()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_server_sends_arrives(
        agreed in agreed(),
        messages in vec((message(), vec(any::<usize>(), 0..4)), 1..8),
        parts in vec(prop_oneof![1..10_usize, 10..5000_usize, 5000..200_000_usize], 1..6),
    ) {
        let mut server = agreed.server.clone().map_or_else(Server::plain, Server::deflate);
        let mut bytes = Vec::new();
        for (message, cuts) in &messages {
            bytes.extend(fragmented(&server.encode(&to_core(message)), cuts));
        }
        let got = seen(&agreed, Limits::default(), &bytes, &parts);
        let wanted: Vec<_> = messages.into_iter().map(|(message, _)| message).collect();
        prop_assert!(got.messages() == wanted, "{:?} after {} messages", got.error, got.messages().len());
        prop_assert_eq!(got.error.unwrap().kind(), ReadErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_we_send_arrives(agreed in agreed(), messages in vec(message(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut wire = runtime.block_on(async {
            let (ours, mut peer) = duplex(PIPE);
            let mut connection =
                client(ours, Limits { message: LIMIT, frame: LIMIT }, &agreed.deflate, &agreed.answer);
            sent(&mut connection, &mut peer, messages.iter().cloned().map(outgoing).collect()).await
        });
        let mut server = agreed.server.clone().map_or_else(Server::plain, Server::deflate);
        let got = server.decode(&mut wire);
        prop_assert_eq!(got.len(), messages.len());
        for (got, message) in got.iter().zip(&messages) {
            prop_assert_eq!(got.is_text(), message.is_text());
            prop_assert!(got.as_bytes() == message.payload());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 768, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_have_the_same_verdict_however_they_are_cut(
        deflate in any::<bool>(),
        bytes in wire(),
        parts in vec(prop_oneof![3 => 1..4_usize, 1 => 1..400_usize], 1..6),
        message in 200..900_usize,
        frame in 200..900_usize,
    ) {
        let answer = if deflate { "permessage-deflate" } else { "" };
        let agreed = Agreed { deflate: Deflate::new(), answer: answer.into(), server: None };
        let limits = Limits { message, frame };
        let whole = verdict(seen(&agreed, limits, &bytes, &[bytes.len().max(1)]));
        let cut = verdict(seen(&agreed, limits, &bytes, &parts));
        prop_assert!(whole.1.is_some());
        prop_assert_eq!(whole, cut);
    }
}
