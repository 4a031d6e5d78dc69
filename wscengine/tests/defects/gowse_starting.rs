//! gowse: the start, and what goes on when it fails.

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wscengine::testing::memory::{self, Fault, PeerEvent};
use wscengine::{
    AttemptError, ConnectErrorKind, Engine, OutcomeKind, SendErrorKind, Session, StartError,
};

use crate::support::{Every, Probe, setup, start, within};

#[tokio::test(start_paused = true)]
async fn g06_a_stop_while_the_start_is_under_way_returns_at_once() {
    let (builder, _, server) = setup(Probe::new());
    server.script([Fault::Hang]);
    let prepared = builder.build().unwrap();
    let control = prepared.control();
    let began = Instant::now();
    let (started, ()) = tokio::join!(within(prepared.start()), async { control.exit() });
    assert!(matches!(started, Err(StartError::Stopped)));
    assert!(began.elapsed() < Duration::from_millis(1), "dialling: {:?}", began.elapsed());

    let (builder, log, mut server) = setup(Probe::new().on_open(|_, _| std::future::pending()));
    let prepared = builder.build().unwrap();
    let control = prepared.control();
    let stop = async {
        let peer = server.accept().await;
        log.wait("open", 1).await;
        let asked = Instant::now();
        control.exit();
        (peer, asked)
    };
    let (started, (_peer, asked)) = within(async { tokio::join!(prepared.start(), stop) }).await;
    assert!(matches!(started, Err(StartError::Stopped)));
    assert!(asked.elapsed() < Duration::from_millis(1), "in on_open: {:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn g08_a_start_that_timed_out_leaves_nothing_running() {
    let probe = Probe::new().on_open(|_, _| async {
        sleep(Duration::from_secs(3)).await;
        Ok(())
    });
    let (builder, log, mut server) = setup(probe);
    let prepared = builder.on_open_timeout(Duration::from_secs(1)).build().unwrap();
    let control = prepared.control();
    let (started, mut peer) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    assert!(
        matches!(started, Err(StartError::Attempt(AttemptError::OnOpenTimeout(_)))),
        "{started:?}"
    );
    assert!(matches!(within(peer.recv()).await, Some(PeerEvent::Close(Some(_)))));
    assert_eq!(within(peer.recv()).await, Some(PeerEvent::Dropped));
    sleep(Duration::from_secs(3600)).await;
    assert_eq!((server.live(), server.dials()), (0, 1));
    assert_eq!(log.lines(), ["open restarting=false"]);
    assert!(matches!(*control.status().borrow(), wscengine::Status::Stopped { .. }));
}

#[tokio::test(start_paused = true)]
async fn g09_a_start_that_timed_out_says_so_in_its_error() {
    let (builder, _, server) = setup(Probe::new());
    server.script([Fault::Hang]);
    let began = Instant::now();
    let prepared = builder.connect_timeout(Duration::from_secs(2)).build().unwrap();
    let error = within(prepared.start()).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 2);
    let StartError::Attempt(AttemptError::Connect(connect)) = &error else { panic!("{error:?}") };
    assert!(matches!(connect.kind(), ConnectErrorKind::Timeout(_)), "{connect:?}");
    assert!(error.to_string().contains("timed out"), "{error}");
    assert!(error.source().is_some());
}

#[tokio::test(start_paused = true)]
async fn g10_exit_ends_the_engine_it_was_called_on_and_no_other() {
    let handler = Arc::new(Probe::new().on_message(|session, _| async move { session.exit() }));
    let (transport, mut server) = memory::transport();
    let build = || {
        Engine::builder(transport.clone(), handler.clone())
            .url("ws://server.test/")
            .build()
            .unwrap()
    };
    let (first, first_peer) =
        within(async { tokio::join!(build().start(), server.accept()) }).await;
    let (second, second_peer) =
        within(async { tokio::join!(build().start(), server.accept()) }).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    first_peer.send("exit");
    assert_eq!(within(first.stopped()).await.kind(), OutcomeKind::Requested);
    assert_eq!(server.live(), 1);
    assert!(within(second.ping()).await.is_ok());
    second_peer.send("exit");
    assert_eq!(within(second.stopped()).await.kind(), OutcomeKind::Requested);
}

#[tokio::test(start_paused = true)]
async fn g11_exit_in_on_open_fails_the_start_and_closes_the_connection() {
    let probe = Probe::new().on_open(|session, _| async move {
        session.exit();
        Ok(())
    });
    let (builder, _, mut server) = setup(probe);
    let prepared = builder.build().unwrap();
    let (started, mut peer) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    assert!(matches!(started, Err(StartError::Stopped)), "{started:?}");
    assert!(matches!(within(peer.recv()).await, Some(PeerEvent::Close(_))));
    assert_eq!(within(peer.recv()).await, Some(PeerEvent::Dropped));
    assert_eq!(server.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn g12_an_attempt_that_timed_out_does_not_succeed_later() {
    let late: Arc<Mutex<Vec<Session>>> = Arc::default();
    let kept = Arc::clone(&late);
    let probe = Probe::new().on_open(move |session, opened| {
        let kept = kept.clone();
        async move {
            if opened.restarting && kept.lock().unwrap().is_empty() {
                kept.lock().unwrap().push(session);
                sleep(Duration::from_secs(60)).await;
            }
            Ok(())
        }
    });
    let (builder, log, mut server) = setup(probe);
    let builder =
        builder.on_open_timeout(Duration::from_secs(5)).backoff(Every(Duration::from_millis(100)));
    let (engine, peer) = start(builder, &mut server).await;
    peer.reset();
    let mut slow = within(server.accept()).await;
    let mut good = within(server.accept()).await;
    log.wait("open restarting=true", 2).await;
    assert_eq!(log.count("restart error"), 1);
    assert!(matches!(within(slow.recv()).await, Some(PeerEvent::Close(_))));
    assert_eq!(within(slow.recv()).await, Some(PeerEvent::Dropped));

    let stale = late.lock().unwrap()[0].clone();
    assert_eq!(stale.send("late").await.unwrap_err().kind(), SendErrorKind::SessionEnded);
    sleep(Duration::from_secs(120)).await;
    engine.send("of now").await.unwrap();
    assert_eq!(within(good.next_message()).await.text(), Some("of now"));
    assert_eq!((server.dials(), server.max_live()), (3, 1));
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g08_a_start_returns_though_each_session_ends_as_soon_as_it_is_open() {
    for fault in [Fault::AcceptThenEof, Fault::AcceptThenReset, Fault::AcceptThenClose(None)] {
        let (builder, log, server) = setup(Probe::new());
        server.script(std::iter::repeat_n(fault, 1_000));
        let prepared = builder.retry_first(true).build().unwrap();
        let started = within(prepared.start()).await;
        assert!(log.count("open") > 0);
        within(started.unwrap().stop()).await;
        assert_eq!(log.count("open"), log.count("close ") + log.count("restart error"));
    }
}
