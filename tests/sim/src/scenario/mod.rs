//! What a run consists of, all of it drawn from the seed.

mod network;
mod options;
mod server;
mod user;

use std::time::Duration;

use fastrand::Rng;

pub(crate) use network::{DialFault, Fault, Network, StreamFault};
pub(crate) use options::{Making, Options};
pub(crate) use server::{End, Greeting, Serving};
pub(crate) use user::{Actor, Doing, Finish, Habits, StartWay, User};

/// One run, from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    /// The step of the simulated time, and the granularity of the network.
    pub(crate) tick: Duration,
    /// When the user stops the engine, at the latest.
    pub(crate) length: Duration,
    pub(crate) options: Options,
    pub(crate) network: Network,
    /// How the server greets and serves; each connection gets one of them.
    pub(crate) greetings: Vec<Greeting>,
    pub(crate) servings: Vec<Serving>,
    pub(crate) habits: Habits,
    pub(crate) user: User,
}

impl Scenario {
    /// The scenario of this seed.
    pub(crate) fn of(seed: u64) -> Self {
        // Neighbouring seeds must not give similar scenarios.
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED);
        let tick = Duration::from_millis(pick(&mut rng, &[1, 2, 2, 5]));
        let length = ms(&mut rng, 2_000..=20_000);
        let options = Options::draw(&mut rng);
        let network = Network::draw(&mut rng, length);
        let calm = rng.u8(..3) == 0;
        let greetings = (0..rng.usize(2..=5)).map(|_| Greeting::draw(&mut rng, calm)).collect();
        let servings = (0..rng.usize(1..=4)).map(|_| Serving::draw(&mut rng, length)).collect();
        let habits = Habits::draw(&mut rng);
        let user = User::draw(&mut rng, length);
        Self { seed, tick, length, options, network, greetings, servings, habits, user }
    }

    /// A source of chance for one of those who take part.
    pub(crate) fn rng(&self, of: u64) -> Rng {
        Rng::with_seed(self.seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(of))
    }
}

/// One of them, evenly.
pub(crate) fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())].clone()
}

/// Once in `n` times.
pub(crate) fn one_in(rng: &mut Rng, n: u32) -> bool {
    rng.u32(..n) == 0
}

/// A time in milliseconds.
pub(crate) fn ms(rng: &mut Rng, range: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.u64(range))
}

/// A time, once in `n` times.
pub(crate) fn maybe_ms(
    rng: &mut Rng,
    n: u32,
    range: std::ops::RangeInclusive<u64>,
) -> Option<Duration> {
    one_in(rng, n).then(|| ms(rng, range))
}
