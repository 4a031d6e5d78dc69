//! When to ping, and when a client is given up.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Duration, Instant, Sleep, sleep_until};

use super::Patience;
use crate::dialect::Pace;

/// Where nothing is due: far away, and harmless if it comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What time demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    /// The client has been silent for too long.
    Silent,
    /// The client has taken nothing for too long.
    Stalled,
    /// The client is gone, and a handler is still at work.
    Gone,
}

#[derive(Debug)]
pub(super) struct Timers {
    pace: Pace,
    write: Option<Duration>,
    ping_at: Option<Instant>,
    heard_at: Instant,
    blocked_at: Option<Instant>,
    /// Until when the handler at work may go on although the client is gone.
    gone_at: Option<Instant>,
}

impl Timers {
    pub(super) fn new(pace: Pace, patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            pace,
            write: patience.write,
            ping_at: pace.ping.map(|every| now + every),
            heard_at: now,
            blocked_at: None,
            gone_at: None,
        }
    }

    pub(super) fn sleep(&self) -> Sleep {
        sleep_until(self.next())
    }

    /// Something has come from the client.
    pub(super) fn heard(&mut self) {
        self.heard_at = Instant::now();
    }

    /// The client has taken something: the patience with a blocked socket begins anew.
    pub(super) fn took(&mut self) {
        if self.blocked_at.is_some() {
            self.blocked_at = Some(Instant::now());
        }
    }

    /// The client is gone while a handler is at work, which has this long from the first such call.
    pub(super) fn gone(&mut self, patience: Duration) {
        self.gone_at.get_or_insert_with(|| Instant::now() + patience);
    }

    /// The handler is done.
    pub(super) fn worked(&mut self) {
        self.gone_at = None;
    }

    /// What is due; if nothing is, the task is woken when something may be.
    pub(super) fn poll(
        &mut self,
        blocked: bool,
        mut sleep: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Option<Due> {
        self.note_blocked(blocked, sleep.as_mut());
        if let Some(at) = self.gone_at.filter(|at| *at < sleep.deadline()) {
            sleep.as_mut().reset(at);
        }
        while let Poll::Ready(()) = sleep.as_mut().poll(cx) {
            let due = self.due(Instant::now());
            sleep.as_mut().reset(self.next());
            if due.is_some() {
                return due;
            }
        }
        None
    }

    fn note_blocked(&mut self, blocked: bool, sleep: Pin<&mut Sleep>) {
        if blocked != self.blocked_at.is_some() {
            self.blocked_at = blocked.then(Instant::now);
            let next = self.next();
            if next < sleep.deadline() {
                sleep.reset(next);
            }
        }
    }

    fn due(&mut self, now: Instant) -> Option<Due> {
        if self.gone_at.is_some_and(|at| at <= now) {
            return Some(Due::Gone);
        }
        if self.stalled_at().is_some_and(|at| at <= now) {
            return Some(Due::Stalled);
        }
        if self.silent_at().is_some_and(|at| at <= now) {
            return Some(Due::Silent);
        }
        if self.ping_at.is_some_and(|at| at <= now) {
            self.ping_at = self.pace.ping.map(|every| now + every);
            return Some(Due::Ping);
        }
        None
    }

    fn stalled_at(&self) -> Option<Instant> {
        self.blocked_at.zip(self.write).map(|(at, write)| at + write)
    }

    fn silent_at(&self) -> Option<Instant> {
        self.pace.idle.map(|idle| self.heard_at + idle)
    }

    fn next(&self) -> Instant {
        let all = [self.stalled_at(), self.silent_at(), self.ping_at, self.gone_at];
        all.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + NEVER)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timers() -> Timers {
        let pace = Pace { max_message: 1, ping: None, idle: None };
        let patience =
            Patience { write: Some(10 * SECOND), close: SECOND, messages_per_second: None };
        Timers::new(pace, patience)
    }

    /// What is due while the socket takes no more.
    async fn blocked(timers: &mut Timers, mut sleep: Pin<&mut Sleep>) -> Option<Due> {
        poll_fn(|cx| Poll::Ready(timers.poll(true, sleep.as_mut(), cx))).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_is_borne_and_one_that_takes_nothing_is_not() {
        let mut timers = timers();
        let mut sleep = pin!(timers.sleep());
        assert_eq!(blocked(&mut timers, sleep.as_mut()).await, None);
        for _ in 0..10 {
            tokio::time::advance(9 * SECOND).await;
            timers.took();
            assert_eq!(blocked(&mut timers, sleep.as_mut()).await, None);
        }
        tokio::time::advance(9 * SECOND).await;
        assert_eq!(blocked(&mut timers, sleep.as_mut()).await, None);
        tokio::time::advance(SECOND).await;
        assert_eq!(blocked(&mut timers, sleep.as_mut()).await, Some(Due::Stalled));
    }
}
