//! The options of the engine.

use std::time::Duration;

use fastrand::Rng;

use super::{maybe_ms, ms, one_in, pick};

/// What the engine is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) workers: usize,
    /// Messages whose numbers leave the same rest keep their order.
    pub(crate) keys: Option<u64>,
    pub(crate) read_ahead: (usize, usize),
    pub(crate) send_queue: (usize, usize),
    pub(crate) max_message: usize,
    pub(crate) connect: Duration,
    pub(crate) on_open: Duration,
    pub(crate) on_message: Option<Duration>,
    pub(crate) on_read_error: Duration,
    pub(crate) on_close: Duration,
    pub(crate) on_close_error: Duration,
    pub(crate) on_restart_error: Duration,
    pub(crate) drain: Duration,
    pub(crate) close: Duration,
    pub(crate) stop: Duration,
    pub(crate) write: Duration,
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) ping_timeout: Duration,
    pub(crate) idle: Option<Duration>,
    pub(crate) stable_after: Duration,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_elapsed: Option<Duration>,
    pub(crate) auto_reconnect: bool,
    pub(crate) retry_first: bool,
    pub(crate) base: Duration,
    pub(crate) factor: f64,
    pub(crate) cap: Duration,
    pub(crate) seed: u64,
    pub(crate) request: Duration,
    /// What the request factory does, if there is one; each attempt meets one of them.
    pub(crate) making: Option<Vec<Making>>,
}

/// What a request factory does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Making {
    Quick,
    Late(Duration),
    Fails,
    Hangs,
    Panics,
}

impl Making {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..14) {
            0 => Self::Fails,
            1 => Self::Hangs,
            2 => Self::Panics,
            3 | 4 => Self::Late(ms(rng, 1..=600)),
            _ => Self::Quick,
        }
    }
}

impl Options {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let workers = pick(rng, &[1, 1, 1, 2, 3, 4]);
        let ping_interval = (!one_in(rng, 5)).then(|| ms(rng, 100..=3_000));
        let longest = ping_interval.map_or(1_000, |every| every.as_millis() as u64);
        Self {
            workers,
            keys: one_in(rng, 3).then(|| rng.u64(1..=4)),
            read_ahead: (pick(rng, &[1, 2, 8, 32, 256]), pick(rng, &[1, 200, 4_000, 1 << 20])),
            send_queue: (pick(rng, &[1, 2, 8, 1024]), pick(rng, &[1, 500, 10_000, 1 << 20])),
            max_message: pick(rng, &[20_000, 64 << 20]),
            connect: ms(rng, 200..=2_000),
            on_open: ms(rng, 200..=2_000),
            on_message: maybe_ms(rng, 4, 20..=500),
            on_read_error: ms(rng, 50..=800),
            on_close: ms(rng, 50..=1_000),
            on_close_error: ms(rng, 50..=800),
            on_restart_error: ms(rng, 50..=800),
            drain: ms(rng, 50..=1_500),
            close: ms(rng, 50..=1_500),
            stop: if one_in(rng, 4) { ms(rng, 1..=600) } else { ms(rng, 3_000..=15_000) },
            write: ms(rng, 200..=4_000),
            ping_interval,
            ping_timeout: ms(rng, 50..=longest.max(50)).min(Duration::from_millis(longest)),
            idle: maybe_ms(rng, 4, 200..=3_000),
            stable_after: pick(rng, &[0, 100, 1_000, 10_000]).min(20_000).millis(),
            max_attempts: one_in(rng, 4).then(|| rng.u32(1..=6)),
            max_elapsed: maybe_ms(rng, 6, 100..=6_000),
            auto_reconnect: !one_in(rng, 6),
            retry_first: !one_in(rng, 4),
            base: pick(rng, &[10, 20, 100, 500]).millis(),
            factor: pick(rng, &[1.0, 1.5, 2.0, 3.0]),
            cap: pick(rng, &[50, 500, 2_000, 30_000]).millis(),
            seed: rng.u64(..),
            request: ms(rng, 100..=1_000),
            making: one_in(rng, 5)
                .then(|| (0..rng.usize(1..=4)).map(|_| Making::draw(rng)).collect()),
        }
    }
}

/// A number of milliseconds as what it is.
trait Millis {
    fn millis(self) -> Duration;
}

impl Millis for u64 {
    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }
}
