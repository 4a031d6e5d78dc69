//! Who is connected to the other nodes, and in which rooms: a copy, kept up by what they tell. Pure: time is an
//! argument.
//!
//! A node that is not heard of for the time of expiry is taken for dead, and all that were there for gone. It is no
//! harm if it lives: what it tells next is asked for in full.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Place;
use super::record::{Load, Record};

/// All that is known of the other nodes.
#[derive(Debug)]
pub(crate) struct Presence {
    expiry: Duration,
    nodes: HashMap<u64, Node>,
}

#[derive(Debug)]
struct Node {
    name: Arc<str>,
    heard: Instant,
    load: Load,
    /// Its whole state has been told at least once.
    is_known: bool,
    /// Counts the times that all was told; what was named in an earlier one only is no more.
    round: u32,
    places: HashMap<Spot, HashMap<Arc<str>, u32>>,
}

/// [`Place`], kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Spot {
    Server,
    Crowd(Box<str>),
    Room(Box<str>),
}

/// What is different now in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Came { room: Box<str>, id: Arc<str> },
    Left { room: Box<str>, id: Arc<str> },
}

/// What a record asks of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    /// It is to tell all that it has.
    TellAll,
    /// The other is to tell all that it has.
    AskAll,
}

/// What is known of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: Arc<str>,
    pub(crate) load: Load,
    pub(crate) heard: Instant,
}

impl Presence {
    pub(crate) fn new(expiry: Duration) -> Self {
        Self { expiry, nodes: HashMap::new() }
    }

    /// Takes in what a node tells.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        (key, name): (u64, &str),
        record: Record<'_>,
        changes: &mut Vec<Change>,
    ) -> Answer {
        if record == Record::Bye {
            self.remove(key, changes);
            return Answer::Nothing;
        }
        if !self.nodes.contains_key(&key) {
            self.replace(name, changes);
        }
        let node = self.nodes.entry(key).or_insert_with(|| Node::new(now, name));
        node.heard = now;
        match record {
            Record::Begin => node.begin(),
            Record::Done => node.done(changes),
            Record::Came(place, id) => node.came(place, id, changes),
            Record::Left(place, id) => node.left(place, id, changes),
            Record::Beat(load) => {
                node.load = load;
                return if node.is_known { Answer::Nothing } else { Answer::AskAll };
            }
            Record::Ask => return Answer::TellAll,
            Record::Bye => {}
        }
        Answer::Nothing
    }

    /// Forgets the nodes that were not heard of for too long. Their names.
    pub(crate) fn expire(&mut self, now: Instant, changes: &mut Vec<Change>) -> Vec<Arc<str>> {
        let is_dead = |node: &Node| now.saturating_duration_since(node.heard) >= self.expiry;
        let dead: Vec<_> =
            self.nodes.iter().filter(|(_, node)| is_dead(node)).map(|(key, _)| *key).collect();
        dead.into_iter().filter_map(|key| self.remove(key, changes)).collect()
    }

    /// The ids in a place, in no order.
    pub(crate) fn ids_in(&self, place: Place<'_>) -> Vec<Arc<str>> {
        let spot = Spot::of(place);
        let ids = self.nodes.values().filter_map(|node| node.places.get(&spot));
        ids.flat_map(|ids| ids.keys().cloned()).collect()
    }

    /// Whether one with this id is connected to another node.
    pub(crate) fn knows(&self, id: &str) -> bool {
        let mut connected = self.nodes.values().filter_map(|node| node.places.get(&Spot::Server));
        connected.any(|ids| ids.contains_key(id))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen =
            |node: &Node| Seen { name: Arc::clone(&node.name), load: node.load, heard: node.heard };
        self.nodes.values().map(seen).collect()
    }

    /// A node that was started again has the name of the one that it was.
    fn replace(&mut self, name: &str, changes: &mut Vec<Change>) {
        let earlier = self.nodes.iter().find(|(_, node)| &*node.name == name).map(|(key, _)| *key);
        if let Some(key) = earlier {
            self.remove(key, changes);
        }
    }

    fn remove(&mut self, key: u64, changes: &mut Vec<Change>) -> Option<Arc<str>> {
        let node = self.nodes.remove(&key)?;
        for (spot, ids) in node.places {
            changes.extend(ids.into_keys().filter_map(|id| spot.left(id)));
        }
        Some(node.name)
    }
}

impl Node {
    fn new(now: Instant, name: &str) -> Self {
        Self {
            name: name.into(),
            heard: now,
            load: Load::default(),
            is_known: false,
            round: 0,
            places: HashMap::new(),
        }
    }

    fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    fn done(&mut self, changes: &mut Vec<Change>) {
        self.is_known = true;
        let round = self.round;
        for (spot, ids) in &mut self.places {
            ids.retain(|id, named| {
                let stays = *named == round;
                if !stays {
                    changes.extend(spot.left(Arc::clone(id)));
                }
                stays
            });
        }
        self.places.retain(|_, ids| !ids.is_empty());
    }

    fn came(&mut self, place: Place<'_>, id: &str, changes: &mut Vec<Change>) {
        // One text for each id, however many places it is in.
        let known = self.places.get(&Spot::Server).and_then(|ids| ids.get_key_value(id));
        let id = known.map_or_else(|| id.into(), |(id, _)| Arc::clone(id));
        let spot = Spot::of(place);
        let came = spot.came(&id);
        match self.places.entry(spot).or_default().entry(id) {
            Entry::Occupied(mut there) => _ = there.insert(self.round),
            Entry::Vacant(free) => {
                free.insert(self.round);
                changes.extend(came);
            }
        }
    }

