//! One measurement: a client process of its own.

use std::io::{self, Write};
use std::process;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::runtime::{self, Runtime};

use crate::contestant::{Kind, Work};
use crate::contestants;
use crate::context::Context;
use crate::layer;

/// What to measure. The suite hands it over as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) contestant: String,
    pub(crate) threads: Threads,
    /// The server's.
    pub(crate) port: u16,
    pub(crate) work: Work,
    pub(crate) kind: Kind,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// Messages in all.
    pub(crate) count: u64,
    /// Messages in flight at once.
    pub(crate) window: usize,
    pub(crate) connections: usize,
    /// How often the server cuts all connections.
    pub(crate) cuts: usize,
    /// Only turns a hang into a failure.
    pub(crate) limit_s: u64,
}

/// The runtime of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Threads {
    /// tokio's current-thread runtime.
    Ct,
    /// tokio's multi-thread runtime with two threads, both on the client's one processor.
    Mt2,
}

impl Threads {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ct => "ct",
            Self::Mt2 => "mt2",
        }
    }

    fn runtime(self) -> io::Result<Runtime> {
        match self {
            Self::Ct => runtime::Builder::new_current_thread().enable_all().build(),
            Self::Mt2 => {
                runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
            }
        }
    }
}

/// Runs the job, prints what was measured as JSON, and ends the process.
pub(crate) fn run(job: &Job) -> Result<()> {
    give_up_after(Duration::from_secs(job.limit_s));
    let contestant = contestants::all()
        .into_iter()
        .chain(layer::contestants())
        .find(|contestant| contestant.name() == job.contestant)
        .context("no such contestant")?;
    let cx = Context::new(job);
    let future = match job.work {
        Work::Flood | Work::JsonIn => contestant.flood(cx.clone()),
        Work::Blast | Work::JsonOut => contestant.blast(cx.clone()),
        Work::Echo => contestant.echo(cx.clone()),
        Work::Call => contestant.call(cx.clone()),
        Work::Idle | Work::IdleDeflate => contestant.idle(cx.clone()),
        Work::Reopen => contestant.reopen(cx.clone()),
    };
    job.threads.runtime()?.block_on(async {
        tokio::spawn(future).await??;
        cx.fetch_wire_bytes().await
    })?;
    println!("{}", serde_json::to_string(&cx.meter.result())?);
    io::stdout().flush()?;
    // No teardown: there are thousands of connections, and tasks that nobody waits for.
    process::exit(0)
}

fn give_up_after(limit: Duration) {
    thread::spawn(move || {
        thread::sleep(limit);
        eprintln!("time limit");
        process::exit(3);
    });
}
