//! A thousand engines lose their server, and come back to it: spread over the windows of their jitter.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wscengine::testing::memory::{self, MemoryPeer, MemoryServer, PendingDial};
use wscengine::{
    CloseFrame, ConnectErrorKind, Engine, ExponentialBackoff, Handler, Message, Session,
};

use crate::allowed::{Delays, GRAIN};
use crate::hopeless::unavailable;

const ENGINES: usize = 1_000;

const BUCKET: Duration = Duration::from_millis(100);

/// A bucket whose share is smaller than this says nothing: there, up to three times this many are let pass.
const LEAST_SHARE: f64 = 5.0;

struct Quiet;

impl Handler for Quiet {
    async fn on_message(&self, _: &Session, _: Message<'_>) {}
}

/// How the server goes, and how it is until it is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// It is reset, and there again at once.
    Blip,
    /// It is reset, and refuses dials for this time.
    Down(Duration),
    /// It closes with 1013.
    TryAgainLater,
    /// It is reset, and answers 503 with `Retry-After: 10` for this time.
    RetryAfter(Duration),
}

impl Outage {
    fn lasts(self) -> Duration {
        match self {
            Self::Blip | Self::TryAgainLater => Duration::ZERO,
            Self::Down(time) | Self::RetryAfter(time) => time,
        }
    }

    fn end(self, peer: &MemoryPeer) {
        match self {
            Self::TryAgainLater => peer.close(Some(CloseFrame::new(1013, "").unwrap())),
            Self::Blip | Self::Down(_) | Self::RetryAfter(_) => peer.reset(),
        }
    }

    fn refuse(self, dial: PendingDial) {
        dial.refuse(match self {
            Self::RetryAfter(_) => unavailable(Some("10")),
            Self::Blip | Self::Down(_) | Self::TryAgainLater => ConnectErrorKind::Connect.into(),
        });
    }

    /// The least time before the retry of this number, by what went before it.
    fn floor(self, retry: usize) -> Duration {
        match self {
            Self::TryAgainLater if retry == 1 => Duration::from_secs(10),
            Self::RetryAfter(_) if retry > 1 => Duration::from_secs(10),
            _ => Duration::ZERO,
        }
    }

    /// When an engine with this seed dials after the loss, until it is back.
    fn dials(self, seed: u64) -> Vec<Duration> {
        let backoff = ExponentialBackoff::new();
        let mut dials = Vec::new();
        for (retry, delay) in (1..).zip(Delays::new(&backoff, seed)) {
            let last = dials.last().copied().unwrap_or_default();
            dials.push(last + self.floor(retry) + delay);
            if dials.last() >= Some(&self.lasts()) {
                break;
            }
        }
        dials
    }
}

/// Dials by the bucket of their time.
type Histogram = BTreeMap<u128, f64>;

fn bucket(at: Duration) -> u128 {
    at.as_millis() / BUCKET.as_millis()
}

/// What each bucket's share is: the dials that the policy gives it on average, for so many engines. Taken from the
/// delays of 50,000 other seeds.
fn shares(outage: Outage) -> Histogram {
    const SAMPLES: u64 = 50_000;
    let mut shares = Histogram::new();
    for seed in 0..SAMPLES {
        for at in outage.dials(1_000_000 + seed) {
            *shares.entry(bucket(at)).or_default() += ENGINES as f64 / SAMPLES as f64;
        }
    }
    shares
}

/// Starts the engines, and keeps the server's side of them.
async fn start(
    server: &mut MemoryServer,
    transport: &memory::MemoryTransport,
) -> (Vec<Engine>, Vec<MemoryPeer>) {
    let (mut engines, mut peers) = (Vec::new(), Vec::new());
    for number in 0..ENGINES {
        let prepared = Engine::builder(transport.clone(), Quiet)
            .url(format!("ws://server.test/{number}"))
            .seed(number as u64)
            .build()
            .unwrap();
        let (engine, peer) = tokio::join!(prepared.start(), server.accept());
        engines.push(engine.unwrap());
        peers.push(peer);
    }
    (engines, peers)
}

/// The dials of each engine after the loss, until all are back.
async fn dials_after(outage: Outage) -> Vec<Vec<Duration>> {
    let (transport, mut server) = memory::transport();
    let (engines, peers) = start(&mut server, &transport).await;
    // All sessions are stable, and their heartbeats out of step with each other's dials.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let lost = Instant::now();
    peers.iter().for_each(|peer| outage.end(peer));
    let mut dials = vec![Vec::new(); ENGINES];
    let mut back = Vec::new();
    let hour = lost + Duration::from_secs(3_600);
    while back.len() < ENGINES {
        let dial = timeout_at(hour, server.next_dial()).await.expect("not all are back");
        let number: usize = dial.request().url.path()[1..].parse().unwrap();
        dials[number].push(lost.elapsed());
        if lost.elapsed() < outage.lasts() {
            outage.refuse(dial);
        } else {
            back.push(dial.accept());
        }
    }
    // The last one has yet to take its connection.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!((server.live(), server.max_live()), (ENGINES, ENGINES));
    for engine in engines {
        engine.control().exit();
    }
    dials
}

