//! An engine with one open session, and the server's side of it.

use wscengine::testing::memory::{self, MemoryPeer, MemoryServer, MemoryTransport, PeerEvent};
use wscengine::{CloseFrame, Engine, EngineBuilder, Outcome, Status};

use super::{Journal, Probe, within};

pub(crate) type Builder = EngineBuilder<MemoryTransport, Probe>;

/// A running engine. When it goes, the journal is checked for what no engine may ever do.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) server: MemoryServer,
    pub(crate) peer: MemoryPeer,
    pub(crate) journal: Journal,
}

impl Rig {
    pub(crate) async fn stop(&self) -> Outcome {
        within(self.engine.stop()).await
    }

    /// Takes the next dial in place of the peer there was.
    pub(crate) async fn accept(&mut self) {
        self.peer = within(self.server.accept()).await;
    }

    /// Takes the next dial, and waits until its session is open.
    pub(crate) async fn reopened(&mut self) {
        self.accept().await;
        let mut status = self.engine.status();
        within(status.wait_for(|status| matches!(status, Status::Open { .. }))).await.unwrap();
    }

    /// Closes from the peer's side with a code after which the engine comes back.
    pub(crate) fn close_by_peer(&self) {
        self.peer.close(Some(super::frame(1012, "restart")));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.journal.assert_orderly();
            assert!(self.server.max_live() <= 1, "two connections at once");
        }
    }
}

/// A builder for an engine that dials an in-memory server.
pub(crate) fn builder(probe: Probe) -> (Builder, MemoryServer) {
    let (transport, server) = memory::transport();
    (Engine::builder(transport, probe).url("ws://server.test/").seed(1), server)
}

/// An engine with the defaults, its first session open.
pub(crate) async fn start(probe: Probe) -> Rig {
    start_with(probe, |builder| builder).await
}

pub(crate) async fn start_with(probe: Probe, configure: impl FnOnce(Builder) -> Builder) -> Rig {
    let journal = probe.journal.clone();
    let (engine, server, peer) = start_loose(probe, configure).await;
    Rig { engine, server, peer, journal }
}

/// The same in parts, for tests that drop one of them.
pub(crate) async fn start_loose(
    probe: Probe,
    configure: impl FnOnce(Builder) -> Builder,
) -> (Engine, MemoryServer, MemoryPeer) {
    let (builder, mut server) = builder(probe);
    let prepared = configure(builder).build().unwrap();
    let (engine, peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    (engine.unwrap(), server, peer)
}

/// All that the client still writes until its connection is gone.
pub(crate) async fn rest_of(peer: &mut MemoryPeer) -> Vec<PeerEvent> {
    let mut events = Vec::new();
    while let Some(event) = within(peer.recv()).await {
        events.push(event);
    }
    events
}

/// The close frame that the client sent, if it sent one, once its connection is gone.
pub(crate) async fn farewell_of(peer: &mut MemoryPeer) -> Option<CloseFrame> {
    let events = rest_of(peer).await;
    events.into_iter().find_map(|event| match event {
        PeerEvent::Close(frame) => frame,
        _ => None,
    })
}
