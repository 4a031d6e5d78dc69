//! Guarantee 9: every wait has a deadline or can be cancelled by a stop; what is cancelled has the effect that its
//! documentation states.

use std::pin::pin;

use futures_util::FutureExt;
use wscengine::testing::memory::{Fault, PeerEvent};
use wscengine::{
    OutcomeKind, PauseError, PingError, ReadError, ReadErrorKind, RecvError, Revoked,
    SendErrorKind, Status,
};

use crate::support::{
    Probe, assert_at_once, assert_took, builder, millis, rest_of, secs, settle, start, start_with,
    timed, within,
};

#[tokio::test(start_paused = true)]
async fn guarantee_9_every_callback_but_on_message_has_a_deadline() {
    let probe = Probe::default()
        .on_read_error(|_, _| std::future::pending())
        .on_close(|_, _| std::future::pending().boxed())
        .on_close_error(|_, _| std::future::pending())
        .on_restart_error(|_, _, _| std::future::pending());
    let mut rig = start_with(probe, |builder| {
        builder
            .on_read_error_timeout(secs(1))
            .on_close_timeout(secs(2))
            .on_close_error_timeout(secs(3))
            .on_restart_error_timeout(secs(4))
            .close_timeout(secs(5))
    })
    .await;
    rig.server.script([Fault::Refuse(wscengine::ConnectErrorKind::Connect.into())]);
    rig.peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    let ((), took) = timed(rig.journal.until("dropped on_read_error")).await;
    assert_took(took, secs(1));
    rig.peer.auto_close(false);
    rig.engine.restart();
    let ((), took) = timed(rig.journal.until("dropped on_close")).await;
    assert_took(took, secs(2));
    let ((), took) = timed(rig.journal.until("close error Timeout")).await;
    assert_took(took, secs(5));
    let ((), took) = timed(rig.journal.until("dropped on_close_error")).await;
    assert_took(took, secs(3));
    rig.journal.until("restart error 2").await;
    let ((), took) = timed(rig.journal.until("dropped on_restart_error")).await;
    assert_took(took, secs(4));
    rig.reopened().await;
    assert_eq!(rig.engine.stats().dropped_callbacks, 4);
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_on_message_has_a_deadline_by_option() {
    let probe = Probe::default().on_message(|_, message| async move {
        if message.text() == Some("slow") {
            std::future::pending::<()>().await;
        }
    });
    let rig = start_with(probe, |builder| builder.on_message_timeout(Some(secs(3)))).await;
    rig.peer.send("slow");
    rig.peer.send("next");
    let ((), took) = timed(rig.journal.until("message next")).await;
    assert_took(took, secs(3));
    assert_eq!(rig.journal.count("dropped on_message"), 1);
    assert_eq!(rig.engine.stats().dropped_callbacks, 1);
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_by_default_on_message_may_take_as_long_as_it_likes() {
    let rig = start(Probe::default().on_message(|_, _| tokio::time::sleep(secs(3_000)))).await;
    rig.peer.send("slow");
    rig.peer.send("next");
    rig.journal.until("message next").await;
    assert_eq!(rig.engine.stats().dropped_callbacks, 0);
}

/// Whatever waits for the engine is answered when it stops.
#[tokio::test(start_paused = true)]
async fn guarantee_9_a_stop_ends_every_wait() {
    let rig =
        start_with(Probe::default(), |builder| builder.send_queue(1, 1 << 20).ping_interval(None))
            .await;
    rig.peer.stall_writes(true);
    rig.peer.auto_pong(false);
    let session = rig.engine.session().unwrap();
    let mut held = within(rig.engine.pause()).await.unwrap();
    // More than the transport and the queue take.
    let sends = futures_util::future::join_all((0..60).map(|_| session.send("x")));
    let waits = async {
        tokio::join!(
            sends,
            session.send_flushed("y"),
            session.ping(),
            session.pause(),
            held.recv(),
            async {
                tokio::time::sleep(secs(1)).await;
                rig.engine.control().exit();
            }
        )
    };
    let ((sent, flushed, ping, pause, received, ()), took) = timed(waits).await;
    // What was in the queue by then is given up with the drain.
    assert!(took <= secs(7), "it took {took:?}");
    let failed: Vec<_> =
        sent.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert!(
        !failed.is_empty() && failed.iter().all(|kind| *kind == SendErrorKind::SessionEnded),
        "{failed:?}"
    );
    assert!(flushed.is_err());
    assert!(matches!(ping, Err(PingError::SessionEnded | PingError::Timeout)), "{ping:?}");
    assert!(matches!(pause, Err(PauseError::SessionEnded)), "{pause:?}");
    assert!(matches!(received, Err(RecvError::Revoked(Revoked::Stopping))), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_a_recv_that_is_dropped_loses_no_message() {
    let rig = start(Probe::default()).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    for number in 0..20 {
        assert!(held.recv().now_or_never().is_none());
        rig.peer.send(number.to_string());
        // The message is there, and the call that waited for it is given up.
        {
            let mut recv = pin!(held.recv_matching(|message| message.text() == Some("none")));
            assert!(recv.as_mut().now_or_never().is_none());
            settle().await;
            assert!(recv.as_mut().now_or_never().is_none());
        }
        assert_eq!(within(held.recv()).await.unwrap().text(), Some(&*number.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_a_send_that_is_dropped_while_it_waits_has_sent_nothing() {
    let mut rig = start_with(Probe::default(), |builder| builder.send_queue(2, 1 << 20)).await;
    rig.peer.stall_writes(true);
    let mut taken = 0;
    while tokio::time::timeout(millis(10), rig.engine.send(taken.to_string())).await.is_ok() {
        taken += 1;
    }
    assert!(tokio::time::timeout(millis(10), rig.engine.send("never")).await.is_err());
    assert!(tokio::time::timeout(millis(10), rig.engine.send_flushed("never")).await.is_err());
    rig.peer.stall_writes(false);
    settle().await;
    rig.engine.send("last").await.unwrap();
    for number in 0..taken {
        assert_eq!(within(rig.peer.next_message()).await.text(), Some(&*number.to_string()));
    }
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("last"));
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_a_send_flushed_that_is_dropped_later_is_still_sent() {
    let mut rig = start(Probe::default()).await;
    rig.peer.stall_writes(true);
    assert!(tokio::time::timeout(secs(1), rig.engine.send_flushed("still")).await.is_err());
    rig.peer.stall_writes(false);
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("still"));
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_a_ping_that_is_dropped_disturbs_nobody() {
    let rig = start(Probe::default()).await;
    rig.peer.stall_reads(true);
    assert!(tokio::time::timeout(secs(1), rig.engine.ping()).await.is_err());
    rig.peer.stall_reads(false);
    assert_at_once(within(rig.engine.ping()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_a_stop_that_is_dropped_goes_on() {
    let rig =
        start(Probe::default().on_close(|_, _| tokio::time::sleep(secs(2)).map(|()| None).boxed()))
            .await;
    assert!(tokio::time::timeout(secs(1), rig.engine.stop()).await.is_err());
    let (outcome, took) = timed(rig.engine.stopped()).await;
    assert_took(took, secs(1));
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_stopped_may_be_awaited_by_many_and_given_up() {
    let rig = start(Probe::default()).await;
    assert!(tokio::time::timeout(secs(1), rig.engine.stopped()).await.is_err());
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let engine = rig.engine.clone();
            tokio::spawn(async move { engine.stopped().await.kind() })
        })
        .collect();
    rig.stop().await;
    for waiter in waiters {
        assert_eq!(within(waiter).await.unwrap(), OutcomeKind::Requested);
    }
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_dropping_the_start_stops_the_attempt() {
    // While dialing, and while on_open runs.
    let (dialing, mut server) = builder(Probe::default());
    let prepared = dialing.build().unwrap();
    let control = prepared.control();
    assert!(tokio::time::timeout(secs(1), prepared.start()).await.is_err());
    settle().await;
    assert!(matches!(&*control.status().borrow(), Status::Stopped { .. }));
    assert!(
        tokio::time::timeout(secs(3_600), server.accept()).await.is_err(),
        "a dial is still there"
    );

    let (opening, mut server) =
        builder(Probe::default().on_open(|_, _| std::future::pending().boxed()));
    let starting = tokio::time::timeout(secs(1), opening.build().unwrap().start());
    let (result, mut peer) = tokio::join!(starting, server.accept());
    assert!(result.is_err());
    let events = rest_of(&mut peer).await;
    assert!(matches!(events.last(), Some(PeerEvent::Dropped)), "{events:?}");
    assert_eq!((server.dials(), server.live()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn guarantee_9_a_stop_by_force_ends_a_send_flushed_whose_message_was_never_taken() {
    let rig = start_with(Probe::default(), |builder| {
        builder.stop_timeout(secs(1)).drain_timeout(secs(60)).write_timeout(secs(60))
    })
    .await;
    rig.peer.stall_writes(true);
    let session = rig.engine.session().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let session = session.clone();
        waiting.push(tokio::spawn(async move { session.send_flushed(vec![0; 64 << 10]).await }));
        // One after the other: the first ones are with the transport, the last ones stay in the queue.
        settle().await;
    }
    assert!(rig.stop().await.is_forced());
    for send in waiting {
        assert!(within(send).await.unwrap().is_err());
    }
}
