//! Guarantee 7: `stop()` is prompt in every state and bounded by `stop_timeout`; callbacks past their deadline are dropped;
//! when it returns no callback runs, except one that blocks its thread, which the result names.
//!
//! One test for each of the eight states, then the bounds.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::FutureExt;
use wscengine::testing::memory::{Fault, MemoryServer};
use wscengine::{Callback, ConnectErrorKind, Control, Engine, OutcomeKind, StartError, Status};

use crate::support::{
    Journal, Probe, assert_at_once, assert_took, builder, farewell_of, secs, settle, start,
    start_with, timed, within, within_real,
};

/// Starts an engine in the background, and gives what leads to its end.
fn begin(
    probe: Probe,
) -> (tokio::task::JoinHandle<Result<Engine, StartError>>, Control, MemoryServer) {
    let (builder, server) = builder(probe);
    let prepared = builder.build().unwrap();
    let control = prepared.control();
    (tokio::spawn(prepared.start()), control, server)
}

/// Exits and waits until the engine has stopped: how long that took.
async fn exit(control: &Control) -> Duration {
    let mut status = control.status();
    control.exit();
    timed(async {
        status.wait_for(|status| matches!(status, Status::Stopped { .. })).await.map(drop)
    })
    .await
    .1
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_is_at_once_while_dialing() {
    let (starting, control, server) = begin(Probe::default());
    settle().await;
    assert!(matches!(&*control.status().borrow(), Status::Connecting { attempt: 1 }));
    assert_at_once(exit(&control).await);
    assert!(matches!(within(starting).await.unwrap(), Err(StartError::Stopped)));
    assert_eq!(server.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_is_at_once_while_the_handshake_hangs() {
    let (starting, control, mut server) = begin(Probe::default());
    let mut dial = within(server.next_dial()).await;
    tokio::time::sleep(secs(10)).await;
    assert_at_once(exit(&control).await);
    within(dial.abandoned()).await;
    assert!(within(starting).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_is_at_once_while_on_open_runs() {
    let journal = Journal::default();
    let (starting, control, mut server) =
        begin(Probe::new(&journal).on_open(|_, _| std::future::pending().boxed()));
    let mut peer = within(server.accept()).await;
    journal.until("open").await;
    assert_at_once(exit(&control).await);
    assert!(matches!(within(starting).await.unwrap(), Err(StartError::Stopped)));
    assert_eq!(journal.lines(), ["open", "dropped on_open"]);
    assert_eq!(farewell_of(&mut peer).await.unwrap().code().0, 1001);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_is_at_once_while_open_and_idle() {
    let mut rig = start(Probe::default()).await;
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert_at_once(took);
    assert_eq!(
        (outcome.kind(), outcome.is_forced(), outcome.blocked()),
        (OutcomeKind::Requested, false, None)
    );
    assert_eq!(farewell_of(&mut rig.peer).await.unwrap().code().0, 1001);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_is_at_once_while_paused() {
    let rig = start(Probe::default()).await;
    let held = within(rig.engine.pause()).await.unwrap();
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert_at_once(took);
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_waits_for_on_message_only_until_the_drain_timeout() {
    for workers in [1, 3] {
        let probe = Probe::default().on_message(|_, _| std::future::pending());
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        for _ in 0..workers {
            rig.peer.send("stuck");
        }
        rig.journal.until_messages(workers).await;
        let (outcome, took) = timed(rig.engine.stop()).await;
        assert_took(took, secs(5));
        assert_eq!(rig.journal.running(), 0, "a callback runs after the stop");
        assert_eq!(rig.journal.count("dropped on_message"), workers);
        assert_eq!((outcome.is_forced(), outcome.blocked()), (false, None));
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_while_draining_a_session_that_the_peer_closed_is_bounded_by_the_drain() {
    let rig = start(Probe::default().on_message(|_, _| std::future::pending())).await;
    rig.peer.send("stuck");
    rig.journal.until("message stuck").await;
    rig.close_by_peer();
    tokio::time::sleep(secs(2)).await;
    assert!(matches!(&*rig.engine.status().borrow(), Status::Closing { .. }));
    let (_, took) = timed(rig.engine.stop()).await;
    assert!(took < secs(4), "it took {took:?}");
    assert_eq!(rig.server.dials(), 1);
    assert_eq!(
        rig.journal.lines()[2..],
        ["dropped on_message", "close closed by the peer with 1012"]
    );
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_while_on_close_runs_is_bounded_by_its_deadline() {
    let probe = Probe::default().on_close(|_, _| std::future::pending().boxed());
    let rig = start(probe).await;
    rig.close_by_peer();
    rig.journal.until("close closed by the peer with 1012").await;
    let (_, took) = timed(rig.engine.stop()).await;
    assert_took(took, secs(5));
    assert_eq!(rig.journal.count("dropped on_close"), 1);
    assert_eq!(rig.journal.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_while_the_closing_handshake_hangs_is_bounded_by_the_close_timeout() {
    let rig = start(Probe::default()).await;
    rig.peer.auto_close(false);
    rig.engine.restart();
    settle().await;
    assert!(matches!(&*rig.engine.status().borrow(), Status::Disconnecting));
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert!(took <= secs(5), "it took {took:?}");
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    assert_eq!((rig.server.dials(), rig.server.live()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_is_at_once_while_backing_off() {
    let rig = start(Probe::default()).await;
    let refused = || Fault::Refuse(ConnectErrorKind::Connect.into());
    rig.server.script((0..10).map(|_| refused()));
    rig.close_by_peer();
    rig.journal.until("restart error 6").await;
    settle().await;
    assert!(matches!(&*rig.engine.status().borrow(), Status::Waiting { .. }));
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert_at_once(took);
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_while_on_restart_error_runs_is_bounded_by_its_deadline() {
    let rig = start(Probe::default().on_restart_error(|_, _, _| std::future::pending())).await;
    rig.server.script([Fault::Refuse(ConnectErrorKind::Connect.into())]);
    rig.close_by_peer();
    rig.journal.until("restart error 2").await;
    let (_, took) = timed(rig.engine.stop()).await;
    assert!(took <= secs(5), "it took {took:?}");
    assert_eq!(rig.journal.running(), 0);
    assert_eq!(rig.server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_stop_after_the_end_is_at_once_and_says_the_same() {
    let rig = start(Probe::default()).await;
    rig.stop().await;
    for _ in 0..3 {
        let (outcome, took) = timed(rig.engine.stop()).await;
        assert_at_once(took);
        assert_eq!(outcome.kind(), OutcomeKind::Requested);
    }
    assert_eq!(rig.journal.lines(), ["open", "close stopped"]);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_a_peer_that_is_silent_costs_a_stop_the_close_timeout_and_no_more() {
    let rig = start_with(Probe::default(), |builder| builder.close_timeout(secs(2))).await;
    rig.peer.stall_reads(true);
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert_took(took, secs(2));
    assert!(!outcome.is_forced());
    assert_eq!(rig.journal.lines(), ["open", "close stopped", "close error Timeout"]);
}

#[tokio::test(start_paused = true)]
async fn guarantee_7_a_peer_that_takes_no_byte_costs_a_stop_the_time_outs_and_no_more() {
    let rig = start(Probe::default()).await;
    rig.peer.stall_writes(true);
    rig.peer.stall_reads(true);
    rig.engine.send("stuck").await.unwrap();
    settle().await;
    let (_, took) = timed(rig.engine.stop()).await;
    // Drain 5 s, closing handshake 5 s, and the little that letting go takes.
    assert!(took <= secs(11), "it took {took:?}");
    assert_eq!(rig.server.live(), 0);
}

/// Every step takes as long as it may: the sum is more than the whole stop may take.
#[tokio::test(start_paused = true)]
async fn guarantee_7_the_whole_stop_is_bounded_by_stop_timeout() {
    let probe = Probe::default()
        .on_message(|_, _| std::future::pending())
        .on_close(|_, _| std::future::pending().boxed())
        .on_close_error(|_, _| std::future::pending());
    let rig = start_with(probe, |builder| builder.stop_timeout(secs(7))).await;
    rig.peer.auto_close(false);
    rig.peer.send("stuck");
    rig.journal.until("message stuck").await;
    let (outcome, took) = timed(rig.engine.stop()).await;
    assert!(took >= secs(7) && took < secs(8), "it took {took:?}");
    assert_eq!((outcome.kind(), outcome.is_forced()), (OutcomeKind::Requested, true));
    assert_eq!(rig.journal.running(), 0);
    assert_eq!(rig.server.live(), 0);
}

/// A callback that blocks its thread until the test lets it go.
struct Block {
    begun: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

fn block() -> (Block, impl Fn() + Send + Sync + 'static) {
    let (begin, begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let ends = Mutex::new((begin, released));
    let blocks = move || {
        let (begin, released) = &*ends.lock().unwrap();
        begin.send(()).unwrap();
        let _ = released.recv();
    };
    (Block { begun, release }, blocks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guarantee_7_an_on_message_that_blocks_its_thread_is_named_in_the_outcome() {
    for workers in [1, 2] {
        let (block, blocks) = block();
        let blocks = Arc::new(blocks);
        let probe = Probe::default().on_message(move |_, _| {
            let blocks = blocks.clone();
            async move { blocks() }
        });
        let rig = start_with(probe, |builder| {
            builder
                .workers(workers)
                .stop_timeout(Duration::from_millis(300))
                .drain_timeout(Duration::from_millis(50))
        })
        .await;
        rig.peer.send("block");
        block.begun.recv().unwrap();
        let outcome = within_real(rig.engine.stop()).await;
        assert_eq!(outcome.blocked(), Some(Callback::OnMessage), "{workers} workers");
        assert!(outcome.is_forced());
        drop(block.release);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guarantee_7_an_on_close_that_blocks_its_thread_is_named_in_the_outcome() {
    let (block, blocks) = block();
    let blocks = Arc::new(blocks);
    let probe = Probe::default().on_close(move |_, _| {
        let blocks = blocks.clone();
        async move {
            blocks();
            None
        }
        .boxed()
    });
    let rig = start_with(probe, |builder| builder.stop_timeout(Duration::from_millis(200))).await;
    let outcome = within_real(rig.engine.stop()).await;
    block.begun.recv().unwrap();
    assert_eq!(outcome.blocked(), Some(Callback::OnClose));
    drop(block.release);
}
