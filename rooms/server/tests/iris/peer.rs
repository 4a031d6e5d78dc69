//! Clients of iris endpoints, and what the tests see of the callbacks.

use std::net::SocketAddr;

use axum::Router;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wscengine_rooms_server::iris::Iris;
use wscengine_rooms_server::{Config, Rooms, RunningServer};

use crate::common::{HANG, Talker, host, start};

/// The prefix of `/ws/iris`.
pub(crate) const P: &str = wscengine_rooms_protocol::iris::IRIS;

/// A client whose connection is known to be listed.
pub(crate) async fn come(addr: SocketAddr, path: &str) -> Talker {
    let mut talker = Talker::connect(addr, path, &[]).await.unwrap();
    talker.settle().await;
    talker
}

pub(crate) async fn all_come<const N: usize>(addr: SocketAddr, path: &str) -> [Talker; N] {
    let mut talkers = Vec::new();
    for _ in 0..N {
        talkers.push(come(addr, path).await);
    }
    talkers.try_into().ok().unwrap()
}

/// The server with the demo, and clients of `/ws/iris`.
pub(crate) async fn demo<const N: usize>(config: Config) -> (RunningServer, [Talker; N]) {
    let server = start(config).await;
    let talkers = all_come(server.local_addr(), "/ws/iris").await;
    (server, talkers)
}

/// An application's own endpoint on `/ws`, and its clients.
pub(crate) async fn meet<const N: usize>(iris: Iris) -> (SocketAddr, JoinSet<()>, [Talker; N]) {
    let (addr, tasks) = serve(iris).await;
    (addr, tasks, all_come(addr, "/ws").await)
}

pub(crate) async fn serve(iris: Iris) -> (SocketAddr, JoinSet<()>) {
    let rooms = Rooms::new(Config::default());
    host(Router::new().route("/ws", rooms.iris(iris))).await
}

/// What callbacks note, in order.
pub(crate) struct Notes(UnboundedReceiver<String>);

/// For callbacks to write to.
#[derive(Clone)]
pub(crate) struct Pen(UnboundedSender<String>);

pub(crate) fn notes() -> (Pen, Notes) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Pen(sender), Notes(receiver))
}

impl Pen {
    pub(crate) fn note(&self, text: impl Into<String>) {
        // The test may have seen enough.
        let _ = self.0.send(text.into());
    }
}

impl Notes {
    pub(crate) async fn next(&mut self) -> String {
        timeout(HANG, self.0.recv()).await.expect("no hang").expect("another note")
    }

    /// The next ones must be these.
    pub(crate) async fn expect(&mut self, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.next().await, *text);
        }
    }

    /// Fails if there is one.
    pub(crate) fn assert_no_more(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}
