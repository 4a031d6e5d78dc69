//! Collectors that do not do their part.

use std::future::pending;
use std::time::{Duration, Instant};

use examples::echo::{Settings, run};
use examples::narration::Narrator;
use examples::telemetry::Telemetry;
use opentelemetry_otlp::Protocol;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;

use crate::collector::{LIMIT, settings};

/// Runs the example, and says how its export ended.
async fn run_and_close(endpoint: &str, protocol: Protocol) -> Result<(), String> {
    let telemetry = Telemetry::new(&settings(endpoint, protocol), &Handle::current()).unwrap();
    let example = Settings { interval: Duration::from_millis(10), ..Settings::default() };
    let example =
        run(&example, Narrator::new(|_, _| {}), pending()).with_subscriber(telemetry.subscriber());
    timeout(LIMIT, example)
        .await
        .expect("the collector is not waited for")
        .expect("and does no harm");
    let began = Instant::now();
    let limit = Duration::from_secs(1);
    let closed = tokio::task::spawn_blocking(move || telemetry.close(limit)).await.unwrap();
    // Some room for a busy machine: without the limit it would be 10 s for each batch.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    closed.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_collector_is_an_error_and_no_hang() {
    // Bound and dropped: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for protocol in [Protocol::Grpc, Protocol::HttpBinary] {
        run_and_close(&format!("http://{address}"), protocol).await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_is_an_error_and_no_hang() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for protocol in [Protocol::Grpc, Protocol::HttpBinary] {
        run_and_close(&format!("http://{address}"), protocol).await.unwrap_err();
    }
}
