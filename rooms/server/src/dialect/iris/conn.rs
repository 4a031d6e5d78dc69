//! A connection, as callbacks use it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::request::Parts;
use bytes::Bytes;
use wscengine_rooms_protocol::iris::EncodeError;

use super::listener::{Called, Later, Listener};
use super::protocol::Mounted;
use super::table::{self, Table};
use super::voice::IrisVoice;
use super::{
    AlreadyDisconnected, EmitError, Error, JoinError, ListenerError, Payload, Server, To, Values,
};
use crate::dialect::Link;
use crate::hub::{End, When};
use crate::ws::{WindowBits, close_code};

/// An iris connection. A clone is another handle to the same connection, to be kept as long as one likes: what is
/// sent after its end goes nowhere.
///
/// Nothing here waits, and everything may be called at once from any number of tasks. What is sent goes into the
/// receivers' queues; one that is too slow is closed with code 1013 and delays nobody.
///
/// A callback that is registered here, and keeps a handle to the same connection, keeps it in memory for ever: it is
/// given the handle as its first argument instead.
#[derive(Clone)]
pub struct Conn {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    mounted: Arc<Mounted>,
    guest: Guest,
    /// Registered for this connection alone.
    own: Mutex<Option<Box<Table>>>,
    /// Whether more of this client is at hand.
    followed: AtomicBool,
    /// The rooms whose callbacks are being told that it leaves.
    leaving: Mutex<Vec<Box<str>>>,
}

/// What the handshake tells of a connection.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(super) request: Parts,
    pub(super) subprotocol: Option<Arc<str>>,
    pub(super) window: Option<WindowBits>,
    pub(super) own: Option<Box<Table>>,
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conn").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Conn {
    pub(super) fn new(link: Link, mounted: Arc<Mounted>, mut guest: Guest) -> Self {
        let own = Mutex::new(guest.own.take());
        let (followed, leaving) = (AtomicBool::new(false), Mutex::default());
        Self { inner: Arc::new(Inner { link, mounted, guest, own, followed, leaving }) }
    }

    pub(super) fn link(&self) -> &Link {
        &self.inner.link
    }

    pub(super) fn mounted(&self) -> &Arc<Mounted> {
        &self.inner.mounted
    }

    /// The id that the server gave it: a random UUID (version 4), or what [`Iris::id_generator`] makes.
    ///
    /// [`Iris::id_generator`]: super::Iris::id_generator
    #[must_use]
    pub fn id(&self) -> &str {
        self.link().member.id()
    }

    /// The server that it is a connection of.
    #[must_use]
    pub fn server(&self) -> Server {
        self.mounted().server().clone()
    }

    /// The request that it began with: path, query, headers, and the extensions that the application's layers and
    /// routes put there.
    #[must_use]
    pub fn context(&self) -> &Parts {
        &self.inner.guest.request
    }

    /// The subprotocol that was agreed to.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.inner.guest.subprotocol.as_deref()
    }

    /// Whether messages are compressed where that makes them shorter.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.inner.guest.window.is_some()
    }

    pub(super) fn set_followed(&self, when: When) {
        self.inner.followed.store(when == When::Joined, Ordering::Relaxed);
    }

    /// When what this client causes for another is written.
    pub(super) fn when(&self) -> When {
        if self.inner.followed.load(Ordering::Relaxed) { When::Joined } else { When::Now }
    }

    pub(super) fn voice(&self) -> &IrisVoice {
        self.mounted().voices().of(self.inner.guest.window)
    }

    /// Sends an event to this connection.
    ///
    /// # Errors
    /// The name has a semicolon, the payload cannot be written as JSON, or the connection has ended.
    pub fn emit(&self, event: &str, payload: impl Payload) -> Result<(), EmitError> {
        let sent = payload.sent()?;
        check_name(event)?;
        let packet = self.voice().event(event, &sent.value());
        // Without one it is the name, which has been checked.
        self.push(packet.as_ref())
    }

    /// Sends a native message to this connection: as text, or as binary if it is not UTF-8.
    ///
    /// # Errors
    /// It begins with the prefix, so that it would be taken for an event; or the connection has ended.
    pub fn emit_message(&self, message: impl AsRef<[u8]>) -> Result<(), EmitError> {
        let packet = self
            .mounted()
            .check_native(message.as_ref())
            .map(|()| self.voice().native_message(message.as_ref()))?;
        self.push(Some(&packet))
    }

    fn push(&self, packet: Option<&crate::ws::Packet>) -> Result<(), EmitError> {
        let is_taken = packet.is_some_and(|packet| self.link().member.push(packet));
        if is_taken { Ok(()) } else { Err(AlreadyDisconnected.into()) }
    }

    /// Somebody to send to: [`ALL`](super::ALL), [`BROADCAST`](super::BROADCAST), the id of a connection, or the name
    /// of a room, which this connection need not be in.
    pub fn to<'a>(&'a self, target: &'a str) -> To<'a> {
        To::new(self, target)
    }

    /// Puts it into a room, which comes into being if need be; nothing if it is in there already. The room that has
    /// its own id for a name it is always in.
    ///
    /// # Errors
    /// It may be in no more rooms, the name is too long, or it has ended.
    pub fn join(&self, room: &str) -> Result<(), JoinError> {
        if room == self.id() {
            return Ok(());
        }
        self.link().hub.join(&self.link().member, room)
    }

    /// Takes it out of a room, after the callbacks of [`on_leave`](Self::on_leave). Whether it was in there, and it
    /// is not another call that takes it out.
    pub fn leave(&self, room: &str) -> bool {
        let Some(_leaving) =
            self.link().member.is_in(room).then(|| self.begin_leaving(room)).flatten()
        else {
            return false;
        };
        self.tell_leave(room);
        self.link().hub.leave(&self.link().member, room)
    }

    /// Whether it is in a room.
    #[must_use]
    pub fn is_joined(&self, room: &str) -> bool {
        room == self.id() && !self.is_disconnected() || self.link().member.is_in(room)
    }

    /// The rooms that it has joined, in that order.
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.link().member.room_names()
    }

    /// Ends the connection with close code 1000, once what waits for it is written: it is no longer listed, then its
    /// task calls the callbacks for the rooms that it leaves, and those of [`on_disconnect`](Self::on_disconnect),
    /// and closes the socket.
    ///
    /// # Errors
    /// It has ended already.
    pub fn disconnect(&self) -> Result<(), AlreadyDisconnected> {
        self.end(End::new(close_code::NORMAL, ""))
    }

    pub(super) fn end(&self, end: End) -> Result<(), AlreadyDisconnected> {
        let is_first = self.link().member.end(end);
        self.mounted().server().unlist(self);
        if is_first { Ok(()) } else { Err(AlreadyDisconnected) }
    }

    /// Whether it has ended, or is about to.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.link().member.ending().is_some()
    }

    /// What the application keeps with it.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        Values(self)
    }

    /// Calls `listener` for each event of this name on this connection, after those of the whole server and those
    /// registered before. See [`Iris::on`](super::Iris::on).
    pub fn on<M>(&self, event: impl Into<String>, listener: impl Listener<M>) {
        let listener = listener.called();
        self.register(|own| own.on(event.into(), listener));
    }

    /// Calls `callback` for each native message of this connection. See [`Iris::on_message`](super::Iris::on_message).
    pub fn on_message<F, R>(&self, callback: F)
    where
        F: Fn(Self, Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.register(|own| own.messages.push(table::on_message(callback)));
    }

    /// Calls `callback` at the end of this connection. See [`Iris::on_disconnect`](super::Iris::on_disconnect).
    pub fn on_disconnect<F, R>(&self, callback: F)
    where
        F: Fn(Self) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), ListenerError>> + Send + 'static,
    {
        self.register(|own| own.disconnects.push(table::on_conn(callback)));
    }

    /// Calls `callback` for the errors of this connection. See [`Iris::on_error`](super::Iris::on_error).
    pub fn on_error(&self, callback: impl Fn(&Self, &Error) + Send + Sync + 'static) {
        self.register(|own| own.errors.push(Arc::new(callback)));
    }

    /// Calls `callback` right before this connection leaves a room. See [`Iris::on_leave`](super::Iris::on_leave).
    pub fn on_leave(&self, callback: impl Fn(&Self, &str) + Send + Sync + 'static) {
        self.register(|own| own.leaves.push(Arc::new(callback)));
    }

    /// Calls `callback` right before each ping to this client.
    pub fn on_ping(&self, callback: impl Fn(&Self) + Send + Sync + 'static) {
        self.register(|own| own.pings.push(Arc::new(callback)));
    }

    /// Calls `callback` for each pong of this client.
    pub fn on_pong(&self, callback: impl Fn(&Self) + Send + Sync + 'static) {
        self.register(|own| own.pongs.push(Arc::new(callback)));
    }

    /// Calls the callbacks for errors with this one. Nothing is sent.
    pub fn fire_on_error(&self, error: impl Into<ListenerError>) {
        self.tell(&Error::Fired(error.into()));
    }
}

