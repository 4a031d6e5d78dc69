//! When to ping, and when a peer counts as lost. Pure: time and the count of bytes read are arguments.
//!
//! Only bytes that come in prove life. While the engine itself does not read, because its queue is full, silence
//! proves nothing, and the deadline stands still.

use std::time::{Duration, Instant};

/// The heartbeat of one session.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    every: Duration,
    timeout: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next ping is due then.
    Resting { until: Instant },
    /// A ping was sent; something must come before the deadline.
    Listening { deadline: Instant, next_ping: Instant, bytes_then: u64 },
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Nothing,
    Ping,
    Lost,
}

impl Heartbeat {
    pub(crate) fn new(now: Instant, every: Duration, timeout: Duration) -> Self {
        Self { every, timeout, state: State::Resting { until: now + every } }
    }

    /// When [`poll`](Self::poll) is to be called next.
    pub(crate) fn deadline(&self) -> Instant {
        match self.state {
            State::Resting { until } => until,
            State::Listening { deadline, .. } => deadline,
        }
    }

    /// What is due. `bytes_read` counts since the connection opened.
    pub(crate) fn poll(&mut self, now: Instant, bytes_read: u64) -> Beat {
        match self.state {
            State::Resting { until } if until <= now => {
                self.state = State::Listening {
                    deadline: now + self.timeout,
                    next_ping: now + self.every,
                    bytes_then: bytes_read,
                };
                Beat::Ping
            }
            State::Listening { deadline, next_ping, bytes_then } if deadline <= now => {
                if bytes_then == bytes_read {
                    return self.judge(now, deadline);
                }
                self.state = State::Resting { until: next_ping };
                Beat::Nothing
            }
            State::Resting { .. } | State::Listening { .. } => Beat::Nothing,
        }
    }

    /// Nothing came. Asked in time, that is the peer's doing; asked late, our own task did not run, and may not have
    /// seen what lies in the socket.
    fn judge(&mut self, now: Instant, deadline: Instant) -> Beat {
        if now < deadline + LATE {
            return Beat::Lost;
        }
        self.resume(now);
        Beat::Nothing
    }

    /// Reading goes on after it stood still: the peer gets its whole time again.
    pub(crate) fn resume(&mut self, now: Instant) {
        if let State::Listening { deadline, .. } = &mut self.state {
            *deadline = (*deadline).max(now + self.timeout);
        }
    }
}

/// More than a loaded machine delays a timer, less than any time-out in use.
const LATE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(20);
    const TIMEOUT: Duration = Duration::from_secs(10);

    fn started() -> (Instant, Heartbeat) {
        let now = Instant::now();
        (now, Heartbeat::new(now, EVERY, TIMEOUT))
    }

    #[test]
    fn a_silent_peer_is_lost_a_timeout_after_the_ping() {
        let (start, mut heartbeat) = started();
        assert_eq!(heartbeat.poll(start + EVERY - Duration::from_nanos(1), 0), Beat::Nothing);
        assert_eq!(heartbeat.poll(start + EVERY, 0), Beat::Ping);
        assert_eq!(heartbeat.deadline(), start + EVERY + TIMEOUT);
        assert_eq!(heartbeat.poll(start + EVERY + TIMEOUT, 0), Beat::Lost);
    }

    #[test]
    fn any_byte_after_the_ping_proves_life_and_the_period_holds() {
        let (start, mut heartbeat) = started();
        assert_eq!(heartbeat.poll(start + EVERY, 7), Beat::Ping);
        assert_eq!(heartbeat.poll(start + EVERY + TIMEOUT, 8), Beat::Nothing);
        assert_eq!(heartbeat.deadline(), start + 2 * EVERY);
        assert_eq!(heartbeat.poll(start + 2 * EVERY, 8), Beat::Ping);
    }

    #[test]
    fn bytes_from_before_the_ping_prove_nothing() {
        let (start, mut heartbeat) = started();
        assert_eq!(heartbeat.poll(start + EVERY, 1_000), Beat::Ping);
        assert_eq!(heartbeat.poll(start + EVERY + TIMEOUT, 1_000), Beat::Lost);
    }

    #[test]
    fn a_task_that_was_kept_from_running_does_not_blame_the_peer() {
        let (start, mut heartbeat) = started();
        assert_eq!(heartbeat.poll(start + EVERY, 0), Beat::Ping);
        let late = start + EVERY + TIMEOUT + LATE;
        assert_eq!(heartbeat.poll(late, 0), Beat::Nothing);
        assert_eq!(heartbeat.poll(late + TIMEOUT, 0), Beat::Lost);
    }

    #[test]
    fn the_deadline_stands_still_while_nothing_is_read() {
        let (start, mut heartbeat) = started();
        assert_eq!(heartbeat.poll(start + EVERY, 0), Beat::Ping);
        let much_later = start + 10 * EVERY;
        heartbeat.resume(much_later);
        assert_eq!(heartbeat.poll(much_later, 0), Beat::Nothing);
        assert_eq!(heartbeat.deadline(), much_later + TIMEOUT);
        assert_eq!(heartbeat.poll(much_later + TIMEOUT, 0), Beat::Lost);
    }
}
