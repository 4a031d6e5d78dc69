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
//! # One room, four framings
//! Clients of all protocols share rooms; in an application they do if their endpoints are made from the same
//! [`Rooms`]. A message in a room has an event name, a sender, and data: text, or other JSON. Its members are told:
//!
//! | | event | sender | text | other JSON |
//! |---|---|---|---|---|
//! | [`wsrooms`] | `event` | its id as `src` | the payload | its compact text as payload |
//! | [`grows`] | `event` | | `data`, a string | `data`, as it is |
//! | [`easy`] | the command | | the content | its compact text |
//! | [`iris`] | the event | | type 0 | whole numbers type 1, `true` and `false` 2, all else 4 |
//!
//! - All members hear what is said in a room in the same order. Who says it hears it, too, if that is so in its protocol:
//!   not in wsrooms.
//! - Bytes that are no text, which only wsrooms clients and applications can say, are not told to the others in events; nor
//!   is an event whose name a protocol has no form for (a semicolon in iris; a colon, no name, or `websocket` in go-easy).
//! - Members of every kind are in the lists that wsrooms clients get, and cause `new_member` and `member_left`.
//!   Others are told nothing of who comes and goes. Nobody but wsrooms clients is put into `root` by itself.
//! - A direct message goes to an id, whatever its kind. wsrooms clients get it with `dst` = their own id, in the room in which a wsrooms
//!   client said it, else in `root`. Who joins a room named as the id does not hear it.
//! - A raw message of groWs is a native one of iris, and the other way round, and an event with the empty name in wsrooms;
//!   go-easy has no form for it. To an iris member it is not told if it begins with the prefix of events.
//! - A channel of go-easy is the room of its name.
//!
//! [`wscengine_rooms_protocol::room`] has the framings by themselves.
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
//!
//! A wsrooms client and go-easy listeners in the room `news`:
//! ```
//! use axum::Router;
//! use bytes::Bytes;
//! use wscengine_rooms_server::easy::{Conn, Easy};
//! use wscengine_rooms_server::wsrooms::Wsrooms;
//! use wscengine_rooms_server::{Config, Rooms};
//!
//! let easy = Easy::new().channel("news")?.on("publish", async |conn: Conn, content: Bytes| {
//!     conn.write_to_channel("news", "headline", content)?;
//!     Ok(None)
//! })?;
//! let rooms = Rooms::new(Config::default());
//! let app: Router = Router::new()
//!     .route("/wsrooms", rooms.wsrooms(Wsrooms::new()))
//!     .route("/easy", rooms.easy(easy));
//! # let _ = app;
//! # Ok::<(), wscengine_rooms_server::easy::RegisterError>(())
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
pub use hub::{Gap, Missed, SlowClients};
pub use rooms::Rooms;
pub use server::{RunningServer, Server};
pub use ws::close_code;
