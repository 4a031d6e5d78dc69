//! Other nodes, reached through a Redis server.
//!
//! One connection (RESP3) goes both ways: it publishes, and hears what is published. Subscribed are the channels of
//! groWs, two of ours, and one for each room that has members here; sharded channels (`SSUBSCRIBE`) would keep no
//! order between them, and do nothing for a single server. A message to a room thus goes to those nodes only that
//! have members of it. While Redis is away nothing waits for it.

mod heard;
mod job;
mod link;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::echo::Echoes;
use super::options::{Node, Redis};
use super::presence::Presence;
use super::{Broker, Place, Said, To, Wire, envelope, grows};
use crate::hub::Hub;
use crate::metrics::BrokerMeters;
use job::{ALL, Job, Line, Publication, ROOM, Spot};

/// The other nodes. Its connection ends with it.
#[derive(Debug)]
pub(crate) struct RedisBroker {
    shared: Arc<Shared>,
    /// Until it is started.
    jobs: Mutex<Option<mpsc::Receiver<Job>>>,
}

#[derive(Debug)]
struct Shared {
    options: Redis,
    /// This node, of this start.
    key: u64,
    name: Arc<str>,
    is_up: AtomicBool,
    line: Line,
    rooms: Mutex<Rooms>,
    presence: Mutex<Presence>,
    /// Held while something that was heard is taken in: one thing after the other.
    hearing: Mutex<Hearing>,
    /// All is to be told.
    tell_all: AtomicBool,
    /// The others are to be asked for all.
    ask_all: AtomicBool,
    /// There is something to do besides the line.
    wake: Notify,
    over: CancellationToken,
    meters: BrokerMeters,
}

/// The rooms that have members here.
#[derive(Debug, Default)]
struct Rooms {
    all: HashSet<Arc<str>>,
    /// Those for which a subscription may be to be made or ended.
    changed: HashSet<Arc<str>>,
}

#[derive(Debug, Default)]
struct Hearing {
    /// Which connection is heard; the one before may have something left.
    session: u64,
    echoes: Echoes,
}

impl RedisBroker {
    pub(crate) fn new(options: Redis, meters: BrokerMeters) -> Self {
        // Lossy on purpose: half of the bits are random enough.
        let key = uuid::Uuid::new_v4().as_u128() as u64;
        let name = options.node.clone().unwrap_or_else(|| format!("{:08x}", key >> 32).into());
        let (line, jobs) = Line::new();
        let shared = Shared {
            presence: Mutex::new(Presence::new(options.expiry)),
            options,
            key,
            name,
            is_up: AtomicBool::new(false),
            line,
            rooms: Mutex::default(),
            hearing: Mutex::default(),
            tell_all: AtomicBool::new(false),
            ask_all: AtomicBool::new(false),
            wake: Notify::new(),
            over: CancellationToken::new(),
            meters,
        };
        Self { shared: Arc::new(shared), jobs: Mutex::new(Some(jobs)) }
    }
}

impl Drop for RedisBroker {
    fn drop(&mut self) {
        self.shared.over.cancel();
    }
}

impl Broker for RedisBroker {
    fn start(&self, hub: &Arc<Hub>) {
        // Without a runtime it is started by the first connection.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let Some(jobs) = lock(&self.jobs).take() {
            runtime.spawn(link::expire(Arc::clone(&self.shared), Arc::downgrade(hub)));
            runtime.spawn(link::run(Arc::clone(&self.shared), Arc::downgrade(hub), jobs));
        }
    }

    fn say(&self, said: &Said<'_>) {
        self.shared.publish(self.shared.publication(said));
    }

    fn came(&self, place: Place<'_>, id: &Arc<str>) {
        self.shared.tell(Job::Came(Spot::of(place), Arc::clone(id)));
    }

    fn left(&self, place: Place<'_>, id: &Arc<str>) {
        self.shared.tell(Job::Left(Spot::of(place), Arc::clone(id)));
    }

    fn opened(&self, room: &str) {
        let mut rooms = lock(&self.shared.rooms);
        rooms.all.insert(room.into());
        rooms.changed.insert(room.into());
        drop(rooms);
        self.shared.wake.notify_one();
    }

    fn closed(&self, room: &str) {
        let mut rooms = lock(&self.shared.rooms);
        rooms.all.remove(room);
        rooms.changed.insert(room.into());
        drop(rooms);
        self.shared.wake.notify_one();
    }

    fn ids_in(&self, place: Place<'_>) -> Vec<Arc<str>> {
        lock(&self.shared.presence).ids_in(place)
    }

    fn knows(&self, id: &str) -> bool {
        lock(&self.shared.presence).knows(id)
    }

    fn name(&self) -> Arc<str> {
        Arc::clone(&self.shared.name)
    }

    fn others(&self) -> Vec<Node> {
        let now = Instant::now();
        let seen = lock(&self.shared.presence).seen();
        let node = |seen: super::presence::Seen| Node {
            name: seen.name,
            is_self: false,
            connections: seen.load.connections,
            rooms: seen.load.rooms,
            silent: now.saturating_duration_since(seen.heard),
        };
        seen.into_iter().map(node).collect()
    }
}

impl Shared {
    /// What is published, and where.
    fn publication(&self, said: &Said<'_>) -> Publication {
        if said.wire == Wire::Grows
            && let Some((channel, payload)) = grows::encode(said)
        {
            let (grows, payload) = (Some(channel), payload.into());
            return Publication { channel: channel.into(), payload, grows };
        }
        let channel = match said.to {
            To::Room(room) => format!("{ROOM}{room}").into(),
            // Also if it is not known where that one is: it may have come a moment ago.
            To::Crowd(_) | To::Client(_) => ALL.into(),
        };
        let payload = Bytes::from(envelope::encode(self.key, said));
        Publication { channel, payload, grows: None }
    }

    fn publish(&self, publication: Publication) {
        if !self.is_up.load(Ordering::Acquire) || !self.line.put(Job::Publish(publication)) {
            self.meters.dropped.inc();
        }
    }

    /// Tells who came or went. If that cannot be told now, all is told later.
    fn tell(&self, job: Job) {
        if !self.is_up.load(Ordering::Acquire) {
            // All is told once it is.
            return;
        }
        if !self.line.put(job) {
            self.tell_all.store(true, Ordering::Release);
        }
    }
}

/// The lock, also after a panic of somebody who held it: what is in there is whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
