//! Keeping a few messages of many.

use std::sync::{Arc, Mutex};

use e2e::{Adapter, RawServer, Sockudo, Tungstenite, builder, frame, within};
use tokio::sync::mpsc;
use wscengine::{Handler, Message, Session};

use crate::{allocated, alone};

const PAYLOAD: usize = 512;
const KEPT: usize = 150;
/// Of so many messages one is kept.
const OF: usize = 1_000;

/// Keeps one message in a thousand, compactly.
struct Keeper {
    seen: Arc<Mutex<(usize, Vec<Message<'static>>)>>,
    news: mpsc::UnboundedSender<usize>,
}

impl Handler for Keeper {
    async fn on_message(&self, _: &Session, message: Message<'_>) {
        let mut seen = self.seen.lock().unwrap();
        seen.0 += 1;
        if seen.0.is_multiple_of(OF) {
            seen.1.push(message.to_compact());
            // The test may have ended.
            let _ = self.news.send(seen.0);
        }
    }
}

/// A message that shared its chunk would keep 32 KiB: sixty times its payload.
async fn keeping_compactly<A: Adapter>() {
    let _alone = alone().await;
    let server = RawServer::bind().await;
    let (news, mut reached) = mpsc::unbounded_channel();
    let seen = Arc::new(Mutex::new((0, Vec::new())));
    let keeper = Keeper { seen: seen.clone(), news };
    let prepared = builder::<A, _>(&server.url(), keeper).build().unwrap();
    let (engine, mut peer) = tokio::join!(within(prepared.start()), server.accept());
    let block = frame(0x81, &[b'x'; PAYLOAD]).repeat(100);
    let mut send_until = async |messages: usize| {
        let serve = async {
            for _ in 0..OF / 100 {
                peer.write(&block).await;
            }
        };
        tokio::join!(serve, async { while within(reached.recv()).await.unwrap() < messages {} });
    };
    // What the connection needs for itself is not counted.
    send_until(OF).await;
    let before = allocated();
    for kept in 1..=KEPT {
        send_until((1 + kept) * OF).await;
    }
    let (grown, payloads) = (allocated() - before, KEPT * PAYLOAD);
    println!("{KEPT} of {} messages kept: {payloads} bytes in {grown} allocated", KEPT * OF);
    assert_eq!(seen.lock().unwrap().1.len(), 1 + KEPT);
    assert!(grown <= 2 * payloads, "{payloads} bytes of payload kept in {grown}");
    within(engine.unwrap().stop()).await;
}

#[tokio::test]
async fn one_message_in_a_thousand_kept_compactly_stays_within_twice_its_payload_tungstenite() {
    keeping_compactly::<Tungstenite>().await;
}

#[tokio::test]
async fn one_message_in_a_thousand_kept_compactly_stays_within_twice_its_payload_sockudo() {
    keeping_compactly::<Sockudo>().await;
}
