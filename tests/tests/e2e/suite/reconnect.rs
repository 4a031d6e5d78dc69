//! Connections that `rooms-server` drops or closes, and servers that come back.

use std::time::Duration;

use e2e::{Event, Reporter, within};
use wscengine::{
    AttemptError, CloseCause, ExponentialBackoff, Initiator, OutcomeKind, ReadErrorKind, Status,
};
use wscengine_rooms_server::{Config, Server};

use super::{builder, open};
use crate::rooms;

#[tokio::test]
async fn a_dropped_connection_is_replaced_and_on_open_says_that_it_restarts() {
    let server = rooms(Config::default().drop_first_after(3)).await;
    let (engine, mut events) = open(&server.echo_url()).await;
    let first = engine.session().unwrap().id();
    for n in 0..3 {
        engine.send(format!("{n}")).await.unwrap();
        assert_eq!(events.message().await.text(), Some(format!("{n}").as_str()));
    }
    assert_eq!(events.read_error().await, ReadErrorKind::UnexpectedEof);
    let closed = events.closed().await;
    assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
    assert!(closed.frame.is_none());
    assert!(events.opened().await, "restarting");
    let mut status = engine.status();
    within(status.wait_for(|status| matches!(status, Status::Open { .. }))).await.unwrap();
    assert_ne!(engine.session().unwrap().id(), first);
    for n in 0..10 {
        engine.send(format!("again {n}")).await.unwrap();
        assert_eq!(events.message().await.text(), Some(format!("again {n}").as_str()));
    }
    assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
    assert_eq!(events.closed().await.initiator, Initiator::Local);
}

#[tokio::test]
async fn a_connection_that_is_dropped_each_time_is_replaced_each_time() {
    let server = rooms(Config::default().drop_each_after(0)).await;
    let (reporter, mut events) = Reporter::new();
    let engine =
        within(builder(&server.echo_url(), reporter).retry_first(true).build().unwrap().start())
            .await
            .unwrap();
    let mut closed = 0;
    while closed < 20 {
        match events.next().await {
            Event::Close(_) => closed += 1,
            Event::Open { .. } | Event::ReadError(_) | Event::RestartError(_) => {}
            other => panic!("{other:?}"),
        }
    }
    within(engine.stop()).await;
    let stats = engine.stats();
    assert!(stats.sessions >= 20 && stats.panics == 0, "{stats:?}");
}

#[tokio::test]
async fn a_server_that_shuts_down_closes_with_1001_and_is_found_again_on_its_port() {
    let server = rooms(Config::default()).await;
    let address = server.local_addr();
    let (reporter, mut events) = Reporter::new();
    let quick =
        ExponentialBackoff::new().base(Duration::from_millis(20)).cap(Duration::from_millis(50));
    let engine =
        within(builder(&server.echo_url(), reporter).backoff(quick).build().unwrap().start())
            .await
            .unwrap();
    assert!(!events.opened().await);
    let mut server = Some(server);
    for _ in 0..2 {
        within(server.take().unwrap().shutdown()).await;
        let closed = events.closed().await;
        assert_eq!(closed.frame.unwrap().code().0, 1001);
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Peer, true));
        // Nobody is at home for at least one attempt.
        assert!(matches!(events.restart_error().await, AttemptError::Connect(_)));
        server = Some(Server::bind(address, Config::default()).await.unwrap().spawn());
        loop {
            match events.next().await {
                Event::RestartError(_) => {}
                Event::Open { restarting, .. } => break assert!(restarting),
                other => panic!("{other:?}"),
            }
        }
        let mut status = engine.status();
        within(status.wait_for(|status| matches!(status, Status::Open { .. }))).await.unwrap();
        engine.send("you again").await.unwrap();
        assert_eq!(events.message().await.text(), Some("you again"));
    }
    within(engine.stop()).await;
}

#[tokio::test]
async fn auto_reconnect_off_ends_the_engine_when_the_server_goes() {
    let server = rooms(Config::default()).await;
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(&server.echo_url(), reporter).auto_reconnect(false).build().unwrap();
    let engine = within(prepared.start()).await.unwrap();
    assert!(!events.opened().await);
    within(server.shutdown()).await;
    assert_eq!(within(engine.stopped()).await.kind(), OutcomeKind::PeerClosed);
    let closed = events.closed().await;
    assert!(
        matches!(closed.cause, CloseCause::PeerClosed(Some(_))) && !closed.restarting,
        "{closed:?}"
    );
}
