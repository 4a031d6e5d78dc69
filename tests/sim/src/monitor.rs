//! Looks at the open session again and again: is a silent peer noticed, is a stalled write, are the queues bounded?

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use wscengine::{Stats, Status};

use crate::net::{Before, Net};
use crate::record::{Counts, Record};
use crate::scenario::{Options, Scenario};
use crate::user::slot::Slot;

/// How often it looks.
const PACE: Duration = Duration::from_millis(20);

/// What the engine may be late by, beyond its own time-outs.
const LATE: Duration = Duration::from_millis(1_060);

/// How soon a message is handled that nothing keeps from it.
const SOON: Duration = Duration::from_millis(100);

/// How many messages one read may give beyond the bound of the read-ahead: the most that the adapter takes at once.
const ONE_READ: u64 = 256;

/// One who watches, until the engine has ended.
pub(crate) struct Monitor {
    options: Options,
    record: Record,
    net: Net,
    slot: Slot,
    status: watch::Receiver<Status>,
    /// The session that is watched.
    session: u32,
    /// When the peer, and a message, was last heard, or could not have been.
    heard: Duration,
    message: Duration,
    /// What the engine had counted when the session was new.
    base: Option<Before>,
    received: u64,
    /// How many messages were taken when it last looked, and since when as many.
    taken: (u64, Duration),
    told: bool,
}

/// Who is given messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Messages,
    Holder,
}

impl Monitor {
    pub(crate) fn new(
        scenario: &Scenario,
        record: &Record,
        net: &Net,
        slot: &Slot,
        status: watch::Receiver<Status>,
    ) -> Self {
        Self {
            options: scenario.options.clone(),
            record: record.clone(),
            net: net.clone(),
            slot: slot.clone(),
            status,
            session: 0,
            heard: Duration::ZERO,
            message: Duration::ZERO,
            base: None,
            received: 0,
            taken: (0, Duration::ZERO),
            told: false,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let open = {
                let status = self.status.borrow();
                match &*status {
                    Status::Stopped { .. } => return,
                    Status::Open { session } => {
                        Some((self.record.session(*session), Flow::Messages))
                    }
                    Status::Paused { session } => {
                        Some((self.record.session(*session), Flow::Holder))
                    }
                    _ => None,
                }
            };
            match (open, self.slot.stats()) {
                (Some((session, flow)), Some(stats)) => self.look(session, flow, &stats),
                (None, _) => self.session = 0,
                (_, None) => self.session = 0,
            }
            sleep(PACE).await;
        }
    }

    fn look(&mut self, session: u32, flow: Flow, stats: &Stats) {
        let now = self.record.now();
        let counts = self.record.counts();
        if session != self.session {
            self.session = session;
            (self.heard, self.message, self.told) = (now, now, false);
            self.taken = (counts.taken, now);
            self.base = self.net.before();
            self.received = stats.messages_received;
        }
        if counts.session != session || self.told {
            return;
        }
        let Some(base) = self.base else { return };
        let unread = (stats.messages_received - base.received).saturating_sub(counts.taken);
        self.watch_bounds(unread);
        self.watch_workers(now, flow, unread, counts);
        let written = stats.messages_sent.saturating_sub(base.sent);
        self.watch_sends(counts.accepted.saturating_sub(written));
        let (messages, bytes) = self.options.read_ahead;
        // With a bound in bytes that may be reached, nobody here knows whether it is.
        let may_be_full = unread >= messages as u64 || (unread > 0 && bytes < 1 << 20);
        self.watch_peer(now, may_be_full, stats);
    }

    fn watch_bounds(&mut self, unread: u64) {
        let most = self.options.read_ahead.0 as u64 + ONE_READ;
        if unread > most {
            self.tell("5: nothing is read that cannot be held", &format!("{unread} of {most}"));
        }
    }

    /// A message that waits is handled as soon as anybody has time for it.
    fn watch_workers(&mut self, now: Duration, flow: Flow, unread: u64, counts: Counts) {
        let free = match self.options.keys {
            None => counts.running < self.options.workers,
            // It may wait for one with the same key.
            Some(_) => counts.running == 0,
        };
        if flow == Flow::Holder || !free || unread == 0 || counts.taken != self.taken.0 {
            self.taken = (counts.taken, now);
        } else if now > self.taken.1 + SOON {
            let what = format!("{unread} wait, {} callbacks run", counts.running);
            self.tell("8: the session goes on, messages that wait are handled", &what);
        }
    }

    fn watch_sends(&mut self, queued: u64) {
        let most = self.options.send_queue.0 as u64;
        if queued > most {
            let what = format!("{queued} messages wait to be written, of {most}");
            self.tell("5: the send queue is bounded", &what);
        }
    }

    fn watch_peer(&mut self, now: Duration, may_be_full: bool, stats: &Stats) {
        let link = self.net.link();
        self.heard = self.heard.max(link.last_read);
        if stats.messages_received != self.received {
            self.received = stats.messages_received;
            self.message = now;
        }
        if may_be_full {
            (self.heard, self.message) = (now, now);
        }
        if let Some(every) = self.options.ping_interval
            && now > self.heard + every + self.options.ping_timeout + LATE
        {
            let silent = now - self.heard;
            self.tell("3.8: a silent peer is noticed", &format!("silent for {silent:?}"));
        }
        if let Some(idle) = self.options.idle
            && now > self.message + idle + LATE
        {
            let silent = now - self.message;
            self.tell("3.8: the idle watchdog", &format!("no message for {silent:?}"));
        }
        if let Some(since) = link.blocked_since
            && now > since + self.options.write + LATE
        {
            self.tell("3.8: a stalled write is noticed", &format!("stalled since {since:?}"));
        }
    }

    fn tell(&mut self, promise: &'static str, what: &str) {
        self.told = true;
        self.record.broken(promise, format!("session {}: {what}", self.session));
    }
}
