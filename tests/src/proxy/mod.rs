//! A TCP proxy in process, between a client and a real server, that does harm on command.
//!
//! It copies bytes both ways. Each direction can be disturbed on its own, at any time and while connections are open:
//! see [`Lane`]. What concerns a connection as a whole, or the next one, is on [`Proxy`]. What has passed is written
//! down for each connection: see [`Link`].

mod door;
mod frames;
mod lane;
mod link;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use frames::{Corrupt, Passed};
pub use lane::Lane;
pub use link::{End, Link};

use door::{Door, Doorway};
use lane::LaneState;

/// The proxy. It listens on a free loopback port until it is dropped; its connections go with it.
///
/// # Examples
/// ```no_run
/// # async fn example(server: std::net::SocketAddr) {
/// let proxy = e2e::Proxy::start(server).await;
/// let url = format!("ws://{}/echo", proxy.addr());
/// // ... connect to it, and then:
/// proxy.to_client().stall();
/// // The server's bytes stay where they are, the client's still pass.
/// proxy.heal().await;
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    addr: SocketAddr,
    accepting: AbortHandle,
}

/// What the proxy, its doorway and its links share.
#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    to_server: LaneState,
    to_client: LaneState,
    /// Told when all open connections are to be reset.
    reset: watch::Sender<()>,
    door: watch::Sender<Door>,
    /// What the doorway has come to.
    doorway: watch::Sender<Door>,
    links: Mutex<Vec<Link>>,
    accepted: watch::Sender<usize>,
}

impl Proxy {
    /// Listens, and connects each client to `server`.
    pub async fn start(server: SocketAddr) -> Self {
        let doorway = Doorway::new();
        let shared = Arc::new(Shared {
            server,
            to_server: LaneState::new(),
            to_client: LaneState::new(),
            reset: watch::Sender::new(()),
            door: watch::Sender::new(Door::Open),
            doorway: watch::Sender::new(Door::Refusing),
            links: Mutex::default(),
            accepted: watch::Sender::new(0),
        });
        let addr = doorway.addr();
        let accepting = tokio::spawn(doorway.serve(Arc::clone(&shared))).abort_handle();
        let proxy = Self { shared, addr, accepting };
        proxy.arrive(Door::Open).await;
        proxy
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What the client sends.
    pub fn to_server(&self) -> Lane<'_> {
        Lane(&self.shared.to_server)
    }

    /// What the server sends.
    pub fn to_client(&self) -> Lane<'_> {
        Lane(&self.shared.to_client)
    }

    /// Cuts all open connections with RST, to both sides. New ones are not concerned.
    pub fn reset(&self) {
        self.shared.reset.send_replace(());
    }

    /// Cuts all open connections with FIN, to both sides, after what is on its way. What still comes is thrown away, so
    /// that no RST follows. New ones are not concerned.
    pub fn finish(&self) {
        self.to_server().half_close();
        self.to_client().half_close();
    }

    /// Refuses new connections, as a host on which nothing listens does. The port stays ours. Open ones go on.
    pub async fn refuse(&self) {
        self.arrive(Door::Refusing).await;
    }

    /// Accepts new connections and says nothing on them; the server does not hear of them. Open ones go on. They stay
    /// silent when the proxy is healed: a client must give them up.
    pub async fn say_nothing(&self) {
        self.arrive(Door::Silent).await;
    }

    /// Ends every fault. What was cut or closed stays so.
    pub async fn heal(&self) {
        self.to_server().heal();
        self.to_client().heal();
        self.arrive(Door::Open).await;
    }

    /// The connection of this number, from 0, once it was accepted and the server reached.
    pub async fn link(&self, number: usize) -> Link {
        let mut accepted = self.shared.accepted.subscribe();
        crate::within(accepted.wait_for(|accepted| *accepted > number)).await.unwrap();
        self.shared.links.lock().unwrap()[number].clone()
    }

    /// How many connections there were.
    pub fn accepted(&self) -> usize {
        *self.shared.accepted.borrow()
    }

    async fn arrive(&self, door: Door) {
        self.shared.door.send_replace(door);
        let mut doorway = self.shared.doorway.subscribe();
        crate::within(doorway.wait_for(|reached| *reached == door)).await.unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