/// Calling what is registered: for the whole server first, then for the connection alone; no lock is held then.
impl Conn {
    fn register(&self, add: impl FnOnce(&mut Table)) {
        add(self.own().get_or_insert_default());
    }

    fn own(&self) -> MutexGuard<'_, Option<Box<Table>>> {
        self.inner.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registered<T: Clone>(&self, of: impl Fn(&Table) -> &[T]) -> Vec<T> {
        let mut all = of(self.mounted().table()).to_vec();
        if let Some(own) = &*self.own() {
            all.extend_from_slice(of(own));
        }
        all
    }

    /// Those of an event that are registered for this connection alone.
    pub(super) fn own_listeners(&self, event: &str) -> Vec<Called> {
        self.own().as_ref().map_or_else(Vec::new, |own| own.event(event).to_vec())
    }

    pub(super) fn tell(&self, error: &Error) {
        let callbacks = self.registered(|table| &table.errors);
        if callbacks.is_empty() {
            tracing::debug!(id = self.id(), %error, "an error that no callback is for");
        }
        for callback in callbacks {
            callback(self, error);
        }
    }

    pub(super) fn tell_leave(&self, room: &str) {
        for callback in self.registered(|table| &table.leaves) {
            callback(self, room);
        }
    }

    pub(super) fn disconnects(&self) -> Vec<Later> {
        let callbacks = self.registered(|table| &table.disconnects);
        callbacks.iter().map(|callback| callback(self)).collect()
    }

    /// Until the guard is dropped; `None` if somebody else is at it.
    fn begin_leaving<'a>(&'a self, room: &'a str) -> Option<Leaving<'a>> {
        let mut leaving = self.leaving();
        if leaving.iter().any(|one| **one == *room) {
            return None;
        }
        leaving.push(room.into());
        Some(Leaving { conn: self, room })
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Box<str>>> {
        self.inner.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A room that is being left.
struct Leaving<'a> {
    conn: &'a Conn,
    room: &'a str,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.conn.leaving().retain(|one| **one != *self.room);
    }
}

/// An event whose name has a semicolon would arrive as something else.
pub(super) fn check_name(event: &str) -> Result<(), EncodeError> {
    event.find(';').map_or(Ok(()), |at| Err(EncodeError::Semicolon { at }))
}
