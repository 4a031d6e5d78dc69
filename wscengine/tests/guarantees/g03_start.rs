//! Guarantee 3: `start()` returns once `on_open` returned; it fails with a typed error that says which phase failed and
//! wraps the real cause; by default the first attempt is not retried.

use std::error::Error;
use std::io;

use futures_util::FutureExt;
use wscengine::testing::memory::{Fault, MemoryPeer};
use wscengine::{
    AttemptError, ConnectError, ConnectErrorKind, Engine, OutcomeKind, Phase, StartError, Status,
};

use crate::support::{
    Journal, Probe, assert_at_once, assert_took, builder, farewell_of, frame, secs, timed, within,
    within_real,
};

/// Starts an engine against a server that accepts, and gives the peer too.
async fn start_accepted(
    probe: Probe,
    serve: impl FnOnce(&MemoryPeer),
) -> (Result<Engine, StartError>, MemoryPeer) {
    let (builder, mut server) = builder(probe);
    let accept = async {
        let peer = server.accept().await;
        serve(&peer);
        peer
    };
    within(async { tokio::join!(builder.build().unwrap().start(), accept) }).await
}

/// The error of an attempt that made `start` fail.
#[track_caller]
fn attempt_error(result: Result<Engine, StartError>) -> AttemptError {
    match result {
        Err(StartError::Attempt(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_start_returns_once_on_open_has_returned() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_open(move |conn, _| {
        let journal = seen.clone();
        async move {
            conn.send("log in").await?;
            tokio::time::sleep(secs(3)).await;
            journal.note("logged in");
            Ok(())
        }
        .boxed()
    });
    let ((engine, mut peer), took) = timed(start_accepted(probe, |_| {})).await;
    let engine = engine.unwrap();
    assert_took(took, secs(3));
    assert_eq!(journal.lines(), ["open", "logged in"]);
    assert!(matches!(&*engine.status().borrow(), Status::Open { .. }));
    assert_eq!(peer.next_message().await.text(), Some("log in"));
    engine.send("at once").await.unwrap();
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_start_fails_with_the_dials_own_error_and_its_cause() {
    let kinds = [
        ConnectErrorKind::Resolve,
        ConnectErrorKind::Connect,
        ConnectErrorKind::Tls,
        ConnectErrorKind::Certificate,
        ConnectErrorKind::Status,
        ConnectErrorKind::Handshake,
        ConnectErrorKind::Timeout(Phase::Tls),
    ];
    for kind in kinds {
        let (builder, server) = builder(Probe::default());
        let cause = io::Error::new(io::ErrorKind::AddrInUse, "the real cause");
        server.script([Fault::Refuse(ConnectError::with_source(kind, cause))]);
        let (result, took) = timed(builder.build().unwrap().start()).await;
        assert_at_once(took);
        let error = result.unwrap_err();
        let StartError::Attempt(AttemptError::Connect(connect)) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(connect.kind(), kind);
        let mut source: &(dyn Error + 'static) = &error;
        while let Some(next) = source.source() {
            source = next;
        }
        assert_eq!(source.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("the real cause"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_a_dial_that_hangs_fails_after_the_connect_timeout() {
    let (builder, server) = builder(Probe::default());
    server.script([Fault::Hang]);
    let (result, took) = timed(builder.connect_timeout(secs(7)).build().unwrap().start()).await;
    assert_took(took, secs(7));
    let AttemptError::Connect(error) = attempt_error(result) else { panic!("not the dial's") };
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Whole));
    assert_eq!(server.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_an_error_of_on_open_is_what_start_returns_and_the_connection_closes_with_1001()
{
    let probe = Probe::default()
        .on_open(|_, _| async { Err(io::Error::other("wrong password").into()) }.boxed());
    let journal = probe.journal.clone();
    let (result, mut peer) = start_accepted(probe, |_| {}).await;
    let AttemptError::OnOpen(source) = attempt_error(result) else { panic!("not on_open's") };
    assert_eq!(source.downcast_ref::<io::Error>().unwrap().to_string(), "wrong password");
    assert_eq!(farewell_of(&mut peer).await.unwrap().code().0, 1001);
    assert_eq!(journal.lines(), ["open"]);
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_an_on_open_past_its_deadline_is_dropped_and_named() {
    let probe = Probe::default().on_open(|_, _| std::future::pending().boxed());
    let journal = probe.journal.clone();
    let ((result, mut peer), took) = timed(start_accepted(probe, |_| {})).await;
    assert_took(took, secs(30));
    assert!(
        matches!(attempt_error(result), AttemptError::OnOpenTimeout(limit) if limit == secs(30))
    );
    assert_eq!(journal.lines(), ["open", "dropped on_open"]);
    assert_eq!(farewell_of(&mut peer).await.unwrap().code().0, 1001);
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_a_connection_lost_during_on_open_fails_the_start_at_once() {
    let ends: [fn(&MemoryPeer); 3] =
        [|peer| peer.close(None), |peer: &MemoryPeer| peer.reset(), |peer: &MemoryPeer| peer.eof()];
    for end in ends {
        let probe = Probe::default().on_open(|_, _| std::future::pending().boxed());
        let journal = probe.journal.clone();
        let ((result, _peer), took) = timed(start_accepted(probe, end)).await;
        assert!(took < secs(2), "it took {took:?}");
        assert!(matches!(attempt_error(result), AttemptError::ConnectionLost(_)));
        assert_eq!(journal.lines(), ["open", "dropped on_open"]);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_the_first_attempt_is_not_retried_by_default() {
    let (builder, server) = builder(Probe::default());
    server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
    let prepared = builder.build().unwrap();
    let control = prepared.control();
    within(prepared.start()).await.unwrap_err();
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(server.dials(), 1);
    let status = control.status().borrow().clone();
    let Status::Stopped { outcome } = status else { panic!("{status:?}") };
    assert_eq!(outcome.kind(), OutcomeKind::FailedToStart);
    assert!(outcome.error().is_some());
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_with_retry_first_the_first_attempt_is_retried_like_any_other() {
    let journal = Journal::default();
    let (builder, mut server) = builder(Probe::new(&journal));
    server.script([
        Fault::Refuse(ConnectErrorKind::Resolve.into()),
        Fault::Hang,
        Fault::AcceptThenReset,
        Fault::AcceptThenClose(None),
        Fault::Accept,
    ]);
    let prepared = builder.retry_first(true).build().unwrap();
    let (engine, _peer) = within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    let engine = engine.unwrap();
    assert!(engine.stats().attempts >= 3);
    assert_eq!(journal.lines()[..2], ["restart error 1", "restart error 2"]);
    within(engine.stop()).await;
    journal.assert_orderly();
}

#[tokio::test(start_paused = true)]
async fn guarantee_3_an_exit_before_or_during_the_start_is_a_typed_error_of_its_own() {
    let (early, _server) = builder(Probe::default());
    let prepared = early.build().unwrap();
    prepared.control().exit();
    assert!(matches!(within(prepared.start()).await, Err(StartError::Stopped)));

    let (late, server) = builder(Probe::default());
    server.script([Fault::Hang]);
    let prepared = late.build().unwrap();
    let control = prepared.control();
    let exit = async {
        tokio::time::sleep(secs(2)).await;
        control.exit();
    };
    let ((result, ()), took) = timed(async { tokio::join!(prepared.start(), exit) }).await;
    assert!(matches!(result, Err(StartError::Stopped)));
    assert_took(took, secs(2));
}

/// A server that says one thing and closes, such as one that answers a question in its URL.
#[tokio::test]
async fn guarantee_3_a_start_succeeds_though_the_peer_closes_right_behind_its_first_message() {
    for workers in [1, 4] {
        for _ in 0..100 {
            let journal = Journal::default();
            let (builder, mut server) = builder(Probe::new(&journal));
            let prepared = builder.workers(workers).auto_reconnect(false).build().unwrap();
            let serve = async {
                let peer = server.accept().await;
                peer.send("42");
                peer.close(Some(frame(1000, "")));
                peer
            };
            let (engine, _peer) =
                within_real(async { tokio::join!(prepared.start(), serve) }).await;
            let outcome = within_real(engine.unwrap().stopped()).await;
            assert_eq!(outcome.kind(), OutcomeKind::PeerClosed);
            assert_eq!(
                journal.lines(),
                ["open", "message 42", "close closed by the peer with 1000"]
            );
        }
    }
}
