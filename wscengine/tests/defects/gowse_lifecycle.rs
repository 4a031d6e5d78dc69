//! gowse: restarts, stops, pauses.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use wscengine::testing::memory::{Fault, PeerEvent};
use wscengine::{
    Backoff, CloseFrame, ConnectErrorKind, Engine, ExponentialBackoff, OutcomeKind, ReadError,
    ReadErrorKind, SendErrorKind, Status,
};

use crate::support::{Every, Probe, setup, start, within};

#[tokio::test(start_paused = true)]
async fn g01_restart_from_on_message_closes_the_old_connection() {
    let probe = Probe::new().on_message(|session, _| async move { session.restart() });
    let (builder, log, mut server) = setup(probe);
    let (engine, mut old) = start(builder, &mut server).await;
    old.send("again");
    let going_away = CloseFrame::new(1001, "Going away").unwrap();
    let close = within(old.recv()).await;
    assert!(
        matches!(&close, Some(PeerEvent::Close(Some(frame))) if frame.code() == going_away.code()),
        "{close:?}"
    );
    assert_eq!(within(old.recv()).await, Some(PeerEvent::Dropped));
    let _new = within(server.accept()).await;
    log.wait("open restarting=true", 1).await;
    assert_eq!((server.live(), server.max_live(), server.dials()), (1, 1, 2));
    assert_eq!(log.count("restart error"), 0);
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g02_a_pause_on_an_idle_connection_is_granted_at_once() {
    let (builder, _, mut server) = setup(Probe::new());
    let (engine, _peer) = start(builder, &mut server).await;
    let asked = Instant::now();
    let conn = within(engine.pause()).await.unwrap();
    assert!(asked.elapsed() < Duration::from_millis(1));
    drop(conn);
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g03_a_restart_neither_waits_for_a_frame_nor_loses_what_was_read() {
    let probe = Probe::new().on_message(|_, _| sleep(Duration::from_millis(10)));
    let unhandled = Arc::clone(&probe.unhandled);
    let (builder, log, mut server) = setup(probe);
    let (engine, peer) = start(builder.workers(4), &mut server).await;
    for n in 0..20 {
        peer.send(format!("{n}"));
    }
    log.wait("message", 4).await;
    engine.restart();
    log.wait("close", 1).await;
    let next = within(server.accept()).await;
    let known = log.count("done") + unhandled.load(Ordering::SeqCst) + peer.unread();
    assert_eq!(known, 20, "a message that was read was thrown away");
    log.wait("open restarting=true", 1).await;

    let asked = Instant::now();
    engine.restart();
    log.wait("close", 2).await;
    assert!(
        asked.elapsed() < Duration::from_millis(1),
        "an idle connection took {:?} to restart",
        asked.elapsed()
    );
    drop(next);
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g04_a_stop_at_the_moment_the_backoff_ends_does_not_deadlock() {
    for micros in [0, 1, 999_999, 1_000_000, 1_000_001, 1_500_000] {
        let (builder, log, mut server) = setup(Probe::new());
        let builder = builder
            .backoff(Every(Duration::from_secs(1)))
            .connect_timeout(Duration::from_secs(3600));
        let (engine, peer) = start(builder, &mut server).await;
        server.script([Fault::Hang]);
        peer.reset();
        log.wait("close", 1).await;
        sleep(Duration::from_micros(micros)).await;
        let asked = Instant::now();
        assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
        assert!(asked.elapsed() < Duration::from_millis(10), "{micros} us: {:?}", asked.elapsed());
        assert_eq!(server.live(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn g05_a_stop_interrupts_the_backoff_and_nothing_is_dialled_after_it() {
    let (builder, _, mut server) = setup(Probe::new());
    let builder = builder.backoff(Every(Duration::from_secs(300)));
    let (engine, peer) = start(builder, &mut server).await;
    peer.reset();
    let mut status = engine.status();
    within(status.wait_for(|status| matches!(status, Status::Waiting { .. }))).await.unwrap();
    let asked = Instant::now();
    within(engine.stop()).await;
    assert!(asked.elapsed() < Duration::from_millis(1));
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn g07_status_and_stop_may_be_called_inside_on_open() {
    let own: Arc<OnceLock<Engine>> = Arc::default();
    let in_open = Arc::clone(&own);
    let probe = Probe::new().on_open(move |session, opened| {
        let engine = in_open.clone();
        async move {
            if let (true, Some(engine)) = (opened.restarting, engine.get()) {
                assert!(matches!(*engine.status().borrow(), Status::Opening));
                assert!(engine.session().is_none_or(|open| open.id() == session.id()));
                assert_eq!(engine.stop().await.kind(), OutcomeKind::UnderWay);
            }
            Ok(())
        }
    });
    let (builder, log, mut server) = setup(probe);
    let (engine, peer) = start(builder, &mut server).await;
    own.set(engine.clone()).ok().unwrap();
    peer.reset();
    let _second = within(server.accept()).await;
    let outcome = within(engine.stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    assert_eq!(log.count("open restarting=true"), 1);
    assert_eq!(engine.stats().panics, 0);
}

#[tokio::test(start_paused = true)]
async fn g15_a_read_error_that_is_not_a_close_ends_the_session_and_reconnects() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder, &mut server).await;
    peer.read_error(ReadError::new(ReadErrorKind::Io));
    let peer = within(server.accept()).await;
    assert_eq!(log.count("read error Io fatal=true"), 1);
    assert_eq!(log.count("close Lost restarting=true"), 1);

    log.wait("open restarting=true", 1).await;
    for _ in 0..1_000 {
        peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    }
    let _peer = within(server.accept()).await;
    assert!(log.count("read error Codec") <= 2, "{:?}", log.lines());
    assert_eq!(log.count("close Lost restarting=true"), 2);
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g16_a_server_that_accepts_and_closes_is_not_hammered() {
    let (builder, log, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder, &mut server).await;
    drop(peer);
    let minute = async {
        // Without any delay the clock would stand still.
        for sessions in 2..50 {
            let peer = server.accept().await;
            log.wait("open", sessions).await;
            peer.close(None);
        }
    };
    assert!(timeout(Duration::from_secs(60), minute).await.is_err());
    let dials = server.dials();
    assert!((3..=30).contains(&dials), "{dials} dials in a minute");
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g17_delays_are_jittered_from_the_first_retry_on_and_capped() {
    let (builder, _, mut server) = setup(Probe::new());
    let builder = builder.backoff(ExponentialBackoff::new().cap(Duration::from_secs(8)));
    let (engine, peer) = start(builder, &mut server).await;
    let mut last = Instant::now();
    peer.reset();
    let mut delays = Vec::new();
    for _ in 0..100 {
        within(server.next_dial()).await.refuse(ConnectErrorKind::Connect.into());
        delays.push(last.elapsed());
        last = Instant::now();
    }
    assert!(
        delays[0] > Duration::ZERO && delays[0] <= Duration::from_millis(501),
        "{:?}",
        delays[0]
    );
    let longest = delays.iter().max().unwrap();
    assert!(
        *longest <= Duration::from_millis(8_001) && *longest > Duration::from_secs(6),
        "{longest:?}"
    );
    let at_the_cap: std::collections::BTreeSet<_> = delays[10..].iter().collect();
    assert!(at_the_cap.len() > 80, "no jitter at the cap: {at_the_cap:?}");
    let growing = ExponentialBackoff::new().factor(1e308).cap(Duration::MAX);
    assert!(growing.delay(u32::MAX, 0.999) > Duration::ZERO);
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g20_an_engine_that_ends_by_itself_says_so() {
    let (builder, _, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder.auto_reconnect(false), &mut server).await;
    peer.close(None);
    assert_eq!(within(engine.stopped()).await.kind(), OutcomeKind::PeerClosed);
    assert!(matches!(*engine.status().borrow(), Status::Stopped { .. }));
    assert_eq!(engine.send("late").await.unwrap_err().kind(), SendErrorKind::Stopped);

    let probe = Probe::new().on_message(|session, _| async move { session.exit() });
    let (builder, _, mut server) = setup(probe);
    let (engine, peer) = start(builder, &mut server).await;
    peer.send("exit");
    assert_eq!(within(engine.stopped()).await.kind(), OutcomeKind::Requested);
    assert!(matches!(*engine.status().borrow(), Status::Stopped { .. }));
}

#[tokio::test(start_paused = true)]
async fn g21_stops_at_once_and_after_the_end_all_return_the_same() {
    let (builder, _, mut server) = setup(Probe::new());
    let (engine, peer) = start(builder.auto_reconnect(false), &mut server).await;
    peer.close(None);
    within(engine.stopped()).await;
    for _ in 0..3 {
        assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::PeerClosed);
    }

    let (builder, log, mut server) = setup(Probe::new());
    let (engine, _peer) = start(builder, &mut server).await;
    let (a, b, c) =
        within(async { tokio::join!(engine.stop(), engine.stop(), engine.stopped()) }).await;
    assert_eq!([a.kind(), b.kind(), c.kind()], [OutcomeKind::Requested; 3]);
    assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
    assert_eq!(log.count("close"), 1);
}
