//! Reconnecting: the delays, when they start anew, what ends it.

use std::time::Duration;

use tokio::time::Instant;
use wscengine::testing::memory::{Fault, PendingDial};
use wscengine::{
    AttemptError, Backoff, CloseFrame, ConnectError, ConnectErrorKind, ExponentialBackoff,
    NoBackoff, OutcomeKind, StartError, Status,
};

use crate::support::{
    Journal, Probe, Rig, assert_at_once, assert_took, builder, frame, millis, secs, settle, start,
    start_with, timed, within,
};

fn refused() -> Fault {
    Fault::Refuse(ConnectErrorKind::Connect.into())
}

/// Ends a session in some way.
type End = fn(&Rig);

/// Always the ceiling: shows the growth without the chance.
#[derive(Debug)]
struct NoJitter(ExponentialBackoff);

impl Backoff for NoJitter {
    fn delay(&self, retry: u32, _: f64) -> Duration {
        self.0.delay(retry, 1.0)
    }
}

fn no_jitter() -> NoJitter {
    NoJitter(ExponentialBackoff::new())
}

/// Refuses so many dials, and gives the time before each of them.
async fn delays(rig: &mut Rig, count: usize) -> Vec<Duration> {
    let mut delays = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let dial: PendingDial = within(rig.server.next_dial()).await;
        delays.push(start.elapsed());
        dial.refuse(ConnectErrorKind::Connect.into());
    }
    delays
}

