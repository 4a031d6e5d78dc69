//! All clients of an application, and what can be said to them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wscengine_rooms_protocol::json;
use wscengine_rooms_protocol::room::{Data, Message};

use super::voice::SharedVoice;
use super::{Conn, SendError};
use crate::hub::{Audience, Content, Crowd, Hub, InGrows, Native, ROOT, Voice, When};

/// What the connections of an application have in common.
pub(super) struct Common {
    hub: OnceLock<Arc<Hub>>,
    pub(super) crowd: Arc<Crowd<Conn>>,
    pub(super) voice: Arc<dyn Voice>,
    /// In the ids: of this application, and of no other.
    pub(super) node: [u8; 6],
}

impl Common {
    pub(super) fn new() -> Self {
        let (random, node) = (uuid::Uuid::new_v4(), &mut [0; 6]);
        node.copy_from_slice(&random.as_bytes()[..6]);
        // No address of a network card: a group's (RFC 9562 section 6.10).
        node[0] |= 1;
        Self {
            hub: OnceLock::new(),
            crowd: Arc::new(Crowd::new()),
            voice: Arc::new(SharedVoice),
            node: *node,
        }
    }

    pub(super) fn set_hub(&self, hub: &Arc<Hub>) {
        let _ = self.hub.set(Arc::clone(hub));
    }
}

/// All clients of a [`Grows`](super::Grows): the pool of groWs. A clone is another handle to the same clients.
///
/// What is said to a room reaches members of all protocols; those of the others are told as
/// [`wscengine_rooms_protocol::room`] says. Each function that sends gives the number of those on this server who
/// were told: in whose queue it is.
///
/// # Examples
/// An application that tells all its clients something from outside of a handler:
/// ```
/// use axum::{Router, routing::post};
/// use wscengine_rooms_server::grows::{ClientHandler, Grows, Routes};
/// use wscengine_rooms_server::{Config, Rooms};
///
/// let grows = Grows::new().router(Routes::new().route("/live", ClientHandler::new())?)?;
/// let clients = grows.clients();
/// let rooms = Rooms::new(Config::default());
/// let app: Router = rooms.grows(grows).route(
///     "/news",
///     post(async move |news: String| clients.broadcast_to_all(&news).to_string()),
/// );
/// # let _ = app;
/// # Ok::<(), wscengine_rooms_server::grows::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Clients {
    common: Arc<Common>,
    /// In whose name rooms are told.
    speaker: Option<Conn>,
}

