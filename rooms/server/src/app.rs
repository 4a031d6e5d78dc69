//! The application: its routes, and the connections it has open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::{any, get};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, DropRule};
use crate::dialect::wsrooms::{self, Wsrooms};
use crate::echo;
use crate::rooms::Rooms;
use crate::ws::close_code;

/// The routes of the server, to be merged into or nested in an axum application.
///
/// Short for [`App::new(config).router()`](App::router): the WebSocket connections end when
/// their clients end them. An application that wants to end them itself keeps an [`App`].
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use wscengine_rooms_server::{Config, router};
///
/// let app: Router = Router::new().nest("/companion", router(Config::default()));
/// # let _ = app;
/// ```
pub fn router(config: Config) -> Router {
    App::new(config).router()
}

/// The server without its sockets: gives the routes and can close the connections they opened.
///
/// A clone is another handle of the same application.
#[derive(Clone, Debug)]
pub struct App {
    rooms: Rooms,
    echo_sessions: Arc<AtomicU64>,
}

impl App {
    /// An application with these options and no connection.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { rooms: Rooms::new(config), echo_sessions: Arc::default() }
    }

    /// The rooms that its endpoints lead into.
    #[must_use]
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// The routes: `/echo`, `/ws/wsrooms`, `/healthz`, and those of [`Config::bench`].
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        // Its handlers have names that are free.
        if let Ok(demo) = wsrooms::demo() {
            router = router.route("/ws/wsrooms", self.rooms.wsrooms(demo));
        }
        if self.config().bench {
            router = router
                .route("/bench/wsrooms", self.rooms.wsrooms(Wsrooms::new()))
                .route("/bench/raw", self.rooms.raw());
        }
        router
            // Any method: the handshake check names the wrong one in its answer.
            .route("/echo", any(echo::handler))
            .route("/healthz", get(|| async { "ok" }))
            .with_state(self.clone())
    }

    /// Closes every WebSocket connection with code 1001 (going away) and waits for their ends:
    /// at most [`Config::close_timeout`], after which what is left is cut. Connections that
    /// are opened later are closed the same way, at once.
    ///
    /// # Cancel safety
    /// Cancel safe: the closing goes on, and a second call waits for it again.
    pub async fn close(&self) {
        self.begin_closing();
        self.rooms.tasks().wait().await;
    }

    pub(crate) fn begin_closing(&self) {
        self.rooms.closing().cancel();
        self.rooms.end_all(close_code::RESTART, "server restarts");
    }

    pub(crate) fn config(&self) -> &Config {
        self.rooms.config()
    }

    /// Runs a connection so that [`close`](Self::close) waits for it.
    pub(crate) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.rooms.tasks().spawn(connection);
    }

    /// Done when the connections are to end.
    pub(crate) fn closing(&self) -> CancellationToken {
        self.rooms.closing().clone()
    }

    /// How many echoes the next session may send before it is cut.
    pub(crate) fn next_echo_budget(&self) -> Option<u64> {
        let earlier = self.echo_sessions.fetch_add(1, Ordering::Relaxed);
        match self.config().drop_rule {
            DropRule::First(messages) if earlier == 0 => Some(messages),
            DropRule::Each(messages) => Some(messages),
            DropRule::First(_) | DropRule::Never => None,
        }
    }
}
