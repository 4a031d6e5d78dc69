//! One engine's life: the machine, the model, a user and a clock, all moved at random.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::{
    AfterSession, Event, FirstAttempt, HoldId, Lifecycle, Policy, Requests, SessionEvent, State,
    Timeouts,
};
use super::super::kit::{broken, drained, fatal, gone, no_dial, no_request, returned};
use super::super::names::{action_name, corner, state_name};
use super::Seen;
use super::chance::Chance;
use super::judge::Judge;
use super::model::{Errand, Model};
use super::promises::Promises;
use crate::handler::Callback;
use crate::retry::{Backoff, ExponentialBackoff, NoBackoff};

/// Whether what happens is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tale {
    Told,
    Untold,
}

pub(super) struct World {
    machine: Lifecycle,
    policy: Policy,
    now: Instant,
    began: Instant,
    rng: Chance,
    model: Model,
    promises: Promises,
    next_hold: HoldId,
    tale: Tale,
    seen: Seen,
}

impl World {
    pub(super) fn new(mut rng: Chance, tale: Tale) -> Self {
        let judge = Judge::new(rng.u64(..));
        let policy = any_policy(&mut rng, &judge);
        let now = Instant::now();
        let machine = Lifecycle::new(now, policy.clone());
        let mut world = Self {
            machine,
            now,
            began: now,
            rng,
            model: Model::default(),
            promises: Promises::new(policy.clone(), judge),
            policy,
            next_hold: 1,
            tale,
            seen: Seen::default(),
        };
        world.tell(|world| format!("{:#?}", world.policy));
        world.settle();
        world
    }

    /// Lives until the engine has stopped, and a little longer.
    pub(super) fn live(mut self) -> Seen {
        let mut left = self.rng.usize(50..4_000);
        let mut steps = 0;
        while !matches!(self.machine.state(), State::Stopped(_)) {
            steps += 1;
            assert!(steps < MOST_STEPS, "a life without an end: {:?}", self.machine.state());
            left = if self.rng.is_used_up() { 0 } else { left.saturating_sub(1) };
            match left {
                0 if self.rng.u8(..) < 64 => self.handle(Event::Stop),
                _ => self.step(),
            }
        }
        for _ in 0..10 {
            self.step();
        }
        self.seen
    }

    fn step(&mut self) {
        match self.rng.u8(..) {
            0..200 => {
                let state = self.machine.state();
                let wanted = match (state.wants_request(), state.wants_dial()) {
                    (true, _) => Some((self.machine.epoch(), Errand::Request)),
                    (_, true) => Some((self.machine.epoch(), Errand::Dial)),
                    (false, false) => None,
                };
                if let Some(event) = self.model.step(&mut self.rng, wanted) {
                    self.handle(event);
                }
            }
            200..225 => self.move_clock(),
            225..250 => self.user(),
            250..=255 => self.noise(),
        }
    }

