//! The engine over real sockets on loopback: against `rooms-server`, and against servers that misbehave.
//!
//! Each test of `suite` exists once for each adapter. Names that begin with an id (`a01_`, `e04_`, ...) are rows of the
//! table in the package's README.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]
#![allow(
    clippy::duplicate_mod,
    reason = "it is how each test of the suite is one for each adapter"
)]

mod attempts;
mod faults;
mod readme;

use wscengine_rooms_server::{Config, RunningServer, Server};

#[path = "."]
mod sockudo {
    use e2e::Sockudo as Chosen;

    mod suite;
}

#[path = "."]
mod tungstenite {
    use e2e::Tungstenite as Chosen;

    mod suite;
}

/// `rooms-server`, in our own process.
async fn rooms(config: Config) -> RunningServer {
    Server::bind("127.0.0.1:0", config).await.unwrap().spawn()
}
