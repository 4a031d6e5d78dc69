//! The server: a host of the simulation that does what the scenario says, well or badly.

mod greeting;
mod serving;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use turmoil::net::{TcpListener, TcpStream};

use crate::event::What;
use crate::record::Record;
use crate::scenario::{Scenario, pick};

pub(crate) const PORT: u16 = 80;

/// What all connections share; it outlives the server's crashes.
pub(crate) struct Shared {
    pub(crate) scenario: Scenario,
    pub(crate) record: Record,
    accepted: AtomicU64,
}

impl Shared {
    pub(crate) fn new(scenario: Scenario, record: Record) -> Self {
        Self { scenario, record, accepted: AtomicU64::new(0) }
    }
}

/// Accepts connections until it is crashed.
///
/// All are served by this one task: tasks that a crash drops together go in an order that no seed decides.
pub(crate) async fn run(shared: Arc<Shared>) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = connections.next() => {}
            accepted = listener.accept() => {
                let (stream, from) = accepted?;
                connections.push(serve(shared.clone(), stream, from.port()));
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, port: u16) {
    shared.record.note(What::Accepted { port });
    let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
    let mut rng = shared.scenario.rng(1_000 + number);
    let greeting = pick(&mut rng, &shared.scenario.greetings);
    let serving = pick(&mut rng, &shared.scenario.servings);
    let record = shared.record.clone();
    if let Some(open) = greeting::greet(stream, port, &greeting, &record).await {
        serving::serve(open, port, serving, rng, record).await;
    }
}
