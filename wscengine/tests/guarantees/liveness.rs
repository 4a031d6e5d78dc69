//! Liveness: what proves that a peer lives, and when the engine gives a connection up.

use std::time::Duration;

use futures_util::future::join_all;
use wscengine::testing::memory::PeerEvent;
use wscengine::{Message, PingError, Session};

use crate::support::{
    Probe, assert_at_once, assert_took, millis, secs, settle, start, start_with, timed, within,
};

const HEARTBEAT_LOST: &str = "close nothing came after a ping";
const WRITE_STALLED: &str = "close the socket took no byte in time";
const IDLE: &str = "close no message came in time";

fn slow(
    by: Duration,
) -> impl Fn(Session, Message<'static>) -> tokio::time::Sleep + Send + Sync + 'static {
    move |_, _| tokio::time::sleep(by)
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_lost_a_ping_interval_and_a_ping_timeout_after_the_session_opened() {
    let mut rig = start(Probe::default()).await;
    rig.peer.stall_reads(true);
    let ((), took) = timed(rig.journal.until(HEARTBEAT_LOST)).await;
    assert_took(took, secs(30));
    // No closing handshake with the dead.
    let events = crate::support::rest_of(&mut rig.peer).await;
    assert!(matches!(&events[..], [PeerEvent::Ping(_), PeerEvent::Dropped]), "{events:?}");
    rig.reopened().await;
}

#[tokio::test(start_paused = true)]
async fn the_interval_and_the_timeout_can_be_set() {
    let rig = start_with(Probe::default(), |builder| {
        builder.ping_interval(Some(secs(7))).ping_timeout(secs(2))
    })
    .await;
    rig.peer.stall_reads(true);
    let ((), took) = timed(rig.journal.until(HEARTBEAT_LOST)).await;
    assert_took(took, secs(9));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_never_lost() {
    let rig = start(Probe::default()).await;
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(rig.journal.lines(), ["open"]);
    assert_eq!(rig.server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_no_ping_is_sent_and_silence_is_no_fault() {
    let mut rig = start_with(Probe::default(), |builder| builder.ping_interval(None)).await;
    rig.peer.stall_reads(true);
    assert!(tokio::time::timeout(secs(3_600), rig.peer.recv()).await.is_err());
    assert_eq!(rig.journal.lines(), ["open"]);
}

#[tokio::test(start_paused = true)]
async fn outbound_traffic_proves_nothing() {
    let rig = start(Probe::default()).await;
    rig.peer.stall_reads(true);
    let engine = rig.engine.clone();
    let chatter = tokio::spawn(async move {
        while engine.send_flushed("are you there").await.is_ok() {
            tokio::time::sleep(millis(500)).await;
        }
    });
    let ((), took) = timed(rig.journal.until(HEARTBEAT_LOST)).await;
    assert_took(took, secs(30));
    within(chatter).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn any_byte_proves_life_even_of_a_message_that_is_not_complete() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    for _ in 0..60 {
        tokio::time::sleep(secs(5)).await;
        rig.peer.drip(1);
    }
    assert_eq!(rig.journal.lines(), ["open"]);
    // And when the drip ends, so does the session.
    rig.journal.until(HEARTBEAT_LOST).await;
    rig.reopened().await;
}

#[tokio::test(start_paused = true)]
async fn messages_prove_life_without_any_pong() {
    let rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    for number in 0..60 {
        tokio::time::sleep(secs(5)).await;
        rig.peer.send(number.to_string());
    }
    assert!(rig.journal.after("close ").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_ping_proves_nothing() {
    let rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    tokio::time::sleep(secs(19)).await;
    rig.peer.send("just before");
    let ((), took) = timed(rig.journal.until(HEARTBEAT_LOST)).await;
    assert_took(took, secs(11));
}

/// While the read-ahead is full nothing is read, so nothing can be said about the peer.
#[tokio::test(start_paused = true)]
async fn a_consumer_slower_than_the_heartbeat_keeps_its_connection() {
    for workers in [1, 3] {
        let probe = Probe::default().on_message(slow(secs(50)));
        let rig =
            start_with(probe, |builder| builder.workers(workers).read_ahead(4, 1 << 20)).await;
        for number in 0..60 {
            rig.peer.send(number.to_string());
        }
        rig.journal.until_messages(60).await;
        assert!(rig.journal.after("close ").is_empty(), "{:?}", rig.journal.lines());
        assert_eq!(rig.server.dials(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_does_not_receive_keeps_its_connection_too() {
    let rig = start_with(Probe::default(), |builder| builder.read_ahead(4, 1 << 20)).await;
    let held = within(rig.engine.pause()).await.unwrap();
    for number in 0..60 {
        rig.peer.send(number.to_string());
    }
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(held.revoked(), None);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_silent_while_we_do_not_read_is_lost_once_we_do() {
    let probe = Probe::default().on_message(slow(secs(10)));
    let rig = start_with(probe, |builder| builder.read_ahead(1, 1 << 20)).await;
    for number in 0..20 {
        rig.peer.send(number.to_string());
    }
    rig.journal.until("message 10").await;
    rig.peer.stall_reads(true);
    rig.journal.until(HEARTBEAT_LOST).await;
    assert_eq!(rig.journal.messages().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_no_byte_is_given_up_after_the_write_timeout() {
    // The peer is alive otherwise: it sends.
    let rig = start_with(Probe::default(), |builder| builder.ping_interval(None)).await;
    rig.peer.stall_writes(true);
    rig.engine.send("stuck").await.unwrap();
    let ((), took) = timed(rig.journal.until(WRITE_STALLED)).await;
    assert_took(took, secs(30));
}

#[tokio::test(start_paused = true)]
async fn the_write_timeout_can_be_set_and_a_slow_socket_is_no_stall() {
    let rig =
        start_with(Probe::default(), |builder| builder.write_timeout(secs(4)).ping_interval(None))
            .await;
    for _ in 0..10 {
        rig.peer.stall_writes(true);
        rig.engine.send("slow").await.unwrap();
        tokio::time::sleep(secs(3)).await;
        rig.peer.stall_writes(false);
        settle().await;
    }
    assert_eq!(rig.journal.lines(), ["open"]);
    rig.peer.stall_writes(true);
    rig.engine.send("stuck").await.unwrap();
    let ((), took) = timed(rig.journal.until(WRITE_STALLED)).await;
    assert_took(took, secs(4));
}

#[tokio::test(start_paused = true)]
async fn an_idle_socket_is_no_stall() {
    let rig = start_with(Probe::default(), |builder| builder.ping_interval(None)).await;
    rig.peer.stall_writes(true);
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(rig.journal.lines(), ["open"]);
}

#[tokio::test(start_paused = true)]
async fn the_idle_timeout_looks_at_messages_only() {
    let rig = start_with(Probe::default(), |builder| builder.idle_timeout(Some(secs(50)))).await;
    for number in 0..5 {
        tokio::time::sleep(secs(40)).await;
        rig.peer.send(number.to_string());
    }
    settle().await;
    assert!(rig.journal.after("close ").is_empty());
    // Pongs and pings come on, messages do not.
    let pings = async {
        loop {
            rig.peer.ping("alive");
            rig.peer.drip(1);
            tokio::time::sleep(secs(1)).await;
        }
    };
    let took = tokio::select! {
        ((), took) = timed(rig.journal.until(IDLE)) => took,
        () = pings => unreachable!(),
    };
    assert!(took >= secs(49) && took <= secs(51), "it took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn by_default_there_is_no_idle_timeout() {
    let rig = start(Probe::default()).await;
    tokio::time::sleep(secs(24 * 3_600)).await;
    assert_eq!(rig.journal.lines(), ["open"]);
}

#[tokio::test(start_paused = true)]
async fn the_idle_timeout_stands_still_while_we_do_not_read() {
    let probe = Probe::default().on_message(slow(secs(80)));
    let rig =
        start_with(probe, |builder| builder.idle_timeout(Some(secs(50))).read_ahead(1, 1 << 20))
            .await;
    for number in 0..40 {
        rig.peer.send(number.to_string());
    }
    rig.journal.until_messages(40).await;
    assert!(rig.journal.after("close ").is_empty(), "{:?}", rig.journal.lines());
}

#[tokio::test(start_paused = true)]
async fn ping_gives_the_round_trip_time() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    let engine = rig.engine.clone();
    let ping = tokio::spawn(async move { engine.ping().await });
    let Some(PeerEvent::Ping(payload)) = within(rig.peer.recv()).await else { panic!("no ping") };
    tokio::time::sleep(millis(250)).await;
    rig.peer.pong(payload);
    assert_took(within(ping).await.unwrap().unwrap(), millis(250));
    assert_took(rig.engine.stats().round_trip.unwrap(), millis(250));
}

#[tokio::test(start_paused = true)]
async fn pongs_are_matched_by_payload() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    let engine = rig.engine.clone();
    let ping = tokio::spawn(async move { engine.ping().await });
    let Some(PeerEvent::Ping(payload)) = within(rig.peer.recv()).await else { panic!("no ping") };
    // Pongs that nobody asked for, and one that is nearly right.
    rig.peer.pong("");
    rig.peer.pong("something else");
    let mut nearly = payload.to_vec();
    nearly[0] ^= 1;
    rig.peer.pong(nearly);
    tokio::time::sleep(secs(1)).await;
    assert!(!ping.is_finished(), "a pong of another payload was taken");
    rig.peer.pong(payload);
    assert!(within(ping).await.unwrap().unwrap() >= secs(1));
}

#[tokio::test(start_paused = true)]
async fn pings_of_many_have_payloads_of_their_own_and_each_gets_its_pong() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    let pings: Vec<_> = (0..10)
        .map(|_| {
            let engine = rig.engine.clone();
            tokio::spawn(async move { engine.ping().await })
        })
        .collect();
    let mut payloads = Vec::new();
    for _ in 0..10 {
        let Some(PeerEvent::Ping(payload)) = within(rig.peer.recv()).await else {
            panic!("no ping")
        };
        assert!(!payloads.contains(&payload), "two pings with one payload");
        payloads.push(payload);
    }
    for payload in payloads {
        rig.peer.pong(payload);
    }
    for ping in join_all(pings).await {
        ping.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_pong_of_a_later_ping_answers_the_earlier_ones() {
    let mut rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    let engine = rig.engine.clone();
    let pings =
        tokio::spawn(async move { tokio::join!(engine.ping(), engine.ping(), engine.ping()) });
    let mut last = None;
    for _ in 0..3 {
        last = within(rig.peer.recv()).await;
    }
    let Some(PeerEvent::Ping(payload)) = last else { panic!("no ping") };
    rig.peer.pong(payload);
    let (a, b, c) = within(pings).await.unwrap();
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_ping_without_a_pong_times_out_and_the_session_goes_on() {
    let rig =
        start_with(Probe::default(), |builder| builder.ping_interval(None).ping_timeout(secs(3)))
            .await;
    rig.peer.auto_pong(false);
    let (result, took) = timed(rig.engine.ping()).await;
    assert_eq!(result, Err(PingError::Timeout));
    assert_took(took, secs(3));
    assert_eq!(rig.journal.lines(), ["open"]);
    rig.peer.auto_pong(true);
    assert_at_once(within(rig.engine.ping()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_ping_fails_with_the_session_and_without_a_connection() {
    let rig = start(Probe::default()).await;
    rig.peer.auto_pong(false);
    let session = rig.engine.session().unwrap();
    let end = async {
        settle().await;
        rig.close_by_peer();
    };
    let (result, ()) = within(async { tokio::join!(session.ping(), end) }).await;
    assert_eq!(result, Err(PingError::SessionEnded));
    settle().await;
    assert_eq!(within(session.ping()).await, Err(PingError::SessionEnded));
    assert_eq!(within(rig.engine.ping()).await, Err(PingError::NotConnected));
}

#[tokio::test(start_paused = true)]
async fn pings_without_pongs_are_bounded_in_number() {
    let rig = start_with(Probe::default(), |builder| builder.ping_interval(None)).await;
    rig.peer.auto_pong(false);
    let results = within(join_all((0..200).map(|_| rig.engine.ping()))).await;
    let too_many = results.iter().filter(|result| **result == Err(PingError::TooMany)).count();
    let timed_out = results.iter().filter(|result| **result == Err(PingError::Timeout)).count();
    assert_eq!(too_many + timed_out, 200);
    assert!(too_many >= 100, "{timed_out} pings were remembered");
}

/// The heartbeat's state belongs to one session.
#[tokio::test(start_paused = true)]
async fn the_heartbeat_begins_anew_with_each_session() {
    let mut rig = start(Probe::default()).await;
    for _ in 0..3 {
        tokio::time::sleep(secs(15)).await;
        rig.close_by_peer();
        rig.reopened().await;
    }
    rig.peer.stall_reads(true);
    let ((), took) = timed(rig.journal.until(HEARTBEAT_LOST)).await;
    assert_took(took, secs(30));
}
