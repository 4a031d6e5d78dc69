//! permessage-deflate (RFC 7692) between the adapter and a server of another make, byte by byte where it matters.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::future::poll_fn;

use common::{Seen, Server, client, deflating, frame, outgoing, read_all, sent, to_core};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use sockudo_ws::DeflateWindowBits;
use sockudo_ws::deflate::DeflateConfig;
use tokio::io::{AsyncWriteExt, duplex};
use wscengine::transport::{Connection, Inbound, Limits};
use wscengine::{Message, ReadErrorKind};
use wscengine_sockudo::{Deflate, WindowBits};

const BARE: &str = "permessage-deflate";
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A message as permessage-deflate has it, of zlib's own making.
fn compressed(compress: &mut Compress, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 1024);
    compress.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
    out
}

fn compress() -> Compress {
    Compress::new(Compression::default(), false)
}

fn quote(number: usize) -> String {
    format!(
        "{{\"symbol\":\"WSC{}\",\"bid\":{}.25,\"ask\":{}.50,\"venue\":\"loopback\"}}",
        number % 7,
        number,
        number
    )
}

#[tokio::test]
async fn what_we_compress_is_what_zlib_inflates_with_the_window_kept() {
    let (mut connection, mut peer) = deflating(&Deflate::new().threshold(0), BARE);
    let mut inflate = Decompress::new(false);
    let mut lengths = Vec::new();
    for number in 0..50 {
        let text = quote(number);
        let wire = sent(&mut connection, &mut peer, vec![outgoing(text.clone().into())]).await;
        assert_eq!(wire[0], 0xc1, "FIN, RSV1 and text");
        assert!(wire[1] & 0x80 != 0 && wire[1] & 0x7f < 126, "masked and short");
        let mut payload = wire[6..].to_vec();
        for (at, byte) in payload.iter_mut().enumerate() {
            *byte ^= wire[2 + at % 4];
        }
        lengths.push(payload.len());
        payload.extend(TAIL);
        let mut out = Vec::with_capacity(1024);
        inflate.decompress_vec(&payload, &mut out, FlushDecompress::Sync).unwrap();
        assert_eq!(out, text.as_bytes());
    }
    assert!(lengths[40] * 2 < lengths[0], "{lengths:?}");
}

#[tokio::test]
async fn what_zlib_compresses_arrives_in_one_frame_or_many() {
    let (mut connection, mut peer) = deflating(&Deflate::new(), BARE);
    let mut zlib = compress();
    for number in 0..20 {
        let payload = compressed(&mut zlib, quote(number).as_bytes());
        let (first, rest) = payload.split_at(payload.len() / 3);
        let bytes = match number % 3 {
            0 => frame(0xc1, &payload),
            1 => [frame(0x41, first), frame(0x89, b"between"), frame(0x80, rest)].concat(),
            _ => {
                [frame(0x41, b""), frame(0x00, first), frame(0x00, rest), frame(0x80, b"")].concat()
            }
        };
        let seen = read_all(&mut connection, &mut peer, &bytes).await;
        assert_eq!(seen.messages(), [Message::from(quote(number))], "{:?}", seen.error);
    }
}

#[tokio::test]
async fn plain_messages_between_compressed_ones_arrive_in_their_order() {
    let (mut connection, mut peer) = deflating(&Deflate::new(), BARE);
    let mut zlib = compress();
    let mut bytes = Vec::new();
    let wanted: Vec<String> = (0..100).map(quote).collect();
    for (number, text) in wanted.iter().enumerate() {
        match number % 4 {
            1 => bytes.extend(frame(0xc1, &compressed(&mut zlib, text.as_bytes()))),
            _ => bytes.extend(frame(0x81, text.as_bytes())),
        }
    }
    let seen = read_all(&mut connection, &mut peer, &bytes).await;
    let wanted: Vec<_> = wanted.into_iter().map(Message::from).collect();
    assert_eq!(seen.messages(), wanted);
}

