//! A message that would be a thousand times as large when inflated: in a file of its own, for its memory to be seen.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod peer;

use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use tokio::io::AsyncWriteExt;
use wscengine::{CloseCode, Engine, Handler, Message, Session};
use wscengine_sockudo::{Deflate, SockudoTransport};

const MIB: usize = 1 << 20;

struct Nothing;

impl Handler for Nothing {
    async fn on_message(&self, _: &Session, message: Message<'_>) {
        panic!("a message of {} bytes", message.len());
    }
}

/// 1 GiB of zeros, as permessage-deflate has them: 1 MiB and a little.
fn bomb() -> Vec<u8> {
    let mut block = Vec::with_capacity(64 << 10);
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![0; MIB], &mut block, FlushCompress::Full)
        .unwrap();
    block.repeat(1024)
}

/// The most memory that the process ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn a_bomb_ends_with_1009_and_little_memory() {
    let payload = bomb();
    assert!(payload.len() < MIB + MIB / 8, "{}", payload.len());
    let (url, listener) = peer::listen().await;
    let transport = SockudoTransport::new().deflate(Deflate::new());
    let engine = Engine::builder(transport, Nothing).url(&url).max_message_size(4 * MIB).build();
    let (engine, stream) =
        tokio::join!(engine.unwrap().start(), peer::accept(&listener, "permessage-deflate"));
    let (engine, mut stream) = (engine.unwrap(), stream);
    let before = peak();
    let frame = [&[0xc2, 127][..], &(payload.len() as u64).to_be_bytes()].concat();
    stream.write_all(&frame).await.unwrap();
    stream.write_all(&payload).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(20), peer::read_close(&mut stream));
    assert_eq!(closed.await.unwrap(), CloseCode::MESSAGE_TOO_BIG.0);
    let used = peak() - before;
    assert!(used < 10 * MIB, "{} KiB", used >> 10);
    drop(engine);
}
