//! A flood of numbered messages, cut again and again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use e2e::{RawServer, frame, within};

use crate::client::Client;
use crate::gauge::Gauge;
use crate::peer::{self, End};

/// Written at once.
const BLOCK: u64 = 256;

/// Whether after so many messages nothing has grown, and they came in order.
pub(crate) async fn run(messages: u64, mut gauge: Gauge) -> bool {
    let server = RawServer::bind().await;
    let client = Client::new();
    let port = server.port();
    let serving = tokio::spawn(serve(server));
    let engine = within(client.start(port)).await;
    let mut moved = (Instant::now(), 0);
    while moved.1 < messages {
        client.seen.change().await;
        let done = client.seen.messages.load(Ordering::SeqCst);
        if done > moved.1 {
            moved = (Instant::now(), done);
        }
        assert!(moved.0.elapsed() < STUCK, "no message came for {STUCK:?}");
        gauge.pass(done, messages);
    }
    let outcome = within(engine.stop()).await;
    println!("the engine ended: {:?}", outcome.kind());
    serving.abort();
    client.seen.is_orderly() & gauge.is_flat()
}

async fn serve(server: RawServer) {
    for session in 0_u64.. {
        let end = End::OPEN[session as usize % End::OPEN.len()];
        let Ok(Some(mut connection)) = peer::accept(&server, end).await else { continue };
        let blocks = 1 + session * 37 % 400;
        for block in 0..blocks {
            let mut bytes = Vec::with_capacity(BLOCK as usize * 130);
            for number in block * BLOCK..(block + 1) * BLOCK {
                let mut payload = [0; 128];
                payload[..8].copy_from_slice(&number.to_be_bytes());
                bytes.extend(frame(0x82, &payload));
            }
            if connection.try_write(&bytes).await.is_err() {
                break;
            }
        }
        peer::end(connection, end).await;
    }
}

const STUCK: Duration = Duration::from_secs(30);
