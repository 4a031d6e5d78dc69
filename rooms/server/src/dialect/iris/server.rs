//! All connections of an endpoint.

use std::sync::{Arc, OnceLock};

use super::{AlreadyDisconnected, Conn, JoinError};
use crate::hub::{Crowd, Hub};

/// The connections that came by one endpoint, from outside of their callbacks: [`Iris::server`](super::Iris::server),
/// [`Conn::server`]. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    crowd: Arc<Crowd<Conn>>,
    /// Once the endpoint is made.
    hub: OnceLock<Arc<Hub>>,
}

impl Server {
    pub(super) fn new() -> Self {
        let (crowd, hub) = (Arc::new(Crowd::new()), OnceLock::new());
        Self { shared: Arc::new(Shared { crowd, hub }) }
    }

    pub(super) fn mount(&self, hub: &Arc<Hub>) {
        // An `Iris` is made an endpoint once.
        let _ = self.shared.hub.set(Arc::clone(hub));
    }

    pub(super) fn crowd(&self) -> &Arc<Crowd<Conn>> {
        &self.shared.crowd
    }

    pub(super) fn unlist(&self, conn: &Conn) {
        self.crowd().exit(&conn.link().member);
    }

    /// The connection with this id.
    #[must_use]
    pub fn connection(&self, id: &str) -> Option<Conn> {
        self.crowd().get(id)
    }

    /// All connections, in no order.
    #[must_use]
    pub fn connections(&self) -> Vec<Conn> {
        self.crowd().conns()
    }

    /// Those of its connections that are in a room, in no order. A room may have members of other endpoints and
    /// protocols: [`Rooms::members`](crate::Rooms::members) has the ids of all.
    #[must_use]
    pub fn connections_in(&self, room: &str) -> Vec<Conn> {
        let ids = self.shared.hub.get().map_or_else(Vec::new, |hub| hub.ids_in(room));
        let joined = ids.iter().filter(|id| &***id != room).filter_map(|id| self.connection(id));
        joined.chain(self.connection(room)).collect()
    }

    /// How many connections there are.
    #[must_use]
    pub fn total_connections(&self) -> usize {
        self.crowd().len()
    }

    /// Whether there is a connection with this id.
    #[must_use]
    pub fn is_connected(&self, id: &str) -> bool {
        self.connection(id).is_some()
    }

    /// Puts a connection into a room. Without such a connection nothing happens.
    ///
    /// # Errors
    /// As [`Conn::join`].
    pub fn join(&self, room: &str, id: &str) -> Result<(), JoinError> {
        self.connection(id).map_or(Ok(()), |conn| conn.join(room))
    }

    /// Takes a connection out of a room. Whether it was in there.
    pub fn leave(&self, room: &str, id: &str) -> bool {
        self.connection(id).is_some_and(|conn| conn.leave(room))
    }

    /// Takes a connection out of all rooms that it has joined.
    pub fn leave_all(&self, id: &str) {
        if let Some(conn) = self.connection(id) {
            for room in conn.rooms() {
                conn.leave(&room);
            }
        }
    }

    /// Whether a connection is in a room.
    #[must_use]
    pub fn is_joined(&self, room: &str, id: &str) -> bool {
        self.connection(id).is_some_and(|conn| conn.is_joined(room))
    }

    /// Ends a connection, as [`Conn::disconnect`]. Without such a connection nothing happens.
    ///
    /// # Errors
    /// It has ended already.
    pub fn disconnect(&self, id: &str) -> Result<(), AlreadyDisconnected> {
        self.connection(id).map_or(Ok(()), |conn| conn.disconnect())
    }
}
