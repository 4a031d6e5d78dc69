//! What is measured of one run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use crate::process;

/// The result of one run, as the suite gets it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Measured {
    /// From the open connection to the last message in the user's handler.
    pub(crate) wall_s: f64,
    /// Processor time of the client in the same span, by ticks of the scheduler: only the sum with `sys_s` is exact.
    pub(crate) user_s: f64,
    pub(crate) sys_s: f64,
    /// Voluntary context switches: how often the client really slept.
    pub(crate) sleeps: i64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    /// Resident bytes at each mark.
    pub(crate) resident: Vec<u64>,
    /// One for each time that the server cut all connections.
    pub(crate) reopen_us: Vec<f64>,
    /// Bytes of all frames, headers included.
    pub(crate) wire_bytes: Option<u64>,
}

impl Measured {
    pub(crate) fn cpu_s(&self) -> f64 {
        self.user_s + self.sys_s
    }
}

/// Takes the measurements.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    begun: Option<Reading>,
    result: Measured,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    user_s: f64,
    sys_s: f64,
    sleeps: i64,
}

impl Reading {
    fn now() -> Self {
        let at = Instant::now();
        let usage =
            getrusage(UsageWho::RUSAGE_SELF).expect("the arguments are those of every system");
        Self {
            at,
            user_s: usage.user_time().num_microseconds() as f64 * 1e-6,
            sys_s: usage.system_time().num_microseconds() as f64 * 1e-6,
            sleeps: usage.voluntary_context_switches(),
        }
    }
}

impl Meter {
    pub(crate) fn start(&self) {
        self.state().begun = Some(Reading::now());
    }

    /// # Panics
    /// Without a `start` before it: the contestant is written wrongly.
    pub(crate) fn stop(&self) {
        let now = Reading::now();
        let mut state = self.state();
        let begun = state.begun.expect("start() comes before stop()");
        state.result.wall_s = (now.at - begun.at).as_secs_f64();
        state.result.user_s = now.user_s - begun.user_s;
        state.result.sys_s = now.sys_s - begun.sys_s;
        state.result.sleeps = now.sleeps - begun.sleeps;
    }

    pub(crate) fn latencies(&self, mut nanoseconds: Vec<u32>) {
        nanoseconds.sort_unstable();
        let Some(last) = nanoseconds.len().checked_sub(1) else { return };
        let at = |share: f64| Some(f64::from(nanoseconds[(last as f64 * share) as usize]) / 1e3);
        let mut state = self.state();
        state.result.p50_us = at(0.5);
        state.result.p99_us = at(0.99);
    }

    pub(crate) fn mark_resident(&self) {
        let bytes = process::resident();
        self.state().result.resident.push(bytes);
    }

    pub(crate) fn reopened(&self, microseconds: f64) {
        self.state().result.reopen_us.push(microseconds);
    }

    pub(crate) fn wire(&self, bytes: u64) {
        self.state().result.wire_bytes = Some(bytes);
    }

    /// What another process has measured of itself.
    pub(crate) fn set(&self, result: Measured) {
        self.state().result = result;
    }

    pub(crate) fn result(&self) -> Measured {
        self.state().result.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
