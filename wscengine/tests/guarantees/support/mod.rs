//! What all tests share: a handler that keeps a journal, and an engine on the in-memory transport.

mod journal;
mod probe;
mod rig;

pub(crate) use journal::Journal;
pub(crate) use probe::Probe;
pub(crate) use rig::{Rig, builder, farewell_of, rest_of, start, start_loose, start_with};

use std::future::Future;
use std::time::Duration;

use wscengine::{CloseFrame, HandlerError};

/// Waits, and fails instead of hanging. On the paused clock the limit costs nothing.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(3_600), future).await.expect("it took an hour")
}

/// The same on a real clock.
pub(crate) async fn within_real<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it took half a minute")
}

/// Lets everything run that can, until nothing but time would bring anything on.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// An `on_open` that takes its time and goes well.
pub(crate) async fn ok_after(delay: Duration) -> Result<(), HandlerError> {
    tokio::time::sleep(delay).await;
    Ok(())
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame::new(code, reason.to_owned()).unwrap()
}

/// The virtual time that a future takes.
pub(crate) async fn timed<F: Future>(future: F) -> (F::Output, Duration) {
    let start = tokio::time::Instant::now();
    let output = within(future).await;
    (output, start.elapsed())
}

/// Asserts that something took this long, give or take the clock's grain of a few milliseconds.
#[track_caller]
pub(crate) fn assert_took(took: Duration, wanted: Duration) {
    assert!(took >= wanted && took <= wanted + millis(5), "it took {took:?}, not {wanted:?}");
}

/// Asserts that something needed no time at all on the paused clock.
#[track_caller]
pub(crate) fn assert_at_once(took: Duration) {
    assert!(took < millis(1), "it took {took:?}");
}
