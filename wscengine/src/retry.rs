//! How long to wait before the next attempt.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backoff::backoff::Backoff as _;

use crate::classify::FailureKind;

/// A policy for the delay before each attempt to reconnect.
///
/// Synchronous and without state: the number of the retry goes in, a delay comes out. Chance comes in as an
/// argument, so that a run can be repeated.
///
/// # Examples
/// Always a second, give or take a tenth:
/// ```
/// use std::time::Duration;
/// use wscengine::Backoff;
///
/// #[derive(Debug)]
/// struct EverySecond;
///
/// impl Backoff for EverySecond {
///     fn delay(&self, _retry: u32, random: f64) -> Duration {
///         Duration::from_secs_f64(0.9 + 0.2 * random)
///     }
/// }
/// ```
pub trait Backoff: fmt::Debug + Send + Sync + 'static {
    /// The delay before retry number `retry`, counted from 1: after the first failure since the last stable
    /// session. `random` is evenly distributed over `[0, 1)`.
    fn delay(&self, retry: u32, random: f64) -> Duration;
}

/// A pointer to a policy asks it.
macro_rules! backoff_behind {
    ($pointer:ident) => {
        impl<B: Backoff + ?Sized> Backoff for $pointer<B> {
            fn delay(&self, retry: u32, random: f64) -> Duration {
                (**self).delay(retry, random)
            }
        }
    };
}

backoff_behind!(Arc);
backoff_behind!(Box);

/// The default policy: capped exponential growth with full jitter.
///
/// The delay is evenly distributed between zero and `min(cap, base * factor^(retry - 1))`, at the first retry and
/// at the cap too: that is where a herd of clients would otherwise come back at once ("Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use wscengine::{Backoff, ExponentialBackoff};
///
/// let backoff = ExponentialBackoff::new().base(Duration::from_millis(200)).cap(Duration::from_secs(5));
/// assert_eq!(backoff.delay(2, 0.5), Duration::from_millis(200));
/// assert!(backoff.delay(u32::MAX, 0.999) < Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialBackoff {
    base: Duration,
    factor: f64,
    cap: Duration,
}

impl ExponentialBackoff {
    /// Base 500 ms, factor 2, cap 30 s: a blip costs a quarter of a second on average, a long outage costs the
    /// server four attempts a minute from each client.
    pub fn new() -> Self {
        Self { base: Duration::from_millis(500), factor: 2.0, cap: Duration::from_secs(30) }
    }

    /// The longest delay before the first retry. Default 500 ms.
    #[must_use]
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// What the longest delay grows by with each retry. Default 2. Values below 1, and not a number, count as 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = if factor >= 1.0 { factor } else { 1.0 };
        self
    }

    /// The longest delay of all. Default 30 s.
    #[must_use]
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// The longest delay before this retry.
    fn ceiling(&self, retry: u32) -> Duration {
        let mut growth = backoff::exponential::ExponentialBackoff::<backoff::SystemClock> {
            current_interval: self.base.min(self.cap),
            initial_interval: self.base.min(self.cap),
            randomization_factor: 0.0,
            multiplier: self.factor,
            max_interval: self.cap,
            max_elapsed_time: None,
            ..Default::default()
        };
        let mut ceiling = growth.initial_interval;
        for _ in 0..retry.min(MOST_STEPS) {
            ceiling = growth.next_backoff().unwrap_or(self.cap);
            if ceiling >= self.cap {
                return self.cap;
            }
        }
        ceiling
    }
}

impl Default for ExponentialBackoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff for ExponentialBackoff {
    fn delay(&self, retry: u32, random: f64) -> Duration {
        let (ceiling, random) = (
            self.ceiling(retry.max(1)),
            if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) },
        );
        Duration::try_from_secs_f64(ceiling.as_secs_f64() * random).unwrap_or(ceiling).min(ceiling)
    }
}

/// No delay at all. For tests and measurements, and for servers of one's own on the same machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoBackoff;

impl Backoff for NoBackoff {
    fn delay(&self, _retry: u32, _random: f64) -> Duration {
        Duration::ZERO
    }
}

impl dyn Backoff {
    /// No delay at all: `<dyn Backoff>::none()`.
    pub fn none() -> NoBackoff {
        NoBackoff
    }
}

/// Failures since the last stable session, and the dice.
pub(crate) struct Retry {
    /// What the backoff grows with: attempts that failed, and sessions that did not live long.
    failures: u32,
    /// What the budget is compared with: as many of them as nobody asked for.
    spent: u32,
    /// Restarts that the user asked for.
    asked: u32,
    /// The number of the last attempt.
    attempt: u32,
    since: Option<Instant>,
    /// The kind of the last failure, and how many of it came in a row.
    row: Option<(FailureKind, u32)>,
    /// Whether the current attempt's request was made anew, and whether the next one's is to be.
    refreshed: bool,
    refresh: bool,
    random: fastrand::Rng,
}

