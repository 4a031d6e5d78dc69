//! One direction, and what is done to it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::sleep;

use super::frames::{Corrupt, Orders};

/// How bytes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Free,
    Stalled,
    Delayed(Duration),
    Dripping,
    /// In bytes per second.
    Throttled(usize),
}

/// What the links need to know of a direction.
#[derive(Debug)]
pub(super) struct LaneState {
    pub(super) flow: watch::Sender<Flow>,
    /// Told when all open connections are to be closed in this direction.
    pub(super) half_close: watch::Sender<()>,
    orders: Mutex<Orders>,
}

impl LaneState {
    pub(super) fn new() -> Self {
        Self {
            flow: watch::Sender::new(Flow::Free),
            half_close: watch::Sender::new(()),
            orders: Mutex::default(),
        }
    }

    pub(super) fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap()
    }
}

/// One direction of all connections, the open ones and those to come, to be disturbed.
///
/// Of the faults in how bytes flow the last one set counts. [`corrupt`](Self::corrupt) and
/// [`duplicate_close`](Self::duplicate_close) go with any of them.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a>(pub(super) &'a LaneState);

impl Lane<'_> {
    /// Passes on nothing more, neither bytes nor the end of the stream, and reads no more than what it was about to.
    /// The sockets stay open.
    pub fn stall(self) {
        self.set(Flow::Stalled);
    }

    /// Passes on each read's worth so much later.
    pub fn delay(self, by: Duration) {
        self.set(Flow::Delayed(by));
    }

    /// Passes on one byte at a time, one each millisecond, so that they are read one by one.
    pub fn drip(self) {
        self.set(Flow::Dripping);
    }

    /// Passes on so many bytes per second, at least 100.
    pub fn throttle(self, bytes_per_second: usize) {
        self.set(Flow::Throttled(bytes_per_second));
    }

    /// Flips a bit, once: in whatever comes first that has the part in question.
    pub fn corrupt(self, what: Corrupt) {
        self.0.orders().corrupt = Some(what);
    }

    /// Delivers each close frame twice.
    pub fn duplicate_close(self) {
        self.0.orders().duplicate_close = true;
    }

    /// Ends this direction of all open connections with FIN, after what is on its way; what still comes is thrown away.
    /// The other direction goes on. New connections are not concerned.
    pub fn half_close(self) {
        self.0.half_close.send_replace(());
    }

    /// Ends every fault of this direction. What was closed stays so.
    pub fn heal(self) {
        self.set(Flow::Free);
        *self.0.orders() = Orders::default();
    }

    fn set(self, flow: Flow) {
        self.0.flow.send_replace(flow);
    }
}

/// How often a throttled direction passes something on.
const TICK: Duration = Duration::from_millis(10);
const TICKS_PER_SECOND: usize = 100;

/// Waits until something may pass.
pub(super) async fn flowing(flow: &mut watch::Receiver<Flow>) {
    // The sender lives as long as the link that asks.
    let _ = flow.wait_for(|flow| *flow != Flow::Stalled).await;
}

/// Writes all of it, as the flow allows. What has begun to pass is not held up by a stall.
pub(super) async fn deliver(
    mut bytes: &[u8],
    to: &mut (impl AsyncWrite + Unpin),
    flow: &watch::Receiver<Flow>,
) -> std::io::Result<()> {
    let begin = *flow.borrow();
    if let Flow::Delayed(by) = begin {
        sleep(by).await;
    }
    while !bytes.is_empty() {
        let now = *flow.borrow();
        let (piece, pause) = match now {
            Flow::Free | Flow::Delayed(_) | Flow::Stalled => (bytes.len(), None),
            Flow::Dripping => (1, Some(Duration::from_millis(1))),
            Flow::Throttled(rate) => (rate.div_ceil(TICKS_PER_SECOND), Some(TICK)),
        };
        let (piece, rest) = bytes.split_at(piece.clamp(1, bytes.len()));
        to.write_all(piece).await?;
        if let Some(pause) = pause {
            sleep(pause).await;
        }
        bytes = rest;
    }
    Ok(())
}
