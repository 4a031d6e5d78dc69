//! Which promises of the engine a run has broken: read from the record, when the run is over.

mod backoff;
mod callbacks;
mod calls;
mod codes;
mod leases;
mod messages;
mod pings;
mod sends;
mod stop;
mod story;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::Event;
use crate::record::Broken;
use crate::scenario::Scenario;

use story::Story;

/// All that was broken, in no order, and what was looked at.
pub(crate) fn check(scenario: &Scenario, events: &[Event]) -> Verdict {
    let story = Story::new(scenario, events);
    let mut verdict = Verdict::default();
    callbacks::check(&story, &mut verdict);
    stop::check(&story, &mut verdict);
    backoff::check(&story, &mut verdict);
    messages::check(&story, &mut verdict);
    sends::check(&story, &mut verdict);
    leases::check(&story, &mut verdict);
    calls::check(&story, &mut verdict);
    codes::check(&story, &mut verdict);
    pings::check(&story, &mut verdict);
    verdict
}

/// What the checks say.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) broken: Vec<Broken>,
    /// The promises that there was something to check of.
    pub(crate) looked: BTreeSet<&'static str>,
}

impl Verdict {
    fn broken(&mut self, at: Duration, promise: &'static str, what: impl Into<String>) {
        self.broken.push(Broken { at, promise, what: what.into() });
    }

    /// There was something to check.
    fn look(&mut self, promise: &'static str) {
        self.looked.insert(promise);
    }

    fn demand(&mut self, kept: bool, at: Duration, promise: &'static str, what: impl Into<String>) {
        self.looked.insert(promise);
        if !kept {
            self.broken(at, promise, what);
        }
    }
}
