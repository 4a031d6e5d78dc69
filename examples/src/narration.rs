//! Telling what happens, one line each, under the number of the step that it belongs to.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// The steps of a run, in the order in which the echo example shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The engine is built and begins to dial.
    Start = 1,
    /// The first session is open.
    Open,
    /// Messages of the first session.
    Messages,
    /// The connection is lost, or the server closed it.
    Drop,
    /// The engine waits before it dials again.
    Backoff,
    /// A later session is open.
    Reopen,
    /// Messages of a later session.
    MoreMessages,
    /// The engine was told to stop, and stops.
    Stop,
}

impl Step {
    /// 1 to 8.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start",
            Self::Open => "open",
            Self::Messages => "messages",
            Self::Drop => "drop",
            Self::Backoff => "backoff",
            Self::Reopen => "reopen",
            Self::MoreMessages => "more messages",
            Self::Stop => "stop",
        })
    }
}

type Tell = dyn Fn(Step, &str) + Send + Sync;

/// Takes the lines. A cheap handle.
#[derive(Clone)]
pub struct Narrator {
    tell: Arc<Tell>,
}

impl Narrator {
    /// Gives each line to a function: for tests.
    pub fn new(tell: impl Fn(Step, &str) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell) }
    }

    /// Prints each line, with the seconds since now before it.
    #[must_use]
    pub fn printing() -> Self {
        let began = Instant::now();
        Self::new(move |step, line| {
            println!("{:6.3} [{}] {step:<13} {line}", began.elapsed().as_secs_f64(), step.number());
        })
    }

    /// Tells one line.
    pub fn tell(&self, step: Step, line: impl AsRef<str>) {
        (self.tell)(step, line.as_ref());
    }
}

impl fmt::Debug for Narrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Narrator").finish_non_exhaustive()
    }
}
