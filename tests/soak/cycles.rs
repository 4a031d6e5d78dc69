//! Connections that end as soon as they are open, or before.

use std::time::{Duration, Instant};

use e2e::{RawServer, within};

use crate::client::Client;
use crate::gauge::Gauge;
use crate::peer::{self, End};

/// Whether after so many connections nothing has grown, and each session was opened and closed once.
pub(crate) async fn run(cycles: u64, mut gauge: Gauge) -> bool {
    let server = RawServer::bind().await;
    let client = Client::new();
    let port = server.port();
    let serving = tokio::spawn(async move {
        let mut cycle = 0;
        loop {
            let end = End::ALL[cycle % End::ALL.len()];
            cycle += 1;
            // A client that went before it was served has had its cycle.
            if let Ok(Some(mut connection)) = peer::accept(&server, end).await {
                if cycle % 2 == 0 {
                    // It comes from `on_open`: the connection then ends as a session, most of the time.
                    connection.frame().await;
                }
                peer::end(connection, end).await;
            }
        }
    });
    let engine = within(client.start(port)).await;
    let (mut done, mut moved) = (0, Instant::now());
    while done < cycles {
        client.seen.change().await;
        let before = std::mem::replace(&mut done, engine.stats().attempts);
        if done > before {
            moved = Instant::now();
        }
        assert!(moved.elapsed() < STUCK, "nothing was dialled for {STUCK:?}");
        gauge.pass(done, cycles);
    }
    let outcome = within(engine.stop()).await;
    println!("{done} attempts; the engine ended: {:?}", outcome.kind());
    serving.abort();
    client.seen.is_orderly() & gauge.is_flat()
}

const STUCK: Duration = Duration::from_secs(30);
