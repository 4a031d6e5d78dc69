//! `wss` end to end: `rooms-server` behind TLS, with a certificate made for the test.

use e2e::{Adapter, Authority, Reporter, within};
use wscengine::{AttemptError, ConnectErrorKind, Engine, StartError};
use wscengine_dial::Dialer;
use wscengine_rooms_server::Config;

use super::Chosen;
use crate::rooms;

fn trusting(authority: &Authority) -> <Chosen as Adapter>::Transport {
    Chosen::transport(Dialer::default().tls(authority.trusted()))
}

#[tokio::test]
async fn messages_come_back_over_wss_and_after_a_reconnect_too() {
    let authority = Authority::new();
    let server = rooms(Config::default().drop_first_after(2)).await;
    let port = authority.terminate(server.local_addr()).await.port();
    let (reporter, mut events) = Reporter::new();
    let url = format!("wss://localhost:{port}/echo");
    let prepared = Engine::builder(trusting(&authority), reporter)
        .url(url)
        .backoff(wscengine::NoBackoff)
        .build()
        .unwrap();
    let engine = within(prepared.start()).await.unwrap();
    assert!(!events.opened().await);
    engine.send("secret").await.unwrap();
    assert_eq!(events.message().await.text(), Some("secret"));
    let large: Vec<u8> = (0..3_000_000).map(|at| (at % 255) as u8).collect();
    engine.send(large.clone()).await.unwrap();
    assert!(events.message().await.payload() == large);
    events.read_error().await;
    events.closed().await;
    assert!(events.opened().await);
    let mut status = engine.status();
    within(status.wait_for(|status| matches!(status, wscengine::Status::Open { .. })))
        .await
        .unwrap();
    engine.send("again").await.unwrap();
    assert_eq!(events.message().await.text(), Some("again"));
    assert!(!within(engine.stop()).await.is_forced());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_name_fails_the_start() {
    let trusted = Authority::new();
    let server = rooms(Config::default()).await;
    let port = trusted.terminate(server.local_addr()).await.port();
    for (client, host) in
        [(trusting(&Authority::new()), "localhost"), (trusting(&trusted), "127.0.0.1")]
    {
        let url = format!("wss://{host}:{port}/echo");
        let prepared = Engine::builder(client, Reporter::new().0).url(url).build().unwrap();
        let error = within(prepared.start()).await.unwrap_err();
        let StartError::Attempt(AttemptError::Connect(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), ConnectErrorKind::Certificate, "{host}");
    }
}
