//! A connection as the hub knows it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use indexmap::IndexMap;

use super::crowd::Left;
use super::meta::Meta;
use super::outbox::{Outbox, Pushed};
use super::room::Room;
use super::{Ask, Direct, End, Queue, QueueLimits, Turn, Voice, lock};
use crate::metrics::Meters;
use crate::ws::Packet;

/// What a connection is from its beginning on.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) id: Arc<str>,
    /// How its protocol puts what happens in rooms.
    pub(crate) voice: Arc<dyn Voice>,
    /// What the authorization says about it.
    pub(crate) claims: HashMap<String, String>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Member {
    number: u64,
    profile: Profile,
    meters: Arc<Meters>,
    outbox: Mutex<Outbox>,
    rooms: Mutex<Joined>,
    meta: Meta,
}

/// The rooms that a connection is in, in the order in which it joined them.
#[derive(Default)]
pub(super) struct Joined {
    rooms: IndexMap<Arc<str>, Arc<Room>>,
    crowd: Option<Arc<dyn Left>>,
    /// What it wants to know of rooms that it is about to join.
    asks: Vec<(Box<str>, Ask)>,
    over: bool,
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.rooms.keys()).finish()
    }
}

impl Member {
    pub(super) fn new(
        number: u64,
        profile: Profile,
        meters: Arc<Meters>,
        limits: QueueLimits,
    ) -> Self {
        Self {
            number,
            profile,
            meters,
            outbox: Mutex::new(Outbox::new(limits)),
            rooms: Mutex::new(Joined::default()),
            meta: Meta::default(),
        }
    }

    /// Distinct from that of every other connection of the hub, also of past ones.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.profile.id
    }

    pub(crate) fn voice(&self) -> &Arc<dyn Voice> {
        &self.profile.voice
    }

    pub(crate) fn claims(&self) -> &HashMap<String, String> {
        &self.profile.claims
    }

    /// What the application keeps with it.
    pub(crate) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(crate) fn is_in(&self, room: &str) -> bool {
        lock(&self.rooms).get(room).is_some()
    }

    /// Queues a packet, unless the connection is at its end or too slow. Never waits.
    pub(crate) fn push(&self, packet: &Packet) -> bool {
        let pushed = lock(&self.outbox).push(packet);
        self.was_taken(pushed, packet)
    }

    /// Like [`push`](Self::push), for a packet with which no other can be joined.
    pub(crate) fn push_now(&self, packet: &Packet) -> bool {
        let pushed = lock(&self.outbox).push_now(packet);
        self.was_taken(pushed, packet)
    }

    /// Like [`push`](Self::push), for a packet that may wait until [`wake_late`](Self::wake_late).
    pub(super) fn push_later(&self, packet: &Packet) -> bool {
        let pushed = lock(&self.outbox).push_later(packet);
        self.was_taken(pushed, packet)
    }

    pub(super) fn wake_late(&self) {
        lock(&self.outbox).wake_late();
    }

    fn was_taken(&self, pushed: Pushed, packet: &Packet) -> bool {
        match pushed {
            Pushed::Written => {
                self.meters.messages_out.inc();
                self.meters.bytes_out.inc_by(packet.len() as u64);
                return true;
            }
            Pushed::Queued => return true,
            Pushed::Replaced => self.meters.overflowed.inc(),
            Pushed::Overflow => {
                self.meters.overflowed.inc();
                self.meters.slow.inc();
            }
            Pushed::Refused => {}
        }
        pushed == Pushed::Replaced
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Ends the connection once what waits for it is written; the first end counts.
    pub(crate) fn end(&self, end: End) -> bool {
        lock(&self.outbox).end(end)
    }

    /// Lets others write to the socket of the connection while its task sleeps.
    pub(crate) fn set_direct(&self, direct: Arc<dyn Direct>) {
        lock(&self.outbox).set_direct(Some(direct));
    }

    /// The queue has no limits: what fills it stops in time by itself.
    pub(crate) fn set_unlimited(&self) {
        lock(&self.outbox).set_unlimited();
    }

    /// How many bytes wait to be taken up by the connection's task.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.outbox).bytes()
    }

    /// How the connection is ended, if it is.
    pub(crate) fn ending(&self) -> Option<End> {
        lock(&self.outbox).ending().cloned()
    }

    pub(crate) fn begin_turn(&self) {
        lock(&self.outbox).begin_turn();
    }

    /// See [`Outbox::end_turn`].
    pub(crate) fn end_turn(&self, writing: &mut Queue, blocked: bool, waker: &Waker) -> Turn {
        lock(&self.outbox).end_turn(writing, blocked, waker)
    }

    /// The names of its rooms, in the order in which it joined them.
    pub(crate) fn room_names(&self) -> Vec<Arc<str>> {
        lock(&self.rooms).rooms.keys().cloned().collect()
    }

    pub(super) fn rooms(&self) -> MutexGuard<'_, Joined> {
        lock(&self.rooms)
    }

    /// Gives up its rooms for ever.
    pub(super) fn depart(&self) -> Vec<Arc<Room>> {
        // A handle that outlives the connection does not keep its socket.
        lock(&self.outbox).set_direct(None);
        let mut joined = lock(&self.rooms);
        joined.over = true;
        let (rooms, crowd) = (std::mem::take(&mut joined.rooms), joined.crowd.take());
        drop(joined);
        if let Some(crowd) = crowd {
            crowd.leave(self);
        }
        rooms.into_values().collect()
    }
}

impl Joined {
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// To be left at the end.
    pub(super) fn set_crowd(&mut self, crowd: Arc<dyn Left>) {
        self.crowd = Some(crowd);
    }

    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Asks when it joins; whether there was room for one more such wish.
    pub(super) fn ask_later(&mut self, room: &str, ask: Ask, most: usize) -> bool {
        self.take_ask(room);
        let has_room = self.asks.len() < most;
        if has_room {
            self.asks.push((room.into(), ask));
        }
        has_room
    }

    pub(super) fn take_ask(&mut self, room: &str) -> Option<Ask> {
        let at = self.asks.iter().position(|(asked, _)| **asked == *room)?;
        Some(self.asks.swap_remove(at).1)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Room>> {
        self.rooms.get(name)
    }

    pub(super) fn insert(&mut self, room: Arc<Room>) {
        self.rooms.insert(Arc::clone(room.name()), room);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<Room>> {
        self.rooms.shift_remove(name)
    }
}
