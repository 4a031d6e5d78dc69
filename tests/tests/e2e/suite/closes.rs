//! Close frames on the wire, both ways.

use std::time::Duration;

use e2e::{RawServer, Reporter, within};
use wscengine::{CloseCause, Initiator};

use super::builder;

#[tokio::test]
async fn a03_the_close_of_the_peer_is_answered() {
    let server = RawServer::bind().await;
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(&server.url(), reporter).build().unwrap();
    let (engine, mut connection) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    events.opened().await;
    connection.close(4001, "kicked").await;
    let answer = connection.frame().await.expect("the close frame was not answered");
    assert_eq!(answer.close_code(), Some(4001));
    drop(connection);
    let _second = server.accept().await;
    assert_eq!(events.closed().await.initiator, Initiator::Peer);
    drop(engine.unwrap());
}

#[tokio::test]
async fn a08_a09_codes_and_reasons_reach_on_close_as_the_peer_sent_them() {
    let server = RawServer::bind().await;
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(&server.url(), reporter).build().unwrap();
    let (engine, mut connection) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    let engine = engine.unwrap();
    let longest = "r".repeat(123);
    for (code, reason) in [
        (1000, ""),
        (1001, "moving house"),
        (1002, "you broke it"),
        (1003, "x"),
        (1007, "x"),
        (1008, "policy"),
        (1009, "x"),
        (1010, "x"),
        (1011, "grüße, 世界"),
        (1012, "restart"),
        (1013, "later"),
        (1014, "gateway"),
        (3000, "registered"),
        (4000, longest.as_str()),
        (4999, "\0 \n"),
    ] {
        events.opened().await;
        connection.close(code, reason).await;
        let closed = events.closed().await;
        let frame = closed.frame.unwrap();
        assert_eq!((frame.code().0, frame.reason()), (code, reason));
        assert_eq!(closed.initiator, Initiator::Peer);
        drop(connection);
        connection = server.accept().await;
    }
    events.opened().await;
    connection.write(&e2e::frame(0x88, b"")).await;
    assert!(matches!(events.closed().await.cause, CloseCause::PeerClosed(None)));
    drop(connection);
    engine.control().exit();
    within(engine.stopped()).await;
}

#[tokio::test]
async fn e04_a_lost_heartbeat_writes_no_close_frame() {
    let server = RawServer::bind().await;
    let (reporter, mut events) = Reporter::new();
    let short = Duration::from_millis(100);
    let prepared = builder(&server.url(), reporter)
        .ping_interval(Some(short))
        .ping_timeout(short)
        .build()
        .unwrap();
    let (engine, mut silent) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    events.opened().await;
    assert_eq!(silent.frame_but_pings().await, None, "nothing is said to a peer that is dead");
    let closed = events.closed().await;
    assert!(matches!(closed.cause, CloseCause::HeartbeatLost), "{closed:?}");
    let _second = server.accept().await;
    drop(engine.unwrap());
}
