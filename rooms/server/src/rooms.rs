//! The rooms of a server: endpoints for its protocols, one hub for all of them.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::config::Config;
use crate::connection::{self, Patience};
use crate::dialect::raw::Raw;
use crate::dialect::wsrooms::Wsrooms;
use crate::dialect::{Admission, Dialect, Link};
use crate::drain::Drain;
use crate::handshake::Upgrade;
use crate::hub::Hub;

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
}

impl Rooms {
    /// Rooms without connections. Of the options, those of the connections and rooms count.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let hub = Arc::new(Hub::new(config.hub()));
        let drain = Drain::new(config.drain);
        Self { shared: Arc::new(Shared { config, hub, drain }) }
    }

    /// An endpoint for wsrooms clients.
    pub fn wsrooms<S: Clone + Send + Sync + 'static>(&self, wsrooms: Wsrooms) -> MethodRouter<S> {
        self.endpoint(wsrooms)
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

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
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
        let (rooms, dialect) = (self.clone(), Arc::new(dialect));
        // Any method: each protocol refuses in its own words.
        any(move |request: Request| rooms.clone().accept(Arc::clone(&dialect), request))
    }

    async fn accept<D: Dialect>(self, dialect: Arc<D>, request: Request) -> Response {
        if self.shared.drain.draining().is_cancelled() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let (mut parts, _) = request.into_parts();
        let upgrade = Upgrade::take(&mut parts);
        let handshake = upgrade.as_ref().map(drop).map_err(|error| *error);
        let admission = match dialect.admit(&parts, handshake).await {
            Ok(admission) => admission,
            Err(refusal) => return refusal,
        };
        let (mut response, on_upgrade) = match upgrade {
            Ok(upgrade) => upgrade.response(),
            Err(error) => return error.into_response(),
        };
        response.headers_mut().extend(admission.headers.clone());
        self.shared.drain.sessions().spawn(self.clone().serve(dialect, admission, on_upgrade));
        response
    }

    /// One connection, from the upgrade to its end.
    async fn serve<D: Dialect>(
        self,
        dialect: Arc<D>,
        admission: Admission<D::Guest>,
        on_upgrade: OnUpgrade,
    ) {
        // An error means that the client went away before it had our 101.
        let Ok(upgraded) = on_upgrade.await else { return };
        let Admission { profile, guest, .. } = admission;
        let hub = Arc::clone(&self.shared.hub);
        let member = match hub.connect(profile) {
            Ok(member) => member,
            Err(error) => return tracing::warn!(%error, "a connection is not served"),
        };
        if let Some(end) = self.shared.drain.too_late() {
            member.end(end);
        }
        tracing::debug!(id = %member.id(), protocol = D::NAME, "a client is connected");
        let (link, patience) = (Link { hub, member }, self.shared.config.patience());
        drop(self);
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let (io, leftover) = (parts.io.into_inner(), parts.read_buf);
                connection::serve(io, &leftover, dialect, link, guest, patience).await;
            }
            // TLS, or the server of an application of the user's.
            Err(upgraded) => {
                let io = TokioIo::new(upgraded);
                Box::pin(connection::serve(io, &[], dialect, link, guest, patience)).await;
            }
        }
    }
}

impl Config {
    fn patience(&self) -> Patience {
        Patience { write: self.write_timeout, close: self.close_timeout }
    }
}
