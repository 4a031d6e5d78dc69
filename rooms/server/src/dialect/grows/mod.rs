//! groWs: raw messages and events, with routes and middlewares; on the wire as
//! [`wscengine_rooms_protocol::grows`] says.
//!
//! | in groWs | here |
//! |---|---|
//! | App | [`Grows`], and [`Rooms::grows`](crate::Rooms::grows), which makes an axum router of it |
//! | Router, with paths and middlewares | [`Routes`], any number in one application |
//! | ClientHandler | [`ClientHandler`] |
//! | Client | [`Conn`]; [`Guest`] before the upgrade |
//! | the functions of the package | [`Clients`]: what is said to rooms, to all, to some, to one; lists of ids |
//! | Event | [`Event`] |
//!
//! # Examples
//! ```
//! use axum::Router;
//! use wscengine_rooms_server::grows::{ClientHandler, Conn, Event, Grows, Routes};
//! use wscengine_rooms_server::{Config, Rooms};
//!
//! let handler = ClientHandler::new()
//!     .on_connect(async |conn: Conn| Ok(conn.join("testRoom")?))
//!     .on("test", async |conn: Conn, _: String| Ok(conn.write("test back")?))?
//!     .on_event("Broadcast", async |conn: Conn, event: Event| {
//!         conn.clients().broadcast_event("testRoom", "broadcast-event", &event.data)?;
//!         Ok(())
//!     })?;
//! let grows = Grows::new().router(Routes::new().route("/example", handler)?)?;
//!
//! let rooms = Rooms::new(Config::default());
//! let app: Router = Router::new().merge(rooms.grows(grows));
//! # let _ = app;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bench;
mod clients;
mod conn;
mod demo;
mod endpoint;
mod error;
mod event;
mod guest;
mod handlers;
mod middleware;
mod path;
mod refusal;
mod routes;
mod voice;

use std::fmt;
use std::sync::Arc;

pub(crate) use bench::bench;
pub use clients::Clients;
pub use conn::Conn;
pub(crate) use demo::demo;
pub(crate) use endpoint::Endpoint;
pub use error::{HandlerError, MetaNotFound, RegisterError, SendError};
pub use event::{Data, Event};
pub use guest::Guest;
pub use handlers::ClientHandler;
pub use refusal::not_found;
pub use routes::Routes;

pub use crate::hub::JoinError;

use crate::config::Config;
use crate::hub::Hub;
use clients::Common;

/// A groWs application: its routes, and the clients that come by them. [`Rooms::grows`](crate::Rooms::grows)
/// makes an axum router of it.
pub struct Grows {
    common: Arc<Common>,
    endpoints: Vec<Endpoint>,
    /// Finds out whether axum can tell the routes apart.
    paths: matchit::Router<()>,
}

impl Grows {
    /// Without routes.
    #[must_use]
    pub fn new() -> Self {
        let (common, endpoints) = (Arc::new(Common::new()), Vec::new());
        Self { common, endpoints, paths: matchit::Router::new() }
    }

    /// Adds the routes of a router, with their middlewares. All routers count.
    ///
    /// # Errors
    /// A path leads to the same requests as another one.
    pub fn router(mut self, router: Routes) -> Result<Self, RegisterError> {
        let Routes { routes, handshake, receive, send } = router;
        for (path, handler) in routes {
            let text = path.text();
            for route in &path.routes {
                let wrong = |error: matchit::InsertError| RegisterError::path(text, &error);
                self.paths.insert(route, ()).map_err(wrong)?;
            }
            let middlewares =
                (handshake.of(text).next(), receive.of(text).collect(), send.of(text).collect());
            self.endpoints.push(Endpoint::new(&self.common, path, handler, middlewares));
        }
        Ok(self)
    }

    /// All clients of this application. Until it is an axum router there are none.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients::new(&self.common)
    }

    /// The routes as parts of a server.
    pub(crate) fn endpoints(self, hub: &Arc<Hub>, config: &Config) -> Vec<Endpoint> {
        self.common.set_hub(hub);
        let endpoints = self.endpoints.into_iter().enumerate();
        endpoints.map(|(at, endpoint)| endpoint.limited(config, at == 0)).collect()
    }
}

impl Default for Grows {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Grows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.endpoints.iter().map(Endpoint::path);
        f.debug_set().entries(paths).finish()
    }
}
