//! The defects of gowse's adapters that show on a socket: each test fails on an adapter that has it.

use std::time::Duration;

use e2e::{Adapter, Event, Events, Frame, RawConnection, RawServer, Reporter, frame, within};
use tokio::time::timeout;
use wscengine::{
    Engine, EngineBuilder, Initiator, Message, PingError, ReadErrorKind, SendErrorKind,
};

use super::{Chosen, builder};

type Builder = EngineBuilder<<Chosen as Adapter>::Transport, Reporter>;

/// An engine and its first connection.
async fn open(
    server: &RawServer,
    set: impl FnOnce(Builder) -> Builder,
) -> (Engine, RawConnection, Events) {
    let (reporter, mut events) = Reporter::new();
    let prepared = set(builder(&server.url(), reporter).ping_interval(None)).build().unwrap();
    let (engine, connection) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    assert!(!events.opened().await);
    (engine.unwrap(), connection, events)
}

#[tokio::test]
async fn a01_a_reset_is_one_read_error_then_on_close_then_a_reconnect() {
    let server = RawServer::bind().await;
    let (engine, mut connection, mut events) = open(&server, |builder| builder).await;
    for _ in 0..20 {
        connection.reset();
        assert!(matches!(
            events.read_error().await,
            ReadErrorKind::Io | ReadErrorKind::UnexpectedEof
        ));
        let closed = events.closed().await;
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
        connection = server.accept().await;
        assert!(events.opened().await);
    }
    drop(connection);
    within(engine.stop()).await;
}

#[tokio::test]
async fn a02_a_peer_that_does_not_answer_the_close_loses_its_socket() {
    let server = RawServer::bind().await;
    let (engine, mut connection, mut events) =
        open(&server, |builder| builder.close_timeout(Duration::from_millis(200))).await;
    within(engine.stop()).await;
    assert_eq!(connection.frame().await.and_then(|frame| frame.close_code()), Some(1001));
    assert_eq!(connection.frame().await, None, "the socket is still open");
    events.closed().await;
    assert!(matches!(events.next().await, Event::CloseError(_)));
}

#[tokio::test]
async fn a04_the_end_of_an_old_connection_does_not_touch_the_new_one() {
    let server = RawServer::bind().await;
    let (engine, mut old, mut events) =
        open(&server, |builder| builder.close_timeout(Duration::from_millis(200))).await;
    engine.restart();
    assert_eq!(old.frame().await.and_then(|frame| frame.close_code()), Some(1001));
    let mut new = server.accept().await;
    old.send_text("from the past").await;
    old.reset();
    events.closed().await;
    assert!(matches!(events.next().await, Event::CloseError(_)));
    assert!(events.opened().await);
    for n in 0..100 {
        new.send_text(&format!("{n}")).await;
        assert_eq!(events.message().await.text(), Some(format!("{n}").as_str()));
    }
    engine.send_flushed("and back").await.unwrap();
    assert_eq!(new.frame().await.map(|frame| frame.payload), Some(b"and back".to_vec()));
    assert_eq!(engine.stats().sessions, 2);
    drop(new);
    within(engine.stop()).await;
}

#[tokio::test]
async fn a05_a_write_that_the_peer_does_not_take_holds_up_neither_reads_nor_a_stop() {
    let server = RawServer::bind().await;
    let short = Duration::from_millis(300);
    let (engine, mut connection, mut events) =
        open(&server, |builder| builder.drain_timeout(short).close_timeout(short)).await;
    // The peer reads nothing: sooner or later all buffers are full.
    let payload = Message::from_binary(vec![7u8; 1 << 20]);
    while timeout(Duration::from_millis(300), engine.send(payload.clone())).await.is_ok() {}
    connection.send_text("are you there").await;
    assert_eq!(events.message().await.text(), Some("are you there"));
    let session = engine.session().unwrap();
    let waits = tokio::spawn(async move { session.send_flushed("behind it").await });
    assert!(!within(engine.stop()).await.is_forced());
    let error = within(waits).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), SendErrorKind::Lost | SendErrorKind::SessionEnded), "{error:?}");
    assert!(events.closed().await.unsent > 0);
}

