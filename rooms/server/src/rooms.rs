//! The rooms of a server: endpoints for its protocols, one hub for all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::Span;

use crate::broker::Broker;
use crate::broker::options::Node;
use crate::broker::redis::RedisBroker;
use crate::config::Config;
use crate::connection::{self, Patience, Tcp};
use crate::dialect::easy::Easy;
use crate::dialect::echo::Echo;
use crate::dialect::grows::Grows;
use crate::dialect::iris::{Iris, Upgrader};
use crate::dialect::raw::Raw;
use crate::dialect::wsrooms::Wsrooms;
use crate::dialect::{Admission, Dialect, Link};
use crate::drain::Drain;
use crate::guard::{Addresses, Place};
use crate::handshake::{HandshakeError, Upgrade};
use crate::hub::{Gap, Hub, Missed};
use crate::metrics::{Meters, Metrics, Refused};
use crate::span;

/// The rooms of a server, to be mounted in an axum application.
///
/// Each endpoint that is made from it leads into the same rooms, in whatever protocol. Several of them in a
/// process have nothing in common. A clone is another handle to the same rooms.
///
/// # Examples
/// ```
/// use axum::Router;
/// use wscengine_rooms_server::wsrooms::Wsrooms;
/// use wscengine_rooms_server::{Config, Rooms};
///
/// let rooms = Rooms::new(Config::default());
/// let app: Router = Router::new().route("/ws", rooms.wsrooms(Wsrooms::new()));
/// assert_eq!(rooms.connections(), 0);
/// # let _ = app;
/// ```
#[derive(Clone, Debug)]
pub struct Rooms {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    hub: Arc<Hub>,
    drain: Drain,
    addresses: Addresses,
    metrics: Metrics,
}

