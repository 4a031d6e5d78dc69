//! Which situations a run has reached: a simulation that never gets there proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Answer, Cause, Event, Op, Ruling, Shown, Told, What};
use crate::scenario::Scenario;

/// The situations of a run, by name.
pub(crate) fn situations(scenario: &Scenario, events: &[Event]) -> Vec<String> {
    let mut found = Found { names: BTreeSet::new(), status: None, stopped: false };
    for event in events {
        found.take(&event.what);
    }
    found.add(format!("workers {}", scenario.options.workers));
    found.names.into_iter().collect()
}

struct Found {
    names: BTreeSet<String>,
    status: Option<Shown>,
    stopped: bool,
}

impl Found {
    fn add(&mut self, name: impl Into<String>) {
        self.names.insert(name.into());
    }

    fn take(&mut self, what: &What) {
        match what {
            What::End { callback, how, .. } => self.add(format!("{callback} ends: {how:?}")),
            What::Begin { told: Told::Closed { cause, unhandled, unsent, .. }, .. } => {
                self.add(format!("closed: {}", name_of(*cause)));
                if *unhandled > 0 {
                    self.add("closed with unhandled messages");
                }
                if *unsent > 0 {
                    self.add("closed with unsent messages");
                }
            }
            What::Begin { told: Told::Retry { error, .. }, .. } => {
                self.add(format!("attempt failed: {}", first_word(error)));
            }
            What::Status { status } => self.status = Some(status.clone()),
            What::Ask { op: Op::Stop, .. } | What::Request { op: Op::Exit | Op::LastHandle } => {
                self.stop(what);
            }
            What::Request { op } => {
                self.add(format!("request: {}", first_word(&format!("{op:?}"))));
            }
            What::Answer { op, result, .. } => self.answer(op, result),
            What::Outcome { outcome: Answer::Ended { kind, forced, .. } } => {
                self.add(format!("outcome: {kind}"));
                if *forced {
                    self.add("outcome: forced");
                }
            }
            What::Judged { ruling, asked_for, .. } => self.judged(*ruling, asked_for.is_some()),
            What::ServerDid { what, .. } => self.add(format!("server {what}")),
            What::Refused { status, .. } => self.add(format!("server refuses with {status}")),
            What::Fault { what } => self.add(format!("fault: {}", first_word(what))),
            What::DialFailed { kind, .. } => self.add(format!("dial fails: {kind}")),
            What::Delay { retry: 3.., .. } => self.add("backoff grows"),
            _ => {}
        }
    }

    /// The first stop, by the status it finds.
    fn stop(&mut self, what: &What) {
        if let What::Request { op } = what {
            self.add(format!("request: {op:?}"));
        }
        if !std::mem::replace(&mut self.stopped, true) {
            match self.status.as_ref().map(|status| format!("{status:?}")) {
                Some(status) => self.add(format!("stop while {}", first_word(&status))),
                None => self.add("stop before the start"),
            }
        }
    }

    fn answer(&mut self, op: &Op, result: &Answer) {
        let op = match op {
            Op::Send { way, .. } => format!("{way:?}"),
            Op::Recv { matching: Some(_), .. } => "RecvMatching".to_owned(),
            op => first_word(&format!("{op:?}")).to_owned(),
        };
        let result = match result {
            Answer::Err(kind) => format!("Err({})", kind.split([' ', '{']).next().unwrap_or(kind)),
            result => first_word(&format!("{result:?}")).to_owned(),
        };
        self.add(format!("{op}: {result}"));
    }

    fn judged(&mut self, ruling: Ruling, asked_for: bool) {
        match ruling {
            Ruling::Retry(floor) if floor.is_zero() => self.add("classifier: retry"),
            Ruling::Retry(_) if asked_for => self.add("classifier: retry, Retry-After"),
            Ruling::Retry(_) => self.add("classifier: retry, later"),
            Ruling::Refresh(_) => self.add("classifier: refresh"),
            Ruling::Fatal => self.add("classifier: fatal"),
        }
    }
}

fn name_of(cause: Cause) -> String {
    match cause {
        Cause::PeerClosed(None) => "PeerClosed without a code".to_owned(),
        Cause::PeerClosed(Some(code)) => format!("PeerClosed {code}"),
        cause => format!("{cause:?}"),
    }
}

