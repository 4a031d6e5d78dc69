//! iris websocket (gowsal): typed events, native messages and rooms, on the wire as
//! [`wscengine_rooms_protocol::iris`] says.
//!
//! A client says events, to which the application listens, and native messages; nothing is relayed by itself. Rooms
//! are the server's: it puts connections into them and sends to them. They are shared with the clients of the other
//! protocols of the same [`Rooms`](crate::Rooms).
//!
//! # Examples
//! A chat, with the prefix of iris and the client for browsers:
//! ```
//! use axum::Router;
//! use wscengine_rooms_protocol::iris::IRIS;
//! use wscengine_rooms_server::iris::{BROADCAST, Conn, Iris};
//! use wscengine_rooms_server::{Config, Rooms};
//!
//! let iris = Iris::new()
//!     .prefix(IRIS)
//!     .on_connection(async |conn: Conn| {
//!         conn.emit("hello", conn.id())?;
//!         Ok(())
//!     })
//!     .on("chat", async |conn: Conn, text: String| {
//!         conn.to(BROADCAST).emit("chat", text)?;
//!         Ok(())
//!     })
//!     .on("join", async |conn: Conn, room: String| {
//!         conn.join(&room)?;
//!         conn.to(&room).emit("came", conn.id())?;
//!         Ok(())
//!     })
//!     .on_leave(|conn, room| {
//!         // It is still a member.
//!         let _ = conn.to(room).emit("leaves", conn.id());
//!     });
//! let rooms = Rooms::new(Config::default());
//! let app: Router =
//!     Router::new().route("/iris-ws.js", iris.client()).route("/chat", rooms.iris(iris));
//! # let _ = app;
//! ```
//!
//! # The life of a connection
//! It is listed, then the callbacks of [`on_connection`](Iris::on_connection) are called, whose messages are the first
//! that its client gets; then its messages are handled, one after the other. At its end [`on_error`](Iris::on_error)
//! is told if the end is an error, it is taken off the list, [`on_leave`](Iris::on_leave) is told of each of its rooms
//! before it is taken out of it, and of that with its own id; then [`on_disconnect`](Iris::on_disconnect), where others
//! can still be sent to; then the socket is closed, with a close frame.
//!
//! Listeners and callbacks of a connection are called on its task, and none while a lock is held; the ones that are
//! plain functions on the task of who causes the call. A panic in one ends its connection, without more callbacks.

mod admit;
mod bench;
mod by_hand;
mod client;
mod conn;
mod demo;
mod error;
mod extract;
mod listener;
mod options;
mod payload;
mod protocol;
mod server;
mod table;
mod to;
mod values;
mod voice;
mod write;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use crate::hub::JoinError;
pub use admit::UpgradeError;
pub(crate) use bench::bench;
pub use by_hand::{Upgrade, Upgrader};
pub use client::client_source;
pub use conn::Conn;
pub(crate) use demo::demo;
pub use error::{AlreadyDisconnected, EmitError, Error, ListenerError, WriteError};
pub use extract::{Any, FromEvent, Json};
pub use listener::Listener;
pub use options::{
    DEFAULT_BUFFER_SIZE, DEFAULT_MAX_MESSAGE, DEFAULT_PING_PERIOD, DEFAULT_PONG_TIMEOUT,
};
pub use payload::Payload;
pub(crate) use protocol::Mounted;
pub use server::Server;
pub use to::To;
pub use values::Values;
pub use write::FrameKind;

use crate::config::Config;
use crate::hub::Hub;
use options::Options;
use table::Table;

/// The target of [`Conn::to`] that means all connections of the server.
pub const ALL: &str = "";

/// The target of [`Conn::to`] that means all connections of the server but the sender.
pub const BROADCAST: &str = ";to;all;except;me;";

/// The iris protocol with the configuration and the listeners of an application;
/// [`Rooms::iris`](crate::Rooms::iris) makes an endpoint of it.
///
/// What is registered here is for all connections. The methods of the same names of [`Conn`] are for one, and called
/// after these.
pub struct Iris {
    options: Options,
    table: Table,
    server: Server,
}

impl Iris {
    /// Without listeners, and with the prefix `m:`.
    #[must_use]
    pub fn new() -> Self {
        Self { options: Options::default(), table: Table::default(), server: Server::new() }
    }

    /// The connections that will come, for use outside of callbacks.
    #[must_use]
    pub fn server(&self) -> Server {
        self.server.clone()
    }

    pub(crate) fn mounted(self, config: &Config, hub: &Arc<Hub>) -> Mounted {
        Mounted::new(self, config, hub)
    }

    /// Calls `listener` for each event of this name: an async function of the [`Conn`], and, if it wants, of what the
    /// event brings; [`FromEvent`] says what that can be. An event may have several listeners, which are called in
    /// order of registration. One without a listener is ignored.
    ///
    /// The messages of one connection are handled one after the other, in the order in which they came; those of
    /// several connections at once. While a listener waits, its connection is written to, but not read from. An error
    /// that it returns is told to the callbacks of [`on_error`](Self::on_error), and the connection stays.
    ///
    /// The name may be empty. One with a semicolon never comes.
    #[must_use]
    pub fn on<M>(mut self, event: impl Into<String>, listener: impl Listener<M>) -> Self {
        self.table.on(event.into(), listener.called());
        self
    }

    /// Calls `callback` for each native message, also an empty one: what does not begin with the prefix.
    #[must_use]
    pub fn on_message<F, R>(mut self, callback: F) -> Self
    where
        F: Fn(Conn, Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.table.messages.push(table::on_message(callback));
        self
    }

    /// Calls `callback` for each new connection, before its first message. Listeners for this connection alone can be
    /// registered there.
    #[must_use]
    pub fn on_connection<F, R>(mut self, callback: F) -> Self
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.table.connections.push(table::on_conn(callback));
        self
    }

    /// Calls `callback` at the end of each connection, when it is no longer listed and in no room.
    #[must_use]
    pub fn on_disconnect<F, R>(mut self, callback: F) -> Self
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.table.disconnects.push(table::on_conn(callback));
        self
    }

    /// Calls `callback` for each [`Error`]: messages that cannot be read, data that no listener takes, errors of
    /// listeners, and what ends a connection against the will of both sides. Without one, errors are logged.
    #[must_use]
    pub fn on_error(mut self, callback: impl Fn(&Conn, &Error) + Send + Sync + 'static) -> Self {
        self.table.errors.push(Arc::new(callback));
        self
    }

    /// Calls `callback` right before a connection leaves a room, of which it is still a member, by
    /// [`leave`](Conn::leave) or by its end. It may send to the room.
    #[must_use]
    pub fn on_leave(mut self, callback: impl Fn(&Conn, &str) + Send + Sync + 'static) -> Self {
        self.table.leaves.push(Arc::new(callback));
        self
    }

    /// Calls `callback` right before each ping.
    #[must_use]
    pub fn on_ping(mut self, callback: impl Fn(&Conn) + Send + Sync + 'static) -> Self {
        self.table.pings.push(Arc::new(callback));
        self
    }

    /// Calls `callback` for each pong.
    #[must_use]
    pub fn on_pong(mut self, callback: impl Fn(&Conn) + Send + Sync + 'static) -> Self {
        self.table.pongs.push(Arc::new(callback));
        self
    }
}

impl Default for Iris {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Iris {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iris")
            .field("options", &self.options)
            .field("listeners", &self.table)
            .finish_non_exhaustive()
    }
}
