//! What was said in rooms a short while ago, for those who missed it.
//!
//! Every message has a number, in order over all rooms; a position is that number, together with a mark of this
//! server's start: a position of another start or another node is none here. Pure: time is an argument.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::lock;

/// How much of each room is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) messages: usize,
    pub(crate) time: Duration,
}

/// Of all rooms together.
const MAX_BYTES: usize = 64 << 20;

/// Rooms are looked through for what is too old once there are twice as many as the last time, and this many.
const FEW: usize = 64;

#[derive(Debug)]
pub(super) struct Past {
    keep: Keep,
    start: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    rooms: HashMap<Arc<str>, Ring>,
    /// The number of the last message.
    last: u64,
    /// Of a room that is not listed, what has a number up to this may have been forgotten.
    lost: u64,
    bytes: usize,
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Ring {
    messages: VecDeque<Entry>,
    /// The number of the last that was forgotten.
    lost: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    at: Instant,
    message: Bytes,
}

/// What somebody missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Since {
    /// The position that all of it leads to.
    pub(super) at: String,
    /// With their positions, in order.
    pub(super) messages: Vec<(String, Bytes)>,
    /// There may have been more, which is forgotten.
    pub(super) has_gap: bool,
}

impl Past {
    pub(super) fn new(keep: Keep) -> Self {
        let kept = Kept { rooms: HashMap::new(), last: 0, lost: 0, bytes: 0, sweep_at: FEW };
        // Lossy on purpose: half of the bits are random enough.
        let start = uuid::Uuid::new_v4().as_u128() as u64;
        Self { keep, start, kept: Mutex::new(kept) }
    }

    /// Keeps a message; its position.
    pub(super) fn add(&self, now: Instant, room: &Arc<str>, message: Bytes) -> String {
        let mut kept = lock(&self.kept);
        kept.last += 1;
        kept.bytes += message.len();
        let (number, lost) = (kept.last, kept.lost);
        if !kept.rooms.contains_key(room) {
            kept.sweep(now, self.keep.time);
            kept.rooms.insert(Arc::clone(room), Ring { lost, ..Ring::default() });
        }
        if let Some(ring) = kept.rooms.get_mut(room) {
            ring.messages.push_back(Entry { number, at: now, message });
            let forgotten = ring.trim(now, self.keep);
            kept.bytes -= forgotten;
        }
        kept.bound(room);
        self.position(number)
    }

    /// What is kept of a room and came after a position. An empty one: nothing, only where the room is now.
    pub(super) fn since(&self, now: Instant, room: &str, position: &str) -> Since {
        let mut kept = lock(&self.kept);
        let (at, lost) = (self.position(kept.last), kept.lost);
        if position.is_empty() {
            return Since { at, messages: Vec::new(), has_gap: false };
        }
        let from = self.number(position).filter(|from| *from <= kept.last);
        let after = from.unwrap_or(0);
        let Some(ring) = kept.rooms.get_mut(room) else {
            return Since { at, messages: Vec::new(), has_gap: from.is_none_or(|it| it < lost) };
        };
        let forgotten = ring.trim(now, self.keep);
        let missed = ring.messages.iter().filter(|entry| entry.number > after);
        let messages = missed.map(|it| (self.position(it.number), it.message.clone())).collect();
        let has_gap = from.is_none_or(|from| from < ring.lost);
        kept.bytes -= forgotten;
        Since { at, messages, has_gap }
    }

    /// Nobody here hears any more what is said there.
    pub(super) fn forget(&self, room: &str) {
        let mut kept = lock(&self.kept);
        kept.forget(room);
        // Also for who was there when nothing was said yet.
        kept.last += 1;
        kept.lost = kept.last;
    }

    fn position(&self, number: u64) -> String {
        format!("{:x}-{number}", self.start)
    }

    fn number(&self, position: &str) -> Option<u64> {
        let (start, number) = position.split_once('-')?;
        let is_ours = u64::from_str_radix(start, 16).ok()? == self.start;
        if is_ours { number.parse().ok() } else { None }
    }
}

impl Kept {
    fn forget(&mut self, room: &str) {
        if let Some(ring) = self.rooms.remove(room) {
            self.bytes -= ring.messages.iter().map(|it| it.message.len()).sum::<usize>();
            self.lost = self.lost.max(ring.messages.back().map_or(ring.lost, |it| it.number));
        }
    }