#[tokio::test]
async fn every_window_with_and_without_takeover_goes_both_ways() {
    for (bits, takeover) in (9..=15).flat_map(|bits| [(bits, true), (bits, false)]) {
        let window = WindowBits::try_from(bits).unwrap();
        let deflate = Deflate::new()
            .threshold(0)
            .server_window(window)
            .client_window(window)
            .server_context_takeover(takeover)
            .client_context_takeover(takeover);
        let forget = "; server_no_context_takeover; client_no_context_takeover";
        let answer = format!(
            "{BARE}; server_max_window_bits={bits}; client_max_window_bits={bits}{}",
            if takeover { "" } else { forget }
        );
        let (mut connection, mut peer) = deflating(&deflate, &answer);
        let window = DeflateWindowBits::try_from(bits).unwrap();
        let mut server = Server::deflate(DeflateConfig {
            server_max_window_bits: window,
            client_max_window_bits: window,
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            ..DeflateConfig::default()
        });
        for number in 0..20 {
            let message = Message::from(quote(number).repeat(1 + number * 20));
            let mut wire = sent(&mut connection, &mut peer, vec![outgoing(message.clone())]).await;
            assert!(number == 0 || wire.len() < message.len(), "{bits} bits");
            let got = server.decode(&mut wire);
            assert_eq!(got[0].as_bytes(), message.payload(), "{bits} bits");
            let bytes = server.encode(&to_core(&message));
            let seen = read_all(&mut connection, &mut peer, &bytes).await;
            assert_eq!(seen.messages(), [message], "{bits} bits");
        }
    }
}

#[tokio::test]
async fn short_messages_and_control_frames_are_sent_as_they_are() {
    let (mut connection, mut peer) = deflating(&Deflate::new().threshold(100), BARE);
    let frames = vec![
        outgoing("x".repeat(99).into()),
        wscengine::transport::Outgoing::Ping("x".repeat(125).into()),
        outgoing("x".repeat(100).into()),
    ];
    let wire = sent(&mut connection, &mut peer, frames).await;
    assert_eq!((wire[0], wire[6 + 99], wire[6 + 99 + 6 + 125]), (0x81, 0x89, 0xc1));
}

#[tokio::test]
async fn a_server_that_wants_a_window_of_eight_bits_is_sent_everything_as_it_is() {
    let answer = "permessage-deflate; client_max_window_bits=8";
    let (mut connection, mut peer) = deflating(&Deflate::new(), answer);
    let wire = sent(&mut connection, &mut peer, vec![outgoing("x".repeat(1000).into())]).await;
    assert_eq!(wire[0], 0x81);
    let bytes = frame(0xc1, &compressed(&mut compress(), b"but it may compress"));
    let seen = read_all(&mut connection, &mut peer, &bytes).await;
    assert_eq!(seen.messages(), [Message::from("but it may compress")]);
}

#[tokio::test]
async fn the_bit_of_compression_is_for_the_first_frame_of_a_message_alone() {
    let part = compressed(&mut compress(), b"hello hello hello");
    for bytes in [
        frame(0xc9, b"ping"),
        frame(0xca, b"pong"),
        frame(0xc8, &[0x03, 0xe8]),
        frame(0xc0, b"continues nothing"),
        [frame(0x41, &part[..3]), frame(0xc0, &part[3..])].concat(),
        frame(0xa1, b"another bit"),
        frame(0xd1, b"and another"),
    ] {
        let (mut connection, mut peer) = deflating(&Deflate::new(), BARE);
        let seen = read_all(&mut connection, &mut peer, &bytes).await;
        assert_eq!(seen.error.unwrap().kind(), ReadErrorKind::Protocol, "{bytes:x?}");
        assert!(seen.entries.is_empty());
    }
}

#[tokio::test]
async fn a_compressed_message_without_the_extension_is_a_protocol_error() {
    let (mut connection, mut peer) = deflating(&Deflate::new(), "");
    let bytes = frame(0xc1, &compressed(&mut compress(), b"hello"));
    let seen = read_all(&mut connection, &mut peer, &bytes).await;
    assert_eq!(seen.error.unwrap().kind(), ReadErrorKind::Protocol);
}

#[tokio::test]
async fn data_that_cannot_be_inflated_are_a_protocol_error() {
    for corrupt in [&[0xff; 20][..], &[0x06], &[0x03, 0xff, 0xff, 0xff], &[0x00, 0x05, 0x00, 0x00]]
    {
        let (mut connection, mut peer) = deflating(&Deflate::new(), BARE);
        let bytes = [frame(0x82, b"before"), frame(0xc2, corrupt), frame(0x82, b"behind")].concat();
        let seen = read_all(&mut connection, &mut peer, &bytes).await;
        assert_eq!(seen.messages(), [Message::from(&b"before"[..])], "{corrupt:x?}");
        assert_eq!(seen.error.unwrap().kind(), ReadErrorKind::Protocol, "{corrupt:x?}");
    }
}

#[tokio::test]
async fn compressed_text_that_is_not_utf8_is_refused() {
    let (mut connection, mut peer) = deflating(&Deflate::new(), BARE);
    let bytes = frame(0xc1, &compressed(&mut compress(), b"caf\xe9"));
    let seen = read_all(&mut connection, &mut peer, &bytes).await;
    assert_eq!(seen.error.unwrap().kind(), ReadErrorKind::InvalidUtf8);
}

