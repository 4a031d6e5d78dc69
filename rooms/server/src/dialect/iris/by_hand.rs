//! Upgrades that the application makes in a handler of its own.

use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use bytes::Bytes;

use super::listener::Listener;
use super::protocol::Mounted;
use super::table::{self, Table};
use super::{Conn, ListenerError};
use crate::rooms::{Endpoint, Ready};

/// An endpoint whose requests the application looks at itself: [`Rooms::iris_upgrader`](crate::Rooms::iris_upgrader).
/// A clone is the same endpoint.
///
/// # Examples
/// Listeners for each connection, by what its request says:
/// ```
/// use axum::Router;
/// use axum::extract::{Request, State};
/// use axum::response::{IntoResponse, Response};
/// use axum::routing::get;
/// use wscengine_rooms_server::iris::{Conn, Iris, Upgrader};
/// use wscengine_rooms_server::{Config, Rooms};
///
/// async fn my_endpoint(State(upgrader): State<Upgrader>, request: Request) -> Response {
///     let mut upgrade = match upgrader.upgrade(request).await {
///         Ok(upgrade) => upgrade,
///         Err(refusal) => return refusal,
///     };
///     let name = upgrade.context().uri.query().unwrap_or("nobody").to_owned();
///     upgrade.on("whoami", move |conn: Conn| {
///         let name = name.clone();
///         async move {
///             conn.emit("whoami", &*name)?;
///             Ok(())
///         }
///     });
///     upgrade.wait()
/// }
///
/// let upgrader = Rooms::new(Config::default()).iris_upgrader(Iris::new());
/// let app: Router = Router::new().route("/my_endpoint", get(my_endpoint)).with_state(upgrader);
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct Upgrader(pub(crate) Endpoint<Mounted>);

impl std::fmt::Debug for Upgrader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrader").finish_non_exhaustive()
    }
}

impl Upgrader {
    /// Checks an opening handshake.
    ///
    /// # Errors
    /// It is refused, with this answer; the [`UpgradeError`](super::UpgradeError) is among its extensions, unless the
    /// [`Config`](crate::Config) refuses it for all protocols.
    ///
    /// # Cancel safety
    /// Cancel safe: the request is dropped, and with it its TCP connection.
    pub async fn upgrade(&self, request: Request) -> Result<Upgrade, Response> {
        self.0.clone().check(request).await.map(|ready| Upgrade { ready })
    }

    /// The same endpoint for requests that need no look.
    pub fn handler<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let endpoint = self.0.clone();
        any(move |request: Request| endpoint.clone().accept(request))
    }
}

/// A request that may come in: listeners for its connection can be registered, then [`wait`](Self::wait) gives the
/// answer with which it begins. Dropped instead, there is no connection, and the application may answer what it likes.
#[must_use = "nobody comes in without `wait`"]
pub struct Upgrade {
    ready: Ready<Mounted>,
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Upgrade {
    /// The id that the connection will have.
    #[must_use]
    pub fn id(&self) -> &str {
        self.ready.id()
    }

    /// The request.
    #[must_use]
    pub fn context(&self) -> &Parts {
        &self.ready.guest().request
    }

    /// As [`Conn::on`].
    pub fn on<M>(&mut self, event: impl Into<String>, listener: impl Listener<M>) {
        self.own().on(event.into(), listener.called());
    }

    /// As [`Conn::on_message`].
    pub fn on_message<F, R>(&mut self, callback: F)
    where
        F: Fn(Conn, Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.own().messages.push(table::on_message(callback));
    }

    /// Calls `callback` when the connection begins, after those of the whole server; more callbacks can be registered
    /// there with the methods of [`Conn`].
    pub fn on_connection<F, R>(&mut self, callback: F)
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.own().connections.push(table::on_conn(callback));
    }

    /// As [`Conn::on_disconnect`].
    pub fn on_disconnect<F, R>(&mut self, callback: F)
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.own().disconnects.push(table::on_conn(callback));
    }

    /// The answer, with which the connection begins: listeners are called from now on.
    pub fn wait(self) -> Response {
        self.ready.open()
    }

    fn own(&mut self) -> &mut Table {
        self.ready.guest_mut().own.get_or_insert_default()
    }
}
