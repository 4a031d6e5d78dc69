//! The routes of an application, and what stands before them.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;

use super::middleware::{Chain, Change, Handshake, Receive};
use super::path::Path;
use super::{ClientHandler, Conn, Guest, HandlerError, RegisterError};

/// Routes and their middlewares: a router of groWs. [`Grows::router`](super::Grows::router) takes any number.
///
/// The pattern of a middleware is a regular expression that is looked for in the path of a route as it was
/// written there: `/user` is for `/user/:id` and `/users`, `^/user$` for `/user` only, and `*` for all. It counts
/// for the routes of this router, whether they were added before or after it.
///
/// # Examples
/// ```
/// use wscengine_rooms_server::grows::{ClientHandler, Conn, Guest, Routes};
///
/// let routes = Routes::new()
///     .route("/user/:id", ClientHandler::new())?
///     .handshake_middleware("/user", async |_request, guest: Guest| guest.param("id") != Some("0"))?
///     .receive_middleware("*", async |_: Conn, text: String| Ok(Some(text.to_lowercase())))?
///     .send_middleware("*", |_: &Conn, text: String| Ok(text.replace("darn", "****")))?;
/// # Ok::<(), wscengine_rooms_server::grows::RegisterError>(())
/// ```
#[derive(Default)]
pub struct Routes {
    pub(super) routes: Vec<(Path, Arc<ClientHandler>)>,
    pub(super) handshake: Chain<Handshake>,
    pub(super) receive: Chain<Receive>,
    pub(super) send: Chain<Change>,
}

impl Routes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the clients of a path served by `handler`.
    ///
    /// A part of the path such as `:id` stands for one part of a request's path, whatever it is;
    /// [`Conn::param`](super::Conn::param) tells it. A path that ends in `/` leads to all that is below, unless
    /// another path leads there more exactly; the parameter `*` tells what that was.
    ///
    /// # Errors
    /// The path has no `/` in front, or a part that is no parameter's name.
    pub fn route(mut self, path: &str, handler: ClientHandler) -> Result<Self, RegisterError> {
        self.routes.push((Path::parse(path)?, Arc::new(handler)));
        Ok(self)
    }

    /// Asks `middleware` before the upgrade whether a client may come in; if not, it is refused with status 403.
    /// Of those whose pattern matches a route, the first one decides, and the others are not asked.
    ///
    /// # Errors
    /// The pattern is no [regular expression](regex::Regex).
    pub fn handshake_middleware<F, R>(
        mut self,
        pattern: &str,
        middleware: F,
    ) -> Result<Self, RegisterError>
    where
        F: Fn(Parts, Guest) -> R + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        let ask = move |request, guest| Box::pin(middleware(request, guest)) as _;
        self.handshake.add(pattern, Arc::new(ask))?;
        Ok(self)
    }

    /// Hands what clients send to `middleware`, and what it returns to the next one, in the order in which they
    /// were added, and at last to the handlers. `None` drops the message; an error drops it, too, and is counted
    /// and logged.
    ///
    /// # Errors
    /// The pattern is no [regular expression](regex::Regex).
    pub fn receive_middleware<F, R>(
        mut self,
        pattern: &str,
        middleware: F,
    ) -> Result<Self, RegisterError>
    where
        F: Fn(Conn, String) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<String>, HandlerError>> + Send + 'static,
    {
        let change = move |conn, text| Box::pin(middleware(conn, text)) as _;
        self.receive.add(pattern, Arc::new(change))?;
        Ok(self)
    }

    /// Hands what clients are sent, by writes and by broadcasts, to `middleware`, and what it returns to the next
    /// one, in the order in which they were added. Events come as the text that goes over the wire.
    ///
    /// An error stops what was to be sent to this client. A write returns it; a broadcast counts and logs it,
    /// and goes on to the others. A panic ends the connection of this client, with code 1011, if it is a broadcast;
    /// the one that writes, if it is a write. It is called for each client of its own, so that a broadcast to a thousand of
    /// them is written a thousand times; without such a middleware it is written once.
    ///
    /// # Errors
    /// The pattern is no [regular expression](regex::Regex).
    pub fn send_middleware<F>(mut self, pattern: &str, middleware: F) -> Result<Self, RegisterError>
    where
        F: Fn(&Conn, String) -> Result<String, HandlerError> + Send + Sync + 'static,
    {
        self.send.add(pattern, Arc::new(middleware))?;
        Ok(self)
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.routes.iter().map(|(path, _)| path.text());
        f.debug_set().entries(paths).finish()
    }
}
