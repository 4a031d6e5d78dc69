//! What users of other clients reported, over real sockets. The number in a name is that of the report's row in the
//! survey that this engine began with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::proxy::End;
use e2e::{Event, Proxy, RawServer, Reporter, frame, within};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use wscengine::{
    AttemptError, CloseCause, ConnectErrorKind, Engine, Handler, Initiator, Message, ReadErrorKind,
    Session, Status,
};
use wscengine_rooms_server::{Config, RunningServer};

use super::{builder, open};
use crate::rooms;

const BEAT: Duration = Duration::from_millis(300);

async fn behind_a_proxy() -> (RunningServer, Proxy, String) {
    let server = rooms(Config::default()).await;
    let proxy = Proxy::start(server.local_addr()).await;
    let url = url(proxy.addr());
    (server, proxy, url)
}

fn url(addr: SocketAddr) -> String {
    format!("ws://{addr}/echo")
}

async fn is_open(engine: &Engine) {
    let mut status = engine.status();
    within(status.wait_for(|status| matches!(status, Status::Open { .. }))).await.unwrap();
}

/// nats.rs #1593: whatever was published put the ping off, and a partition was noticed after ten minutes.
#[tokio::test]
async fn survey_02_frequent_publishing_does_not_hide_a_peer_that_is_silent() {
    let server = RawServer::bind().await;
    let (reporter, mut events) = Reporter::new();
    let prepared =
        builder(&server.url(), reporter).ping_interval(Some(BEAT)).ping_timeout(BEAT).build();
    let (engine, mut peer) =
        within(async { tokio::join!(prepared.unwrap().start(), server.accept()) }).await;
    let engine = engine.unwrap();
    assert!(!events.opened().await);
    let session = engine.session().unwrap();
    let publishing = tokio::spawn(async move {
        let mut published = 0;
        // Many times for each heartbeat.
        while session.send_flushed("tick").await.is_ok() {
            published += 1;
            sleep(BEAT / 30).await;
        }
        published
    });
    // It takes everything and answers nothing, not even pings.
    let reads = async { while peer.frame().await.is_some() {} };
    let (closed, ()) = within(async { tokio::join!(events.closed(), reads) }).await;
    assert!(matches!(closed.cause, CloseCause::HeartbeatLost), "{closed:?}");
    assert!(within(publishing).await.unwrap() > 10);
    engine.control().exit();
    within(engine.stopped()).await;
}

/// ezsockets #104: a lost heartbeat was answered with a close frame, reported as a normal close, and left the client on
/// a socket that is half open.
#[tokio::test]
async fn survey_04_a_half_open_connection_is_dropped_without_a_word_and_replaced() {
    let (_server, proxy, url) = behind_a_proxy().await;
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(&url, reporter)
        .ping_interval(Some(BEAT))
        .ping_timeout(BEAT)
        .connect_timeout(BEAT)
        .retry_first(true)
        .build()
        .unwrap();
    let engine = within(prepared.start()).await.unwrap();
    while !matches!(events.next().await, Event::Open { .. }) {}
    let link = proxy.link(proxy.accepted() - 1).await;
    proxy.to_server().stall();
    proxy.to_client().stall();
    let closed = events.closed().await;
    assert!(matches!(closed.cause, CloseCause::HeartbeatLost), "{closed:?}");
    assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
    assert!(closed.frame.is_none());
    // Nobody answers dials either.
    let error = events.restart_error().await;
    assert!(matches!(error, AttemptError::Connect(_)), "{error:?}");
    proxy.heal().await;
    // The socket was dropped long ago: now the other side hears of it.
    link.ended().await;
    assert!(link.to_server().closes.is_empty());
    let restarting = loop {
        match events.next().await {
            Event::Open { restarting, .. } => break restarting,
            other => assert!(matches!(other, Event::RestartError(_)), "{other:?}"),
        }
    };
    assert!(restarting);
    is_open(&engine).await;
    engine.send("alive").await.unwrap();
    assert_eq!(events.message().await.text(), Some("alive"));
    within(engine.stop()).await;
}

/// Sends each message back where it came from, and waits for room to do so.
struct Juggler {
    handled: AtomicUsize,
    done: Notify,
}

const BALLS: usize = 200;
const CATCHES: usize = 10_000;

impl Handler for Juggler {
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let handled = self.handled.fetch_add(1, Ordering::Relaxed) + 1;
        if handled == CATCHES {
            self.done.notify_one();
        }
        // At the end the session goes away under it.
        let _ = session.send(message.into_owned()).await;
    }
}

/// rumqtt #263, #1025: who published where messages are handled waited for a queue that only he himself could empty.
#[tokio::test]
async fn survey_08_sending_inside_on_message_does_not_freeze_once_the_queue_is_full() {
    let server = rooms(Config::default()).await;
    for workers in [1, 4] {
        let handler = Arc::new(Juggler { handled: AtomicUsize::new(0), done: Notify::new() });
        let prepared = builder(&server.echo_url(), Arc::clone(&handler))
            .workers(workers)
            .send_queue(1, 1024)
            .read_ahead(BALLS, 1 << 20)
            .build();
        let engine = within(prepared.unwrap().start()).await.unwrap();
        for _ in 0..BALLS {
            within(engine.send(vec![7; 1024])).await.unwrap();
        }
        within(handler.done.notified()).await;
        within(engine.stop()).await;
        let stats = engine.stats();
        assert_eq!((stats.sessions, stats.panics), (1, 0));
    }
}

