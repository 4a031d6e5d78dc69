//! Which situations a run has reached: a simulation that never gets there proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Answer, Cause, Event, How, Op, Ruling, Shown, Told, What};
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
            What::Request { op } => self.add(format!("request: {}", first_word(&format!("{op:?}")))),
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
            let status = self.status.as_ref().map(|status| format!("{status:?}"));
            self.add(format!("stop while {}", first_word(&status.unwrap_or_default())));
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

/// What a thousand seeds must have reached.
const WANTED: &[&str] = &[];