    /// Lets time pass: to just before the next deadline, to it, or far beyond.
    fn move_clock(&mut self) {
        let due = self
            .machine
            .poll_timeout()
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(self.now));
        self.now += match self.rng.u8(..) % 8 {
            0 => due.saturating_sub(Duration::from_nanos(1)),
            1 => due,
            2 => due + Duration::from_secs(self.rng.u64(..100)),
            _ => Duration::from_micros(self.rng.u64(..3_000)),
        };
        // Whoever is to wake the machine may come late: then other events come first.
        if self.rng.u8(..) < 230 {
            self.wake();
        }
    }

    /// Calls the machine as long as it says that it is due. At one point in time that must come to an end.
    fn wake(&mut self) {
        let most = 8 + 2 * self.promises.asking();
        for _ in 0..most {
            self.seen.events += 1;
            self.tell(|_| "timeout".into());
            self.machine.handle_timeout(self.now);
            self.settle();
            if self.machine.poll_timeout().is_none_or(|at| at > self.now) {
                self.promises.woken(self.now, self.machine.state());
                return;
            }
        }
        panic!("it wants to be woken for ever: {:?}", self.machine.state());
    }

    fn user(&mut self) {
        let epoch = self.machine.epoch();
        let past = epoch - self.rng.u64(..epoch.min(3));
        match self.rng.u8(..) {
            0 => self.handle(Event::Stop),
            1..12 => self.handle(Event::Restart { epoch: None }),
            12..24 => self.handle(Event::Restart { epoch: Some(past) }),
            24..140 => {
                let hold = self.next_hold;
                self.next_hold += 1;
                let limit = [
                    None,
                    Some(Duration::ZERO),
                    Some(Duration::from_millis(5)),
                    Some(Duration::MAX),
                ];
                let limit = limit[self.rng.usize(..limit.len())];
                let epoch = if self.rng.u8(..) < 230 { epoch } else { past };
                self.handle(Event::PauseRequested { epoch, hold, limit });
            }
            140..=255 => {
                let hold = match (self.promises.holder(), self.rng.u8(..)) {
                    (Some(holder), 0..150) => holder,
                    _ => self.rng.u64(..self.next_hold + 2),
                };
                self.handle(Event::HoldReleased { hold });
            }
        }
    }

    /// Events that come too late, twice, or for nothing.
    fn noise(&mut self) {
        let all = [
            SessionEvent::RequestMade,
            no_request(),
            SessionEvent::Dialed,
            no_dial(),
            SessionEvent::DialAbandoned,
            returned(Callback::OnOpen),
            returned(Callback::OnReadError),
            returned(Callback::OnClose),
            returned(Callback::OnCloseError),
            returned(Callback::OnRestartError),
            SessionEvent::PeerClosed(None),
            SessionEvent::HeartbeatLost,
            fatal(),
            drained(),
            gone(),
            broken(),
        ];
        let event = all[self.rng.usize(..all.len())].clone();
        let epoch = self.machine.epoch();
        if epoch > 1 && self.rng.bool() {
            let epoch = self.rng.u64(1..epoch);
            let before = format!("{:?} {:?}", self.machine.state(), self.machine.poll_timeout());
            self.handle(Event::Session { epoch, event });
            let after = format!("{:?} {:?}", self.machine.state(), self.machine.poll_timeout());
            assert_eq!(before, after, "an event of a past epoch changed something");
        } else if self.promises.is_idle_talk(&event) {
            self.handle(Event::Session { epoch, event });
        }
    }

    fn handle(&mut self, event: Event) {
        self.seen.events += 1;
        self.tell(|_| format!("{event:?}"));
        self.promises.heard(self.now, &event, self.machine.state(), self.machine.epoch());
        self.machine.handle(self.now, event);
        self.settle();
    }

    /// Has everything done that the machine wants, and looks at where that led.
    fn settle(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            self.tell(|_| format!("    -> {}", action_name(&action)));
            self.seen.note(corner::of_action(&action));
            self.promises.wanted(self.now, &action, &self.model);
            self.model.carry_out(&action, &mut self.rng);
        }
        self.seen.note(corner::of_state(self.machine.state()));
        self.tell(|world| format!("    {}", state_name(world.machine.state())));
        self.promises.settled(self.now, &self.machine);
    }

    fn tell(&self, what: impl FnOnce(&Self) -> String) {
        if self.tale == Tale::Told {
            eprintln!("{:>12?} {}", self.now - self.began, what(self));
        }
    }
}

/// Far more than any life takes: it is told to stop before it is a tenth as old.
const MOST_STEPS: usize = 100_000;

fn any_policy(rng: &mut Chance, judge: &Judge) -> Policy {
    fn one<T: Clone>(rng: &mut Chance, of: &[T]) -> T {
        of[rng.usize(..of.len())].clone()
    }
    let spans = [1, 10, 100, 5_000].map(Duration::from_millis);
    let backoffs: [Arc<dyn Backoff>; 3] = [
        Arc::new(NoBackoff),
        Arc::new(ExponentialBackoff::new()),
        Arc::new(
            ExponentialBackoff::new().base(Duration::from_millis(1)).cap(Duration::from_millis(20)),
        ),
    ];
    Policy {
        timeouts: Timeouts {
            request: one(rng, &spans),
            connect: one(rng, &spans),
            on_open: one(rng, &spans),
            on_read_error: one(rng, &spans),
            on_close: one(rng, &spans),
            on_close_error: one(rng, &spans),
            on_restart_error: one(rng, &spans),
            drain: one(rng, &spans),
            close: one(rng, &spans),
            stop: one(rng, &spans),
        },
        first: one(rng, &[FirstAttempt::Retry, FirstAttempt::Retry, FirstAttempt::FailFast]),
        after_session: one(
            rng,
            &[AfterSession::Reconnect, AfterSession::Reconnect, AfterSession::Stop],
        ),
        requests: one(rng, &[Requests::Fixed, Requests::Made]),
        classifier: Arc::new(judge.clone()),
        backoff: one(rng, &backoffs),
        stable_after: one(
            rng,
            &[Duration::ZERO, Duration::from_millis(20), Duration::from_secs(10)],
        ),
        max_attempts: one(rng, &[None, None, None, Some(0), Some(5)]),
        max_elapsed: one(rng, &[None, None, Some(Duration::from_secs(60))]),
        seed: rng.u64(..),
    }
}
