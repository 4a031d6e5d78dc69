//! The companion server of wscengine: rooms in an axum application, and the peer that the engine's examples and
//! tests talk to.
//!
//! [`Rooms`] gives endpoints for room protocols, [`wsrooms`], [`grows`], [`easy`] and [`iris`]. [`App`] has them on routes:
//!
//! | path | what |
//! |---|---|
//! | `/ws/wsrooms` | rooms for wsrooms clients, with handlers for `hello`, `ping` and `tell` |
//! | `/ws/easy` | commands and channels for go-easy-websocket clients with the cookie `auth=valid` |
//! | `/ws/iris`, `/ws/gowsal` | events and rooms for iris clients, with the prefixes `iris-websocket-message:` and `m:` |
//! | `/iris-ws.js` | the client of `/ws/iris` for browsers |
//! | `/`, `/status` | a chat, and what goes on, with [`Config::pages`]; `/rooms.js` is the client for browsers |
//! | `/ws/grows/..` | raw messages and events for groWs clients, on `example`, `user/:id`, `star`, `tagged`, `denied` |
//! | `/echo` | WebSocket (RFC 6455): every message comes back as it was, text as text, binary as binary |
//! | `/healthz`, `/readyz` | `200` while the process serves, and while new connections are welcome |
//! | `/metrics` | what is counted, for Prometheus |
//!
//! A request to `/echo` that is no correct opening handshake is refused: 426 to a plain request and
//! to a version other than 13, 400 to a wrong or missing key, Host or Connection header, 405 to
//! a method other than GET. A client that breaks the protocol later gets a close frame that says
//! how: 1002 (protocol), 1007 (text that is not UTF-8) or 1009 (message too big).
//!
//! # Three ways to run it
//!
//! - the binary: `rooms-server --listen 127.0.0.1:8080`;
//! - in process: [`Server`], for tests and examples;
//! - inside an axum application of yours: [`Rooms`] for endpoints of your own, [`router`] for all of the above, or
//!   [`App`] when that application also wants to close the WebSocket connections in an orderly way.
//!
//! # Examples
//!
//! ```
//! use wscengine_rooms_server::{Config, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let server = Server::bind("127.0.0.1:0", Config::default()).await?.spawn();
//! assert!(server.echo_url().starts_with("ws://127.0.0.1:"));
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod app;
mod broker;
mod config;
mod connection;
mod dialect;
mod drain;
mod guard;
mod handshake;
#[allow(dead_code, unused_imports, reason = "for the protocols that come next")]
mod hub;
mod metrics;
#[cfg(doctest)]
mod migration;
mod pages;
mod rooms;
mod server;
mod span;
mod ws;

pub use app::{App, router};
pub use broker::options::{Node, Redis, RedisUrlError};
pub use config::Config;
pub use dialect::{easy, grows, iris, wsrooms};
pub use guard::Origins;
pub use hub::SlowClients;
pub use rooms::Rooms;
pub use server::{RunningServer, Server};
pub use ws::close_code;
