//! What goes into the machine and what comes out of it.

use std::time::{Duration, Instant};

use crate::classify::FailureCause;
use crate::error::{
    AttemptError, CloseError, ConnectError, PauseError, ReadError, RequestError, Revoked, Source,
    WriteError,
};
use crate::handler::{Callback, CloseCause};
use crate::message::CloseFrame;

/// Numbers attempts, and the sessions they lead to.
pub(crate) type Epoch = u64;

/// Numbers requests for the right to read the connection.
pub(crate) type HoldId = u64;

/// What has happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The user wants the engine to end.
    Stop,
    /// The user wants a new connection: in place of this session, or of whatever there is.
    Restart { epoch: Option<Epoch> },
    /// The user wants to hold the connection, for so long at most.
    PauseRequested { epoch: Epoch, hold: HoldId, limit: Option<Duration> },
    /// A holder gave the connection back, or gave up waiting for it.
    HoldReleased { hold: HoldId },
    /// Something happened to this attempt or session.
    Session { epoch: Epoch, event: SessionEvent },
}

/// What has happened to an attempt or a session.
#[derive(Clone, Debug)]
pub(crate) enum SessionEvent {
    /// The request factory gave a request to dial with.
    RequestMade,
    RequestFailed(RequestError),
    Dialed,
    /// With the time for which a server that refused wants to be left alone.
    DialFailed {
        error: ConnectError,
        retry_after: Option<Duration>,
    },
    /// The dial, or the request, that was to be dropped is gone.
    DialAbandoned,
    /// A callback other than `on_message` is over.
    CallEnded {
        callback: Callback,
        result: CallResult,
    },
    PeerClosed(Option<CloseFrame>),
    /// With the number of good messages since the last read error of the session, if there was one.
    ReadFailed {
        error: ReadError,
        messages_since: Option<u64>,
    },
    WriteFailed(WriteError),
    WriteStalled,
    HeartbeatLost,
    IdleTimedOut,
    /// No `on_message` runs, and none will start; nothing is waiting to be written.
    Drained {
        unhandled: usize,
        unsent: usize,
    },
    /// The connection is gone.
    Disconnected(Result<(), CloseError>),
}

/// How a callback ended.
#[derive(Clone, Debug)]
pub(crate) enum CallResult {
    Returned,
    Failed(Source),
    Panicked,
    /// Dropped at an await, as it was told.
    Aborted,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Ask the request factory; answered by `RequestMade` or `RequestFailed`.
    MakeRequest {
        epoch: Epoch,
        attempt: u32,
        elapsed: Duration,
        failure: Option<FailureCause>,
        refresh: bool,
    },
    /// Dial; answered by `Dialed` or `DialFailed`.
    Dial { epoch: Epoch },
    /// Drop the dial, or the request; answered by `DialAbandoned`.
    AbandonDial { epoch: Epoch, because: Abandon },
    /// Say that the request factory does not go though it was told: it blocks its thread.
    WarnOfRequest,
    /// Run a callback; answered by `CallEnded`.
    Run { epoch: Epoch, call: Call },
    /// Drop the callback at its next await; answered by its `CallEnded`.
    Abort { epoch: Epoch, callback: Callback },
    /// Say that a callback does not go though it was told: it blocks its thread.
    Warn { callback: Callback },
    /// Let `on_message` be called from now on.
    /// `errors` is how many survivable read errors of the session were taken in: of more, nothing was decided yet.
    Dispatch { epoch: Epoch, errors: u64 },
    /// Take nothing more for sending from the session's handles.
    EndSending { epoch: Epoch },
    /// Give the connection to a holder.
    Grant { epoch: Epoch, hold: HoldId },
    /// Refuse it.
    Deny { hold: HoldId, error: PauseError },
    /// Take it back.
    Revoke { epoch: Epoch, hold: HoldId, reason: Revoked },
    /// Read no more; answered by `Drained`. A survivable `ReadFailed` may come first: then it is asked for again.
    Drain { epoch: Epoch, rest: Rest },
    /// Drop the `on_message` calls that run, give up what waits; answered by `Drained`.
    AbortMessages { epoch: Epoch },
    /// Do the closing handshake; answered by `Disconnected`.
    Close { epoch: Epoch },
    /// Drop the connection; answered by `Disconnected`.
    Disconnect { epoch: Epoch },
    /// Drop everything: the stop is over its time.
    DropAll,
}

/// Why a dial or a request is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abandon {
    /// It took longer than it may.
    Late,
    /// The engine stops.
    Stopped,
}

/// What becomes of messages that were read and not yet handled when a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// They go to `on_message`.
    Handle,
    /// They are kept for `on_close`.
    Keep,
}

/// A callback to run.
#[derive(Clone, Debug)]
#[expect(clippy::enum_variant_names, reason = "these are the names of the callbacks")]
pub(crate) enum Call {
    OnOpen,
    OnReadError(ReadError),
    OnClose { cause: CloseCause, restarting: bool, unhandled: usize, unsent: usize },
    OnCloseError(CloseError),
    OnRestartError { error: AttemptError, retry: u32, until: Option<Instant> },
}

impl Call {
    pub(crate) fn callback(&self) -> Callback {
        match self {
            Self::OnOpen => Callback::OnOpen,
            Self::OnReadError(_) => Callback::OnReadError,
            Self::OnClose { .. } => Callback::OnClose,
            Self::OnCloseError(_) => Callback::OnCloseError,
            Self::OnRestartError { .. } => Callback::OnRestartError,
        }
    }
}