    fn left(&mut self, place: Place<'_>, id: &str, changes: &mut Vec<Change>) {
        let spot = Spot::of(place);
        let Some(ids) = self.places.get_mut(&spot) else { return };
        if let Some((id, _)) = ids.remove_entry(id) {
            changes.extend(spot.left(id));
        }
        if ids.is_empty() {
            self.places.remove(&spot);
        }
    }
}

impl Spot {
    fn of(place: Place<'_>) -> Self {
        match place {
            Place::Server => Self::Server,
            Place::Crowd(name) => Self::Crowd(name.into()),
            Place::Room(name) => Self::Room(name.into()),
        }
    }

    fn came(&self, id: &Arc<str>) -> Option<Change> {
        match self {
            Self::Room(room) => Some(Change::Came { room: room.clone(), id: Arc::clone(id) }),
            Self::Server | Self::Crowd(_) => None,
        }
    }

    fn left(&self, id: Arc<str>) -> Option<Change> {
        match self {
            Self::Room(room) => Some(Change::Left { room: room.clone(), id }),
            Self::Server | Self::Crowd(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: Duration = Duration::from_secs(10);
    const ROOM: Place<'_> = Place::Room("r");

    struct World {
        now: Instant,
        presence: Presence,
    }

    impl World {
        fn new() -> Self {
            Self { now: Instant::now(), presence: Presence::new(EXPIRY) }
        }

        /// What changes for members of rooms, `+` or `-` before the id.
        fn told(&mut self, key: u64, records: &[Record<'_>]) -> Vec<String> {
            let (mut changes, name) = (Vec::new(), format!("n{}", key % 10));
            for record in records {
                self.presence.handle(self.now, (key, &name), *record, &mut changes);
            }
            shown(changes)
        }

        fn ids(&self, place: Place<'_>) -> Vec<String> {
            let mut ids: Vec<_> =
                self.presence.ids_in(place).iter().map(|id| (**id).to_owned()).collect();
            ids.sort();
            ids
        }
    }

    fn shown(changes: Vec<Change>) -> Vec<String> {
        let show = |change| match change {
            Change::Came { id, .. } => format!("+{id}"),
            Change::Left { id, .. } => format!("-{id}"),
        };
        let mut shown: Vec<_> = changes.into_iter().map(show).collect();
        shown.sort();
        shown
    }

    #[test]
    fn those_who_come_and_go_elsewhere_are_told_once() {
        let mut world = World::new();
        let came = [Record::Came(Place::Server, "a"), Record::Came(ROOM, "a")];
        assert_eq!(world.told(1, &came), ["+a"]);
        assert_eq!(world.told(1, &came), [""; 0]);
        assert_eq!(world.told(2, &[Record::Came(ROOM, "b")]), ["+b"]);
        assert_eq!(world.ids(ROOM), ["a", "b"]);
        assert!(world.presence.knows("a") && !world.presence.knows("b"));
        assert_eq!(world.told(2, &[Record::Left(ROOM, "a"), Record::Left(ROOM, "b")]), ["-b"]);
        assert_eq!(world.ids(ROOM), ["a"]);
    }

    #[test]
    fn what_a_node_no_more_names_when_it_tells_all_is_gone_and_the_rest_stays() {
        let mut world = World::new();
        let [a, b, c] = ["a", "b", "c"].map(|id| Record::Came(ROOM, id));
        assert_eq!(world.told(1, &[Record::Begin, a, b, Record::Done]), ["+a", "+b"]);
        let again = [Record::Begin, b, Record::Left(ROOM, "b"), c, b, Record::Done];
        assert_eq!(world.told(1, &again), ["+b", "+c", "-a", "-b"]);
        assert_eq!(world.ids(ROOM), ["b", "c"]);
        assert_eq!(world.told(1, &[Record::Begin, Record::Done]), ["-b", "-c"]);
    }

    #[test]
    fn a_node_that_is_silent_is_dead_and_asked_for_all_when_it_comes_back() {
        let mut world = World::new();
        let beat = Record::Beat(Load { connections: 1, rooms: 1 });
        let state = [Record::Begin, Record::Came(ROOM, "a"), Record::Done];
        world.told(1, &state);
        world.told(2, &[Record::Came(ROOM, "b")]);
        world.now += EXPIRY / 2;
        world.told(1, &[beat]);
        world.now += EXPIRY / 2;
        let mut changes = Vec::new();
        let dead = world.presence.expire(world.now, &mut changes);
        assert_eq!((dead, shown(changes)), (vec!["n2".into()], vec!["-b".to_owned()]));
        assert_eq!(world.ids(ROOM), ["a"]);
        let mut handle =
            |record| world.presence.handle(world.now, (2, "n2"), record, &mut Vec::new());
        assert_eq!(handle(beat), Answer::AskAll);
        assert_eq!(handle(Record::Begin), Answer::Nothing);
        assert_eq!(handle(Record::Done), Answer::Nothing);
        assert_eq!(handle(beat), Answer::Nothing);
        assert_eq!(handle(Record::Ask), Answer::TellAll);
    }

    #[test]
    fn a_node_that_is_started_again_or_ends_leaves_nobody_behind() {
        let mut world = World::new();
        world.told(1, &[Record::Came(ROOM, "a")]);
        assert_eq!(world.told(11, &[Record::Came(ROOM, "b")]), ["+b", "-a"]);
        assert_eq!(world.told(11, &[Record::Bye]), ["-b"]);
        assert_eq!(world.told(11, &[Record::Bye]), [""; 0]);
        assert!(world.presence.seen().is_empty());
    }
}
