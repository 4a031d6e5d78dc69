//! What the policy allows, computed without an engine: the delays of a seed, one after the other.

use std::time::Duration;

use wscengine::Backoff;

/// The delays before each dial of an engine that was given this seed, and that never has a stable session.
pub(crate) struct Delays<'a> {
    backoff: &'a dyn Backoff,
    random: fastrand::Rng,
    retry: u32,
}

impl<'a> Delays<'a> {
    pub(crate) fn new(backoff: &'a dyn Backoff, seed: u64) -> Self {
        Self { backoff, random: fastrand::Rng::with_seed(seed), retry: 0 }
    }
}

impl Iterator for Delays<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.retry += 1;
        Some(self.backoff.delay(self.retry, self.random.f64()))
    }
}

/// How many dials an engine may do from the first one on, each failing at once, until this time is over.
pub(crate) fn dials(
    delays: Delays<'_>,
    floor: Duration,
    slack: Duration,
    until: Duration,
) -> usize {
    let mut at = Duration::ZERO;
    let later = delays.take_while(|delay| {
        at += floor + *delay + slack;
        at <= until
    });
    1 + later.count()
}

/// The timer's grain: how much later than asked for a wait may end.
pub(crate) const GRAIN: Duration = Duration::from_millis(2);
