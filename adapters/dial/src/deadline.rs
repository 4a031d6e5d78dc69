//! Points in time that configured durations lead to.

use std::time::Duration;

use tokio::time::Instant;

/// `duration` after `start`. A duration too long to be added, such as `Duration::MAX`, means never.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

    start + duration.min(NEVER)
}
