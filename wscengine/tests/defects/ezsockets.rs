//! ezsockets: reconnecting, dead peers, endings.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use wscengine::testing::memory::{Fault, MemoryServer, PeerEvent};
use wscengine::transport::HandshakeResponse;
use wscengine::{
    AttemptError, CloseFrame, ConnectError, ConnectErrorKind, OutcomeKind, ReadError,
    ReadErrorKind, SendErrorKind, StartError,
};

use crate::support::{Every, Log, Probe, setup, start, within};

#[tokio::test(start_paused = true)]
async fn e01_each_reconnect_waits_and_short_sessions_count_towards_the_limit() {
    let (builder, log, mut server) = setup(Probe::new());
    let builder = builder.backoff(Every(Duration::from_secs(5))).max_attempts(Some(3));
    let (engine, peer) = start(builder, &mut server).await;
    let began = Instant::now();
    drop(peer);
    for sessions in 2..=4 {
        let peer = within(server.accept()).await;
        log.wait("open", sessions).await;
        peer.close(None);
    }
    assert_eq!(within(engine.stopped()).await.kind(), OutcomeKind::GaveUp);
    assert_eq!(server.dials(), 4);
    assert!(began.elapsed() >= Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn e02_a_half_open_connection_is_left_when_the_heartbeat_is_lost() {
    let (builder, log, mut server) = setup(Probe::new());
    let builder = builder
        .ping_interval(Some(Duration::from_millis(500)))
        .ping_timeout(Duration::from_millis(500));
    let (engine, mut peer) = start(builder, &mut server).await;
    peer.stall_reads(true);
    let cut = Instant::now();
    log.wait("close Lost restarting=true nothing came after a ping", 1).await;
    assert!(cut.elapsed() <= Duration::from_secs(1), "{:?}", cut.elapsed());
    while let Some(event) = within(peer.recv()).await {
        assert!(
            matches!(event, PeerEvent::Ping(_) | PeerEvent::Dropped),
            "sent to the dead: {event:?}"
        );
    }
    let _next = within(server.accept()).await;
    log.wait("open restarting=true", 1).await;
    assert_eq!(server.max_live(), 1);
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn e03_sends_to_a_dead_peer_fail_and_a_stop_is_honoured() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder.send_queue(1, 1 << 20), &mut server).await;
    peer.stall_reads(true);
    peer.stall_writes(true);
    // The first waits to be written, the others for room in the queue.
    let sends: Vec<_> = (0..3)
        .map(|n| {
            let session = engine.session().unwrap();
            tokio::spawn(async move { session.send_flushed(format!("{n}")).await })
        })
        .collect();
    let asked = Instant::now();
    within(engine.stop()).await;
    assert!(asked.elapsed() <= Duration::from_secs(30), "{:?}", asked.elapsed());
    for send in sends {
        let error = within(send).await.unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), SendErrorKind::Lost | SendErrorKind::SessionEnded),
            "{error:?}"
        );
    }
    assert_eq!((log.count("close Local"), server.live()), (1, 0));
}

/// What is on the wire is shown in package `e2e`, `e04_a_lost_heartbeat_writes_no_close_frame`.
#[test]
fn e04_a_close_frame_with_1006_cannot_be_made() {
    for code in [1004, 1005, 1006, 1015, 0, 999, 5000, u16::MAX] {
        assert!(CloseFrame::new(code, "").is_err(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn e05_an_exit_does_not_wait_for_the_backoff() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder.backoff(Every(Duration::from_secs(300))), &mut server).await;
    server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
    peer.reset();
    log.wait("restart error", 1).await;
    sleep(Duration::from_secs(1)).await;
    let asked = Instant::now();
    engine.control().exit();
    within(engine.stopped()).await;
    assert_eq!(server.dials(), 2);
    assert!(asked.elapsed() < Duration::from_millis(1), "{:?}", asked.elapsed());
}

/// Over real sockets in package `e2e`, `e06_a_server_that_never_answers_is_given_up`.
#[tokio::test(start_paused = true)]
async fn e06_a_dial_that_hangs_is_given_up_after_the_connect_timeout_and_tried_again() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder.connect_timeout(Duration::from_secs(8)), &mut server).await;
    peer.reset();
    let mut hangs = within(server.next_dial()).await;
    let began = Instant::now();
    within(hangs.abandoned()).await;
    assert_eq!(began.elapsed().as_secs(), 8);
    log.wait("restart error 2", 1).await;
    let _next = within(server.accept()).await;
    within(engine.stop()).await;
}

