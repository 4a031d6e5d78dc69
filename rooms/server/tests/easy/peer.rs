//! Clients with the cookie, and applications for them.

use std::net::SocketAddr;

use axum::Router;
use tokio::task::JoinSet;
use wscengine_rooms_server::easy::Easy;
use wscengine_rooms_server::{Config, Rooms, RunningServer};

use crate::common::{Talker, host, start};

pub(crate) const NOT_SUPPORTED: &str = "websocket: command not supported by server";

/// A client of the endpoint at `path` with this token.
pub(crate) async fn come(addr: SocketAddr, path: &str, token: &str) -> Talker {
    Talker::connect(addr, path, &[("cookie", &format!("auth={token}"))]).await.unwrap()
}

/// A server with the demo, and clients that have been greeted.
pub(crate) async fn demo<const N: usize>(config: Config) -> (RunningServer, [Talker; N]) {
    let server = start(config).await;
    let mut talkers = Vec::new();
    for _ in 0..N {
        let mut talker = come(server.local_addr(), "/ws/easy", "valid").await;
        talker.expect("hello: Connected").await;
        talkers.push(talker);
    }
    (server, talkers.try_into().ok().unwrap())
}

/// An application with this endpoint at `/ws`.
pub(crate) async fn serve(easy: Easy) -> (SocketAddr, JoinSet<()>) {
    let rooms = Rooms::new(Config::default());
    host(Router::new().route("/ws", rooms.easy(easy))).await
}

/// Has a client listen, and waits until it does.
pub(crate) async fn listen(talker: &mut Talker, channel: &str) {
    talker.say(&format!("listen: {channel}")).await;
    talker.settle().await;
}
