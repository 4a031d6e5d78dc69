//! Connections and rooms, one for all protocols, apart from I/O.
//!
//! Everything here decides and writes into queues; nothing waits (but `late`, in a task of its own), and nothing
//! of a user's runs while a lock is held. A room's lock makes the order of its joins, leaves and messages: who holds it appends to the
//! queues of all members, so that all see the same order. Locks are taken in this order and no other: a
//! member's rooms, a room, a queue. The tables of names are locked for a look-up alone.

mod crowd;
mod delivery;
mod elsewhere;
mod history;
mod late;
mod member;
mod meta;
mod numbers;
mod outbox;
mod past;
mod queue;
mod room;
mod shards;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) use crowd::{Crowd, Everyone};
pub(crate) use delivery::{Audience, Content, InGrows, Kept, Native, News, Voice, Written};
pub(crate) use history::Ask;
pub use history::{Gap, Missed};
pub(crate) use member::{Member, Profile};
pub use outbox::SlowClients;
pub(crate) use outbox::{Direct, End, QueueLimits, Turn};
pub(crate) use queue::Queue;

use late::Late;
pub(crate) use past::Keep;
use past::Past;
use room::{Kind, Room};
use shards::Shards;

use crate::broker::{Broker, Place};
use crate::metrics::Meters;
use crate::ws::close_code;

/// The room that every wsrooms client is put into.
pub(crate) const ROOT: &str = wscengine_rooms_protocol::wsrooms::ROOT;

/// What the hub is told to bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HubLimits {
    pub(crate) queue: QueueLimits,
    /// Rooms that one connection may be in.
    pub(crate) rooms: usize,
    /// Bytes of a room's name.
    pub(crate) name: usize,
    /// Whether the members of `root` are told who comes and goes.
    pub(crate) announce_root: bool,
    /// How much is kept of what was said in a room, if anything.
    pub(crate) keep: Option<Keep>,
}

/// Why a connection is not in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It is in as many rooms as [`Config::max_rooms`](crate::Config::max_rooms) lets it be.
    #[error("the connection is in as many rooms as it may be")]
    TooManyRooms,
    /// The name is longer than [`Config::max_name`](crate::Config::max_name) allows.
    #[error("the name of the room is too long")]
    NameTooLong,
    /// It has ended.
    #[error("the connection has ended")]
    Gone,
}

/// When a message for one connection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// With what else may come: more is at hand.
    Joined,
    /// At once, if that can be.
    Now,
}

/// A connection has this id already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection has this id already")]
pub(crate) struct IdTaken;

/// All connections and rooms of a server.
#[derive(Debug)]
pub(crate) struct Hub {
    limits: HubLimits,
    members: Shards<Arc<Member>>,
    rooms: Shards<Arc<Room>>,
    late: Arc<Late>,
    /// The other nodes, where there can be any.
    nodes: Option<Arc<dyn Broker>>,
    past: Option<Arc<Past>>,
    /// By the names under which other nodes know them, with their protocols.
    crowds: Mutex<HashMap<String, (String, Everyone)>>,
    next: AtomicU64,
    connections: AtomicUsize,
    room_count: AtomicUsize,
}

impl Hub {
    /// One node alone.
    pub(crate) fn new(limits: HubLimits) -> Self {
        Self::with_nodes(limits, None)
    }

    /// One node of several.
    pub(crate) fn with_nodes(limits: HubLimits, nodes: Option<Arc<dyn Broker>>) -> Self {
        Self {
            limits,
            members: Shards::new(),
            rooms: Shards::new(),
            late: Arc::default(),
            nodes,
            past: limits.keep.map(|keep| Arc::new(Past::new(keep))),
            crowds: Mutex::default(),
            next: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            room_count: AtomicUsize::new(0),
        }
    }

    /// Lists a connection.
    ///
    /// # Errors
    /// Its id is another's.
    pub(crate) fn connect(
        &self,
        profile: Profile,
        meters: &Arc<Meters>,
    ) -> Result<Arc<Member>, IdTaken> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let member = Arc::new(Member::new(number, profile, Arc::clone(meters), self.limits.queue));
        if !self.members.insert_new(member.id(), &member) {
            return Err(IdTaken);
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        meters.connections.inc();
        meters.opened.inc();
        if let Some(nodes) = &self.nodes {
            nodes.came(Place::Server, member.id());
        }
        Ok(member)
    }

    /// Takes a connection off the list and out of its rooms, whose members are told. Nothing reaches it any
    /// more, and it enters no room again.
    pub(crate) fn disconnect(&self, member: &Arc<Member>) {
        member.end(End::new(close_code::NORMAL, ""));
        for room in member.depart() {
            self.remove(&room, member);
        }
        if self.members.remove_if(member.id(), |listed| Arc::ptr_eq(listed, member)) {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            member.meters().connections.dec();
            if let Some(nodes) = &self.nodes {
                nodes.left(Place::Server, member.id());
            }
        }
    }

    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        self.members.values()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn rooms(&self) -> usize {
        self.room_count.load(Ordering::Relaxed)
    }