/// Whom something is for.
#[derive(Clone, Copy)]
enum To<'a> {
    Room(&'a str),
    All,
    Except(&'a str),
    ByMeta(&'a str, &'a Value),
    One(&'a str),
}

impl Clients {
    pub(super) fn new(common: &Arc<Common>) -> Self {
        Self { common: Arc::clone(common), speaker: None }
    }

    pub(super) fn of(conn: &Conn) -> Self {
        let common = Arc::clone(conn.endpoint().common());
        Self { common, speaker: Some(conn.clone()) }
    }

    /// Sends a raw message to all members of a room, the speaker too if it is one. Without such a room nothing
    /// happens.
    pub fn broadcast(&self, room: &str, text: &str) -> usize {
        self.raw(To::Room(room), text)
    }

    /// Sends an event to all members of a room, the speaker too if it is one. Without such a room nothing
    /// happens.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn broadcast_event(
        &self,
        room: &str,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<usize, SendError> {
        self.event(To::Room(room), name, data)
    }

    /// Sends a raw message to every client.
    pub fn broadcast_to_all(&self, text: &str) -> usize {
        self.raw(To::All, text)
    }

    /// Sends an event to every client.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn broadcast_event_to_all(
        &self,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<usize, SendError> {
        self.event(To::All, name, data)
    }

    /// Sends a raw message to every client but the one with this id.
    pub fn broadcast_except(&self, id: &str, text: &str) -> usize {
        self.raw(To::Except(id), text)
    }

    /// Sends an event to every client but the one with this id.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn broadcast_event_except(
        &self,
        id: &str,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<usize, SendError> {
        self.event(To::Except(id), name, data)
    }

    /// Sends a raw message to the clients whose metadata has this value under this name. `null` is for those
    /// that have none.
    pub fn broadcast_by_meta(&self, key: &str, value: impl Into<Value>, text: &str) -> usize {
        self.raw(To::ByMeta(key, &value.into()), text)
    }

    /// Sends an event to the clients whose metadata has this value under this name. `null` is for those that
    /// have none.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn broadcast_event_by_meta(
        &self,
        key: &str,
        value: impl Into<Value>,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<usize, SendError> {
        self.event(To::ByMeta(key, &value.into()), name, data)
    }

    /// Sends a raw message to one client, of whatever protocol. Without one of this id nothing happens.
    pub fn broadcast_to_client(&self, id: &str, text: &str) -> usize {
        self.raw(To::One(id), text)
    }

    /// Sends an event to one client, of whatever protocol. Without one of this id nothing happens.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn broadcast_event_to_client(
        &self,
        id: &str,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<usize, SendError> {
        self.event(To::One(id), name, data)
    }

    /// The ids of all clients, in no order.
    #[must_use]
    pub fn ids(&self) -> Vec<Arc<str>> {
        self.common.crowd.ids()
    }

    /// The ids of the clients of this server whose metadata has this value under this name, in no order; `null`
    /// is for those that have none.
    #[must_use]
    pub fn ids_by_meta(&self, key: &str, value: impl Into<Value>) -> Vec<Arc<str>> {
        let value = value.into();
        let conns = self.common.crowd.conns();
        let those = conns.iter().map(Conn::member).filter(|it| it.meta().is(key, &value));
        those.map(|member| Arc::clone(member.id())).collect()
    }

    /// The ids of the members of a room, of whatever protocol, in no order; none if there is no such room.
    #[must_use]
    pub fn ids_by_room(&self, room: &str) -> Vec<Arc<str>> {
        self.common.hub.get().map_or_else(Vec::new, |hub| hub.ids_in(room))
    }

    /// The client with this id, if it is one of this server.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Conn> {
        self.common.crowd.get(id)
    }

    fn raw(&self, to: To<'_>, text: &str) -> usize {
        let (room, dst) = to.names();
        let data = Data::Text(text.into());
        self.send(to, &Native { room, sender: self.sender(), dst, data })
    }

    fn event(
        &self,
        to: To<'_>,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<usize, SendError> {
        let (room, dst) = to.names();
        let json: Box<RawValue> = json::encode(data)?;
        let data = Data::from_json(&json);
        Ok(self.send(to, &Message { room, event, sender: self.sender(), dst, data }))
    }

    fn send(&self, to: To<'_>, content: &impl Content) -> usize {
        let Some(hub) = self.common.hub.get() else { return 0 };
        let (crowd, content) = (&self.common.crowd, &InGrows(content));
        match to {
            To::Room(room) => hub.publish(room, Audience::Everyone, content),
            To::All => crowd.publish(Audience::Everyone, content),
            To::Except(id) => crowd.publish(Audience::But(id), content),
            To::ByMeta(key, value) => crowd.publish(Audience::WithMeta(key, value), content),
            To::One(id) => {
                let when = self.speaker.as_ref().map_or(When::Now, Conn::when);
                usize::from(hub.tell(id, when, content))
            }
        }
    }

    fn sender(&self) -> &str {
        self.speaker.as_ref().map_or("", Conn::id)
    }
}

impl<'a> To<'a> {
    /// The room and the receiver that clients of wsrooms are told.
    fn names(self) -> (&'a str, &'a str) {
        match self {
            Self::Room(room) => (room, ""),
            Self::One(id) => (ROOT, id),
            Self::All | Self::Except(_) | Self::ByMeta(..) => ("", ""),
        }
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("len", &self.common.crowd.len()).finish_non_exhaustive()
    }
}
