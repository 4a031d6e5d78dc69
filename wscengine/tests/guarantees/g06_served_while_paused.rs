//! Guarantee 6: pings are answered and the closing handshake is served while paused, and while all workers are busy.

use futures_util::FutureExt;
use tokio::time::Instant;
use wscengine::testing::memory::{MemoryPeer, PeerEvent};
use wscengine::{Message, RecvError, Revoked, Session};

use crate::support::{
    Journal, Probe, Rig, assert_at_once, frame, ok_after, secs, settle, start, start_with, timed,
    within,
};

/// Pings the client, and asserts that the answer takes no time.
async fn assert_answers_pings(peer: &mut MemoryPeer) {
    for payload in ["one", "two", ""] {
        peer.ping(payload);
        let (answer, took) = timed(next_pong(peer)).await;
        assert_eq!(answer, payload);
        assert_at_once(took);
    }
}

async fn next_pong(peer: &mut MemoryPeer) -> bytes::Bytes {
    loop {
        match peer.recv().await {
            Some(PeerEvent::Pong(payload)) => return payload,
            Some(PeerEvent::Ping(_) | PeerEvent::Message(_)) => {}
            other => panic!("waited for a pong, got {other:?}"),
        }
    }
}

/// Closes from the peer's side, and asserts that the echo of the close frame takes no time.
async fn assert_echoes_a_close(peer: &mut MemoryPeer) {
    let start = Instant::now();
    peer.close(Some(frame(4321, "bye")));
    loop {
        match within(peer.recv()).await {
            Some(PeerEvent::Close(Some(echo))) => {
                assert_eq!(echo.code().0, 4321);
                break;
            }
            Some(PeerEvent::Ping(_) | PeerEvent::Pong(_) | PeerEvent::Message(_)) => {}
            other => panic!("waited for the echo, got {other:?}"),
        }
    }
    assert_at_once(start.elapsed());
}

fn never(_: Session, _: Message<'static>) -> impl Future<Output = ()> + Send {
    std::future::pending()
}

/// An engine whose workers all wait for ever.
async fn all_busy(workers: usize) -> Rig {
    let rig =
        start_with(Probe::default().on_message(never), |builder| builder.workers(workers)).await;
    for number in 0..workers + 10 {
        rig.peer.send(number.to_string());
    }
    rig.journal.until_messages(workers).await;
    settle().await;
    assert_eq!(rig.journal.running(), workers);
    rig
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_pings_are_answered_while_paused() {
    let mut rig = start(Probe::default()).await;
    let held = within(rig.engine.pause()).await.unwrap();
    assert_answers_pings(&mut rig.peer).await;
    tokio::time::sleep(secs(300)).await;
    assert_answers_pings(&mut rig.peer).await;
    assert_eq!(held.revoked(), None);
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_pings_are_answered_while_paused_inside_on_message_with_one_worker() {
    let probe = Probe::default().on_message(|session, _| async move {
        let _held = session.pause().await.unwrap();
        std::future::pending::<()>().await;
    });
    let mut rig = start(probe).await;
    rig.peer.send("hold");
    settle().await;
    assert_answers_pings(&mut rig.peer).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_pings_are_answered_while_all_workers_are_busy() {
    for workers in [1, 4] {
        let mut rig = all_busy(workers).await;
        assert_answers_pings(&mut rig.peer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_pings_are_answered_while_on_open_and_on_close_run() {
    let journal = Journal::default();
    let probe = Probe::new(&journal)
        .on_open(|_, _| ok_after(secs(1)).boxed())
        .on_close(|_, _| tokio::time::sleep(secs(2)).map(|()| None).boxed());
    let (builder, mut server) = crate::support::builder(probe);
    let serve = async {
        let mut peer = server.accept().await;
        journal.until("open").await;
        assert_answers_pings(&mut peer).await;
        peer
    };
    let (engine, mut peer) =
        within(async { tokio::join!(builder.build().unwrap().start(), serve) }).await;
    engine.unwrap().control().exit();
    journal.until("close stopped").await;
    assert_answers_pings(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_a_close_is_served_while_paused_and_the_holder_is_told() {
    let mut rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    let (received, ()) = tokio::join!(within(held.recv()), assert_echoes_a_close(&mut rig.peer));
    assert!(matches!(received, Err(RecvError::Revoked(Revoked::ConnectionEnded))), "{received:?}");
    assert_eq!(held.revoked(), Some(Revoked::ConnectionEnded));
    rig.journal.until("close closed by the peer with 4321").await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_a_close_is_served_while_paused_though_nobody_receives() {
    let mut rig = start(Probe::default()).await;
    let _held = within(rig.engine.pause()).await.unwrap();
    assert_echoes_a_close(&mut rig.peer).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_a_close_is_served_while_all_workers_are_busy() {
    for workers in [1, 4] {
        let mut rig = all_busy(workers).await;
        assert_echoes_a_close(&mut rig.peer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_6_the_engines_own_pings_go_out_while_the_worker_is_busy() {
    let mut rig = all_busy(1).await;
    let (ping, took) = timed(async {
        loop {
            if let Some(PeerEvent::Ping(payload)) = rig.peer.recv().await {
                break payload;
            }
        }
    })
    .await;
    assert!(!ping.is_empty());
    assert!(took <= secs(20), "it took {took:?}");
    let round_trip = within(rig.engine.ping()).await.unwrap();
    assert_at_once(round_trip);
}

/// The way out that the documentation names: with two workers, one that blocks its thread holds nothing up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guarantee_6_a_callback_that_blocks_its_thread_holds_up_nothing_with_two_workers() {
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let blocked = std::sync::Arc::new(blocked);
    let probe = Probe::default().on_message(move |_, _| {
        let blocked = blocked.clone();
        async move {
            let _ = blocked.lock().unwrap().recv();
        }
    });
    let mut rig = start_with(probe, |builder| builder.workers(2)).await;
    rig.peer.send("block");
    rig.journal.until_real("message block", 1).await;
    rig.peer.ping("still there?");
    assert_eq!(crate::support::within_real(next_pong(&mut rig.peer)).await, "still there?");
    drop(release);
    rig.stop().await;
}
