//! What was handed to workers: runs that they share, or a lane for each key.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::queue::Queue;
use super::run::{Handed, Run};

/// The most messages that are handed over at a time. What the last of them needs stays in memory as long as the
/// slowest callback of the run takes.
const RUN: usize = 64;
/// And the most payload bytes, for the same reason: but one message may have any length.
const RUN_BYTES: usize = 64 << 10;
/// The most messages of one key that are handed over at a time, so that other keys get their turn.
const KEYED_RUN: usize = 16;

/// What was taken from the queue for workers. All of it is older than what is left in the queue.
#[derive(Debug, Default)]
pub(super) struct Hands {
    /// What workers claim messages from.
    runs: Vec<Arc<Run>>,
    /// Workers that are at a run, or handle the last message of one.
    at_work: usize,
    lanes: HashMap<u64, Lane, BuildHasherDefault<Hashed>>,
    /// Keys of lanes that have messages and no worker, by turns.
    ready: VecDeque<u64>,
    /// What waits in lanes: messages and bytes.
    waiting: (usize, usize),
    /// How many messages went into lanes so far.
    number: u64,
}

/// The messages of one key, and whether a worker is at those before them.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Handed>,
    busy: bool,
}

impl Hands {
    /// Workers that are not at rest.
    pub(super) fn at_work(&self) -> usize {
        self.at_work
    }

    /// Messages that nobody has claimed.
    pub(super) fn len(&self) -> usize {
        self.waiting.0 + self.runs.iter().map(|run| run.left().len()).sum::<usize>()
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> usize {
        let of =
            |run: &Arc<Run>| run.left().iter().map(|handed| handed.message.len()).sum::<usize>();
        self.waiting.1 + self.runs.iter().map(of).sum::<usize>()
    }

    /// Has the claim told that makes room: the first after which there is as much as `is_room` wants, which is given the
    /// messages and bytes in hand. Of keyed runs every one, since several are claimed from at once.
    pub(super) fn mark(&self, is_room: impl Fn(usize, usize) -> bool) {
        let (mut len, mut bytes) = (self.len(), self.bytes());
        for run in &self.runs {
            run.mark(|handed| {
                len = len.saturating_sub(1);
                bytes = bytes.saturating_sub(handed.message.len());
                run.key.is_some() || is_room(len, bytes)
            });
        }
    }

    /// Nobody waits for room any more.
    pub(super) fn unmark(&self) {
        self.runs.iter().for_each(|run| run.unmark());
    }

    /// A worker joins the run that is not exhausted, or begins one with what is first in the queue.
    pub(super) fn join(&mut self, queue: &mut Queue) -> Option<Arc<Run>> {
        self.runs.retain(|run| !run.left().is_empty());
        if self.runs.is_empty() {
            let (mut handed, mut bytes) = (Vec::new(), 0);
            while handed.len() < RUN && bytes < RUN_BYTES {
                let Some((message, key)) = queue.pop_message() else { break };
                if handed.is_empty() {
                    handed.reserve_exact(RUN.min(queue.len() + 1));
                }
                bytes += message.len();
                handed.push(Handed { message, key, number: 0 });
            }
            if handed.is_empty() {
                return None;
            }
            self.runs.push(Arc::new(Run::new(handed.into(), None)));
        }
        self.at_work += 1;
        self.runs.first().cloned()
    }

    /// A worker takes messages of the key that has waited longest of those that nobody works on.
    pub(super) fn join_keyed(&mut self, queue: &mut Queue) -> Option<Arc<Run>> {
        while let Some((message, key)) = queue.pop_message() {
            self.number += 1;
            self.line_up(Handed { message, key, number: self.number });
        }
        let key = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&key)?;
        lane.busy = true;
        let count = lane.waiting.len().min(KEYED_RUN);
        let handed: Box<[_]> = lane.waiting.drain(..count).collect();
        self.waiting.0 -= count;
        self.waiting.1 -= handed.iter().map(|handed| handed.message.len()).sum::<usize>();
        let run = Arc::new(Run::new(handed, Some(key)));
        self.runs.push(run.clone());
        self.at_work += 1;
        Some(run)
    }

    fn line_up(&mut self, handed: Handed) {
        let lane = self.lanes.entry(handed.key).or_default();
        if lane.waiting.is_empty() && !lane.busy {
            self.ready.push_back(handed.key);
        }
        self.waiting.0 += 1;
        self.waiting.1 += handed.message.len();
        lane.waiting.push_back(handed);
    }

    /// A worker has left a run, perhaps before it had come to its end. Whether it has left messages behind.
    pub(super) fn leave(&mut self, run: &Arc<Run>) -> bool {
        self.at_work -= 1;
        let Some(key) = run.key else { return !run.left().is_empty() };
        self.runs.retain(|other| !Arc::ptr_eq(other, run));
        let left = run.close();
        let Some(lane) = self.lanes.get_mut(&key) else { return false };
        lane.busy = false;
        for handed in left.iter().rev() {
            self.waiting.0 += 1;
            self.waiting.1 += handed.message.len();
            lane.waiting.push_front(handed.clone());
        }
        if lane.waiting.is_empty() {
            self.lanes.remove(&key);
        } else {
            self.ready.push_back(key);
        }
        !left.is_empty()
    }

    /// Takes back all that nobody has claimed, to the front of the queue and in the order of arrival.
    pub(super) fn take_back(&mut self, queue: &mut Queue) {
        let mut back: Vec<Handed> = Vec::new();
        for run in self.runs.drain(..) {
            back.extend_from_slice(run.close());
        }
        for lane in self.lanes.values_mut() {
            back.extend(lane.waiting.drain(..));
        }
        self.lanes.retain(|_, lane| lane.busy);
        self.ready.clear();
        self.waiting = (0, 0);
        back.sort_by_key(|handed| handed.number);
        for Handed { message, key, .. } in back.into_iter().rev() {
            queue.put_back(message, key);
        }
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
