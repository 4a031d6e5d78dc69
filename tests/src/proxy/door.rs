//! Where clients come in.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::Shared;
use super::link::serve;

/// What happens to new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    /// Nobody listens.
    Refusing,
    /// They are accepted, and that is all.
    Silent,
}

/// A port, whether somebody listens on it or not.
pub(super) struct Doorway {
    /// Bound and never listening: while nobody listens, it keeps others from being given the port. Linux lets a
    /// second socket listen on it.
    guard: TcpSocket,
}

/// As many as a burst of reconnects brings.
const BACKLOG: u32 = 128;

impl Doorway {
    pub(super) fn new() -> Self {
        Self { guard: bound(SocketAddr::from(([127, 0, 0, 1], 0))) }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.guard.local_addr().unwrap()
    }

    /// Lets clients in, or does not, as it is told.
    pub(super) async fn serve(self, shared: Arc<Shared>) {
        let mut door = shared.door.subscribe();
        let mut links = JoinSet::new();
        let mut silent = Vec::new();
        let mut listener = None;
        loop {
            let wanted = *door.borrow_and_update();
            listener = match wanted {
                Door::Refusing => None,
                Door::Open | Door::Silent => listener.or_else(|| Some(self.listen())),
            };
            shared.doorway.send_replace(wanted);
            tokio::select! {
                changed = door.changed() => if changed.is_err() { return },
                client = accept(listener.as_ref()) => match wanted {
                    Door::Silent => silent.push(client),
                    Door::Open | Door::Refusing => drop(links.spawn(serve(client, Arc::clone(&shared)))),
                },
                Some(_) = links.join_next() => {}
            }
        }
    }

    fn listen(&self) -> TcpListener {
        bound(self.addr()).listen(BACKLOG).unwrap()
    }
}

fn bound(addr: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(addr).unwrap();
    socket
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().await.unwrap().0,
        None => pending().await,
    }
}
