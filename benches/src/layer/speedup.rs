//! Whether callbacks that compute run in parallel: one worker against four, on a runtime with two threads.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Result;
use tokio::runtime;
use tokio::sync::Notify;
use wscengine::{Engine, Handler, Message, Session};

use super::connection::{Form, ReadyTransport};
use crate::contestant::{Kind, Work};
use crate::job::{Job, Threads};

/// Messages of a run.
const COUNT: u64 = 20_000;
/// Rounds over the payload that a callback makes: some 20 microseconds.
const ROUNDS: u64 = 150;
const RUNS: usize = 5;

struct Computing {
    left: AtomicU64,
    done: Arc<Notify>,
}

impl Handler for Computing {
    async fn on_message(&self, _: &Session, message: Message<'_>) {
        let mut hash = 0_u64;
        for round in 0..ROUNDS {
            for byte in message.payload() {
                hash = (hash ^ u64::from(*byte) ^ round).wrapping_mul(0x0100_0000_01b3);
            }
        }
        black_box(hash);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }
}

/// Prints the times of both and what the one is of the other.
pub(crate) fn speedup() -> Result<()> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for (times, workers) in times.iter_mut().zip([1, 4]) {
            times.push(run(workers)?);
        }
    }
    let [one, four] = times.map(|mut times| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("| {COUNT} callbacks that compute, 2 threads | s, median of {RUNS} |");
    println!("|---|--:|");
    println!("| 1 worker | {one:.3} |");
    println!("| 4 workers | {four:.3} |");
    println!("| speed-up | {:.2} |", one / four);
    Ok(())
}

/// The seconds that so many workers take.
fn run(workers: usize) -> Result<f64> {
    let job = Job {
        contestant: String::new(),
        threads: Threads::Mt2,
        port: 0,
        work: Work::Flood,
        kind: Kind::Binary,
        size: 128,
        count: COUNT,
        window: 1,
        connections: 1,
        cuts: 0,
        limit_s: 0,
    };
    let done = Arc::new(Notify::new());
    let handler = Computing { left: AtomicU64::new(COUNT), done: done.clone() };
    let transport = ReadyTransport::new(Form::Lent, super::BATCH, &job);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let engine = Engine::builder(transport, handler)
            .url("ws://localhost/")
            .workers(workers)
            .build()?
            .start()
            .await?;
        let begun = Instant::now();
        engine.send("go").await?;
        done.notified().await;
        let took = begun.elapsed().as_secs_f64();
        engine.stop().await;
        Ok(took)
    })
}
