//! The server: a host of the simulation that does what the scenario says, well or badly.

mod greeting;
mod serving;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use turmoil::net::TcpListener;

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
pub(crate) async fn run(shared: Arc<Shared>) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, from) = listener.accept().await?;
        let port = from.port();
        shared.record.note(What::Accepted { port });
        let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
        let mut rng = shared.scenario.rng(1_000 + number);
        let greeting = pick(&mut rng, &shared.scenario.greetings);
        let serving = pick(&mut rng, &shared.scenario.servings);
        let record = shared.record.clone();
        tokio::spawn(async move {
            if let Some(open) = greeting::greet(stream, port, &greeting, &record).await {
                serving::serve(open, port, serving, rng, record).await;
            }
        });
    }
}
