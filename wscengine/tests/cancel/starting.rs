//! `start`: dropping the future stops the attempt, whatever it is at.

use std::time::Duration;

use futures_util::FutureExt;
use wscengine::testing::memory::{MemoryPeer, MemoryServer, PeerEvent};
use wscengine::{ConnectErrorKind, ExponentialBackoff, Status};

use crate::cut::{Cut, at_each_moment};
use crate::kit::{ends, goes_on};
use crate::support::{Probe, Rig, builder, millis, ok_after, rest_of, secs, settle};

/// What the server does with a dial, after this time.
#[derive(Clone, Copy)]
enum Answer {
    Accept,
    Refuse,
    /// Accept, and close at once.
    AcceptThenClose,
}

/// How long the server takes for each answer.
const ANSWERS_AFTER: Duration = Duration::from_millis(3);

/// Answers dials until one is accepted for good; `None` if nobody dials any more.
async fn serve(server: &mut MemoryServer, answers: &[Answer]) -> Option<MemoryPeer> {
    for answer in answers {
        let dial = tokio::time::timeout(secs(600), server.next_dial()).await.ok()?;
        tokio::time::sleep(ANSWERS_AFTER).await;
        match answer {
            Answer::Accept => return Some(dial.accept()),
            Answer::Refuse => dial.refuse(ConnectErrorKind::Connect.into()),
            Answer::AcceptThenClose => {
                dial.accept().close(Some(crate::support::frame(1012, "again")));
            }
        }
    }
    None
}

/// Starts with `retry_first`, against these answers, and drops the start at a moment.
async fn start_at(cut: Cut, probe: Probe, answers: &'static [Answer]) {
    let journal = probe.journal.clone();
    let (builder, mut server) = builder(probe);
    let prepared = builder
        .retry_first(true)
        .backoff(ExponentialBackoff::new().base(millis(8)))
        .build()
        .unwrap();
    let control = prepared.control();
    let observer = server.observer();
    let (started, peer) = tokio::join!(cut.call(prepared.start()), serve(&mut server, answers));
    if let Some(engine) = started {
        let peer = peer.unwrap();
        return goes_on(Rig { engine: engine.unwrap(), server, peer, journal }).await;
    }
    settle().await;
    if cut.polls() > 0 {
        let status = control.status();
        assert!(matches!(&*status.borrow(), Status::Stopped { .. }), "{:?}", *status.borrow());
    }
    let dials = observer.dials();
    if let Some(mut peer) = peer {
        let events = rest_of(&mut peer).await;
        assert!(matches!(events.last(), Some(PeerEvent::Dropped)), "{events:?}");
    }
    assert!(tokio::time::timeout(secs(3_600), server.next_dial()).await.is_err());
    assert_eq!((observer.dials(), observer.live()), (dials, 0));
    assert_eq!(journal.running(), 0);
    journal.assert_orderly();
}

#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_at_any_moment_of_the_dial_abandons_it() {
    let moments = at_each_moment(|cut| start_at(cut, Probe::default(), &[Answer::Accept])).await;
    assert!(moments >= 18, "{moments}");
}

#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_at_any_moment_of_on_open_drops_it_and_closes() {
    let moments = at_each_moment(|cut| {
        let probe = Probe::default().on_open(|_, _| ok_after(millis(4)).boxed());
        start_at(cut, probe, &[Answer::Accept])
    })
    .await;
    assert!(moments >= 42, "{moments}");
}

#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_at_any_moment_while_on_open_sends_and_receives_closes() {
    at_each_moment(|cut| {
        let probe = Probe::default().on_open(|conn, _| {
            async move {
                conn.send_flushed("log in").await?;
                // Nobody answers for a while.
                let _ = tokio::time::timeout(millis(2), conn.recv()).await;
                conn.ping().await?;
                Ok(())
            }
            .boxed()
        });
        start_with_login(cut, probe)
    })
    .await;
}

