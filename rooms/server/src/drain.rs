//! The end of a server: first no new connections, then the old ones one after the other, then all.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hub::{End, Hub};
use crate::ws::close_code;

/// How far a server is on its way to its end, and the connections that it waits for.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    time: Duration,
    draining: CancellationToken,
    closing: CancellationToken,
    /// The WebSocket connections.
    sessions: TaskTracker,
}

impl Drain {
    /// To take `time` from the first close frame to the last.
    pub(crate) fn new(time: Duration) -> Self {
        let sessions = TaskTracker::new();
        sessions.close();
        let (draining, closing) = (CancellationToken::new(), CancellationToken::new());
        Self { time, draining, closing, sessions }
    }

    pub(crate) fn sessions(&self) -> &TaskTracker {
        &self.sessions
    }

    /// Cancelled once no connection is taken any more.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Cancelled once all connections are to end.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// How a connection is to be ended that comes too late, if it does.
    pub(crate) fn too_late(&self) -> Option<End> {
        if self.closing.is_cancelled() {
            return Some(going_away());
        }
        self.draining.is_cancelled().then(restarts)
    }

    /// Begins, once; goes on by itself.
    pub(crate) fn begin(&self, hub: &Arc<Hub>) {
        if self.draining.is_cancelled() {
            return;
        }
        self.draining.cancel();
        if self.time.is_zero() {
            return self.close(hub);
        }
        let (drain, hub) = (self.clone(), Arc::clone(hub));
        tokio::spawn(async move { drain.run(&hub).await });
    }

    /// Ends all that is left.
    pub(crate) fn close(&self, hub: &Hub) {
        self.draining.cancel();
        self.closing.cancel();
        for member in hub.members() {
            member.end(going_away());
        }
    }

    async fn run(&self, hub: &Arc<Hub>) {
        let (begun, members) = (Instant::now(), hub.members());
        let over = begun + self.time;
        // All at once they would all come back at once.
        let step = self.time / u32::try_from(members.len()).unwrap_or(u32::MAX).max(1);
        let mut at = begun;
        for member in members {
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.closing.cancelled() => return,
            }
            member.end(restarts());
            at += step;
        }
        let _ = timeout_at(over, self.sessions.wait()).await;
        self.close(hub);
    }
}

fn restarts() -> End {
    End::new(close_code::RESTART, "server restarts")
}

fn going_away() -> End {
    End::new(close_code::GOING_AWAY, "server shuts down")
}
