//! Pings that are on their way, matched with their pongs by payload.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::PingError;
use crate::status::Counters;
use crate::telemetry;

/// The pings of one session.
pub(super) struct Pings {
    waiting: VecDeque<Waiting>,
    timeout: Duration,
    /// Makes payloads that no other session and no other ping of this one has.
    nonce: u64,
    count: u64,
    /// How many of `waiting`, from the back, are still to be written.
    unsent: usize,
}

struct Waiting {
    payload: Bytes,
    since: Instant,
    /// Who wants to know; nobody for a heartbeat.
    reply: Option<oneshot::Sender<Result<Duration, PingError>>>,
    span: tracing::Span,
}

/// More than anybody needs; a peer that answers none must not make us remember more.
const MOST_PINGS: usize = 64;

impl Pings {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { waiting: VecDeque::new(), timeout, nonce: fastrand::u64(..), count: 0, unsent: 0 }
    }

    /// Has a ping written.
    pub(super) fn start(
        &mut self,
        now: Instant,
        reply: Option<oneshot::Sender<Result<Duration, PingError>>>,
    ) {
        if self.waiting.len() >= MOST_PINGS {
            if let Some(reply) = reply {
                let _ = reply.send(Err(PingError::TooMany));
            }
            return;
        }
        self.count += 1;
        let payload = Bytes::copy_from_slice(&(self.nonce ^ self.count).to_be_bytes());
        self.waiting.push_back(Waiting { payload, since: now, reply, span: telemetry::ping() });
        self.unsent += 1;
    }

    /// The payload of the ping to be written next.
    pub(super) fn next_out(&self) -> Option<Bytes> {
        let at = self.waiting.len().checked_sub(self.unsent)?;
        self.waiting.get(at).map(|ping| ping.payload.clone())
    }

    pub(super) fn sent_one(&mut self) {
        self.unsent -= 1;
    }

    /// A pong came. It answers its ping and those sent before it, since a peer may answer only the last
    /// (RFC 6455 section 5.5.3). One that nobody asked for means nothing.
    pub(super) fn on_pong(&mut self, payload: &[u8], now: Instant, counters: &Counters) {
        let sent = self.waiting.len() - self.unsent;
        let Some(at) = self.waiting.iter().take(sent).position(|ping| ping.payload == payload)
        else {
            return;
        };
        for ping in self.waiting.drain(..=at) {
            let round_trip = now.saturating_duration_since(ping.since);
            counters.round_trip(round_trip);
            if let Some(reply) = ping.reply {
                let _ = reply.send(Ok(round_trip));
            }
        }
    }

    /// When the oldest ping is over its time.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|ping| ping.since + self.timeout)
    }

    /// Gives up the pings that are over their time.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            let Some(ping) = self.waiting.pop_front() else { return };
            self.unsent = self.unsent.min(self.waiting.len());
            telemetry::failed(&ping.span, "timeout", "no pong came in time");
            if let Some(reply) = ping.reply {
                let _ = reply.send(Err(PingError::Timeout));
            }
        }
    }

    /// The session is over.
    pub(super) fn fail(&mut self) {
        self.unsent = 0;
        for ping in self.waiting.drain(..) {
            telemetry::failed(&ping.span, "session_ended", "the session ended before the pong");
            if let Some(reply) = ping.reply {
                let _ = reply.send(Err(PingError::SessionEnded));
            }
        }
    }
}