/// Each engine dials when its seed says, to the grain of the timer.
fn assert_as_allowed(outage: Outage, dials: &[Vec<Duration>]) {
    for (seed, dials) in dials.iter().enumerate() {
        let allowed = outage.dials(seed as u64);
        assert_eq!(dials.len(), allowed.len(), "seed {seed}: {dials:?}, not {allowed:?}");
        for (number, (at, allowed)) in (1..).zip(dials.iter().zip(&allowed)) {
            let latest = *allowed + GRAIN * number;
            assert!(*allowed <= *at && *at <= latest, "seed {seed}: {at:?}, not {allowed:?}");
        }
    }
}

fn print(outage: Outage, dials: &Histogram, shares: &Histogram) {
    println!("{ENGINES} engines, {outage:?}: dials in buckets of {} ms", BUCKET.as_millis());
    println!("| from ms | dials | share |");
    for (bucket, count) in dials {
        let share = shares.get(bucket).copied().unwrap_or_default();
        let bar = "#".repeat((*count as usize).div_ceil(5));
        println!("| {:>7} | {count:>5} | {share:>5.1} | {bar}", bucket * BUCKET.as_millis());
    }
}

/// No bucket holds more than three times its share; gives the dials and the time when the last engine was back.
async fn herd(outage: Outage) -> (Histogram, Duration) {
    let dials = dials_after(outage).await;
    assert_as_allowed(outage, &dials);
    let mut histogram = Histogram::new();
    for at in dials.iter().flatten() {
        *histogram.entry(bucket(*at)).or_default() += 1.0;
    }
    let shares = shares(outage);
    print(outage, &histogram, &shares);
    let mut worst = (0.0, 0);
    for (bucket, count) in &histogram {
        let share = shares.get(bucket).copied().unwrap_or_default().max(LEAST_SHARE);
        assert!(*count <= 3.0 * share, "{count} dials in bucket {bucket}, whose share is {share}");
        if share > LEAST_SHARE && *count / share > worst.0 {
            worst = (*count / share, *bucket);
        }
    }
    let last = dials.iter().flatten().max().copied().unwrap();
    let total: usize = dials.iter().map(Vec::len).sum();
    println!(
        "{total} dials; the fullest bucket, at {} ms, has {:.2} times its share; all back after {last:?}",
        worst.1 * BUCKET.as_millis(),
        worst.0
    );
    (histogram, last)
}

/// In the window of the first retry, 0 to 500 ms, each of the five buckets has a fifth as its share: 200.
#[tokio::test(start_paused = true)]
async fn a_thousand_engines_come_back_spread_over_the_window_of_the_first_retry() {
    let (histogram, last) = herd(Outage::Blip).await;
    assert_eq!(histogram.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(histogram.values().all(|count| *count <= 600.0 && *count >= 100.0), "{histogram:?}");
    assert!(last <= Duration::from_millis(500) + GRAIN, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_engines_come_back_spread_after_an_outage_of_five_seconds() {
    let (_, last) = herd(Outage::Down(Duration::from_secs(5))).await;
    // By then no engine is beyond its sixth retry in a row: 16 s at most, from a dial before the 5 s.
    assert!(last <= Duration::from_secs(5 + 30), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_engines_come_back_spread_after_an_outage_of_a_minute() {
    let (histogram, last) = herd(Outage::Down(Duration::from_secs(60))).await;
    // The cap: 30 s after the last dial that was refused.
    assert!(last <= Duration::from_secs(60 + 30), "{last:?}");
    // 1,000 engines at the cap: 66 dials a second on average, and no moment with many more.
    let back = histogram.iter().filter(|(bucket, _)| **bucket >= 600).map(|(_, count)| *count);
    assert!(back.fold(0.0, f64::max) <= 30.0, "{histogram:?}");
}

/// 10 s at least, and the window of the first retry comes on top of it: none sooner, and spread as without.
#[tokio::test(start_paused = true)]
async fn a_thousand_engines_closed_with_1013_come_back_spread_after_ten_seconds() {
    let (histogram, last) = herd(Outage::TryAgainLater).await;
    assert_eq!(histogram.keys().copied().collect::<Vec<_>>(), [100, 101, 102, 103, 104]);
    assert!(histogram.values().all(|count| *count <= 600.0 && *count >= 100.0), "{histogram:?}");
    assert!(last <= Duration::from_millis(10_500) + GRAIN, "{last:?}");
}

/// The first dials, within half a second, are all told to come back in 10 s; the second come 10 s after their own first
/// at the soonest, and spread over the window of the second retry besides.
#[tokio::test(start_paused = true)]
async fn a_thousand_engines_told_retry_after_ten_come_back_spread_after_ten_seconds() {
    let (histogram, last) = herd(Outage::RetryAfter(Duration::from_secs(1))).await;
    assert!(histogram.keys().all(|bucket| *bucket < 5 || *bucket >= 100), "{histogram:?}");
    assert!(last <= Duration::from_millis(500 + 10_000 + 1_000) + 2 * GRAIN, "{last:?}");
}
