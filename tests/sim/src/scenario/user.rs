//! What the user does, in callbacks and outside of them.

use std::time::Duration;

use fastrand::Rng;

use super::{maybe_ms, ms, one_in, pick};
use crate::event::Modulo;

/// What a call of a callback does. Where it makes no sense in a callback, it is `Quick`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Quick,
    Sleep(Duration),
    /// It never returns.
    Hang,
    Panic,
    /// It fails after so long, where it can.
    Fail(Duration),
    /// Sends a request and awaits one message.
    Talk,
    Send,
    Restart,
    Exit,
    /// Awaits `stop()` inside of the callback.
    Stop,
    /// Pauses the session it is in, and receives.
    Pause,
    /// The close frame is to have this code.
    Farewell(u16),
}

/// What each callback may do; each call does one of them.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) on_open: Vec<Doing>,
    pub(crate) on_message: Vec<Doing>,
    pub(crate) on_read_error: Vec<Doing>,
    pub(crate) on_close: Vec<Doing>,
    pub(crate) on_close_error: Vec<Doing>,
    pub(crate) on_restart_error: Vec<Doing>,
}

impl Habits {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let slow = ms(rng, 1..=300);
        let short = ms(rng, 1..=20);
        Self {
            on_open: some_of(
                rng,
                8,
                &[
                    Doing::Talk,
                    Doing::Talk,
                    Doing::Send,
                    Doing::Sleep(slow),
                    Doing::Fail(Duration::ZERO),
                    Doing::Fail(slow),
                    Doing::Panic,
                    Doing::Hang,
                    Doing::Restart,
                    Doing::Exit,
                    Doing::Stop,
                    Doing::Pause,
                ],
            ),
            on_message: some_of(
                rng,
                20,
                &[
                    Doing::Sleep(short),
                    Doing::Sleep(short),
                    Doing::Sleep(slow),
                    Doing::Send,
                    Doing::Send,
                    Doing::Pause,
                    Doing::Pause,
                    Doing::Panic,
                    Doing::Panic,
                    Doing::Hang,
                    Doing::Restart,
                    Doing::Exit,
                    Doing::Stop,
                ],
            ),
            on_read_error: some_of(rng, 3, &COMMON),
            on_close: some_of(
                rng,
                6,
                &[
                    Doing::Talk,
                    Doing::Talk,
                    Doing::Send,
                    Doing::Sleep(slow),
                    Doing::Panic,
                    Doing::Hang,
                    Doing::Restart,
                    Doing::Exit,
                    Doing::Pause,
                    Doing::Farewell(1000),
                    Doing::Farewell(4_000),
                ],
            ),
            on_close_error: some_of(rng, 3, &COMMON),
            on_restart_error: some_of(rng, 6, &COMMON),
        }
    }
}

const COMMON: [Doing; 7] = [
    Doing::Sleep(Duration::from_millis(30)),
    Doing::Sleep(Duration::from_millis(400)),
    Doing::Panic,
    Doing::Hang,
    Doing::Restart,
    Doing::Exit,
    Doing::Stop,
];

/// `quick` times nothing special, and up to three of `from`.
fn some_of(rng: &mut Rng, quick: usize, from: &[Doing]) -> Vec<Doing> {
    let mut all = vec![Doing::Quick; rng.usize(1..=quick)];
    for _ in 0..rng.usize(0..=3) {
        all.push(pick(rng, from));
    }
    all
}

/// What the user does outside of callbacks.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) start: StartWay,
    pub(crate) actors: Vec<Actor>,
    pub(crate) finish: Finish,
}

/// How the engine is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartWay {
    Plain,
    /// `exit()` before the start.
    ExitBefore,
    /// `exit()` while the start is under way, or later.
    ExitAfter(Duration),
    /// The future of the start is dropped.
    GiveUpAfter(Duration),
}

/// One who uses the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Actor {
    Sender {
        pace: Duration,
        size: usize,
        engine: bool,
    },
    /// Pauses, receives so many, and gives the connection back; waits so long for each step.
    Holder {
        pace: Duration,
        hold: Option<Duration>,
        patience: Duration,
        takes: u32,
        matching: Option<Modulo>,
        engine: bool,
    },
    Restarter {
        pace: Duration,
    },
    Pinger {
        pace: Duration,
    },
}

/// How the user ends the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    StopTwice,
    /// The future of a stop is dropped; the stop goes on.
    StopGivenUp(Duration),
    Exit,
    LastHandle,
}

impl User {
    pub(super) fn draw(rng: &mut Rng, length: Duration) -> Self {
        let whole = length.as_millis() as u64;
        let start = match rng.u8(..24) {
            0 => StartWay::ExitBefore,
            1 | 2 => StartWay::ExitAfter(ms(rng, 0..=whole)),
            3 => StartWay::GiveUpAfter(ms(rng, 0..=300)),
            _ => StartWay::Plain,
        };
        let finish = match rng.u8(..10) {
            0 => Finish::StopTwice,
            1 => Finish::StopGivenUp(ms(rng, 0..=500)),
            2 => Finish::Exit,
            3 => Finish::LastHandle,
            _ => Finish::Stop,
        };
        let actors = (0..rng.usize(0..=6)).map(|_| Actor::draw(rng)).collect();
        Self { start, actors, finish }
    }
}

impl Actor {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..=3 => Self::Sender {
                pace: ms(rng, 1..=200),
                size: pick(rng, &[0, 10, 100, 3_000]),
                engine: rng.bool(),
            },
            4..=7 => Self::Holder {
                pace: ms(rng, 1..=1_000),
                hold: maybe_ms(rng, 3, 1..=300),
                patience: ms(rng, 0..=600),
                takes: rng.u32(0..=8),
                matching: one_in(rng, 3).then(|| {
                    let by = rng.u64(2..=4);
                    Modulo { by, rest: rng.u64(..by) }
                }),
                engine: rng.bool(),
            },
            8 => Self::Restarter { pace: ms(rng, 50..=3_000) },
            _ => Self::Pinger { pace: ms(rng, 20..=800) },
        }
    }
}
