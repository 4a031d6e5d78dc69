//! What the server does, well or badly.

use std::time::Duration;

use fastrand::Rng;

use super::{maybe_ms, ms, one_in, pick};

/// How the server answers a handshake.
#[derive(Clone, Debug)]
pub(crate) enum Greeting {
    /// As it should.
    Upgrade,
    /// The first message comes in the same segment as the answer.
    UpgradeAndMessage,
    /// The connection is dropped as soon as it is accepted.
    Drop,
    /// Nothing is ever said.
    Silence,
    /// Something that is not HTTP.
    Garbage,
    /// Half an answer, and then the end.
    Half,
    /// Another status, perhaps with `Retry-After`.
    Refuse { status: u16, retry_after: Option<u64> },
}

impl Greeting {
    pub(super) fn draw(rng: &mut Rng, calm: bool) -> Self {
        match rng.u8(..16) {
            0 if !calm => Self::Drop,
            1 if !calm => Self::Silence,
            2 if !calm => Self::Garbage,
            3 if !calm => Self::Half,
            4 | 5 if !calm => Self::Refuse {
                status: pick(rng, &[400, 401, 403, 404, 408, 429, 500, 502, 503]),
                retry_after: one_in(rng, 2).then(|| rng.u64(0..=3)),
            },
            6 | 7 => Self::UpgradeAndMessage,
            _ => Self::Upgrade,
        }
    }
}

/// What the server does on an open connection.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    /// Each message of the client gets an answer.
    pub(crate) echo: bool,
    /// Messages of its own: so many, so far apart, with so many bytes to fill.
    pub(crate) flood: (u64, Duration, usize),
    pub(crate) ping_every: Option<Duration>,
    pub(crate) pongs: bool,
    /// It reads nothing more from then on.
    pub(crate) deaf_after: Option<Duration>,
    pub(crate) answers_close: bool,
    /// When and how the connection ends.
    pub(crate) end: Option<(Duration, End)>,
}

/// How the server ends a connection.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// With a close frame; without a code if there is none.
    Close(Option<u16>),
    /// The stream ends without a close frame.
    Eof,
    /// It ends in the middle of a message.
    MidMessage,
    /// A frame with reserved bits set.
    Garbage,
    BadUtf8,
    /// A message larger than any limit.
    TooBig,
    /// A close frame whose code must not be sent.
    BadClose,
    /// Nothing more is said, read or answered.
    Freeze,
}

impl Serving {
    pub(super) fn draw(rng: &mut Rng, length: Duration) -> Self {
        let flood = match rng.u8(..6) {
            0 | 1 => (0, Duration::ZERO, 0),
            2 => (rng.u64(1..=20), ms(rng, 0..=20), rng.usize(..200)),
            3 => (rng.u64(300..=1_500), Duration::ZERO, rng.usize(..40)),
            4 => (rng.u64(10..=60), ms(rng, 1..=100), rng.usize(..4_000)),
            _ => (rng.u64(5..=100), ms(rng, 5..=200), rng.usize(..100)),
        };
        let whole = length.as_millis() as u64;
        let end = match rng.u8(..4) {
            0 => None,
            1 => Some((ms(rng, 0..=20), End::draw(rng))),
            2 => Some((ms(rng, 0..=500), End::draw(rng))),
            _ => Some((ms(rng, 100..=whole), End::draw(rng))),
        };
        Self {
            echo: rng.bool(),
            flood,
            ping_every: maybe_ms(rng, 3, 20..=1_000),
            pongs: !one_in(rng, 4),
            deaf_after: maybe_ms(rng, 6, 0..=3_000),
            answers_close: !one_in(rng, 5),
            end,
        }
    }
}

impl End {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..14) {
            0..=4 => Self::Close(Some(pick(
                rng,
                &[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4001, 4999],
            ))),
            5 => Self::Close(None),
            6 | 7 => Self::Eof,
            8 => Self::MidMessage,
            9 => Self::Garbage,
            10 => Self::BadUtf8,
            11 => Self::TooBig,
            12 => Self::BadClose,
            _ => Self::Freeze,
        }
    }
}