async fn start_with_login(cut: Cut, probe: Probe) {
    let journal = probe.journal.clone();
    let (builder, mut server) = builder(probe);
    let prepared = builder.build().unwrap();
    let (started, peer) =
        tokio::join!(cut.call(prepared.start()), serve(&mut server, &[Answer::Accept]));
    match (started, peer) {
        (Some(engine), Some(mut peer)) => {
            assert_eq!(peer.next_message().await.text(), Some("log in"));
            return goes_on(Rig { engine: engine.unwrap(), server, peer, journal }).await;
        }
        (None, Some(mut peer)) => {
            let events = rest_of(&mut peer).await;
            assert!(matches!(events.last(), Some(PeerEvent::Dropped)), "{events:?}");
            assert_eq!((server.live(), journal.running()), (0, 0));
        }
        (_, None) => assert_eq!((server.live(), journal.running()), (0, 0)),
    }
    nobody_dials(&server).await;
}

async fn nobody_dials(server: &MemoryServer) {
    let dials = server.dials();
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(server.dials(), dials);
}

#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_at_any_moment_of_retries_ends_them() {
    let moments = at_each_moment(|cut| {
        start_at(cut, Probe::default(), &[Answer::Refuse, Answer::Refuse, Answer::Accept])
    })
    .await;
    // Three answers of 3 ms, and two backoffs.
    assert!(moments >= 54, "{moments}");
}

#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_while_on_restart_error_runs_ends_the_retries() {
    at_each_moment(|cut| {
        let probe = Probe::default().on_restart_error(|_, _, _| tokio::time::sleep(millis(2)));
        start_at(cut, probe, &[Answer::Refuse, Answer::Accept])
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_as_the_peer_closes_during_on_open_ends_the_retries() {
    at_each_moment(|cut| {
        let probe = Probe::default().on_open(|_, _| ok_after(millis(2)).boxed());
        start_at(cut, probe, &[Answer::AcceptThenClose, Answer::Accept])
    })
    .await;
}

/// A dial that never ends: given up after the connect time-out, tried again, and so on.
#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_while_a_dial_hangs_abandons_it() {
    at_each_moment(|cut| async move {
        let (builder, mut server) = builder(Probe::default());
        let prepared = builder.connect_timeout(millis(4)).build().unwrap();
        let hangs = async {
            let mut dial = server.next_dial().await;
            dial.abandoned().await;
        };
        let start = cut.call(prepared.start());
        let (started, _) = tokio::join!(start, tokio::time::timeout(secs(600), hangs));
        assert!(started.is_none_or(|started| started.is_err()));
        nobody_dials(&server).await;
        assert_eq!(server.live(), 0);
    })
    .await;
}

/// The engine runs, and nobody took it: it ends as if it had been stopped.
#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_after_the_engine_runs_stops_it_with_on_close() {
    let (builder, mut server) = builder(Probe::default());
    let prepared = builder.build().unwrap();
    let control = prepared.control();
    let mut start = Box::pin(prepared.start());
    assert!(start.as_mut().now_or_never().is_none());
    let mut peer = server.accept().await;
    let mut status = control.status();
    status.wait_for(|status| matches!(status, Status::Open { .. })).await.unwrap();
    drop(start);
    let farewell = crate::support::farewell_of(&mut peer).await;
    assert_eq!(farewell.map(|frame| frame.code().0), Some(1001));
    assert!(matches!(&*control.status().borrow(), Status::Stopped { .. }));
    assert_eq!((server.dials(), server.live()), (1, 0));
}

/// Of a start that is not dropped nothing is lost in this scheme.
#[tokio::test(start_paused = true)]
async fn prepared_start_that_is_not_dropped_gives_an_engine_that_ends_cleanly() {
    let probe = Probe::default();
    let journal = probe.journal.clone();
    let (builder, mut server) = builder(probe);
    let (engine, peer) = tokio::join!(builder.build().unwrap().start(), server.accept());
    ends(Rig { engine: engine.unwrap(), server, peer, journal }).await;
}