    /// Forgets rooms in which nothing was said for too long.
    fn sweep(&mut self, now: Instant, time: Duration) {
        if self.rooms.len() < self.sweep_at {
            return;
        }
        let is_old =
            |ring: &Ring| ring.messages.back().is_none_or(|it| now.duration_since(it.at) > time);
        let old: Vec<_> = self
            .rooms
            .iter()
            .filter(|(_, ring)| is_old(ring))
            .map(|(it, _)| Arc::clone(it))
            .collect();
        for room in old {
            self.forget(&room);
        }
        self.sweep_at = FEW.max(2 * self.rooms.len());
    }

    /// Forgets other rooms while there is too much.
    fn bound(&mut self, room: &Arc<str>) {
        while self.bytes > MAX_BYTES {
            let other = self.rooms.keys().find(|it| *it != room).map(Arc::clone);
            let Some(other) = other else { return };
            self.forget(&other);
        }
    }
}

impl Ring {
    /// How many bytes were forgotten.
    fn trim(&mut self, now: Instant, keep: Keep) -> usize {
        let mut bytes = 0;
        while let Some(first) = self.messages.front()
            && (self.messages.len() > keep.messages
                || now.saturating_duration_since(first.at) > keep.time)
        {
            bytes += first.message.len();
            self.lost = first.number;
            self.messages.pop_front();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Keep = Keep { messages: 3, time: Duration::from_secs(10) };

    fn texts(since: &Since) -> Vec<&str> {
        since.messages.iter().map(|(_, it)| std::str::from_utf8(it).unwrap()).collect()
    }

    #[test]
    fn what_came_after_a_position_is_had_or_said_to_be_gone() {
        let (past, now, room) = (Past::new(KEEP), Instant::now(), Arc::<str>::from("r"));
        let begin = past.since(now, "r", "");
        assert!(texts(&begin).is_empty() && !begin.has_gap);
        let first = past.add(now, &room, "1".into());
        for text in ["2", "3"] {
            past.add(now, &room, text.into());
        }
        let since = past.since(now, "r", &begin.at);
        assert_eq!((texts(&since), since.has_gap), (vec!["1", "2", "3"], false));
        assert_eq!(past.since(now, "r", &since.at).messages, []);
        past.add(now, &room, "4".into());
        let since = past.since(now, "r", &begin.at);
        assert_eq!((texts(&since), since.has_gap), (vec!["2", "3", "4"], true));
        let since = past.since(now, "r", &first);
        assert_eq!((texts(&since), since.has_gap), (vec!["2", "3", "4"], false));
        let late = past.since(now + Duration::from_secs(11), "r", &first);
        assert_eq!((texts(&late), late.has_gap), (vec![], true));
    }

    #[test]
    fn positions_of_another_start_and_nonsense_have_a_gap() {
        let (past, now, room) = (Past::new(KEEP), Instant::now(), Arc::<str>::from("r"));
        let other = Past::new(KEEP).add(now, &room, "x".into());
        past.add(now, &room, "1".into());
        let future = past.position(9);
        for position in [&*other, "x", "-", "1-", &future] {
            let since = past.since(now, "r", position);
            assert_eq!((texts(&since), since.has_gap), (vec!["1"], true), "{position}");
        }
    }

    #[test]
    fn what_is_forgotten_as_a_whole_is_a_gap_for_who_was_before_it() {
        let (past, now, room) = (Past::new(KEEP), Instant::now(), Arc::<str>::from("r"));
        let before = past.since(now, "r", "").at;
        past.add(now, &room, "1".into());
        let after = past.since(now, "r", "").at;
        past.forget("r");
        assert!(past.since(now, "r", &before).has_gap && past.since(now, "r", &after).has_gap);
        let later = past.since(now, "r", "").at;
        assert!(!past.since(now, "r", &later).has_gap);
        past.add(now, &room, "2".into());
        let since = past.since(now, "r", &before);
        assert_eq!((texts(&since), since.has_gap), (vec!["2"], true));
        assert!(!past.since(now, "r", &later).has_gap);
    }

    #[test]
    fn neither_rooms_nor_bytes_grow_without_bound() {
        let (past, now) = (Past::new(KEEP), Instant::now());
        let large = Bytes::from(vec![0; MAX_BYTES / 8]);
        for number in 0..20 {
            past.add(now, &format!("large{number}").into(), large.clone());
            assert!(lock(&past.kept).bytes <= MAX_BYTES);
        }
        let later = now + Duration::from_secs(60);
        for number in 0..10 * FEW as u64 {
            let at = later + Duration::from_secs(number);
            past.add(at, &format!("r{number}").into(), "x".into());
        }
        assert!(lock(&past.kept).rooms.len() <= 2 * FEW);
    }
}
