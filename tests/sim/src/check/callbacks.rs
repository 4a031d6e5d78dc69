//! Guarantee 2: `on_open`, messages, one `on_close`, at most one `on_close_error`; sessions never overlap. Guarantee 7:
//! nothing runs after the end. Guarantee 8: panics.

use std::collections::BTreeMap;
use std::time::Duration;

use wscengine::Callback;

use super::Verdict;
use super::story::Story;
use crate::event::{Cause, How, Told, What};

const ORDER: &str = "2: on_open, messages, one on_close, at most one on_close_error, nothing after";
const APART: &str = "2: sessions never overlap";
const WORKERS: &str = "4: at most as many callbacks at once as there are workers";

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Failed,
    Open,
    Closed,
    CloseError,
}

struct Checking<'a> {
    story: &'a Story<'a>,
    verdict: &'a mut Verdict,
    running: BTreeMap<u64, (Callback, u32)>,
    phases: BTreeMap<u32, Phase>,
    last_cause: Option<Cause>,
    opened: u64,
    panics: u64,
    dropped: u64,
}

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    let mut checking = Checking {
        story,
        verdict,
        running: BTreeMap::new(),
        phases: BTreeMap::new(),
        last_cause: None,
        opened: 0,
        panics: 0,
        dropped: 0,
    };
    for (index, event) in story.events.iter().enumerate() {
        match &event.what {
            What::Begin { call, callback, session, told } => {
                checking.begin(index, *call, *callback, *session, told);
            }
            What::End { call, callback, session, how } => {
                checking.end(index, *call, *callback, *session, *how);
            }
            What::Stats { sessions, panics, dropped } => {
                checking.count(event.at, *sessions, *panics, *dropped);
            }
            _ => {}
        }
    }
    checking.finish();
}

impl Checking<'_> {
    fn begin(&mut self, index: usize, call: u64, callback: Callback, session: u32, told: &Told) {
        let at = self.story.at(index);
        if self.story.end.is_some_and(|end| end < index) {
            self.say(
                at,
                "7: no callback after the end",
                format!("{callback} of session {session}"),
            );
        }
        let phase = self.phases.get(&session).copied();
        let wanted = match callback {
            Callback::OnOpen => None,
            Callback::OnCloseError => Some(Phase::Closed),
            Callback::OnRestartError => phase,
            _ => Some(Phase::Open),
        };
        if phase != wanted {
            self.say(at, ORDER, format!("{callback} of session {session}, which is {phase:?}"));
        }
        self.check_alone(at, callback, session);
        match (callback, told) {
            (Callback::OnOpen, Told::Opened { restarting, previous, .. }) => {
                self.open(at, session, *restarting, *previous);
            }
            (Callback::OnClose, Told::Closed { cause, .. }) => {
                self.phases.insert(session, Phase::Closed);
                self.last_cause = Some(*cause);
            }
            (Callback::OnCloseError, _) => _ = self.phases.insert(session, Phase::CloseError),
            _ => {}
        }
        self.running.insert(call, (callback, session));
    }

    /// Whether it may run beside what else runs.
    fn check_alone(&mut self, at: Duration, callback: Callback, session: u32) {
        let beside: Vec<_> = self.running.values().copied().collect();
        if callback != Callback::OnMessage {
            if let Some((other, of)) = beside.first() {
                let what = format!("{callback} of session {session} beside {other} of {of}");
                self.say(at, if *of == session { ORDER } else { APART }, what);
            }
            return;
        }
        for (other, of) in &beside {
            if *of != session || *other != Callback::OnMessage {
                let what = format!("on_message of session {session} beside {other} of {of}");
                self.say(at, if *of == session { ORDER } else { APART }, what);
            }
        }
        let workers = self.story.scenario.options.workers;
        if beside.len() >= workers {
            self.say(at, WORKERS, format!("{} beside another", beside.len()));
        }
    }

    fn open(&mut self, at: Duration, session: u32, restarting: bool, previous: Option<Cause>) {
        self.phases.insert(session, Phase::Opening);
        if restarting != (self.opened > 0) {
            self.say(at, "3.2: Opened tells whether it is a restart", format!("{restarting}"));
        }
        if previous != self.last_cause {
            let what = format!("{previous:?} instead of {:?}", self.last_cause);
            self.say(at, "3.2: Opened tells why the last session ended", what);
        }
    }

    fn end(&mut self, index: usize, call: u64, callback: Callback, session: u32, how: How) {
        let at = self.story.at(index);
        self.running.remove(&call);
        if self.story.end.is_some_and(|end| end < index) {
            let what = format!("{callback} of session {session} still ran");
            self.say(at, "7: no callback after the end", what);
        }
        match how {
            How::Panicked => self.panics += 1,
            How::Dropped => self.dropped += 1,
            How::Well | How::Failed => {}
        }
        if callback == Callback::OnOpen {
            let well = how == How::Well;
            self.opened += u64::from(well);
            self.phases.insert(session, if well { Phase::Open } else { Phase::Failed });
        }
    }

    /// The engine's own counts.
    fn count(&mut self, at: Duration, sessions: u64, panics: u64, dropped: u64) {
        let promise = "3.9: stats count what happened";
        if sessions != self.opened {
            self.say(at, promise, format!("{sessions} sessions instead of {}", self.opened));
        }
        if panics != self.panics {
            let what = format!("{panics} panics instead of {}", self.panics);
            self.say(at, "8: a panic is caught and reported", what);
        }
        if dropped != self.dropped && !self.story.forced() {
            self.say(at, promise, format!("{dropped} dropped calls instead of {}", self.dropped));
        }
    }

    fn finish(mut self) {
        let at = self.story.events.last().map_or(Duration::ZERO, |event| event.at);
        for (callback, session) in std::mem::take(&mut self.running).into_values() {
            self.say(
                at,
                "7: no callback after the end",
                format!("{callback} of session {session}"),
            );
        }
        if self.story.forced() {
            return;
        }
        for (session, phase) in std::mem::take(&mut self.phases) {
            if matches!(phase, Phase::Open | Phase::Opening) {
                self.say(at, ORDER, format!("session {session} had no on_close"));
            }
        }
    }

    fn say(&mut self, at: Duration, promise: &'static str, what: String) {
        self.verdict.broken(at, promise, what);
    }
}
