//! Idle connections: what each keeps allocated. The run with 10,000 is `tests/run idle`.

use e2e::{Adapter, RawServer, Sockudo, Tungstenite, builder, within};
use futures_util::future::join_all;
use tokio::sync::mpsc;
use wscengine::{Handler, Message, OutcomeKind, Session};

use crate::{allocated, alone};

const CONNECTIONS: usize = 200;
/// With a raw server's end for each, and what the runtime needs for both.
const MOST: usize = 12 << 10;

struct Teller {
    heard: mpsc::UnboundedSender<()>,
}

impl Handler for Teller {
    async fn on_message(&self, _: &Session, _: Message<'_>) {
        // The test may have ended.
        let _ = self.heard.send(());
    }
}

/// A future that held its state twice over would show here: a task's state is most of what an idle connection keeps.
async fn idle<A: Adapter>() {
    let _alone = alone().await;
    let server = RawServer::bind().await;
    let (heard, mut messages) = mpsc::unbounded_channel();
    let open = async || {
        let teller = Teller { heard: heard.clone() };
        let prepared = builder::<A, _>(&server.url(), teller).build().unwrap();
        let (engine, peer) = tokio::join!(within(prepared.start()), server.accept());
        (engine.unwrap(), peer)
    };
    // What the first one brings for all is not counted.
    let _first = open().await;
    let before = allocated();
    let mut pairs = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        pairs.push(open().await);
    }
    let each = (allocated() - before) / CONNECTIONS;
    println!("{each} bytes for each of {CONNECTIONS} connections, with the server's end");
    assert!(each <= MOST, "{each} bytes for each connection");
    for (_, peer) in &mut pairs {
        peer.send_text("still there?").await;
    }
    for _ in 0..CONNECTIONS {
        within(messages.recv()).await.unwrap();
    }
    let outcomes = join_all(pairs.into_iter().map(async |(engine, mut peer)| {
        let answers = async {
            while peer.frame().await.is_some_and(|frame| frame.close_code().is_none()) {}
            peer.close(1001, "").await;
        };
        tokio::join!(within(engine.stop()), answers).0
    }));
    assert!(outcomes.await.iter().all(|outcome| outcome.kind() == OutcomeKind::Requested));
}

#[tokio::test]
async fn an_idle_connection_keeps_little_lives_and_is_stopped_tungstenite() {
    idle::<Tungstenite>().await;
}

#[tokio::test]
async fn an_idle_connection_keeps_little_lives_and_is_stopped_sockudo() {
    idle::<Sockudo>().await;
}