#[tokio::test]
async fn a05_a_peer_that_takes_no_byte_ends_the_session_after_the_write_timeout() {
    let server = RawServer::bind().await;
    let (engine, connection, mut events) =
        open(&server, |builder| builder.write_timeout(Duration::from_millis(500))).await;
    let payload = Message::from_binary(vec![7u8; 1 << 20]);
    while within(engine.send(payload.clone())).await.is_ok() {}
    assert!(matches!(events.closed().await.cause, wscengine::CloseCause::WriteStalled));
    let second = server.accept().await;
    assert!(events.opened().await);
    drop((connection, second));
    within(engine.stop()).await;
}

/// The next pings, which are all different.
async fn pings(connection: &mut RawConnection, count: usize) -> Vec<Frame> {
    let mut pings: Vec<Frame> = Vec::new();
    while pings.len() < count {
        let ping = connection.frame().await.unwrap();
        assert_eq!(ping.head, 0x89);
        assert!(!pings.contains(&ping), "two pings have the same payload");
        pings.push(ping);
    }
    pings
}

#[tokio::test]
async fn a06_every_pending_ping_gets_its_pong() {
    let server = RawServer::bind().await;
    let (engine, mut connection, _events) = open(&server, |builder| builder).await;
    let answer = async {
        for ping in pings(&mut connection, 5).await {
            connection.write(&frame(0x8A, &ping.payload)).await;
        }
    };
    let all = async {
        tokio::join!(engine.ping(), engine.ping(), engine.ping(), engine.ping(), engine.ping())
    };
    let ((a, b, c, d, e), ()) = within(async { tokio::join!(all, answer) }).await;
    for pong in [a, b, c, d, e] {
        pong.unwrap();
    }
    drop(connection);
    within(engine.stop()).await;
}

#[tokio::test]
async fn a07_pongs_are_matched_by_payload_and_cancelled_pings_leave_no_trace() {
    let server = RawServer::bind().await;
    let (engine, mut connection, _events) =
        open(&server, |builder| builder.ping_timeout(Duration::from_millis(500))).await;
    // Unasked for, before and during a ping.
    connection.write(&frame(0x8A, b"early")).await;
    let wrong = async {
        pings(&mut connection, 1).await;
        connection.write(&frame(0x8A, b"wrong")).await;
    };
    let (pong, ()) = within(async { tokio::join!(engine.ping(), wrong) }).await;
    assert_eq!(pong, Err(PingError::Timeout));

    for _ in 0..20 {
        let (cancelled, _) =
            tokio::join!(timeout(Duration::ZERO, engine.ping()), tokio::task::yield_now());
        assert!(cancelled.is_err());
    }
    let in_reverse = async {
        let asked = pings(&mut connection, 22).await;
        for ping in asked.iter().rev() {
            connection.write(&frame(0x8A, &ping.payload)).await;
        }
    };
    let both = async { tokio::join!(engine.ping(), engine.ping()) };
    let ((first, second), ()) = within(async { tokio::join!(both, in_reverse) }).await;
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    drop(connection);
    within(engine.stop()).await;
}

#[tokio::test]
async fn a11_a_new_connection_inherits_nothing_and_failed_dials_need_no_clean_up() {
    let server = RawServer::bind().await;
    let (engine, mut connection, mut events) = open(&server, |builder| builder).await;
    // Half a text message, its last character cut in two, and half a frame behind it.
    connection.write(&[frame(0x01, b"half \xE2\x82"), vec![0x80, 0x7E, 0xFF]].concat()).await;
    drop(connection);
    assert_eq!(events.read_error().await, ReadErrorKind::UnexpectedEof);
    events.closed().await;
    for _ in 0..3 {
        drop(server.opening().await.answer(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await);
        events.restart_error().await;
    }
    let mut connection = server.accept().await;
    assert!(events.opened().await);
    connection.send_text("whole").await;
    assert_eq!(events.message().await.text(), Some("whole"));
    drop(connection);
    within(engine.stop()).await;
}
