//! The application: its routes, and the connections it has open.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::dialect::wsrooms::{self, Wsrooms};
use crate::dialect::{easy, grows, iris};
use crate::drain::Drain;
use crate::pages::{self, Status};
use crate::rooms::Rooms;
use wscengine_rooms_protocol::iris::{GOWSAL, IRIS};

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
    status: Status,
    /// The connections before their upgrade, and those without.
    http: TaskTracker,
}

impl App {
    /// An application with these options and no connection.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let http = TaskTracker::new();
        http.close();
        Self { rooms: Rooms::new(config), status: Status::new(), http }
    }

    /// The rooms that its endpoints lead into.
    #[must_use]
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// The routes: `/echo`, `/ws/wsrooms`, `/ws/grows/..`, `/ws/easy`, `/ws/iris`, `/ws/gowsal`, `/iris-ws.js`, `/healthz`, `/readyz`, `/metrics`, and those of [`Config::pages`]
    /// and [`Config::bench`].
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        // Its handlers have names that are free.
        if let Ok(demo) = wsrooms::demo() {
            router = router.route("/ws/wsrooms", self.rooms.wsrooms(demo));
        }
        if let Ok(demo) = easy::demo() {
            router = router.route("/ws/easy", self.rooms.easy(demo));
        }
        let iris = iris::demo(IRIS, self.config());
        router = router
            .route("/iris-ws.js", iris.client())
            .route("/ws/iris", self.rooms.iris(iris))
            .route("/ws/gowsal", self.rooms.iris(iris::demo(GOWSAL, self.config())));
        if let Ok(demo) = grows::demo() {
            let demo = self.rooms.grows(demo).fallback(grows::not_found);
            // What is nested has no path that is empty behind the slash.
            router = router.route("/ws/grows/", any(grows::not_found)).nest("/ws/grows", demo);
        }
        if self.config().bench {
            if let Ok(bench) = grows::bench() {
                router = router.merge(self.rooms.grows(bench));
            }
            router = router
                .route("/bench/iris", self.rooms.iris(iris::bench(IRIS)))
                .route("/bench/wsrooms", self.rooms.wsrooms(Wsrooms::new()))
                .route("/bench/raw", self.rooms.raw());
            if let Ok(bench) = easy::bench() {
                router = router.route("/bench/easy", self.rooms.easy(bench));
            }
        }
        if self.config().pages {
            router = router.merge(pages::routes());
        }
        router
            .route("/echo", self.rooms.echo())
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.clone())
    }

    /// Refuses new WebSocket connections, closes those there are and waits for their ends, as
    /// [`Rooms::close`] says. With [`Config::drain`] as it is by default, all are closed at once, with code
    /// 1001 (going away).
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// Cancel safe: the closing goes on, and a second call waits for it again.
    pub async fn close(&self) {
        self.rooms.close().await;
        self.begin_closing();
        self.http.wait().await;
    }

    pub(crate) fn begin_drain(&self) {
        self.rooms.begin_drain();
    }

    pub(crate) fn begin_closing(&self) {
        self.rooms.begin_closing();
    }

    pub(crate) fn drain(&self) -> &Drain {
        self.rooms.drain()
    }

    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    pub(crate) fn config(&self) -> &Config {
        self.rooms.config()
    }

    /// Runs a connection before its upgrade, so that [`close`](Self::close) waits for it.
    pub(crate) fn spawn_http(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.http.spawn(connection);
    }
}

/// For Prometheus.
async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], app.rooms().metrics())
}

/// Whether new connections are welcome.
async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.drain().draining().is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    (StatusCode::OK, "ready")
}