/// Websocket.Client #156, partykit #252: a connect that hung was never given up, kept the lock of the next one, and a
/// disconnect was told twice, with the wrong cause.
#[tokio::test]
async fn survey_16_hanging_dials_are_given_up_and_each_session_ends_once_with_its_own_cause() {
    let (_server, proxy, url) = behind_a_proxy().await;
    proxy.say_nothing().await;
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(&url, reporter).connect_timeout(BEAT).retry_first(true).build().unwrap();
    let starting = tokio::spawn(prepared.start());
    for _ in 0..3 {
        let AttemptError::Connect(error) = events.restart_error().await else { panic!() };
        assert!(matches!(error.kind(), ConnectErrorKind::Timeout(_)), "{error:?}");
    }
    proxy.heal().await;
    let engine = within(starting).await.unwrap().unwrap();
    let mut told = Vec::new();
    for round in 0..4 {
        is_open(&engine).await;
        match round {
            0 => proxy.reset(),
            1 => proxy.finish(),
            2 => engine.control().restart(),
            _ => engine.control().exit(),
        }
        // Up to the next session, or the end.
        while told.len() < 2 * (round + 1) {
            match events.next().await {
                Event::Open { .. } => told.push("open"),
                Event::Close(closed) => told.push(short(&closed.cause)),
                Event::ReadError(_) | Event::RestartError(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    within(engine.stopped()).await;
    assert_eq!(told, ["open", "reset", "open", "finished", "open", "restarted", "open", "stopped"],);
    assert!(events.already().is_none(), "something is told after the end");
    assert_eq!(engine.stats().sessions, 4);
}

fn short(cause: &CloseCause) -> &'static str {
    match cause {
        CloseCause::ReadFailed(error) if error.kind() == ReadErrorKind::Io => "reset",
        CloseCause::ReadFailed(error) if error.kind() == ReadErrorKind::UnexpectedEof => "finished",
        CloseCause::Restarted => "restarted",
        CloseCause::Stopped => "stopped",
        other => panic!("{other:?}"),
    }
}

/// coder/websocket #242, #294: who gave up one read had closed the connection.
#[tokio::test]
async fn survey_17_a_read_given_up_in_the_middle_of_a_message_costs_nothing() {
    let (_server, proxy, url) = behind_a_proxy().await;
    let (engine, mut events) = open(&url).await;
    let mut conn = within(engine.pause()).await.unwrap();
    proxy.to_client().drip();
    let mut given_up = 0;
    for n in 0..20 {
        let text = format!("message {n}");
        conn.send(text.clone()).await.unwrap();
        // Each byte takes a millisecond.
        let received = loop {
            match timeout(Duration::from_millis(2), conn.recv()).await {
                Ok(received) => break received.unwrap(),
                Err(_) => given_up += 1,
            }
        };
        assert_eq!(received.text(), Some(text.as_str()));
    }
    assert!(given_up >= 20, "{given_up} reads were given up");
    drop(conn);
    engine.send("the same connection").await.unwrap();
    assert_eq!(events.message().await.text(), Some("the same connection"));
    assert_eq!((engine.stats().sessions, proxy.accepted()), (1, 1));
    proxy.heal().await;
    within(engine.stop()).await;
    assert_eq!(proxy.link(0).await.ended().await, End::Finished);
}

/// Handles nothing until it may.
struct Busy(Notify);

impl Handler for Busy {
    async fn on_message(&self, _: &Session, _: Message<'_>) {
        self.0.notified().await;
    }
}

/// tungstenite PR #393, buzz PR #4885: pongs of a client that only reads stayed in its buffer, and its server hung up.
#[tokio::test]
async fn survey_pongs_reach_the_wire_though_the_client_never_sends_anything() {
    let server = RawServer::bind().await;
    let handler = Arc::new(Busy(Notify::new()));
    // Nor does it ping: nothing but the pong can flush the pong.
    let prepared = builder(&server.url(), Arc::clone(&handler)).ping_interval(None).build();
    let (engine, mut peer) =
        within(async { tokio::join!(prepared.unwrap().start(), server.accept()) }).await;
    let engine = engine.unwrap();
    let pong = |payload: &str| e2e::Frame { head: 0x8A, payload: payload.into() };

    for payload in ["idle", "", "idle still"] {
        peer.write(&frame(0x89, payload.as_bytes())).await;
        assert_eq!(peer.frame().await, Some(pong(payload)));
    }
    // Together with a message, whose callback then goes on.
    peer.write(&[frame(0x81, b"work"), frame(0x89, b"behind a message")].concat()).await;
    assert_eq!(peer.frame().await, Some(pong("behind a message")));
    peer.write(&frame(0x89, b"busy")).await;
    assert_eq!(peer.frame().await, Some(pong("busy")));
    handler.0.notify_one();

    let conn = within(engine.pause()).await.unwrap();
    peer.write(&[frame(0x89, b"paused"), frame(0x01, b"half a mess")].concat()).await;
    assert_eq!(peer.frame().await, Some(pong("paused")));
    peer.write(&[frame(0x89, b"in between"), frame(0x80, b"age")].concat()).await;
    assert_eq!(peer.frame().await, Some(pong("in between")));
    drop(conn);
    assert_eq!(engine.stats().messages_sent, 0);
    handler.0.notify_one();
    drop(peer);
    within(engine.stop()).await;
}