impl Rooms {
    /// Rooms without connections. Of the options, those of the connections and rooms count.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let metrics = Metrics::new();
        let nodes = config
            .redis
            .clone()
            .map(|redis| Arc::new(RedisBroker::new(redis, metrics.broker())) as Arc<dyn Broker>);
        let hub = Arc::new(Hub::with_nodes(config.hub(), nodes));
        hub.start();
        let drain = Drain::new(config.drain);
        let addresses = Addresses::new(config.max_per_address);
        Self { shared: Arc::new(Shared { config, hub, drain, addresses, metrics }) }
    }

    /// An endpoint for wsrooms clients, with the limits of the [`Config`].
    pub fn wsrooms<S: Clone + Send + Sync + 'static>(&self, wsrooms: Wsrooms) -> MethodRouter<S> {
        self.endpoint(wsrooms.limited(&self.shared.config))
    }

    /// `/echo`.
    pub(crate) fn echo<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        self.endpoint(Echo::new(self.config().max_message, self.config().drop_rule))
    }

    /// An endpoint for go-easy-websocket clients, with the limits of the [`Config`].
    pub fn easy<S: Clone + Send + Sync + 'static>(&self, easy: Easy) -> MethodRouter<S> {
        self.endpoint(easy.mounted(&self.shared.config, &self.shared.hub))
    }

    /// An endpoint for iris clients, with the rooms and queues of the [`Config`], and limits of its own.
    pub fn iris<S: Clone + Send + Sync + 'static>(&self, iris: Iris) -> MethodRouter<S> {
        self.iris_upgrader(iris).handler()
    }

    /// The same for requests that the application looks at itself.
    #[must_use]
    pub fn iris_upgrader(&self, iris: Iris) -> Upgrader {
        Upgrader(self.endpoint_of(iris.mounted(&self.shared.config, &self.shared.hub)))
    }

    /// The routes of a groWs application, with the limits of the [`Config`], to be merged into or nested in another
    /// router. A path that none of them leads to is left to that one's fallback;
    /// [`grows::not_found`](crate::grows::not_found) is that of groWs.
    pub fn grows<S: Clone + Send + Sync + 'static>(&self, grows: Grows) -> Router<S> {
        let Shared { hub, config, .. } = &*self.shared;
        grows.endpoints(hub, config).into_iter().fold(Router::new(), |router, endpoint| {
            let routes = endpoint.routes().to_vec();
            let endpoint = self.endpoint(endpoint);
            routes.iter().fold(router, |router, route| router.route(route, endpoint.clone()))
        })
    }

    /// An endpoint for the load generator.
    pub(crate) fn raw<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        self.endpoint(Raw::new())
    }

    /// How many connections there are, in all protocols.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.hub.connections()
    }

    /// How many rooms there are. A room without members is none.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.shared.hub.rooms()
    }

    /// The ids of those in a room, in no order; none if there is no such room.
    #[must_use]
    pub fn members(&self, room: &str) -> Vec<Arc<str>> {
        self.shared.hub.ids_in(room)
    }

    /// What was said in a room after a position, which is that of an earlier answer or of a message; after an empty
    /// one nothing was. `None`: nothing is kept of this room ([`Config::history`]).
    ///
    /// # Errors
    /// More was said than is still there, or the position is none of this server: then the rest is in the error.
    #[must_use]
    pub fn history(&self, room: &str, since: &str) -> Option<Result<Missed, Gap>> {
        self.shared.hub.missed(room, since)
    }

    /// The nodes that live, this one first; it is the only one without [`Config::redis`].
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        self.shared.hub.nodes()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// What is counted, in Prometheus' text format: connections, rooms, messages and bytes by protocol and
    /// direction, what was dropped, who was closed as too slow.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.shared.metrics.text(self.rooms())
    }

    /// Each room with the number of its members, in no order.
    pub(crate) fn sizes(&self) -> Vec<(Arc<str>, usize)> {
        self.shared.hub.sizes()
    }

    /// What is counted, by protocol.
    pub(crate) fn meters(&self) -> Vec<(String, Meters)> {
        self.shared.metrics.by_protocol()
    }

    pub(crate) fn drain(&self) -> &Drain {
        &self.shared.drain
    }

    /// Refuses new connections with status 503, closes those there are, each once what waits for it is
    /// written, and waits for their ends.
    ///
    /// Over the time that [`Config::drain`] gives, they are closed one after the other with code 1012; what is
    /// left after that, with code 1001. One whose client does not close, too, is cut after
    /// [`Config::close_timeout`].
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// Cancel safe: the closing goes on, and a second call waits for it again.
    pub async fn close(&self) {
        self.begin_drain();
        self.shared.drain.sessions().wait().await;
    }

    pub(crate) fn begin_drain(&self) {
        self.shared.drain.begin(&self.shared.hub);
    }

    /// Ends every connection now.
    pub(crate) fn begin_closing(&self) {
        self.shared.drain.close(&self.shared.hub);
    }

    fn endpoint<D: Dialect, S: Clone + Send + Sync + 'static>(
        &self,
        dialect: D,
    ) -> MethodRouter<S> {
        let endpoint = self.endpoint_of(dialect);
        // Any method: each protocol refuses in its own words.
        any(move |request: Request| endpoint.clone().accept(request))
    }

    pub(crate) fn endpoint_of<D: Dialect>(&self, dialect: D) -> Endpoint<D> {
        let meters = Arc::new(self.shared.metrics.of(D::NAME));
        if let Some(crowd) = dialect.crowd() {
            self.shared.hub.enlist(D::NAME, crowd);
        }
        Endpoint { rooms: self.clone(), dialect: Arc::new(dialect), meters }
    }

    /// What every request must pass, whatever its protocol; with a place of its address.
    fn let_in(&self, request: &Parts) -> Result<Option<Place>, (Refused, StatusCode)> {
        let Shared { config, drain, addresses, .. } = &*self.shared;
        if drain.draining().is_cancelled() {
            return Err((Refused::Draining, StatusCode::SERVICE_UNAVAILABLE));
        }
        if !config.origins.accept(&request.headers) {
            return Err((Refused::Origin, StatusCode::FORBIDDEN));
        }
        let Some(ConnectInfo(address)) = request.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Ok(None);
        };
        let place = addresses.enter(address.ip().to_canonical());
        place.map(Some).ok_or((Refused::Address, StatusCode::TOO_MANY_REQUESTS))
    }
}

/// A protocol on a route.
pub(crate) struct Endpoint<D> {
    rooms: Rooms,
    dialect: Arc<D>,
    meters: Arc<Meters>,
}