    /// Each room with the number of its members here, in no order.
    pub(crate) fn sizes(&self) -> Vec<(Arc<str>, usize)> {
        let rooms = self.rooms.values();
        rooms.iter().map(|room| (Arc::clone(room.name()), room.len())).collect()
    }

    /// The ids of those in a room, on whatever node; none if there is no such room.
    pub(crate) fn ids_in(&self, room: &str) -> Vec<Arc<str>> {
        let mut ids = self.rooms.get(room).map_or_else(Vec::new, |room| room.ids());
        if let Some(nodes) = &self.nodes {
            ids.extend(nodes.ids_in(Place::Room(room)));
        }
        ids
    }

    /// Puts a connection into a room, which comes into being if need be. The connection is told first, if
    /// its protocol tells; then those who were there, unless it was there already.
    ///
    /// # Errors
    /// It may be in no more rooms, the name is too long, or it has ended.
    pub(crate) fn join(&self, member: &Arc<Member>, name: &str) -> Result<(), JoinError> {
        if name.len() > self.limits.name {
            return Err(JoinError::NameTooLong);
        }
        let mut joined = member.rooms();
        if joined.is_over() {
            return Err(JoinError::Gone);
        }
        let ask = joined.take_ask(name);
        if let Some(room) = joined.get(name) {
            room.welcome(member);
            return Ok(());
        }
        if joined.len() >= self.limits.rooms {
            return Err(JoinError::TooManyRooms);
        }
        loop {
            let room = self.room(name);
            // The last member has just left it: another of that name takes its place.
            if room.enter(member, ask.as_ref()) {
                joined.insert(room);
                return Ok(());
            }
        }
    }

    /// Takes a connection out of a room, and tells the others. Whether it was in there.
    pub(crate) fn leave(&self, member: &Arc<Member>, name: &str) -> bool {
        let Some(room) = member.rooms().remove(name) else { return false };
        self.remove(&room, member);
        true
    }

    /// Delivers to the members of a room; no such room: to nobody. How many were told on this node.
    pub(crate) fn publish(
        &self,
        name: &str,
        audience: Audience<'_>,
        content: &impl Content,
    ) -> usize {
        let told = self.publish_here(name, audience, content);
        if let Some(nodes) = &self.nodes {
            elsewhere::publish(&**nodes, name, audience, content);
        }
        told
    }

    /// The same for the members on this node only.
    pub(crate) fn publish_here(
        &self,
        name: &str,
        audience: Audience<'_>,
        content: &impl Content,
    ) -> usize {
        match self.rooms.get(name) {
            Some(room) => room.publish(audience, content),
            None => {
                self.keep_for_nobody(name, audience, content);
                0
            }
        }
    }

    /// The connection with this id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Member>> {
        self.members.get(id)
    }

    /// Whether there is a connection with this id, on whatever node.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.get(id).is_some() || self.nodes.as_ref().is_some_and(|nodes| nodes.knows(id))
    }

    /// Delivers to one connection, on whatever node. Whether there is one, and its queue took it if it is here.
    pub(crate) fn tell(&self, id: &str, when: When, content: &impl Content) -> bool {
        match (self.members.get(id), &self.nodes) {
            (Some(member), _) => Self::tell_here(&member, when, content),
            (None, Some(nodes)) => elsewhere::tell(&**nodes, id, content),
            (None, None) => false,
        }
    }

    fn tell_here(member: &Member, when: When, content: &impl Content) -> bool {
        content.packet(&**member.voice()).is_some_and(|packet| match when {
            When::Joined => member.push(&packet),
            When::Now => member.push_now(&packet),
        })
    }

    /// The room of that name that is in the table, or a new one.
    fn room(&self, name: &str) -> Arc<Room> {
        let announces = self.limits.announce_root || name != ROOT;
        let kind = if announces { Kind::Announced } else { Kind::Quiet };
        self.rooms.get_or_insert(name, Room::is_closed, |name| {
            self.room_count.fetch_add(1, Ordering::Relaxed);
            let nodes = self.nodes.clone();
            let past = self.past_of(&name);
            Arc::new(Room::new(name, kind, Arc::clone(&self.late)).reaching(nodes).keeping(past))
        })
    }

    fn remove(&self, room: &Arc<Room>, member: &Member) {
        if room.exit(member) {
            self.rooms.remove_if(room.name(), |listed| Arc::ptr_eq(listed, room));
            self.room_count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The lock, also after a panic of somebody who held it: what is in there is whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
