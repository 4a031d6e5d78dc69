//! The eight states and what each knows.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::ports::HoldId;
use crate::error::{AttemptError, CloseError};
use crate::handler::CloseCause;
use crate::status::{Outcome, Status};

/// Where the engine is. Every state but `Open` and `Stopped` has a deadline, so that nothing hangs.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// A dial is in flight, or its request is being made.
    Dialing { deadline: Instant, stage: DialingStage },
    /// `on_open` runs; it has the connection.
    Opening { deadline: Instant, stage: OpeningStage },
    /// Messages flow, or a holder has the connection.
    Open(Open),
    /// Nothing more is read for `on_message`; what was read is handled, running callbacks finish, what was sent is
    /// written.
    Draining { ending: Ending, deadline: Instant, stage: DrainingStage },
    /// `on_read_error` or `on_close` runs.
    Notifying { ending: Ending, deadline: Instant, notice: Notice, stage: Stage },
    /// The connection goes down, or `on_close_error` runs because it went down badly.
    Closing { origin: Origin, then: Then, deadline: Instant, stage: ClosingStage },
    /// Backing off; `on_restart_error` may run meanwhile.
    Waiting { until: Instant, report: Option<Report>, then: AfterWait },
    /// The end.
    Stopped(Outcome),
}

/// An open session.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) since: Instant,
    /// Who holds the connection, if messages do not flow.
    pub(crate) hold: Option<Hold>,
    /// Who wants to hold it next.
    pub(crate) waiting: VecDeque<(HoldId, Option<Duration>)>,
    /// The `on_read_error` that runs; no message flows meanwhile.
    pub(crate) report: Option<Report>,
    /// How many survivable read errors were taken in.
    pub(crate) errors: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) id: HoldId,
    pub(crate) until: Option<Instant>,
}

/// A callback that runs beside the state's own business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) deadline: Instant,
    pub(crate) stage: Stage,
}

/// Whether a callback may still run, or was told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Running,
    Aborting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DialingStage {
    /// The request factory is asked.
    Requesting,
    Running,
    /// What took too long was told to go. No other is begun before it is gone.
    Abandoning(Late),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Request,
    Dial,
}

#[derive(Clone, Debug)]
pub(crate) enum OpeningStage {
    Running,
    /// `on_open` was told to go; this comes next.
    Aborting(AfterOpening),
}

/// What follows an `on_open` that did not return in time, or was not let.
#[derive(Clone, Debug)]
pub(crate) enum AfterOpening {
    /// The connection is there: close it.
    Close(Then),
    /// The connection is gone, in this way.
    Finish(Then, CloseCause),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DrainingStage {
    /// An `on_read_error` of before still runs.
    Reporting(Report),
    Finishing,
    /// The running callbacks were told to go.
    Aborting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    ReadError,
    Close,
}

#[derive(Clone, Debug)]
pub(crate) enum ClosingStage {
    /// The closing handshake is in flight.
    Handshake,
    /// The connection is being dropped, for this reason if it is a failure.
    Dropping(Option<CloseError>),
    /// `on_close_error` runs.
    Report(Stage),
}

/// What the connection that goes down was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An attempt whose `on_open` did not return well: nobody hears of its closing.
    Attempt,
    Session,
}

/// How a session ends.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) cause: CloseCause,
    pub(crate) then: Then,
    pub(crate) unhandled: usize,
    pub(crate) unsent: usize,
}

/// What comes when a connection is gone.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// Connect again.
    Reconnect(Why),
    /// The attempt failed before there was a session.
    AttemptFailed(AttemptError),
    Stop(Outcome),
}

/// Why there is to be another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The user asked for it.
    Asked,
    /// The session ended though nobody asked for that. The next attempt is not due before so long.
    Ended { floor: Duration },
}

/// What comes when the waiting is over.
#[derive(Clone, Debug)]
pub(crate) enum AfterWait {
    Dial,
    Stop(Outcome),
}

impl State {
    /// When this state gives up on what it waits for.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Dialing { deadline, .. }
            | Self::Opening { deadline, .. }
            | Self::Notifying { deadline, .. }
            | Self::Closing { deadline, .. } => Some(*deadline),
            Self::Draining { deadline, stage, .. } => match stage {
                DrainingStage::Reporting(report) => Some(report.deadline.min(*deadline)),
                DrainingStage::Finishing | DrainingStage::Aborting => Some(*deadline),
            },
            Self::Open(open) => {
                let hold = open.hold.and_then(|hold| hold.until);
                let report = open.report.map(|report| report.deadline);
                [hold, report].into_iter().flatten().min()
            }
            Self::Waiting { until, report, .. } => {
                Some(report.map_or(*until, |report| report.deadline))
            }
            Self::Stopped(_) => None,
        }
    }
}

impl State {
    /// Whether a session is open or about to be.
    pub(crate) fn is_connected(&self) -> bool {
        match self {
            Self::Opening { .. } | Self::Open(_) | Self::Notifying { .. } => true,
            Self::Dialing { .. }
            | Self::Draining { .. }
            | Self::Closing { .. }
            | Self::Waiting { .. }
            | Self::Stopped(_) => false,
        }
    }

    /// Whether a dial that succeeds now is wanted.
    pub(crate) fn wants_dial(&self) -> bool {
        matches!(self, Self::Dialing { stage: DialingStage::Running, .. })
    }

    /// Whether a request that was made now is wanted.
    pub(crate) fn wants_request(&self) -> bool {
        matches!(self, Self::Dialing { stage: DialingStage::Requesting, .. })
    }

    /// Why the session ends, while it does.
    pub(crate) fn ending(&self) -> Option<&CloseCause> {
        match self {
            Self::Draining { ending, .. } | Self::Notifying { ending, .. } => Some(&ending.cause),
            Self::Dialing { .. }
            | Self::Opening { .. }
            | Self::Open(_)
            | Self::Closing { .. }
            | Self::Waiting { .. }
            | Self::Stopped(_) => None,
        }
    }

    /// Whether another attempt follows the session that ends.
    pub(crate) fn will_reconnect(&self) -> bool {
        match self {
            Self::Draining { ending: Ending { then, .. }, .. }
            | Self::Notifying { ending: Ending { then, .. }, .. }
            | Self::Closing { then, .. } => matches!(then, Then::Reconnect(_)),
            Self::Dialing { .. }
            | Self::Opening { .. }
            | Self::Open(_)
            | Self::Waiting { .. }
            | Self::Stopped(_) => false,
        }
    }

    /// What users are shown.
    pub(crate) fn status(&self, session: Option<Uuid>, attempt: u32) -> Status {
        let session = session.unwrap_or_default();
        match self {
            Self::Dialing { .. } => Status::Connecting { attempt },
            Self::Opening { .. } => Status::Opening,
            Self::Open(Open { hold: None, .. }) => Status::Open { session },
            Self::Open(_) => Status::Paused { session },
            Self::Draining { ending, .. } | Self::Notifying { ending, .. } => {
                Status::Closing { cause: ending.cause.clone() }
            }
            // Of the last attempt: only the report of it is still under way.
            Self::Closing { .. } | Self::Waiting { then: AfterWait::Stop(_), .. } => {
                Status::Disconnecting
            }
            Self::Waiting { until, then: AfterWait::Dial, .. } => Status::Waiting {
                until: tokio::time::Instant::from_std(*until),
                attempt: attempt + 1,
            },
            Self::Stopped(outcome) => Status::Stopped { outcome: outcome.clone() },
        }
    }
}