impl Retry {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            failures: 0,
            spent: 0,
            asked: 0,
            attempt: 0,
            since: None,
            row: None,
            refreshed: false,
            refresh: false,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    #[cfg(any(test, feature = "__fuzzing"))]
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The number of the last attempt since the last stable session, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Another attempt begins: its number.
    pub(crate) fn next_attempt(&mut self) -> u32 {
        self.attempt = self.attempt.saturating_add(1);
        self.refreshed = false;
        self.attempt
    }

    /// The request of the attempt was made: what it was to make anew is new.
    pub(crate) fn request_made(&mut self) {
        self.refreshed = std::mem::take(&mut self.refresh);
    }

    /// A session was opened. What may have been a fault of the server's was none; a broken protocol shows only in
    /// sessions.
    pub(crate) fn session_opened(&mut self) {
        self.row = self.row.filter(|(kind, _)| *kind == FailureKind::Protocol);
    }

    /// Counts a failure of this kind: how many of it have come in a row.
    pub(crate) fn fail(&mut self, kind: FailureKind) -> u32 {
        let before = self.row.filter(|(last, _)| *last == kind).map_or(0, |(_, times)| times);
        let times = before.saturating_add(1);
        self.row = Some((kind, times));
        times
    }

    /// The next attempt's request is to be made anew.
    pub(crate) fn refresh(&mut self) {
        self.refresh = true;
    }

    /// Whether the next request is to be made anew.
    pub(crate) fn wants_refresh(&self) -> bool {
        self.refresh
    }

    /// Whether the last attempt's was.
    pub(crate) fn refreshed(&self) -> bool {
        self.refreshed
    }

    /// A session was stable: the next failure is a first one.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
        self.spent = 0;
        self.asked = 0;
        self.attempt = 0;
        self.since = None;
        self.row = None;
        self.refreshed = false;
        self.refresh = false;
    }

    /// Counts a restart that the user asked for.
    pub(crate) fn ask(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// How many restarts the user asked for.
    pub(crate) fn asked(&self) -> u32 {
        self.asked
    }

    /// Spends one attempt of the budget.
    pub(crate) fn spend(&mut self, now: Instant) {
        self.spent = self.spent.saturating_add(1);
        self.since.get_or_insert(now);
    }

    /// How much of the budget of attempts is spent.
    pub(crate) fn spent(&self) -> u32 {
        self.spent
    }

    /// Counts a failure, and says how long to wait after it.
    pub(crate) fn next_delay(&mut self, backoff: &dyn Backoff) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let random = self.random.f64();
        // A policy of the user's that panics must not end the engine; the panic hook has said what happened.
        let delay = catch_unwind(AssertUnwindSafe(|| backoff.delay(self.failures, random)));
        delay
            .unwrap_or_else(|_| ExponentialBackoff::new().delay(self.failures, random))
            .min(LONGEST_DELAY)
    }

    /// How long it has gone badly.
    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

/// Growth by at least a millionth reaches any cap long before; a factor of 1 never needs it.
const MOST_STEPS: u32 = 1_000;

/// Keeps `now + delay` inside what an `Instant` can hold, whatever a policy says.
const LONGEST_DELAY: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_until_the_cap_and_stays_there() {
        let backoff = ExponentialBackoff::new();
        let ceilings: Vec<_> = (1..=9).map(|retry| backoff.ceiling(retry).as_millis()).collect();
        assert_eq!(ceilings, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    }

    #[test]
    fn jitter_is_full_on_the_first_retry_and_at_the_cap() {
        let backoff = ExponentialBackoff::new();
        for retry in [1, 50] {
            let ceiling = backoff.ceiling(retry);
            assert_eq!(backoff.delay(retry, 0.0), Duration::ZERO);
            assert_eq!(backoff.delay(retry, 0.25), ceiling / 4);
        }
    }

    #[test]
    fn extreme_settings_neither_overflow_nor_hang() {
        let all = [0.0, 1.0, 1.000_001, 1e300, f64::INFINITY, f64::NAN, -1.0];
        let durations = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
        for factor in all {
            for base in durations {
                for cap in durations {
                    let backoff = ExponentialBackoff::new().base(base).factor(factor).cap(cap);
                    assert!(backoff.delay(u32::MAX, 0.5) <= cap, "{backoff:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delays = |seed| {
            let mut retry = Retry::new(seed);
            (0..8).map(|_| retry.next_delay(&ExponentialBackoff::new())).collect::<Vec<_>>()
        };
        assert_eq!(delays(7), delays(7));
        assert_ne!(delays(7), delays(8));
    }
}
