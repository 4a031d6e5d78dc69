//! The events of a run.

use std::fmt;
use std::time::Duration;

use wscengine::Callback;

/// Something happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) what: What,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} {:?}", self.at.as_secs_f64(), self.what)
    }
}

/// What happened. `port` names a connection, on both sides; `call` a call, from its begin to its end.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "some are only shown in the trace")]
pub(crate) enum What {
    // The connector, beneath the engine.
    Dial {
        dial: u32,
    },
    /// `sound`: the stream passes all bytes as they are.
    Connected {
        dial: u32,
        port: u16,
        sound: bool,
    },
    DialFailed {
        dial: u32,
        kind: &'static str,
    },
    /// The dial, or the stream it led to, is gone.
    Gone {
        dial: u32,
    },
    // The backoff policy was asked.
    Delay {
        retry: u32,
        delay: Duration,
    },
    /// The classifier was asked.
    Judged {
        kind: String,
        asked_for: Option<Duration>,
        ruling: Ruling,
    },
    /// The request factory was asked.
    Making {
        attempt: u32,
        refresh: bool,
    },
    // Callbacks.
    Begin {
        call: u64,
        callback: Callback,
        session: u32,
        told: Told,
    },
    End {
        call: u64,
        callback: Callback,
        session: u32,
        how: How,
    },
    // The user.
    Ask {
        call: u64,
        op: Op,
    },
    Answer {
        call: u64,
        op: Op,
        result: Answer,
    },
    /// A request that waits for nothing.
    Request {
        op: Op,
    },
    Status {
        status: Shown,
    },
    Outcome {
        outcome: Answer,
    },
    Stats {
        sessions: u64,
        panics: u64,
        dropped: u64,
    },
    // The server, on one connection.
    Accepted {
        port: u16,
    },
    Upgraded {
        port: u16,
    },
    Refused {
        port: u16,
        status: u16,
    },
    Sending {
        port: u16,
        k: u64,
        len: usize,
    },
    Sent {
        port: u16,
        k: u64,
    },
    SentPing {
        port: u16,
        n: u64,
    },
    GotPong {
        port: u16,
        n: u64,
    },
    SentClose {
        port: u16,
        code: Option<u16>,
    },
    Got {
        port: u16,
        text: String,
        len: usize,
    },
    GotPing {
        port: u16,
    },
    GotClose {
        port: u16,
        code: Option<u16>,
    },
    /// The client's stream ended: well, or not.
    GotEnd {
        port: u16,
        well: bool,
    },
    ServerDid {
        port: u16,
        what: &'static str,
    },
    // The network.
    Fault {
        what: String,
    },
}

/// What a callback was told.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "some are only shown in the trace")]
pub(crate) enum Told {
    Opened {
        port: u16,
        restarting: bool,
        attempt: u32,
        previous: Option<Cause>,
    },
    Message {
        port: u16,
        k: u64,
    },
    /// `last_read` is when the last byte had come.
    Closed {
        cause: Cause,
        restarting: bool,
        unhandled: usize,
        unsent: usize,
        last_read: Duration,
    },
    Retry {
        retry: u32,
        error: String,
    },
    Nothing,
}

/// What the classifier said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    Retry(Duration),
    Refresh(Duration),
    Fatal,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    Stopped,
    Restarted,
    PeerClosed(Option<u16>),
    ReadIo,
    ReadEof,
    ReadProtocol,
    ReadTooBig,
    ReadUtf8,
    ReadOther,
    WriteFailed,
    WriteStalled,
    HeartbeatLost,
    IdleTimeout,
    TransportPanicked,
    Other,
}

/// How a callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Well,
    Failed,
    Panicked,
    /// Dropped at an await.
    Dropped,
}

/// What the user wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Start,
    Stop,
    Stopped,
    Exit,
    Restart,
    /// Through the handle of a session.
    RestartSession(u32),
    LastHandle,
    Send {
        way: Way,
        session: Option<u32>,
        sender: u32,
        k: u64,
    },
    Pause {
        session: Option<u32>,
        hold: Option<Duration>,
    },
    /// `hold` is the call that gave the connection: a pause, or the callback that was given it.
    Recv {
        hold: u64,
        session: u32,
        matching: Option<Modulo>,
    },
    HolderSend {
        hold: u64,
        session: u32,
        sender: u32,
        k: u64,
    },
    HolderPing {
        hold: u64,
        session: u32,
    },
    /// The holder gives the connection back.
    Release {
        hold: u64,
        session: u32,
    },
    Ping {
        session: Option<u32>,
    },
}

/// How something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Send,
    TrySend,
    Flushed,
}

/// Messages whose number leaves `rest` when divided by `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modulo {
    pub(crate) by: u64,
    pub(crate) rest: u64,
}

impl Modulo {
    pub(crate) fn matches(self, k: u64) -> bool {
        k % self.by == self.rest
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok,
    /// A message was received.
    Message {
        port: u16,
        k: u64,
    },
    /// A hold on this session's connection.
    Granted {
        session: u32,
    },
    /// The kind of the error, by name.
    Err(String),
    /// The engine ended: how.
    Ended {
        kind: String,
        forced: bool,
        blocked: bool,
        cause: Option<Cause>,
    },
    /// The caller gave up waiting.
    GivenUp,
}

/// The status, as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shown {
    Connecting(u32),
    Opening,
    Open(u32),
    Paused(u32),
    Closing(Cause),
    Disconnecting,
    Waiting,
    Stopped,
    Other,
}
