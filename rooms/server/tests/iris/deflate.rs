//! permessage-deflate (RFC 7692), frame by frame.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use wscengine_rooms_server::iris::{ALL, Conn, Iris};

use crate::common::Talker;
use crate::peer::{Raw, serve};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
const AGREED: &str = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";

fn echo() -> Iris {
    Iris::new()
        .compression(true)
        .on_message(async |conn: Conn, message| Ok(conn.emit_message(message)?))
        .on("all", async |conn: Conn, text: String| Ok(conn.to(ALL).emit("all", text)?))
        .on("how", async |conn: Conn| Ok(conn.emit("how", conn.is_compressed())?))
}

fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 100);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
    out
}

fn inflated(payload: &[u8]) -> String {
    let mut out = Vec::with_capacity(1 << 20);
    let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
    Decompress::new(false).decompress_vec(&whole, &mut out, FlushDecompress::Sync).unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn messages_are_compressed_both_ways_each_by_itself() {
    let (addr, _host) = serve(echo()).await;
    let mut a = Raw::connect(addr, &["Sec-WebSocket-Extensions: foo", OFFER]).await;
    assert!(a.head.to_ascii_lowercase().contains(AGREED), "{}", a.head);
    let text = "hello, hello, hello, hello. ".repeat(30);
    // Twice: the second refers to nothing of the first.
    for _ in 0..2 {
        a.send(0xc1, &deflated(text.as_bytes())).await;
        let (first, payload) = a.frame().await;
        assert_eq!(first, 0xc1);
        assert!(payload.len() < 100);
        assert_eq!(inflated(&payload), text);
    }
    // In parts, with a ping between; and not compressed, which is allowed.
    let whole = deflated(text.as_bytes());
    a.send(0x41, &whole[..10]).await;
    a.send(0x89, b"").await;
    a.send(0x80, &whole[10..]).await;
    assert_eq!(a.frame().await, (0x8a, vec![]));
    assert_eq!(inflated(&a.frame().await.1), text);
    a.send(0x81, b"m:how;0;").await;
    assert_eq!(a.frame().await, (0x81, b"m:how;2;true".to_vec()), "too short to be compressed");
}

#[tokio::test]
async fn a_window_that_is_asked_for_is_agreed_to() {
    let (addr, _host) = serve(echo()).await;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10";
    let mut a = Raw::connect(addr, &[offer]).await;
    let head = a.head.to_ascii_lowercase();
    assert!(head.contains("client_no_context_takeover; server_max_window_bits=10\r\n"), "{head}");
    let text = "x".repeat(1000);
    a.send(0x81, text.as_bytes()).await;
    let (first, payload) = a.frame().await;
    assert_eq!((first, inflated(&payload)), (0xc1, text));
}

#[tokio::test]
async fn nothing_is_compressed_unless_both_sides_want_it() {
    let text = "x".repeat(500);
    for (iris, offer) in [(echo(), None), (echo().compression(false), Some(OFFER))] {
        let (addr, _host) = serve(iris).await;
        let lines: Vec<_> = offer.into_iter().collect();
        let mut a = Raw::connect(addr, &lines).await;
        assert!(!a.head.to_ascii_lowercase().contains("extensions"), "{}", a.head);
        a.send(0x81, text.as_bytes()).await;
        assert_eq!(a.frame().await, (0x81, text.clone().into_bytes()));
        a.send(0xc1, &deflated(text.as_bytes())).await;
        let (first, payload) = a.frame().await;
        assert_eq!((first, &payload[..2]), (0x88, &1002_u16.to_be_bytes()[..]));
    }
}

#[tokio::test]
async fn what_is_small_and_would_become_too_large_closes_with_1009() {
    let (addr, _host) = serve(echo()).await;
    for (message, code) in [(deflated(&vec![b'x'; 1_000_000]), 1009_u16), (vec![0xff; 3], 1007)] {
        let mut a = Raw::connect(addr, &[OFFER]).await;
        a.send(0xc1, &deflated(&[b'x'; 1024])).await;
        assert_eq!(inflated(&a.frame().await.1).len(), 1024);
        a.send(0xc1, &message).await;
        let (first, payload) = a.frame().await;
        assert_eq!((first, &payload[..2]), (0x88, &code.to_be_bytes()[..]));
    }
}

#[tokio::test]
async fn those_who_want_it_are_told_compressed_what_others_are_told_plain() {
    let (addr, _host) = serve(echo()).await;
    let mut compressed = [Raw::connect(addr, &[OFFER]).await, Raw::connect(addr, &[OFFER]).await];
    for one in &mut compressed {
        // It is listed by then.
        one.send(0x81, b"m:how;0;").await;
        one.frame().await;
    }
    let mut plain = Talker::connect(addr, "/ws", &[]).await.unwrap();
    let text = format!("m:all;0;{}", "again and again ".repeat(20));
    plain.say(&text).await;
    plain.expect(&text).await;
    for one in &mut compressed {
        let (first, payload) = one.frame().await;
        assert_eq!((first, inflated(&payload)), (0xc1, text.clone()));
    }
}
