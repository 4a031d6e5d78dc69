//! A classifier that rolls dice, and remembers what it said last.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;

use crate::classify::{Classifier, Failure, Verdict};

/// Clones are the same judge: the machine has one, the promises another.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    rng: Rng,
    said: Option<Verdict>,
}

impl Judge {
    pub(super) fn new(seed: u64) -> Self {
        let inner = Inner { rng: Rng::with_seed(seed), said: None };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// What it said since the last attempt began.
    pub(super) fn said(&self) -> Option<Verdict> {
        self.inner.lock().expect("nobody panics while asking").said
    }

    /// An attempt begins: what was said before it.
    pub(super) fn take(&self) -> Option<Verdict> {
        self.inner.lock().expect("nobody panics while asking").said.take()
    }
}

impl Classifier for Judge {
    fn classify(&self, _: &Failure<'_>) -> Verdict {
        let mut inner = self.inner.lock().expect("nobody panics while asking");
        let floor = match inner.rng.u8(..) {
            0..8 => LONGEST_FLOOR,
            8..40 => Duration::from_millis(5),
            40..=255 => Duration::ZERO,
        };
        let verdict = match inner.rng.u8(..) {
            0..6 => Verdict::Fatal,
            6..80 => Verdict::Refresh { floor },
            80..=255 => Verdict::Retry { floor },
        };
        assert!(inner.said.replace(verdict).is_none(), "asked twice about one failure");
        verdict
    }
}

/// The longest that it makes anybody wait.
pub(super) const LONGEST_FLOOR: Duration = Duration::from_secs(2);
