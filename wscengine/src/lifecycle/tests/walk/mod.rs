//! A random walk: the machine among a model of everything else, for a million events, every promise checked at
//! every step.
//!
//! One engine's life has one seed, from the first dial until it has stopped. `LIFECYCLE_SEED=n` walks that one life
//! again and prints it, `LIFECYCLE_EVENTS=n` walks for longer.

mod chance;
mod judge;
mod model;
mod promises;
mod world;

use std::collections::BTreeMap;

#[cfg(test)]
use super::names::corner;
use chance::Chance;
use world::{Tale, World};

/// How often the walk came to each stage of each state, and wanted each action.
#[derive(Default)]
struct Seen {
    events: usize,
    corners: BTreeMap<&'static str, usize>,
}

impl Seen {
    #[cfg(test)]
    fn add(&mut self, other: Self) {
        self.events += other.events;
        for (corner, times) in other.corners {
            *self.corners.entry(corner).or_default() += times;
        }
    }

    fn note(&mut self, corner: &'static str) {
        *self.corners.entry(corner).or_default() += 1;
    }
}

/// One life whose chances are these bytes, for a fuzzing target. `LIFECYCLE_TALE=1` prints it.
#[cfg(feature = "__fuzzing")]
pub(crate) fn live(bytes: &[u8]) {
    let tale = if std::env::var_os("LIFECYCLE_TALE").is_some() { Tale::Told } else { Tale::Untold };
    World::new(Chance::of_bytes(bytes), tale).live();
}

#[test]
fn a_million_random_events_break_no_promise() {
    if let Some(seed) = number("LIFECYCLE_SEED") {
        World::new(Chance::of_seed(seed), Tale::Told).live();
        return;
    }
    let events = number("LIFECYCLE_EVENTS").unwrap_or(1_000_000);
    let seen = walk(events);
    assert!(seen.events as u64 >= events);
    // A walk that never came somewhere proves nothing about it.
    for corner in corner::ALL {
        assert!(seen.corners.contains_key(corner), "never seen: {corner}");
    }
}

/// Lives until there were so many events, on two threads.
#[cfg(test)]
fn walk(events: u64) -> Seen {
    let lane = |first: u64| {
        let mut seen = Seen::default();
        for seed in (first..).step_by(LANES as usize) {
            if seen.events as u64 >= events.div_ceil(LANES) {
                break;
            }
            let guard = SaySeed(seed);
            seen.add(World::new(Chance::of_seed(seed), Tale::Untold).live());
            drop(guard);
        }
        seen
    };
    let mut all = Seen::default();
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|first| scope.spawn(move || lane(first))).collect();
        for lane in lanes {
            all.add(lane.join().expect("a promise was broken: the seed is above"));
        }
    });
    all
}

/// How many lives go on at once.
#[cfg(test)]
const LANES: u64 = 2;

#[cfg(test)]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// Says how to walk the same life again, if it ends in a panic.
#[cfg(test)]
struct SaySeed(u64);

#[cfg(test)]
impl Drop for SaySeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see it again: LIFECYCLE_SEED={}", self.0);
        }
    }
}
