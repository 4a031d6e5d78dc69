//! A connection, as handlers use it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use serde::Serialize;
use serde_json::Value;
use wscengine_rooms_protocol::{grows, json};

use super::endpoint::Endpoint;
use super::path::Params;
use super::voice::changed;
use super::{Clients, MetaNotFound, SendError};
use crate::dialect::Link;
use crate::hub::{End, JoinError, Member, When};
use crate::ws::{Kind, Packet, close_code};

/// A groWs connection. A clone is another handle to the same connection, to be kept as long as one likes:
/// what is sent after its end goes nowhere.
///
/// Nothing here waits, and everything may be called at once from any number of tasks. What is sent goes
/// into the receivers' queues; one that is too slow is closed with code 1013 and delays nobody.
#[derive(Clone)]
pub struct Conn(Arc<Inner>);

/// Does not keep the connection.
pub(super) struct WeakConn(Weak<Inner>);

struct Inner {
    link: Link,
    endpoint: Arc<Endpoint>,
    params: Params,
    /// More of this client is at hand: what it causes may be joined with what that causes.
    followed: AtomicBool,
}

impl Conn {
    pub(super) fn new(link: Link, endpoint: Arc<Endpoint>, params: Params) -> Self {
        let followed = AtomicBool::new(false);
        Self(Arc::new(Inner { link, endpoint, params, followed }))
    }

    /// The id that the server gave it: a UUID of 36 characters (version 1, made of the time).
    #[must_use]
    pub fn id(&self) -> &str {
        self.member().id()
    }

    /// The path of its route, as the application wrote it: `/user/:id`.
    #[must_use]
    pub fn route(&self) -> &str {
        self.0.endpoint.path()
    }

    /// What the path of its request has in the place of a parameter: with the route `/user/:id` and the path
    /// `/user/42`, `id` is `42`. With a route that ends in `/`, `*` is what is below. Without one of this name, and in a path that is not
    /// UTF-8, there is none.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.0.params.get(name)
    }

    /// All parameters, in the order of the path.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.params.iter()
    }

    /// All connections of the application, and what can be said to them; said to a room, it is in the name of
    /// this one.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients::of(self)
    }

    /// Sends a raw message.
    ///
    /// # Errors
    /// A send middleware failed, or the connection has ended.
    pub fn write(&self, text: &str) -> Result<(), SendError> {
        let middlewares = self.0.endpoint.send();
        if middlewares.is_empty() {
            return self.push(text.as_bytes());
        }
        let text = changed(middlewares, self, text.to_owned()).map_err(SendError::Middleware)?;
        self.push(text.as_bytes())
    }

    /// Sends a value as JSON.
    ///
    /// # Errors
    /// It cannot be written as JSON, a send middleware failed, or the connection has ended.
    pub fn write_json(&self, value: &(impl Serialize + ?Sized)) -> Result<(), SendError> {
        self.write(json::encode(value)?.get())
    }

    /// Sends an event, with any data that can be JSON.
    ///
    /// # Errors
    /// The data cannot be written as JSON, a send middleware failed, or the connection has ended.
    pub fn write_event(
        &self,
        name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), SendError> {
        let data = json::encode(data)?;
        let mut text = Vec::new();
        grows::Frame::Event(grows::Event::new(name, &data)).encode_into(&mut text);
        self.write(&String::from_utf8_lossy(&text))
    }

    /// Keeps a value with the connection, in the place of the one of this name.
    pub fn set_meta(&self, key: impl Into<String>, value: impl Into<Value>) {
        self.member().meta().set(key, value.into());
    }

    /// The value of this name; `null` counts as none.
    ///
    /// # Errors
    /// There is none.
    pub fn get_meta(&self, key: &str) -> Result<Value, MetaNotFound> {
        found(self.member().meta().get(key))
    }

    /// Puts it into a room, which comes into being if need be. In a room where it is already, it stays.
    ///
    /// # Errors
    /// It may be in no more rooms, the name is too long, or it has ended.
    pub fn join(&self, room: &str) -> Result<(), JoinError> {
        let Link { hub, member } = &self.0.link;
        hub.join(member, room)
    }

    /// Takes it out of a room. Whether it was in there.
    pub fn leave(&self, room: &str) -> bool {
        let Link { hub, member } = &self.0.link;
        hub.leave(member, room)
    }

    /// Takes it out of all its rooms.
    pub fn leave_all(&self) {
        for room in self.rooms() {
            self.leave(&room);
        }
    }

    /// The rooms it is in, in the order in which it joined them.
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.member().room_names()
    }

    /// Closes the connection with code 1000, once what waits for it is written. The first close counts: whether
    /// it was this one.
    pub fn close(&self) -> bool {
        self.member().end(End::new(close_code::NORMAL, ""))
    }

    /// Whether the connection is at its end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.member().ending().is_some()
    }

    pub(super) fn member(&self) -> &Arc<Member> {
        &self.0.link.member
    }

    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0.endpoint
    }

    pub(super) fn downgrade(&self) -> WeakConn {
        WeakConn(Arc::downgrade(&self.0))
    }

    /// Whether more of this client is at hand.
    pub(super) fn set_followed(&self, when: When) {
        self.0.followed.store(when == When::Joined, Ordering::Relaxed);
    }

    /// When what this client causes is written.
    pub(super) fn when(&self) -> When {
        if self.0.followed.load(Ordering::Relaxed) { When::Joined } else { When::Now }
    }

    fn push(&self, text: &[u8]) -> Result<(), SendError> {
        let was_taken = self.member().push(&Packet::message(Kind::Text, text));
        if was_taken { Ok(()) } else { Err(SendError::Closed) }
    }
}

impl WeakConn {
    pub(super) fn upgrade(&self) -> Option<Conn> {
        self.0.upgrade().map(Conn)
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A value that counts.
pub(super) fn found(value: Option<Value>) -> Result<Value, MetaNotFound> {
    value.filter(|value| !value.is_null()).ok_or(MetaNotFound)
}
