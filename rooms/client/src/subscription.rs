//! What one handler has not taken yet: a queue with bounds, filled without waiting.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use crate::error::Missed;

/// What a handler is told, as a stream: [`next`](Self::next), or any adapter of [`Stream`].
///
/// It is filled without waiting for whoever reads it, so that a slow handler delays neither the connection nor other
/// handlers. When its queue is full ([`Builder::queue`](crate::Builder::queue)), the oldest are dropped, and the next
/// thing that is read is [`Missed`], with their number.
///
/// It ends when the client has ended. Dropped, nothing is queued for it any more.
pub struct Subscription<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Subscription<T> {
    /// The next one; `None` once the client has ended and all was taken.
    ///
    /// # Errors
    /// [`Missed`]: some were dropped. The next call goes on behind them.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, it has taken nothing.
    pub async fn next(&mut self) -> Option<Result<T, Missed>> {
        poll_fn(|cx| self.queue.poll_take(cx)).await
    }

    pub(crate) fn new(queue: Arc<Queue<T>>) -> Self {
        Self { queue }
    }
}

impl<T> Stream for Subscription<T> {
    type Item = Result<T, Missed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.queue.poll_take(cx)
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("waiting", &self.queue.lock().items.len())
            .finish_non_exhaustive()
    }
}

/// How much may wait for one handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

pub(crate) struct Queue<T> {
    bounds: Bounds,
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    missed: u64,
    ended: bool,
    reader: Option<Waker>,
}

impl<T> Queue<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let inner =
            Inner { items: VecDeque::new(), bytes: 0, missed: 0, ended: false, reader: None };
        Self { bounds, inner: Mutex::new(inner) }
    }

    /// Puts one more in, and gives who is to be woken. One always fits, however large it is.
    pub(crate) fn push(&self, item: T, bytes: usize) -> Option<Waker> {
        let mut inner = self.lock();
        let is_full = |inner: &Inner<T>| {
            inner.items.len() >= self.bounds.events
                || inner.bytes.saturating_add(bytes) > self.bounds.bytes
        };
        while is_full(&inner) {
            let Some((_, bytes)) = inner.items.pop_front() else { break };
            inner.bytes -= bytes;
            inner.missed += 1;
        }
        inner.bytes += bytes;
        inner.items.push_back((item, bytes));
        inner.reader.take()
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) -> Option<Waker> {
        let mut inner = self.lock();
        inner.ended = true;
        inner.reader.take()
    }

    fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Result<T, Missed>>> {
        let mut inner = self.lock();
        if inner.missed > 0 {
            let count = std::mem::take(&mut inner.missed);
            return Poll::Ready(Some(Err(Missed { count })));
        }
        if let Some((item, bytes)) = inner.items.pop_front() {
            inner.bytes -= bytes;
            return Poll::Ready(Some(Ok(item)));
        }
        if inner.ended {
            return Poll::Ready(None);
        }
        inner.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // No code of a user's runs under this lock, so the data is whole even if a thread died with it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt};

    use super::*;

    fn queue(events: usize, bytes: usize) -> (Arc<Queue<u32>>, Subscription<u32>) {
        let queue = Arc::new(Queue::new(Bounds { events, bytes }));
        (Arc::clone(&queue), Subscription::new(queue))
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_says_how_many() {
        let (queue, mut read) = queue(2, 100);
        for number in 0..5 {
            queue.push(number, 1);
        }
        queue.end();
        let all: Vec<_> = StreamExt::collect(&mut read).now_or_never().unwrap();
        assert_eq!(all, [Err(Missed { count: 3 }), Ok(3), Ok(4)]);
    }

    #[test]
    fn bytes_are_bounded_but_one_always_fits() {
        let (queue, mut read) = queue(10, 4);
        queue.push(1, 3);
        queue.push(2, 1_000);
        queue.push(3, 2);
        queue.push(4, 2);
        queue.end();
        let all: Vec<_> = StreamExt::collect(&mut read).now_or_never().unwrap();
        assert_eq!(all, [Err(Missed { count: 2 }), Ok(3), Ok(4)]);
    }

    #[test]
    fn who_waits_is_woken_and_takes_what_came() {
        let (queue, mut read) = queue(2, 4);
        assert!(read.next().now_or_never().is_none());
        assert!(queue.push(1, 1).is_some());
        assert!(queue.push(2, 1).is_none(), "nobody waits");
        assert_eq!(read.next().now_or_never(), Some(Some(Ok(1))));
    }
}