/// RFC 7692 sections 7.2.3.4 and 7.2.3.5: a final block, and blocks that hold nothing.
#[tokio::test]
async fn final_and_empty_blocks_are_inflated() {
    let (mut connection, mut peer) = deflating(&Deflate::new(), BARE);
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0x00];
    let bytes = [frame(0xc1, &hello), frame(0xc1, &stored), frame(0xc1, &[0x00])].concat();
    let seen = read_all(&mut connection, &mut peer, &bytes).await;
    assert_eq!(seen.messages(), ["Hello", "Hello", ""].map(Message::from), "{:?}", seen.error);
}

#[tokio::test]
async fn limits_hold_for_a_message_after_it_is_inflated() {
    for (message, fits) in [(1000, true), (1001, false)] {
        let (ours, mut peer) = duplex(1 << 16);
        let limits = Limits { message: 1000, frame: 1000 };
        let mut connection = client(ours, limits, &Deflate::new(), BARE);
        let payload = compressed(&mut compress(), &vec![7; message]);
        peer.write_all(&frame(0xc2, &payload)).await.unwrap();
        let mut seen = Seen::default();
        seen.read(&mut connection).await;
        match fits {
            true => assert_eq!(seen.messages(), [Message::from(vec![7; message])]),
            false => assert_eq!(seen.error.unwrap().kind(), ReadErrorKind::TooBig),
        }
    }
}

/// What cannot be compressed becomes larger by it (RFC 1951 section 3.2.4).
#[tokio::test]
async fn limits_hold_for_a_message_in_parts_after_it_is_inflated() {
    for (message, fits) in [(1000, true), (1001, false)] {
        let limits = Limits { message: 1000, frame: 1000 };
        let noise: Vec<u8> =
            (0..message as u64).map(|at| ((at * at * 0x9e37_79b9) >> 7) as u8).collect();
        let payload = compressed(&mut Compress::new(Compression::none(), false), &noise);
        assert!(payload.len() > limits.message);
        let (first, rest) = payload.split_at(400);
        let (ours, mut peer) = duplex(1 << 16);
        let mut connection = client(ours, limits, &Deflate::new(), BARE);
        peer.write_all(&[frame(0x42, first), frame(0x80, rest)].concat()).await.unwrap();
        let mut seen = Seen::default();
        seen.read(&mut connection).await;
        match fits {
            true => assert_eq!(seen.messages(), [Message::from(noise)], "{:?}", seen.error),
            false => assert_eq!(seen.error.unwrap().kind(), ReadErrorKind::TooBig),
        }
    }
}

#[tokio::test]
async fn a_compressed_message_before_the_close_frame_still_arrives() {
    let (mut connection, mut peer) = deflating(&Deflate::new(), BARE);
    let payload = compressed(&mut compress(), b"last words");
    let bytes = [frame(0xc1, &payload), frame(0x88, &[0x03, 0xe9])].concat();
    let seen = read_all(&mut connection, &mut peer, &bytes).await;
    assert_eq!(seen.messages(), [Message::from("last words")]);
    assert!(matches!(&seen.entries[1], Inbound::Close(Some(frame)) if frame.code().0 == 1001));
    assert!(poll_fn(|cx| connection.poll_flush(cx)).await.is_ok());
}

/// RFC 7692 section 7.2.3.6 wants the byte 0; peers on zlib send none where another message came before.
#[tokio::test]
async fn an_empty_message_is_one_byte_or_none() {
    let (mut connection, mut peer) = deflating(&Deflate::new().threshold(0), BARE);
    let mut zlib = compress();
    let (one, two) = (compressed(&mut zlib, b"one one one"), compressed(&mut zlib, b"two one two"));
    let bytes = [
        frame(0xc1, &one),
        frame(0xc1, b""),
        frame(0xc1, &[0]),
        [frame(0x42, b""), frame(0x80, b"")].concat(),
        frame(0xc1, &two),
    ];
    let seen = read_all(&mut connection, &mut peer, &bytes.concat()).await;
    let mut wanted = ["one one one", "", "", "", "two one two"].map(Message::from);
    wanted[3] = Message::from(Vec::new());
    assert_eq!(seen.messages(), wanted, "{:?}", seen.error);
    let wire = sent(&mut connection, &mut peer, vec![outgoing("x".into()), outgoing("".into())]);
    assert_eq!(wire.await[6 + 3..][..2], [0x81, 0x80], "an empty message is not compressed");
}