fn first_word(text: &str) -> &str {
    text.split([' ', '(', '{']).next().unwrap_or(text)
}

/// What had to be reached, and was not.
pub(crate) fn missing(reached: &BTreeMap<String, u64>) -> Vec<&'static str> {
    WANTED.iter().copied().filter(|name| !reached.contains_key(*name)).collect()
}

/// What a thousand seeds must have reached: each is reached by seven of them or more.
const WANTED: &[&str] = &[
    "Flushed: Err(Lost)",
    "Flushed: Err(NotConnected)",
    "Flushed: Err(SessionEnded)",
    "Flushed: Ok",
    "HolderPing: Err(Revoked)",
    "HolderPing: Err(SessionEnded)",
    "HolderPing: Err(Timeout)",
    "HolderPing: Ok",
    "HolderSend: Err(Revoked)",
    "HolderSend: Err(SessionEnded)",
    "HolderSend: Ok",
    "Pause: Err(AlreadyHeld)",
    "Pause: Err(NotConnected)",
    "Pause: Err(SessionEnded)",
    "Pause: GivenUp",
    "Pause: Granted",
    "Ping: Err(SessionEnded)",
    "Ping: Err(Timeout)",
    "Ping: Ok",
    "Recv: Err(Revoked(ConnectionEnded))",
    "Recv: Err(Revoked(Expired))",
    "Recv: Err(Revoked(Restarting))",
    "Recv: Err(Revoked(Stopping))",
    "Recv: GivenUp",
    "Recv: Message",
    "RecvMatching: Err(ReadAheadFull)",
    "RecvMatching: Err(Revoked(ConnectionEnded))",
    "RecvMatching: Err(Revoked(Expired))",
    "RecvMatching: GivenUp",
    "RecvMatching: Message",
    "Send: Err(NotConnected)",
    "Send: Err(SessionEnded)",
    "Send: Ok",
    "Start: Err(Connect)",
    "Start: Err(Handshake)",
    "Start: Err(Io)",
    "Start: Err(RequestTimeout)",
    "Start: Err(Resolve)",
    "Start: Err(Status)",
    "Start: Err(Stopped)",
    "Start: Err(Timeout(Whole))",
    "Start: GivenUp",
    "Start: Ok",
    "Stop: Ended",
    "Stop: GivenUp",
    "Stopped: Ended",
    "TrySend: Err(Full)",
    "TrySend: Err(NotConnected)",
    "TrySend: Err(SessionEnded)",
    "TrySend: Ok",
    "attempt failed: Connect",
    "attempt failed: ConnectionLost",
    "attempt failed: Handshake",
    "attempt failed: Io",
    "attempt failed: OnOpen",
    "attempt failed: OnOpenPanicked",
    "attempt failed: OnOpenTimeout",
    "attempt failed: Other",
    "attempt failed: RequestFailed",
    "attempt failed: RequestPanicked",
    "attempt failed: RequestTimeout",
    "attempt failed: Resolve",
    "attempt failed: Status",
    "attempt failed: Timeout",
    "backoff grows",
    "checked: 2: what was read before the end is handled, or counted as unhandled",
    "checked: 2: what was read is handled, until drain_timeout",
    "checked: 3.2: after the end of its session every send fails",
    "checked: 3.2: no message of a session is seen on another's connection",
    "checked: 3.2: on_close is told the code that the peer sent",
    "checked: 3.2: the close frame has the code of the cause, or the one on_close returned",
    "checked: 3.3: what on_close is told is what the status showed",
    "checked: 3.4: a hold is revoked at the end of its session",
    "checked: 3.4: no callback starts while somebody holds the connection",
    "checked: 3.4: one holder at a time",
    "checked: 3.4: pause_for revokes itself",
    "checked: 3.6: messages of one sender arrive once, in order",
    "checked: 3.6: what on_close sends goes out before the close frame",
    "checked: 3.6: what send accepted is written before the close frame, or counted as unsent",
    "checked: 3.6: what send_flushed said is written arrives",
    "checked: 3.6: what was refused is not sent",
    "checked: 3.7: no dial before its delay and its floor are over",
    "checked: 3.7: the budget of attempts",
    "checked: 3.7: the counter goes back only after a stable session",
    "checked: 3.8: a peer that was heard is not lost",
    "checked: 3: an attempt's error says which phase failed, and wraps its cause",
    "checked: 3: start() returns once on_open has returned, or fails with what failed",
    "checked: 3: the first attempt is not retried by default",
    "checked: 4: messages are handled in the order they arrived",
    "checked: 4: ordered_by keeps the order for each key",
    "checked: 6: pings are answered while paused and while callbacks run",
    "checked: 7: a stop is bounded by stop_timeout",
    "checked: 7: a stop is prompt in every state",
    "checked: 7: the result says how it ended",
    "checked: 7: the stop has its time",
    "classifier: fatal",
    "classifier: refresh",
    "classifier: retry",
    "classifier: retry, Retry-After",
    "classifier: retry, later",
    "closed with unhandled messages",
    "closed with unsent messages",
    "closed: HeartbeatLost",
    "closed: IdleTimeout",
    "closed: PeerClosed 1000",
    "closed: PeerClosed 1001",
    "closed: PeerClosed 1002",
    "closed: PeerClosed 1003",
    "closed: PeerClosed 1007",
    "closed: PeerClosed 1008",
    "closed: PeerClosed 1009",
    "closed: PeerClosed 1011",
    "closed: PeerClosed 1012",
    "closed: PeerClosed 1013",
    "closed: PeerClosed 3000",
    "closed: PeerClosed 4001",
    "closed: PeerClosed 4999",
    "closed: PeerClosed without a code",
    "closed: ReadEof",
    "closed: ReadIo",
    "closed: ReadProtocol",
    "closed: ReadTooBig",
    "closed: ReadUtf8",
    "closed: Restarted",
    "closed: Stopped",
    "closed: TransportPanicked",
    "closed: WriteFailed",
    "closed: WriteStalled",
    "dial fails: Connect",
    "dial fails: Resolve",
    "fault: Bounce",
    "fault: Crash",
    "fault: Hold",
    "fault: Latency",
    "fault: LosesInbound",
    "fault: LosesOutbound",
    "fault: Partition",
    "fault: Release",
    "fault: Repair",
    "on_close ends: Dropped",
    "on_close ends: Panicked",
    "on_close ends: Well",
    "on_close_error ends: Dropped",
    "on_close_error ends: Panicked",
    "on_close_error ends: Well",
    "on_message ends: Dropped",
    "on_message ends: Panicked",
    "on_message ends: Well",
    "on_open ends: Dropped",
    "on_open ends: Failed",
    "on_open ends: Panicked",
    "on_open ends: Well",
    "on_read_error ends: Dropped",
    "on_read_error ends: Panicked",
    "on_read_error ends: Well",
    "on_restart_error ends: Dropped",
    "on_restart_error ends: Panicked",
    "on_restart_error ends: Well",
    "outcome: ConnectionLost",
    "outcome: FailedToStart",
    "outcome: Fatal",
    "outcome: GaveUp",
    "outcome: PeerClosed",
    "outcome: Requested",
    "outcome: forced",
    "request: Exit",
    "request: LastHandle",
    "request: Release",
    "request: Restart",
    "request: RestartSession",
    "server announces a message larger than any limit",
    "server answers by half",
    "server answers with something else than HTTP",
    "server drops the connection at once",
    "server ends in the middle of a message",
    "server ends the stream without a close frame",
    "server freezes",
    "server never answers the handshake",
    "server refuses with 400",
    "server refuses with 401",
    "server refuses with 403",
    "server refuses with 404",
    "server refuses with 408",
    "server refuses with 429",
    "server refuses with 500",
    "server refuses with 502",
    "server refuses with 503",
    "server sends a close code that must not be sent",
    "server sends a frame with reserved bits",
    "server sends text that is not UTF-8",
    "server stops reading",
    "stop before the start",
    "stop while Closing",
    "stop while Connecting",
    "stop while Disconnecting",
    "stop while Open",
    "stop while Opening",
    "stop while Paused",
    "stop while Stopped",
    "stop while Waiting",
    "workers 1",
    "workers 2",
    "workers 3",
    "workers 4",
];
