//! What the network does.

use std::time::Duration;

use fastrand::Rng;

use super::{ms, one_in, pick};

/// The network between the engine and the server.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) latency: (Duration, Duration),
    /// How many segments a socket holds that its owner has not read.
    pub(crate) capacity: usize,
    /// What dials meet; each meets one of them.
    pub(crate) dials: Vec<DialFault>,
    /// What happens to streams; each meets one of them.
    pub(crate) streams: Vec<StreamFault>,
    pub(crate) faults: Vec<(Duration, Fault)>,
}

/// What a dial meets, before the network is asked.
#[derive(Clone, Debug)]
pub(crate) enum DialFault {
    None,
    Resolve,
    Refused,
    /// It never ends.
    Hangs,
    Late(Duration),
    Panics,
}

/// What happens to a stream at the engine's side.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StreamFault {
    None,
    /// No read or write passes more than so many bytes.
    Chops(usize),
    /// Reading fails after so many bytes.
    ReadFails(u64),
    /// Writing fails after so many bytes.
    WriteFails(u64),
    /// Reading panics after so many bytes: a transport with a defect.
    ReadPanics(u64),
}

/// Something that happens to the network or the server's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Everything between the two is lost.
    Partition,
    /// What the engine sends is lost.
    LosesOutbound,
    /// What the server sends is lost.
    LosesInbound,
    Repair,
    /// Everything waits.
    Hold,
    Release,
    Crash,
    /// The server starts again, without what it had.
    Bounce,
    Latency(Duration),
}

impl Network {
    pub(super) fn draw(rng: &mut Rng, length: Duration) -> Self {
        let least = ms(rng, 0..=20);
        let latency = (least, least + ms(rng, 0..=60));
        let calm = rng.bool();
        let dials = if calm {
            vec![DialFault::None]
        } else {
            (0..rng.usize(2..=5)).map(|_| DialFault::draw(rng)).collect()
        };
        let streams = if rng.bool() {
            vec![StreamFault::None]
        } else {
            (0..rng.usize(2..=4)).map(|_| StreamFault::draw(rng)).collect()
        };
        let mut faults = Vec::new();
        if rng.bool() {
            for _ in 0..rng.usize(1..=3) {
                draw_fault(rng, length, &mut faults);
            }
            faults.sort_by_key(|(at, _)| *at);
        }
        Self { latency, capacity: pick(rng, &[8, 64, 64, 512]), dials, streams, faults }
    }

    /// The longest that a segment is on its way while nothing is wrong.
    pub(crate) fn slowest(&self) -> Duration {
        let changed = self.faults.iter().filter_map(|(_, fault)| match fault {
            Fault::Latency(latency) => Some(*latency),
            _ => None,
        });
        changed.max().unwrap_or_default().max(self.latency.1)
    }
}

impl DialFault {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..12) {
            0 => Self::Resolve,
            1 | 2 => Self::Refused,
            3 => Self::Hangs,
            4 => Self::Late(ms(rng, 10..=3_000)),
            5 if one_in(rng, 3) => Self::Panics,
            _ => Self::None,
        }
    }
}

impl StreamFault {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..=2 => Self::Chops(pick(rng, &[1, 7, 100])),
            3 => Self::ReadFails(rng.u64(1..20_000)),
            4 => Self::WriteFails(rng.u64(1..20_000)),
            5 => Self::ReadPanics(rng.u64(200..5_000)),
            _ => Self::None,
        }
    }
}

fn draw_fault(rng: &mut Rng, length: Duration, faults: &mut Vec<(Duration, Fault)>) {
    let whole = length.as_millis() as u64;
    let begin = ms(rng, 0..=whole);
    let end = begin + ms(rng, 20..=3_000);
    match rng.u8(..7) {
        0 => faults.extend([(begin, Fault::Partition), (end, Fault::Repair)]),
        1 => faults.extend([(begin, Fault::LosesOutbound), (end, Fault::Repair)]),
        2 => faults.extend([(begin, Fault::LosesInbound), (end, Fault::Repair)]),
        3 => faults.extend([(begin, Fault::Hold), (end, Fault::Release)]),
        4 => faults.extend([(begin, Fault::Crash), (end, Fault::Bounce)]),
        5 => faults.push((begin, Fault::Bounce)),
        _ => {
            let slow = ms(rng, 50..=700);
            faults.extend([(begin, Fault::Latency(slow)), (end, Fault::Latency(slow / 20))]);
        }
    }
}
