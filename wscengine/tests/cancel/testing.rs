//! What the crate gives to tests: the in-memory server, and the conformance suite.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use wscengine::testing::conformance;
use wscengine::testing::memory::{self, MemoryConnection, PeerEvent};
use wscengine::transport::{ConnectRequest, Connected, Transport};
use wscengine::{ConnectError, ConnectErrorKind};

use crate::cut::{at_awaits_over_sockets, at_each_await, at_each_await_over_sockets};
use crate::kit::goes_on;
use crate::support::{Probe, secs, settle, start, within};

fn request() -> ConnectRequest {
    ConnectRequest::new("ws://server.test/".parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn memory_peer_recv_dropped_while_it_waits_loses_nothing() {
    let reached = at_each_await(|cut| async move {
        let mut rig = start(Probe::default()).await;
        let engine = rig.engine.clone();
        let sends = async {
            settle().await;
            engine.send("1").await.unwrap();
            engine.send("2").await.unwrap();
        };
        let (first, ()) = tokio::join!(cut.call(rig.peer.recv()), sends);
        let first = match first {
            Some(first) => first,
            None => within(rig.peer.recv()).await,
        };
        assert_eq!(first, Some(PeerEvent::Message("1".into())));
        assert_eq!(within(rig.peer.recv()).await, Some(PeerEvent::Message("2".into())));
        drop(engine);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// It waits a second time behind the ping, which it passes over.
#[tokio::test(start_paused = true)]
async fn memory_peer_next_message_dropped_while_it_waits_loses_no_message() {
    let reached = at_each_await(|cut| async move {
        let mut rig = start(Probe::default()).await;
        let engine = rig.engine.clone();
        let sends = async {
            settle().await;
            engine.ping().await.unwrap();
            tokio::time::sleep(secs(1)).await;
            engine.send("1").await.unwrap();
        };
        let (first, ()) = tokio::join!(cut.call(rig.peer.next_message()), sends);
        let first = match first {
            Some(first) => first,
            None => within(rig.peer.next_message()).await,
        };
        assert_eq!(first.text(), Some("1"));
        drop(engine);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 2);
}

#[tokio::test(start_paused = true)]
async fn memory_server_accept_dropped_while_it_waits_loses_no_dial() {
    let reached = at_each_await(|cut| async move {
        let (transport, mut server) = memory::transport();
        let dial = async {
            settle().await;
            transport.connect(request()).await
        };
        let accept = async {
            match cut.call(server.accept()).await {
                Some(peer) => peer,
                None => server.accept().await,
            }
        };
        let (connected, peer) = within(async { tokio::join!(dial, accept) }).await;
        assert!(connected.is_ok());
        assert_eq!((server.dials(), server.live()), (1, 1));
        drop(peer);
    })
    .await;
    assert_eq!(reached, 1);
}

/// It waits a second time behind a dial that was abandoned, which it passes over.
#[tokio::test(start_paused = true)]
async fn memory_server_next_dial_dropped_while_it_waits_loses_no_dial() {
    let reached = at_each_await(|cut| async move {
        let (transport, mut server) = memory::transport();
        let dial = async {
            settle().await;
            assert!(tokio::time::timeout(secs(0), transport.connect(request())).await.is_err());
            tokio::time::sleep(secs(1)).await;
            transport.connect(request()).await
        };
        let accept = async {
            let dial = match cut.call(server.next_dial()).await {
                Some(dial) => dial,
                None => server.next_dial().await,
            };
            dial.accept()
        };
        let (connected, peer) = within(async { tokio::join!(dial, accept) }).await;
        assert!(connected.is_ok());
        assert_eq!((server.dials(), server.live()), (2, 1));
        drop(peer);
    })
    .await;
    assert_eq!(reached, 2);
}

#[tokio::test(start_paused = true)]
async fn pending_dial_abandoned_dropped_while_it_waits_may_be_called_again() {
    let reached = at_each_await(|cut| async move {
        let (transport, mut server) = memory::transport();
        let dial = tokio::time::timeout(secs(1), transport.connect(request()));
        let abandoned = async {
            let mut dial = server.next_dial().await;
            if cut.call(dial.abandoned()).await.is_none() {
                dial.abandoned().await;
            }
            assert!(dial.is_abandoned());
        };
        let (dial, ()) = within(async { tokio::join!(dial, abandoned) }).await;
        assert!(dial.is_err());
    })
    .await;
    assert_eq!(reached, 1);
}

/// The in-memory one; those over sockets are cancelled in `wscengine-tungstenite`.
#[tokio::test(start_paused = true)]
async fn transport_connect_dropped_at_any_await_leaves_no_connection() {
    let reached = at_each_await(|cut| async move {
        let (transport, mut server) = memory::transport();
        let serve = async {
            let dial = tokio::time::timeout(secs(2), server.next_dial()).await.ok()?;
            tokio::time::sleep(secs(1)).await;
            Some(dial.accept())
        };
        let (connected, served) = tokio::join!(cut.call(transport.connect(request())), serve);
        assert_eq!(server.dials(), u64::from(cut.polls() > 0));
        match (connected, served) {
            (Some(connected), served) => {
                assert!(connected.is_ok());
                assert_eq!(server.live(), 1);
                drop(served);
            }
            (None, Some(mut peer)) => {
                assert_eq!(within(peer.recv()).await, Some(PeerEvent::Dropped));
                assert_eq!(server.live(), 0);
            }
            // It was abandoned before the server looked.
            (None, None) => assert_eq!(server.live(), 0),
        }
    })
    .await;
    assert_eq!(reached, 1);
}

/// A transport that connects, waits a moment, and fails. It knows how many of its sockets are open.
#[derive(Clone, Debug, Default)]
struct Failing {
    open: Arc<AtomicUsize>,
    last: Arc<Mutex<Option<SocketAddr>>>,
}

struct Opened(Arc<AtomicUsize>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Transport for Failing {
    type Connection = MemoryConnection;

    async fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<Connected<MemoryConnection>, ConnectError> {
        let address = request.url.socket_addrs(|| None).unwrap()[0];
        *self.last.lock().unwrap() = Some(address);
        self.open.fetch_add(1, Ordering::SeqCst);
        let _opened = Opened(Arc::clone(&self.open));
        let _socket = TcpStream::connect(address).await.unwrap();
        Err(ConnectErrorKind::Other.into())
    }
}

impl Failing {
    /// Nothing of a case is left: neither our socket nor the listener.
    async fn assert_closed(&self) {
        assert_eq!(self.open.load(Ordering::SeqCst), 0);
        let last = *self.last.lock().unwrap();
        if let Some(address) = last {
            assert!(TcpStream::connect(address).await.is_err(), "the case still listens");
        }
    }
}

#[tokio::test]
async fn run_case_dropped_at_any_await_closes_its_sockets() {
    let reached = at_each_await_over_sockets(|cut| async move {
        let transport = Failing::default();
        let case = conformance::run_case("messages_before_the_end_still_arrive", transport.clone());
        assert!(cut.call(case).await.is_none_or(|result| result.is_err()));
        transport.assert_closed().await;
    })
    .await;
    assert!(reached >= 1, "{reached}");
}

#[tokio::test]
async fn run_dropped_at_awaits_of_all_its_cases_closes_the_sockets_of_the_case_that_ran() {
    let reached = at_awaits_over_sockets(7, |cut| async move {
        let transport = Failing::default();
        let suite = conformance::run(|| transport.clone());
        if let Some(report) = cut.call(suite).await {
            assert!(report.failed.len() > 40, "{report:?}");
        }
        transport.assert_closed().await;
    })
    .await;
    assert!(reached >= conformance::CASES.len(), "{reached}");
}
