//! The task's timers: one sleep for all of them.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Io, Phase};
use crate::config::DataPlane;
use crate::error::{CloseErrorKind, WriteError};
use crate::heartbeat::{Beat, Heartbeat};
use crate::lifecycle::SessionEvent;
use crate::transport::Connection;

/// When something is due.
pub(super) struct Timers {
    sleep: Option<Pin<Box<Sleep>>>,
    heartbeat: Option<Heartbeat>,
    last_message: Instant,
    /// When a shutdown of the stream is given up.
    shutdown: Option<Instant>,
    /// A write that failed, and until when the peer's last words are read.
    write_failure: Option<(Instant, WriteError)>,
}

/// How long after a failed write what lies in the socket may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long the orderly end of a stream may take, once both close frames have passed.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

impl Timers {
    pub(super) fn new(config: &DataPlane) -> Self {
        let now = Instant::now();
        let heartbeat = config
            .ping_interval
            .map(|every| Heartbeat::new(now.into_std(), every, config.ping_timeout));
        Self { sleep: None, heartbeat, last_message: now, shutdown: None, write_failure: None }
    }

    /// Reading goes on after it stood still.
    pub(super) fn resume(&mut self, now: Instant) {
        self.last_message = now;
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.resume(now.into_std());
        }
    }

    pub(super) fn heard_message(&mut self, now: Instant) {
        self.last_message = now;
    }

    pub(super) fn write_failed(&mut self, error: WriteError) {
        self.write_failure.get_or_insert_with(|| (Instant::now() + LAST_WORDS, error));
    }

    pub(super) fn start_shutdown(&mut self) {
        self.shutdown = Some(Instant::now() + SHUTDOWN_GRACE);
    }
}

impl<C: Connection> Io<C> {
    pub(super) fn poll_timers(&mut self, cx: &mut Context<'_>) {
        while let Some(deadline) = self.next_deadline() {
            let sleep = self.timers.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return;
            }
            self.on_time(Instant::now().max(deadline));
        }
    }

    /// Writing and closing start clocks after the timers were looked at: without this nothing would wake the task.
    pub(super) fn rearm(&mut self, cx: &mut Context<'_>) {
        let Some(deadline) = self.next_deadline() else { return };
        if self.timers.sleep.as_ref().is_some_and(|sleep| sleep.deadline() == deadline) {
            return;
        }
        let sleep = self.timers.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        sleep.as_mut().reset(deadline);
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let listening = matches!(self.phase, Phase::Serving) && self.reading.is_listening();
        let heartbeat = self.timers.heartbeat.as_ref().filter(|_| listening);
        let idle = self
            .config
            .idle_timeout
            .filter(|_| listening)
            .map(|limit| self.timers.last_message + limit);
        let stall = self.writing.stalled_at(self.config.write_timeout).filter(|_| self.may_lose());
        [
            heartbeat.map(|heartbeat| Instant::from_std(heartbeat.deadline())),
            idle,
            stall,
            self.pings.deadline(),
            self.timers.shutdown,
            self.timers.write_failure.as_ref().filter(|_| self.may_lose()).map(|(until, _)| *until),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_time(&mut self, now: Instant) {
        self.pings.expire(now);
        if self.timers.shutdown.is_some_and(|deadline| deadline <= now) {
            self.timers.shutdown = None;
            self.phase = Phase::Over(Ok(()));
            return;
        }
        if self.may_lose() {
            self.watch_peer(now);
        }
    }

    /// Whether the connection can still be found to be lost.
    fn may_lose(&self) -> bool {
        matches!(self.phase, Phase::Serving) && !self.reading.failed()
    }

    fn watch_peer(&mut self, now: Instant) {
        if let Some((_, error)) = self.timers.write_failure.take_if(|(until, _)| *until <= now) {
            if !self.reading.peer_closed() {
                self.lose(SessionEvent::WriteFailed(error));
            }
            return;
        }
        let stalled = self.writing.stalled_at(self.config.write_timeout);
        if stalled.is_some_and(|deadline| deadline <= now) {
            // It may have taken something since it was last asked.
            if self.writing.moved_on(self.connection.bytes_written(), now) {
                return;
            }
            return self.lose(SessionEvent::WriteStalled);
        }
        if !self.reading.is_listening() {
            return;
        }
        if self.config.idle_timeout.is_some_and(|limit| self.timers.last_message + limit <= now) {
            return self.lose(SessionEvent::IdleTimedOut);
        }
        let bytes_read = self.connection.bytes_read();
        match self
            .timers
            .heartbeat
            .as_mut()
            .map(|heartbeat| heartbeat.poll(now.into_std(), bytes_read))
        {
            Some(Beat::Ping) => self.pings.start(now, None),
            Some(Beat::Lost) => self.lose(SessionEvent::HeartbeatLost),
            Some(Beat::Nothing) | None => {}
        }
    }

    /// The peer is gone, as far as can be told: there is no point in talking to it.
    fn lose(&mut self, event: SessionEvent) {
        self.queue_batch();
        self.reading.fail();
        self.writing.fail();
        // Before a holder hears of it: an `on_open` that fails with that must not be taken for the cause.
        self.report(event);
        self.session.inbox().no_more();
    }

    pub(super) fn closing_failed(
        &mut self,
        kind: CloseErrorKind,
        error: impl Into<crate::HandlerError>,
    ) {
        self.phase = Phase::Over(Err(crate::CloseError::with_source(kind, error)));
    }
}
