//! The client's side: opens, waits, asks all, stops all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::{Adapter, builder};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::time::{sleep, timeout};
use wscengine::{Engine, Handler, Message, OutcomeKind, Session};

use crate::process::{cpu, descriptors, resident};

/// Counts the answers of all.
#[derive(Clone, Default)]
struct Counter {
    answers: Arc<AtomicUsize>,
}

impl Handler for Counter {
    async fn on_message(&self, _: &Session, _: Message<'_>) {
        self.answers.fetch_add(1, Ordering::SeqCst);
    }
}

/// So many dials at once: enough to be quick, not so many that some would wait for too long.
const AT_ONCE: usize = 64;

/// Far above what anything takes: it only turns a hang into a failure.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether all connections lived, and none took more than so many KiB.
pub(crate) async fn run<A: Adapter>(most: u64) -> bool {
    let count = from_environment("IDLE_CONNECTIONS", 10_000);
    let seconds = from_environment("IDLE_SECONDS", 45);
    let url = format!("ws://127.0.0.1:{}/", from_environment(crate::PORT, 0));
    let counter = Counter::default();
    // What the first one brings for all is not counted.
    let first = open::<A>(&url, &counter).await;
    let (memory, files, began) = (resident(), descriptors(), Instant::now());
    let engines: Vec<_> = stream::iter(0..count)
        .map(|_| open::<A>(&url, &counter))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let each = (resident() - memory) / count as f64;
    println!(
        "  {count} connections opened in {:.1} s, {} descriptors; {each:.1} KiB resident each",
        began.elapsed().as_secs_f64(),
        descriptors() - files,
    );
    let used = cpu();
    sleep(Duration::from_secs(seconds)).await;
    let used = (cpu() - used).as_secs_f64();
    println!(
        "  idle for {seconds} s, a heartbeat every 20 s: {used:.2} s of CPU, {:.1} us a connection and second; {:.1} KiB resident each",
        used * 1e6 / (count * seconds) as f64,
        (resident() - memory) / count as f64,
    );
    let idle_each = (resident() - memory) / count as f64;
    let all_live = ask_all(&engines, &counter).await;
    let all_stopped = stop_all(engines).await;
    first.stop().await;
    println!("  {} descriptors left", descriptors().saturating_sub(files));
    let fits = idle_each <= most as f64;
    if !fits {
        println!("  TOO MUCH: {idle_each:.1} KiB, where {most} are to be enough");
    }
    all_live && all_stopped && fits
}

async fn open<A: Adapter>(url: &str, counter: &Counter) -> Engine {
    let prepared = builder::<A, _>(url, counter.clone()).retry_first(true).build().unwrap();
    timeout(LIMIT, prepared.start()).await.expect("it opens").unwrap()
}

/// Each sends one message and gets it back, on the session that it began with.
async fn ask_all(engines: &[Engine], counter: &Counter) -> bool {
    let began = Instant::now();
    for engine in engines {
        if let Err(error) = engine.send("still there?").await {
            println!("  NOT SENT: {error}");
            return false;
        }
    }
    let all_answered = async {
        while counter.answers.load(Ordering::SeqCst) < engines.len() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = timeout(LIMIT, all_answered).await.is_ok();
    let lost = engines.iter().filter(|engine| engine.stats().sessions != 1).count();
    println!(
        "  {} answers in {:.2} s; {lost} connections were lost",
        counter.answers.load(Ordering::SeqCst),
        began.elapsed().as_secs_f64()
    );
    in_time && lost == 0
}

async fn stop_all(engines: Vec<Engine>) -> bool {
    let began = Instant::now();
    let stopping = join_all(engines.iter().map(Engine::stop));
    let outcomes = timeout(LIMIT, stopping).await.expect("they stop");
    let well = outcomes
        .iter()
        .filter(|outcome| outcome.kind() == OutcomeKind::Requested && !outcome.is_forced());
    let well = well.count();
    println!(
        "  {well} stopped with their closing handshake in {:.2} s",
        began.elapsed().as_secs_f64()
    );
    well == engines.len()
}

fn from_environment<N: std::str::FromStr>(variable: &str, default: N) -> N {
    match std::env::var(variable) {
        Ok(value) => value.parse().ok().expect("a number"),
        Err(_) => default,
    }
}
