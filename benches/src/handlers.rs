//! The user's message handlers.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::context::{Context, Cx};

/// Checks the length, touches the payload, counts: a handler that owns its state.
#[derive(Debug)]
pub(crate) struct Tally {
    size: usize,
    left: u64,
}

impl Tally {
    pub(crate) fn new(cx: &Context) -> Self {
        Self { size: cx.job.size, left: cx.job.count }
    }

    /// Whether that was the last one.
    #[inline]
    pub(crate) fn hit(&mut self, payload: &[u8]) -> bool {
        touch(payload, self.size);
        self.left -= 1;
        self.left == 0
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }
}

/// The same for handlers that are shared, one call at a time or several.
#[derive(Debug)]
pub(crate) struct SharedTally {
    size: usize,
    left: AtomicU64,
    calls: Calls,
}

/// How a handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Never twice at once: a plain load and store will do, as in any code that knows this.
    OneAtATime,
    Concurrent,
}

impl SharedTally {
    pub(crate) fn new(cx: &Context, calls: Calls) -> Self {
        Self { size: cx.job.size, left: AtomicU64::new(cx.job.count), calls }
    }

    /// Whether that was the last one.
    #[inline]
    pub(crate) fn hit(&self, payload: &[u8]) -> bool {
        touch(payload, self.size);
        match self.calls {
            Calls::OneAtATime => {
                let left = self.left.load(Ordering::Relaxed) - 1;
                self.left.store(left, Ordering::Relaxed);
                left == 0
            }
            Calls::Concurrent => self.left.fetch_sub(1, Ordering::AcqRel) == 1,
        }
    }
}

#[inline]
fn touch(payload: &[u8], size: usize) {
    assert!(payload.len() == size, "a message of {} bytes, not {size}", payload.len());
    black_box(payload[0] ^ payload[payload.len() - 1]);
}

/// The book-keeping of an echo for callback clients.
#[derive(Debug)]
pub(crate) struct EchoLog {
    cx: Cx,
    sent: u64,
    back: u64,
    last: Instant,
    latencies: Vec<u32>,
}

impl EchoLog {
    pub(crate) fn new(cx: &Cx) -> Self {
        let latencies =
            Vec::with_capacity(if cx.job.window == 1 { cx.job.count as usize } else { 0 });
        Self { cx: cx.clone(), sent: 0, back: 0, last: Instant::now(), latencies }
    }

    /// At the first send: how many to send.
    pub(crate) fn begin(&mut self) -> u64 {
        self.cx.meter.start();
        self.last = Instant::now();
        self.sent = self.cx.job.window as u64;
        self.sent
    }

    /// At each message that came back: how many to send now, or `None` when all are back.
    #[inline]
    pub(crate) fn back(&mut self, payload: &[u8]) -> Option<u64> {
        touch(payload, self.cx.job.size);
        self.back += 1;
        if self.cx.job.window == 1 {
            let now = Instant::now();
            self.latencies.push((now - self.last).as_nanos() as u32);
            self.last = now;
        }
        if self.back == self.cx.job.count {
            self.cx.meter.stop();
            self.cx.meter.latencies(std::mem::take(&mut self.latencies));
            return None;
        }
        let more = u64::from(self.sent < self.cx.job.count);
        self.sent += more;
        Some(more)
    }
}
