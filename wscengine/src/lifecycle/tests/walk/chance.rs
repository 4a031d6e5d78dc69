//! Where chance comes from: a seed, or bytes that a fuzzing target thought of, and a seed when they are used up.

use std::ops::{Bound, RangeBounds, RangeFull};

use fastrand::Rng;

pub(super) struct Chance {
    bytes: std::vec::IntoIter<u8>,
    rng: Rng,
    /// Whether there ever were bytes.
    is_planned: bool,
}

impl Chance {
    #[cfg(test)]
    pub(super) fn of_seed(seed: u64) -> Self {
        Self { bytes: Vec::new().into_iter(), rng: Rng::with_seed(seed), is_planned: false }
    }

    #[cfg(feature = "__fuzzing")]
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self { bytes: Vec::from(bytes).into_iter(), rng: Rng::with_seed(0), is_planned: true }
    }

    /// Whether what was planned is over.
    pub(super) fn is_used_up(&self) -> bool {
        self.is_planned && self.bytes.len() == 0
    }

    pub(super) fn u8(&mut self, all: RangeFull) -> u8 {
        self.bytes.next().unwrap_or_else(|| self.rng.u8(all))
    }

    pub(super) fn bool(&mut self) -> bool {
        self.u8(..) & 1 == 1
    }

    pub(super) fn usize(&mut self, range: impl RangeBounds<usize>) -> usize {
        let bound = |bound: Bound<&usize>| bound.map(|at| *at as u64);
        self.u64((bound(range.start_bound()), bound(range.end_bound()))) as usize
    }

    pub(super) fn u64(&mut self, range: impl RangeBounds<u64>) -> u64 {
        if self.bytes.len() == 0 {
            return self.rng.u64(range);
        }
        let first = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let last = match range.end_bound() {
            Bound::Included(last) => *last,
            Bound::Excluded(end) => end - 1,
            Bound::Unbounded => u64::MAX,
        };
        match last - first {
            u64::MAX => self.word(8),
            span @ 256.. => first + self.word(8) % (span + 1),
            span => first + self.word(1) % (span + 1),
        }
    }

    fn word(&mut self, bytes: usize) -> u64 {
        self.bytes.by_ref().take(bytes).fold(0, |word, byte| (word << 8) | u64::from(byte))
    }
}