#[tokio::test(start_paused = true)]
async fn the_delays_double_from_half_a_second_to_thirty_seconds() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(no_jitter())).await;
    rig.peer.reset();
    let expected = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
    for (delay, expected) in delays(&mut rig, 9).await.into_iter().zip(expected) {
        assert_took(delay, millis(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_delays_have_full_jitter_below_the_ceiling() {
    let ceilings = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000];
    let mut below_half = 0;
    for seed in 0..20 {
        let mut rig = start_with(Probe::default(), |builder| builder.seed(seed)).await;
        rig.peer.reset();
        for (delay, ceiling) in delays(&mut rig, 10).await.into_iter().zip(ceilings) {
            assert!(delay <= millis(ceiling + 5), "seed {seed}: {delay:?} of at most {ceiling} ms");
            below_half += usize::from(delay < millis(ceiling / 2));
        }
    }
    // 200 fair coins.
    assert!(
        (60..=140).contains(&below_half),
        "{below_half} of 200 delays are below half of their ceiling"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_delays() {
    let mut seen = Vec::new();
    for seed in [7, 7, 8] {
        let mut rig = start_with(Probe::default(), |builder| builder.seed(seed)).await;
        rig.peer.reset();
        seen.push(delays(&mut rig, 6).await);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_lived_long_enough_resets_the_delays() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(no_jitter())).await;
    rig.peer.reset();
    delays(&mut rig, 6).await;
    rig.reopened().await;
    tokio::time::sleep(secs(10)).await;
    rig.peer.reset();
    for (delay, expected) in delays(&mut rig, 3).await.into_iter().zip([500, 1_000, 2_000]) {
        assert_took(delay, millis(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_did_not_live_long_enough_does_not_reset_the_delays() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(no_jitter())).await;
    rig.peer.reset();
    delays(&mut rig, 3).await;
    rig.reopened().await;
    tokio::time::sleep(secs(9)).await;
    rig.peer.reset();
    assert_took(delays(&mut rig, 1).await[0], secs(8));
}

/// A server that accepts and closes at once looks like success again and again.
#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_then_closes_is_not_hammered() {
    let ends: [fn() -> Fault; 3] = [
        || Fault::AcceptThenClose(Some(CloseFrame::going_away())),
        || Fault::AcceptThenReset,
        || Fault::AcceptThenEof,
    ];
    for end in ends {
        let rig = start(Probe::default()).await;
        rig.server.script((0..1_000).map(|_| end()));
        rig.peer.reset();
        tokio::time::sleep(secs(600)).await;
        let dials = rig.server.dials();
        // Each delay is up to 30 s, 15 s on average.
        assert!((15..100).contains(&dials), "{dials} dials in ten minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_of_attempts_ends_the_engine() {
    let rig =
        start_with(Probe::default(), |builder| builder.max_attempts(Some(3)).stable_after(secs(0)))
            .await;
    rig.server.script((0..10).map(|_| refused()));
    rig.peer.reset();
    let outcome = within(rig.engine.stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::GaveUp);
    assert!(
        matches!(outcome.error(), Some(AttemptError::Connect(error)) if error.kind() == ConnectErrorKind::Connect)
    );
    assert_eq!(rig.server.dials(), 1 + 3);
    assert_eq!(rig.journal.after("restart error "), ["1", "2", "3"]);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(rig.server.dials(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_of_time_ends_the_engine_before_the_time_is_over() {
    let rig = start_with(Probe::default(), |builder| builder.max_elapsed(Some(secs(60)))).await;
    rig.server.script((0..1_000).map(|_| refused()));
    rig.peer.reset();
    let (outcome, took) = timed(rig.engine.stopped()).await;
    assert_eq!(outcome.kind(), OutcomeKind::GaveUp);
    assert!(took <= secs(60) && took >= secs(20), "it took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stable_session_gives_the_budget_back() {
    let mut rig = start_with(Probe::default(), |builder| builder.max_attempts(Some(3))).await;
    for _ in 0..5 {
        tokio::time::sleep(secs(11)).await;
        rig.server.script([refused(), refused()]);
        rig.peer.reset();
        rig.reopened().await;
    }
    assert!(matches!(&*rig.engine.status().borrow(), Status::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_for_the_first_attempts_too() {
    let journal = Journal::default();
    let (builder, server) = builder(Probe::new(&journal));
    server.script((0..10).map(|number| {
        Fault::Refuse(ConnectError::with_source(
            ConnectErrorKind::Connect,
            format!("refusal {number}"),
        ))
    }));
    let prepared = builder.retry_first(true).max_attempts(Some(2)).build().unwrap();
    let error = within(prepared.start()).await.unwrap_err();
    assert!(matches!(&error, StartError::Attempt(AttemptError::Connect(_))), "{error:?}");
    let last = server.dials() - 1;
    assert!((1..=2).contains(&last));
    assert!(error.to_string().contains(&format!("refusal {last}")), "not the last one: {error}");
}

#[tokio::test(start_paused = true)]
async fn without_auto_reconnect_the_outcome_says_how_the_session_ended() {
    let ends: [(End, OutcomeKind); 5] = [
        (|rig| rig.peer.close(Some(frame(1000, ""))), OutcomeKind::PeerClosed),
        (|rig| rig.peer.close(None), OutcomeKind::PeerClosed),
        (|rig| rig.peer.reset(), OutcomeKind::ConnectionLost),
        (|rig| rig.peer.stall_reads(true), OutcomeKind::ConnectionLost),
        (|rig| rig.engine.control().exit(), OutcomeKind::Requested),
    ];
    for (end, kind) in ends {
        let rig = start_with(Probe::default(), |builder| builder.auto_reconnect(false)).await;
        end(&rig);
        let outcome = within(rig.engine.stopped()).await;
        assert_eq!(outcome.kind(), kind);
        tokio::time::sleep(secs(600)).await;
        assert_eq!(rig.server.dials(), 1);
        assert_eq!(rig.journal.after("close ").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_auto_reconnect_a_restart_that_is_asked_for_is_done_anyway() {
    let mut rig = start_with(Probe::default(), |builder| builder.auto_reconnect(false)).await;
    rig.engine.restart();
    rig.reopened().await;
    rig.close_by_peer();
    assert_eq!(within(rig.engine.stopped()).await.kind(), OutcomeKind::PeerClosed);
}

#[tokio::test(start_paused = true)]
async fn a_restart_connects_anew_without_a_delay() {
    let mut rig = start(Probe::default()).await;
    tokio::time::sleep(secs(60)).await;
    let ((), took) = timed(async {
        rig.engine.restart();
        rig.reopened().await;
    })
    .await;
    assert_at_once(took);
    assert_eq!(rig.journal.lines(), ["open", "close restarted", "reopen"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_a_session_of_the_past_does_nothing() {
    let mut rig = start(Probe::default()).await;
    let old = rig.engine.session().unwrap();
    rig.close_by_peer();
    rig.reopened().await;
    old.restart();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(rig.server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_while_backing_off_is_an_attempt_at_once() {
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(no_jitter())).await;
    rig.peer.reset();
    delays(&mut rig, 8).await;
    settle().await;
    assert!(matches!(&*rig.engine.status().borrow(), Status::Waiting { .. }));
    let ((), took) = timed(async {
        rig.engine.restart();
        rig.reopened().await;
    })
    .await;
    assert_at_once(took);
}

#[tokio::test(start_paused = true)]
async fn a_restart_while_on_open_runs_connects_anew() {
    use futures_util::FutureExt;

    let journal = Journal::default();
    let probe = Probe::new(&journal).on_open(|conn, _| {
        async move {
            conn.send("hello").await?;
            conn.recv().await?;
            Ok(())
        }
        .boxed()
    });
    let (builder, mut server) = builder(probe);
    let prepared = builder.build().unwrap();
    let control = prepared.control();
    let serve = async {
        let mut first = server.accept().await;
        assert_eq!(first.next_message().await.text(), Some("hello"));
        control.restart();
        let second = server.accept().await;
        second.send("welcome");
        (first, second)
    };
    let (engine, _peers) = within(async { tokio::join!(prepared.start(), serve) }).await;
    assert_eq!(journal.lines(), ["open", "dropped on_open", "open"]);
    within(engine.unwrap().stop()).await;
    assert_eq!(server.max_live(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_restarts_at_once_are_one() {
    let mut rig = start(Probe::default()).await;
    let session = rig.engine.session().unwrap();
    for _ in 0..10 {
        rig.engine.restart();
        session.restart();
    }
    rig.reopened().await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(rig.server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_session_has_an_id_of_its_own_and_opened_says_why_the_last_one_ended() {
    use futures_util::FutureExt;

    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_open(move |conn, opened| {
        let previous = opened.previous.map(|cause| cause.to_string());
        seen.note(format!("previous {previous:?} restarting={}", opened.restarting));
        seen.note(format!("session {}", conn.session().id()));
        async { Ok(()) }.boxed()
    });
    let mut rig = start_with(probe, |builder| builder.backoff(NoBackoff)).await;
    rig.close_by_peer();
    rig.reopened().await;
    rig.engine.restart();
    rig.reopened().await;
    assert_eq!(
        journal.after("previous "),
        [
            "None restarting=false",
            "Some(\"closed by the peer with 1012\") restarting=true",
            "Some(\"restarted\") restarting=true"
        ]
    );
    let mut ids = journal.after("session ");
    assert_eq!(ids.last(), Some(&rig.engine.session().unwrap().id().to_string()));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_the_users_own_is_asked_with_the_number_of_the_retry() {
    #[derive(Debug)]
    struct Linear;
    impl Backoff for Linear {
        fn delay(&self, retry: u32, random: f64) -> Duration {
            assert!((0.0..1.0).contains(&random));
            secs(u64::from(retry))
        }
    }
    let mut rig = start_with(Probe::default(), |builder| builder.backoff(Linear)).await;
    rig.peer.reset();
    for (delay, expected) in delays(&mut rig, 5).await.into_iter().zip(1..) {
        assert_took(delay, secs(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn every_dial_asks_for_the_same_url_headers_and_subprotocols() {
    let mut rig = start_with(Probe::default(), |builder| {
        builder
            .url("ws://server.test/feed?key=1")
            .header("x-token", "secret")
            .subprotocol("v1")
            .subprotocol("v2")
    })
    .await;
    for _ in 0..3 {
        let request = rig.peer.request();
        assert_eq!(request.url.as_str(), "ws://server.test/feed?key=1");
        assert_eq!(request.headers["x-token"], "secret");
        assert_eq!(request.subprotocols, ["v1", "v2"]);
        rig.close_by_peer();
        rig.reopened().await;
    }
}