fn unauthorized() -> ConnectError {
    let mut response = HandshakeResponse::accepted();
    response.status = "401".parse().unwrap();
    ConnectError::new(ConnectErrorKind::Status).with_response(response)
}

/// Over real sockets in package `e2e`, `e10_a_401_ends_the_start_and_shows_the_answer`.
#[tokio::test(start_paused = true)]
async fn e10_a_401_fails_the_start_and_ends_a_running_engine() {
    let (builder, log, server) = setup(Probe::new());
    server.script([Fault::Refuse(unauthorized())]);
    let error = within(builder.build().unwrap().start()).await.unwrap_err();
    assert_eq!(status_of(&error), Some(401));
    sleep(Duration::from_secs(3600)).await;
    assert_eq!((server.dials(), log.lines().len()), (1, 0));

    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder, &mut server).await;
    server.script([Fault::Refuse(unauthorized())]);
    peer.reset();
    assert_eq!(within(engine.stopped()).await.kind(), OutcomeKind::Fatal);
    assert_eq!((server.dials(), log.count("restart error")), (2, 1));
}

fn status_of(error: &StartError) -> Option<u16> {
    match error {
        StartError::Attempt(AttemptError::Connect(error)) => {
            Some(error.response()?.status.as_u16())
        }
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn e11_on_close_says_why_the_session_ended() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) =
        start(builder.max_message_size(10).backoff(Every(Duration::ZERO)), &mut server).await;
    peer.send("longer than ten bytes");
    log.wait("close Lost restarting=true read failed: a message is larger", 1).await;
    next(&mut server, &log, 1).await.reset();
    log.wait("close Lost restarting=true read failed: reading from the socket", 1).await;
    next(&mut server, &log, 2).await.read_error(ReadErrorKind::Protocol.into());
    log.wait("close Lost restarting=true read failed: the peer broke the WebSocket", 1).await;
    next(&mut server, &log, 3).await.close(Some(CloseFrame::new(4001, "kicked").unwrap()));
    log.wait("close Peer restarting=true closed by the peer with 4001", 1).await;
    let peer = next(&mut server, &log, 4).await;
    within(engine.stop()).await;
    assert_eq!(log.count("close Local restarting=false stopped"), 1);
    drop(peer);
}

/// The connection that follows, when its session is open.
async fn next(
    server: &mut MemoryServer,
    log: &Log,
    reconnects: usize,
) -> wscengine::testing::memory::MemoryPeer {
    let peer = within(server.accept()).await;
    log.wait("open restarting=true", reconnects).await;
    peer
}

#[tokio::test(start_paused = true)]
async fn e12_a_write_that_fails_ends_the_session_with_on_close() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder, &mut server).await;
    // The failure is to be seen by the writing side only.
    peer.stall_reads(true);
    peer.reset();
    let error = within(engine.send_flushed("x")).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Lost);
    log.wait("close Lost restarting=true write failed", 1).await;
    let _next = within(server.accept()).await;
    within(engine.stop()).await;
    assert_eq!(log.count("close"), log.count("open"));
}

#[tokio::test(start_paused = true)]
async fn e14_a_stop_returns_when_the_close_frame_was_written_and_waits_for_no_silent_peer() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, mut peer) =
        start(builder.close_timeout(Duration::from_secs(2)), &mut server).await;
    peer.auto_close(false);
    let asked = Instant::now();
    within(engine.stop()).await;
    assert!(asked.elapsed() <= Duration::from_millis(2_010), "{:?}", asked.elapsed());
    assert!(matches!(within(peer.recv()).await, Some(PeerEvent::Close(Some(_)))));
    assert_eq!(within(peer.recv()).await, Some(PeerEvent::Dropped));
    assert_eq!((log.count("close error Timeout"), server.live()), (1, 0));
    assert!(timeout(Duration::from_secs(3600), server.accept()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn e12_a_survivable_read_error_leaves_the_session_open() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder, &mut server).await;
    peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    peer.send("after");
    log.wait("done after", 1).await;
    assert_eq!(
        (log.count("read error Codec fatal=false"), log.count("close"), server.dials()),
        (1, 0, 1)
    );
    within(engine.stop()).await;
}
