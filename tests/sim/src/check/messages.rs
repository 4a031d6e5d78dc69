//! Guarantees 2 and 4: what the server sent arrives once, in order, and is handled or counted as unhandled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wscengine::Callback;

use super::Verdict;
use super::story::{SessionStory, Story};
use crate::event::{Answer, Cause, Modulo, Op, Told, What};

const ORDER: &str = "4: messages are handled in the order they arrived";
const KEYS: &str = "4: ordered_by keeps the order for each key";
const ONCE: &str = "2: a message is given to one, once";
const OWN: &str = "2: a session gets the messages of its own connection";
const ALL: &str = "2: what was read before the end is handled, or counted as unhandled";
const DRAIN: &str = "2: what was read is handled, until drain_timeout";

pub(super) fn check(story: &Story<'_>, verdict: &mut Verdict) {
    for (number, session) in &story.sessions {
        Taking::new(story, *number, session, verdict).check();
    }
}

struct Taking<'a> {
    story: &'a Story<'a>,
    number: u32,
    session: &'a SessionStory,
    verdict: &'a mut Verdict,
    taken: BTreeSet<u64>,
    /// The lowest number that nobody has taken.
    next: u64,
    /// Messages of a key that run or have run: call and number.
    keys: BTreeMap<u64, (Option<u64>, u64)>,
    /// How many were taken before `on_close` began.
    before_close: usize,
}

impl<'a> Taking<'a> {
    fn new(
        story: &'a Story<'a>,
        number: u32,
        session: &'a SessionStory,
        verdict: &'a mut Verdict,
    ) -> Self {
        Self {
            story,
            number,
            session,
            verdict,
            taken: BTreeSet::new(),
            next: 0,
            keys: BTreeMap::new(),
            before_close: 0,
        }
    }

    fn check(mut self) {
        for (index, event) in self.story.events.iter().enumerate() {
            match &event.what {
                What::Begin {
                    call,
                    callback: Callback::OnMessage,
                    session,
                    told: Told::Message { port, k },
                } if *session == self.number => {
                    self.take(index, *port, *k, None, self.in_order());
                    self.begin_of_key(event.at, *call, *k);
                }
                What::End { call, callback: Callback::OnMessage, session, .. }
                    if *session == self.number =>
                {
                    self.end_of_key(*call);
                }
                What::Answer {
                    op: Op::Recv { session, matching, .. },
                    result: Answer::Message { port, k },
                    ..
                } if *session == self.number => {
                    self.take(index, *port, *k, *matching, self.in_order());
                }
                _ => {}
            }
        }
        self.count();
    }

    /// With one worker the order is known; several take messages before they begin with them.
    fn in_order(&self) -> bool {
        self.story.scenario.options.workers == 1
    }

    fn take(&mut self, index: usize, port: u16, k: u64, matching: Option<Modulo>, ordered: bool) {
        let at = self.story.at(index);
        let number = self.number;
        if port != self.session.port {
            let what = format!("session {number} on {} got one of {port}", self.session.port);
            return self.verdict.broken(at, OWN, what);
        }
        let expected = match matching {
            None => self.next,
            Some(modulo) => (self.next..)
                .find(|k| modulo.matches(*k) && !self.taken.contains(k))
                .unwrap_or(self.next),
        };
        if ordered {
            self.verdict.look(ORDER);
        }
        if !self.taken.insert(k) {
            self.verdict.broken(at, ONCE, format!("message {k} of session {number}"));
        } else if ordered && k != expected {
            let what = format!("session {number}: message {k} instead of {expected}");
            self.verdict.broken(at, ORDER, what);
        }
        while self.taken.contains(&self.next) {
            self.next += 1;
        }
        if self.session.closed.is_none_or(|closed| index < closed) {
            self.before_close += 1;
        }
    }

    fn begin_of_key(&mut self, at: Duration, call: u64, k: u64) {
        let Some(keys) = self.story.scenario.options.keys else { return };
        self.verdict.look(KEYS);
        let last = self.keys.insert(k % keys, (Some(call), k));
        if let Some((running, last)) = last
            && (running.is_some() || last > k)
        {
            let what = format!("message {k} of session {} after {last}", self.number);
            self.verdict.broken(at, KEYS, what);
        }
    }

    fn end_of_key(&mut self, call: u64) {
        for (running, _) in self.keys.values_mut() {
            if *running == Some(call) {
                *running = None;
            }
        }
    }

    /// Compares with what the server sent.
    fn count(self) {
        let (Some(closed), Some(cause)) = (self.session.closed, self.session.cause) else { return };
        let at = self.story.at(closed);
        let known = self.before_close + self.session.unhandled;
        let (begun, whole) = self.sent(closed, cause);
        let what = format!(
            "session {} ({cause:?}): {} taken, {} unhandled, {whole:?} or up to {begun} sent",
            self.number, self.before_close, self.session.unhandled
        );
        self.verdict.demand(known as u64 <= begun, at, ALL, what.clone());
        if let Some(whole) = whole {
            self.verdict.demand(known as u64 == whole, at, ALL, what.clone());
        }
        let local = matches!(cause, Cause::Stopped | Cause::Restarted | Cause::TransportPanicked);
        if !local
            && self.session.unhandled > 0
            && let Some(left) = self.session.left
        {
            let drained = at.saturating_sub(self.story.at(left));
            let limit = self.story.scenario.options.drain;
            let kept = drained + Duration::from_millis(2) >= limit;
            self.verdict.demand(kept, at, DRAIN, format!("{what}, after {drained:?}"));
        }
    }

    /// How many messages the server began to send on this connection before `on_close`; and, where the engine has
    /// read all there was, how many it sent.
    fn sent(&self, closed: usize, cause: Cause) -> (u64, Option<u64>) {
        let (mut begun, mut sent, mut said_all) = (0, 0, false);
        for event in &self.story.events[..closed] {
            match event.what {
                What::Sending { port, .. } if port == self.session.port => begun += 1,
                What::Sent { port, .. } if port == self.session.port => sent += 1,
                What::SentClose { port, .. } | What::ServerDid { port, .. }
                    if port == self.session.port =>
                {
                    said_all = true;
                }
                _ => {}
            }
        }
        let read_all = match cause {
            Cause::PeerClosed(_)
            | Cause::ReadEof
            | Cause::ReadProtocol
            | Cause::ReadUtf8
            | Cause::ReadTooBig => said_all,
            _ => false,
        };
        (begun, read_all.then_some(sent))
    }
}