impl<D> Clone for Endpoint<D> {
    fn clone(&self) -> Self {
        let Self { rooms, dialect, meters } = self;
        Self { rooms: rooms.clone(), dialect: Arc::clone(dialect), meters: Arc::clone(meters) }
    }
}

/// A request that may come in, before its answer.
pub(crate) struct Ready<D: Dialect> {
    endpoint: Endpoint<D>,
    admission: Admission<D::Guest>,
    upgrade: Upgrade,
    place: Option<Place>,
    span: Span,
}

impl<D: Dialect> Ready<D> {
    pub(crate) fn id(&self) -> &str {
        &self.admission.profile.id
    }

    pub(crate) fn guest(&self) -> &D::Guest {
        &self.admission.guest
    }

    pub(crate) fn guest_mut(&mut self) -> &mut D::Guest {
        &mut self.admission.guest
    }

    /// The answer, with which the connection begins.
    pub(crate) fn open(self) -> Response {
        let Self { endpoint, admission, upgrade, place, span } = self;
        let (mut response, on_upgrade) = upgrade.response();
        response.headers_mut().extend(admission.headers.clone());
        let sessions = endpoint.rooms.shared.drain.sessions().clone();
        sessions.spawn(endpoint.serve(admission, on_upgrade, place, span));
        response
    }
}

impl<D: Dialect> Endpoint<D> {
    pub(crate) async fn accept(self, request: Request) -> Response {
        match self.check(request).await {
            Ok(ready) => ready.open(),
            Err(refusal) => refusal,
        }
    }

    /// Judges a request; the answer to one that may not come in.
    pub(crate) async fn check(self, request: Request) -> Result<Ready<D>, Response> {
        self.rooms.shared.hub.start();
        let refuse = |why| self.rooms.shared.metrics.refused(why);
        let (mut parts, _) = request.into_parts();
        let place = self.rooms.let_in(&parts).map_err(|(why, status)| {
            refuse(why);
            status.into_response()
        })?;
        let upgrade = Upgrade::take(&mut parts);
        let handshake = upgrade.as_ref().map(drop).map_err(|error| *error);
        let admission = self.dialect.admit(&parts, handshake).await.inspect_err(|_| {
            refuse(Refused::Protocol);
        })?;
        let upgrade = upgrade.map_err(HandshakeError::into_response)?;
        let span = span::connection(D::NAME, &admission.profile.id, &parts.headers);
        Ok(Ready { endpoint: self, admission, upgrade, place, span })
    }

    /// One connection, from the upgrade to its end.
    async fn serve(
        self,
        admission: Admission<D::Guest>,
        on_upgrade: OnUpgrade,
        _place: Option<Place>,
        span: Span,
    ) {
        // An error means that the client went away before it had our 101.
        let limit = self.dialect.handshake_timeout().unwrap_or(Duration::MAX);
        let Ok(Ok(upgraded)) = timeout(limit, on_upgrade).await else { return };
        let Admission { profile, guest, .. } = admission;
        let Shared { hub, drain, config, .. } = &*self.rooms.shared;
        let member = match hub.connect(profile, &self.meters) {
            Ok(member) => member,
            Err(error) => return tracing::warn!(%error, "a connection is not served"),
        };
        tracing::debug!(parent: &span, "connected");
        if let Some(end) = drain.too_late() {
            member.end(end);
        }
        let (link, mut patience) = (Link { hub: Arc::clone(hub), member }, config.patience());
        patience.write = self.dialect.write_timeout().or(patience.write);
        let dialect = Arc::clone(&self.dialect);
        drop(self);
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let (io, leftover) = (Tcp::new(parts.io.into_inner()), parts.read_buf);
                link.member.set_direct(io.writer());
                connection::serve(io, leftover, dialect, link, guest, patience, span).await;
            }
            // TLS, or the server of an application of the user's.
            Err(upgraded) => {
                let (io, none) = (TokioIo::new(upgraded), Bytes::new());
                Box::pin(connection::serve(io, none, dialect, link, guest, patience, span)).await;
            }
        }
    }
}

impl Config {
    fn patience(&self) -> Patience {
        Patience {
            write: Some(self.write_timeout),
            close: self.close_timeout,
            messages_per_second: self.messages_per_second,
        }
    }
}
