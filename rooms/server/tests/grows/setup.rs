//! Applications to talk to.

use std::net::SocketAddr;

use axum::Router;
use tokio::task::JoinSet;
use wscengine_rooms_server::grows::{ClientHandler, Clients, Conn, Grows, RegisterError, Routes};
use wscengine_rooms_server::{Config, Rooms, RunningServer};

use crate::common::{Talker, host, start};

/// A groWs application that runs.
pub(crate) struct App {
    pub(crate) addr: SocketAddr,
    pub(crate) clients: Clients,
    pub(crate) rooms: Rooms,
    _tasks: JoinSet<()>,
}

impl App {
    pub(crate) async fn start(grows: Grows) -> Self {
        Self::with(Config::default(), grows).await
    }

    pub(crate) async fn with(config: Config, grows: Grows) -> Self {
        let (rooms, clients) = (Rooms::new(config), grows.clients());
        let (addr, tasks) = host(rooms.grows(grows)).await;
        Self { addr, clients, rooms, _tasks: tasks }
    }

    /// One route, `/x`.
    pub(crate) async fn serving(handler: ClientHandler) -> Self {
        let routes = Routes::new().route("/x", handler).unwrap();
        Self::start(Grows::new().router(routes).unwrap()).await
    }

    pub(crate) async fn join(&self) -> Talker {
        self.enter("/x").await.unwrap()
    }

    /// A client whose connection is listed; refused: the status.
    pub(crate) async fn enter(&self, path: &str) -> Result<Talker, u16> {
        let mut talker = Talker::connect(self.addr, path, &[]).await?;
        talker.settle().await;
        Ok(talker)
    }

    /// Three clients that know their ids.
    pub(crate) async fn three(&self) -> [(Talker, String); 3] {
        [self.known().await, self.known().await, self.known().await]
    }

    /// A client and its id, for handlers with `id`.
    pub(crate) async fn known(&self) -> (Talker, String) {
        let mut talker = self.join().await;
        talker.say("id").await;
        let id = talker.receive().await.into_text().unwrap().to_string();
        (talker, id)
    }
}

/// A handler whose raw message `id` is answered with the id.
pub(crate) fn telling_ids() -> ClientHandler {
    ClientHandler::new().on("id", async |conn: Conn, _| Ok(conn.write(conn.id())?)).unwrap()
}

/// One route, `/x`, behind middlewares.
pub(crate) fn behind(
    handler: ClientHandler,
    middlewares: impl FnOnce(Routes) -> Result<Routes, RegisterError>,
) -> Grows {
    let routes = middlewares(Routes::new().route("/x", handler).unwrap()).unwrap();
    Grows::new().router(routes).unwrap()
}

/// The demo of `rooms-server`, and clients of one of its routes.
pub(crate) async fn demo<const N: usize>(route: &str) -> (RunningServer, [Talker; N]) {
    let server = start(Config::default()).await;
    let mut talkers = Vec::new();
    for _ in 0..N {
        let path = format!("/ws/grows/{route}");
        let mut talker = Talker::connect(server.local_addr(), &path, &[]).await.unwrap();
        talker.settle().await;
        talkers.push(talker);
    }
    (server, talkers.try_into().ok().unwrap())
}

/// An application next to others.
pub(crate) async fn beside(grows: Grows, others: Router) -> (SocketAddr, JoinSet<()>) {
    host(others.merge(Rooms::new(Config::default()).grows(grows))).await
}
