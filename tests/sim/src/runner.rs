//! Runs seeds: one, or many on all processors.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::check;
use crate::cover;
use crate::event::Event;
use crate::record::{Broken, Record};
use crate::run;
use crate::scenario::Scenario;

/// What came of one seed.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) broken: Vec<Broken>,
    pub(crate) hash: u64,
    pub(crate) events: usize,
    pub(crate) situations: Vec<String>,
}

/// Which seeds are run, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) jobs: usize,
    /// Every so many seeds one is run twice.
    pub(crate) twice: u64,
    /// Stop at the first seed that fails.
    pub(crate) first: bool,
}

/// What came of all of them.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) runs: u64,
    pub(crate) events: u64,
    pub(crate) repeated: u64,
    pub(crate) failed: Vec<u64>,
    /// How many runs reached each situation.
    pub(crate) situations: BTreeMap<String, u64>,
}

/// A run that takes longer than this in real time hangs: time stands still in it.
const HANGS_AFTER: Duration = Duration::from_secs(30);

/// Runs one seed.
pub(crate) fn one(seed: u64, tracing: bool) -> Report {
    let (scenario, record) = recorded(seed, tracing);
    report(&scenario, &record)
}

fn recorded(seed: u64, tracing: bool) -> (Scenario, Record) {
    let (scenario, record) = (Scenario::of(seed), Record::new(tracing));
    run::run(&scenario, &record);
    (scenario, record)
}

fn report(scenario: &Scenario, record: &Record) -> Report {
    let events = record.events();
    let mut broken = record.take_broken();
    let verdict = check::check(scenario, &events);
    broken.extend(verdict.broken);
    broken.sort_by_key(|broken| broken.at);
    let mut situations = cover::situations(scenario, &events);
    situations.extend(verdict.looked.iter().map(|promise| format!("checked: {promise}")));
    Report { seed: scenario.seed, broken, hash: record.hash(), events: events.len(), situations }
}

/// Runs a seed, and now and then a second time to see whether the same happens.
fn watched(seed: u64, twice: bool) -> Report {
    let (scenario, record) = recorded(seed, false);
    let mut report = report(&scenario, &record);
    if twice {
        let (_, again) = recorded(seed, false);
        if again.hash() != report.hash {
            let what = first_difference(&record.events(), &again.events());
            let promise = "a seed replays exactly";
            report.broken.push(Broken { at: Duration::ZERO, promise, what });
        }
    }
    report
}

fn first_difference(one: &[Event], other: &[Event]) -> String {
    let at = one.iter().zip(other).position(|(one, other)| one.to_string() != other.to_string());
    let show = |events: &[Event], at: usize| events.get(at).map(ToString::to_string);
    let at = at.unwrap_or(one.len().min(other.len()));
    format!("event {at}: {:?} and then {:?}", show(one, at), show(other, at))
}

/// Runs all seeds of the plan, and prints those that fail.
pub(crate) fn many(plan: Plan) -> Totals {
    let next = AtomicU64::new(plan.from);
    let over = AtomicBool::new(false);
    let busy: Vec<_> = (0..plan.jobs).map(|_| Mutex::new(None::<(u64, Instant)>)).collect();
    let (sender, reports) = mpsc::channel();
    thread::scope(|scope| {
        for at_work in &busy {
            let (next, over, sender) = (&next, &over, sender.clone());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= plan.to {
                        break;
                    }
                    set(at_work, Some((seed, Instant::now())));
                    let twice = plan.twice > 0 && seed % plan.twice == 0;
                    let report = watched(seed, twice);
                    set(at_work, None);
                    if sender.send(report).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        gather(plan, &busy, &reports, &over)
    })
}

fn set(at_work: &Mutex<Option<(u64, Instant)>>, what: Option<(u64, Instant)>) {
    *at_work.lock().unwrap_or_else(PoisonError::into_inner) = what;
}

fn gather(
    plan: Plan,
    busy: &[Mutex<Option<(u64, Instant)>>],
    reports: &mpsc::Receiver<Report>,
    over: &AtomicBool,
) -> Totals {
    let mut totals = Totals::default();
    loop {
        match reports.recv_timeout(Duration::from_secs(1)) {
            Ok(report) => {
                if !report.broken.is_empty() {
                    println!("{report}");
                    over.fetch_or(plan.first, Ordering::Relaxed);
                }
                totals.add(plan, report);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => give_up_on_hangs(busy),
            Err(mpsc::RecvTimeoutError::Disconnected) => return totals,
        }
    }
}

/// A thread that hangs cannot be ended: the process is.
fn give_up_on_hangs(busy: &[Mutex<Option<(u64, Instant)>>]) {
    for at_work in busy {
        let at_work = *at_work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seed, since)) = at_work
            && since.elapsed() > HANGS_AFTER
        {
            println!("seed {seed}: 9: nothing hangs: time stands still in it\n{}", replay(seed));
            std::process::exit(3);
        }
    }
}

impl Totals {
    fn add(&mut self, plan: Plan, report: Report) {
        self.runs += 1;
        self.events += report.events as u64;
        self.repeated += u64::from(plan.twice > 0 && report.seed.is_multiple_of(plan.twice));
        if !report.broken.is_empty() {
            self.failed.push(report.seed);
        }
        for situation in report.situations {
            *self.situations.entry(situation).or_default() += 1;
        }
    }
}

/// How to see a seed again.
fn replay(seed: u64) -> String {
    format!("  replay: cargo run --profile sim -p sim -- --seed {seed}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} broke {} promises:", self.seed, self.broken.len())?;
        for Broken { at, promise, what } in self.broken.iter().take(MOST_SHOWN) {
            writeln!(f, "  at {:.3}: {promise}: {what}", at.as_secs_f64())?;
        }
        writeln!(f, "  scenario: {:?}", Scenario::of(self.seed))?;
        write!(f, "{}", replay(self.seed))
    }
}

/// Of one seed, the first few say enough.
const MOST_SHOWN: usize = 5;
