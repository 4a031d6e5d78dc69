//! go-easy-websocket: commands and channels, on the wire as [`wscengine_rooms_protocol::easy`] says.
//!
//! A client sends commands; the handler of a command may answer. With `listen` it registers for a channel, and from then
//! on gets what the application writes there. It proves who it is with the cookie `auth`.
//!
//! # Channels are rooms
//! A channel is the room of that name: who listens is a member of it, in the lists of members that wsrooms clients
//! get, and is told what members of other protocols say in it, as `event: payload`, if it is text and the name of
//! the event can be a command. What is written to a channel, its members of other protocols are told as an event with
//! the name of the command.
//!
//! # Examples
//! A server that greets, and passes news on to all who listen:
//! ```
//! use axum::Router;
//! use bytes::Bytes;
//! use wscengine_rooms_server::easy::{Conn, Easy, Message};
//! use wscengine_rooms_server::{Config, Rooms};
//!
//! let easy = Easy::new()
//!     .channel("news")?
//!     .on("open", async |_, id: Bytes| {
//!         let greeting = [b"Hello ", &id[..]].concat();
//!         Ok(Some(Message::new("welcome", greeting)?))
//!     })?
//!     .on("publish", async |conn: Conn, content: Bytes| {
//!         conn.write_to_channel("news", "news", content)?;
//!         Ok(None)
//!     })?;
//! // Writes from anywhere, at any time.
//! let handle = easy.handle();
//! let rooms = Rooms::new(Config::default());
//! let app: Router = Router::new().route("/ws", rooms.easy(easy));
//! handle.write_to_channel("news", "news", "the server is up")?;
//! # let _ = app;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission;
mod bench;
mod channels;
mod conn;
mod demo;
mod endpoint;
mod handlers;
mod message;
mod voice;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use wscengine_rooms_protocol::Limits;

pub(crate) use bench::bench;
pub use channels::{Handle, WriteError};
pub use conn::Conn;
pub(crate) use demo::demo;
pub use handlers::RegisterError;
pub use message::{Message, MessageError};
pub use wscengine_rooms_protocol::easy::CommandError;

/// What a handler or a validation may return: any error at all. It is logged, and the client is not told.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

use super::Pace;
use crate::config::Config;
use crate::guard::Origins;
use crate::hub::{Hub, Voice};
use channels::{Channels, Guard};
use handlers::{Handlers, Validate};
use voice::EasyVoice;

/// The go-easy-websocket protocol with the handlers and channels of an application;
/// [`Rooms::easy`](crate::Rooms::easy) makes an endpoint of it.
pub struct Easy {
    handlers: Handlers,
    channels: Arc<Channels>,
    validate: Option<Arc<dyn Validate>>,
    cookie: Cookie,
    origins: Origins,
    voice: Arc<dyn Voice>,
    pace: Pace,
    names: Limits,
}

/// Whether the cookie `auth` must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// A client without it is refused.
    Required,
    /// A client without it has the empty token.
    Optional,
}

impl Easy {
    /// Without handlers and channels, for every client that has the cookie `auth`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handlers: Handlers::default(),
            channels: Arc::default(),
            validate: None,
            cookie: Cookie::Required,
            origins: Origins::SameHost,
            voice: Arc::new(EasyVoice),
            pace: Config::default().pace(),
            names: Config::default().names(),
        }
    }

    /// With the limits of a server, and its rooms.
    pub(crate) fn mounted(mut self, config: &Config, hub: &Arc<Hub>) -> Self {
        (self.pace, self.names) = (config.pace(), config.names());
        self.channels.mount(hub);
        self
    }

    /// Calls `handler` with the connection and the content of each message with this command; what it returns is
    /// sent to this connection alone. An error that it returns is logged; the client is not told, and the connection
    /// stays.
    ///
    /// The handler of `open` is called by the server, once for each connection before its first message, with the
    /// session id as content; a client's `open` is an unknown command, as is each command without a handler.
    ///
    /// The messages of one connection are handled one after the other, in the order in which they came; those
    /// of several connections at once. While a handler waits, its connection is written to, but not read
    /// from.
    ///
    /// # Errors
    /// The command is empty, longer than 255 bytes, has a colon, is `websocket` or `listen`, or has a handler already.
    pub fn on<F, R>(mut self, command: impl Into<String>, handler: F) -> Result<Self, RegisterError>
    where
        F: Fn(Conn, Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Message>, HandlerError>> + Send + 'static,
    {
        self.handlers.insert(command.into(), handler)?;
        Ok(self)
    }

    /// A channel that every client may listen to. Its name may be any, also empty; one that is longer than
    /// [`Config::max_name`] closes who wants to listen to it with code 1008.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn channel(self, name: impl Into<String>) -> Result<Self, RegisterError> {
        self.channels.insert(name.into(), Guard::Open)?;
        Ok(self)
    }

    /// A channel to which those may listen for whose token `validate` returns `Ok`. The others are told
    /// `not authorized`, and not the error, which is logged. It is asked for each `listen`, also for one
    /// who listens already.
    ///
    /// This holds for clients of this endpoint: those of other protocols that lead into the same
    /// [`Rooms`](crate::Rooms) join the room of that name by the rules of their own.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn guarded_channel<F, R>(
        self,
        name: impl Into<String>,
        validate: F,
    ) -> Result<Self, RegisterError>
    where
        F: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.channels.insert(name.into(), Guard::Validated(Arc::new(validate)))?;
        Ok(self)
    }

    /// Asks `validate` for each connection, before anything else of its request is looked at, whether its token is
    /// good; an error refuses it with status 403, and is logged. Default: every token is.
    #[must_use]
    pub fn validate<F, R>(mut self, validate: F) -> Self
    where
        F: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.validate = Some(Arc::new(validate));
        self
    }

    /// Whether the cookie `auth` must be there. Default: it must, and who comes without it is refused with
    /// status 403.
    #[must_use]
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.cookie = cookie;
        self
    }

    /// Which web pages may connect; others are refused with status 403. Default:
    /// [`Origins::SameHost`], as in the original, since a browser sends the cookie whatever page connects. Those
    /// of [`Config::origins`] hold as well.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Writes to the channels and clients of this endpoint from outside of its handlers.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.channels))
    }
}

impl Default for Easy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Easy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Easy")
            .field("handlers", &self.handlers)
            .field("channels", &self.channels)
            .field("cookie", &self.cookie)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
