//! `recv` and `recv_matching`: dropped, no message is lost, and none changes its place.

use futures_util::FutureExt;
use wscengine::{Message, ReadError, ReadErrorKind, RecvError, Revoked};

use crate::cut::{Cut, at_each_await, at_each_moment};
use crate::kit::{ends, goes_on};
use crate::support::{Probe, Rig, secs, settle, start, start_with, within};

type Received = Result<Message<'static>, RecvError>;

fn text(received: Received) -> String {
    received.unwrap().text().unwrap().to_owned()
}

/// Sends these, one a second.
async fn one_a_second(rig: &Rig, texts: &[&'static str]) {
    for text in texts {
        tokio::time::sleep(secs(1)).await;
        rig.peer.send(*text);
    }
}

#[tokio::test(start_paused = true)]
async fn exclusive_recv_dropped_while_it_waits_loses_no_message() {
    let reached = at_each_await(|cut| async move {
        let rig = start(Probe::default()).await;
        let mut held = within(rig.engine.pause()).await.unwrap();
        let (first, ()) = tokio::join!(cut.call(held.recv()), one_a_second(&rig, &["1", "2", "3"]));
        let first = match first {
            Some(received) => text(received),
            None => text(within(held.recv()).await),
        };
        assert_eq!(first, "1");
        assert_eq!(text(within(held.recv()).await), "2");
        drop(held);
        rig.journal.until("message 3").await;
        assert_eq!(rig.journal.messages(), ["3"]);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// The holder does not ask again: what it would have been given goes to `on_message`.
#[tokio::test(start_paused = true)]
async fn exclusive_recv_dropped_with_its_hold_leaves_the_message_to_on_message() {
    let moments = at_each_moment(|cut| async move {
        let rig = start(Probe::default()).await;
        let mut held = within(rig.engine.pause()).await.unwrap();
        rig.peer.send("1");
        let received = cut.call(held.recv()).await;
        drop(held);
        rig.peer.send("2");
        rig.journal.until("message 2").await;
        let given = received.map(text).into_iter().chain(rig.journal.messages());
        assert_eq!(given.collect::<Vec<_>>(), ["1", "2"]);
        goes_on(rig).await;
    })
    .await;
    assert!(moments >= 1, "{moments}");
}

/// In `on_open` and in `on_close` too.
#[tokio::test(start_paused = true)]
async fn exclusive_recv_dropped_in_on_open_and_on_close_loses_no_message() {
    let reached = at_each_await(|cut| async move {
        let (opening, closing) = (cut.clone(), Cut::clone(&cut));
        let probe = Probe::default()
            .on_open(move |conn, _| {
                let cut = opening.clone();
                async move {
                    let first = cut.call(conn.recv()).await;
                    let first = if let Some(first) = first { first } else { conn.recv().await };
                    assert_eq!(text(first), "log in");
                    Ok(())
                }
                .boxed()
            })
            .on_close(move |conn, _| {
                let cut = closing.clone();
                async move {
                    let last = cut.call(conn.recv()).await;
                    let last = if let Some(last) = last { last } else { conn.recv().await };
                    assert_eq!(text(last), "log out");
                    None
                }
                .boxed()
            });
        let (builder, mut server) = crate::support::builder(probe.clone());
        let serve = async {
            let peer = server.accept().await;
            tokio::time::sleep(secs(1)).await;
            peer.send("log in");
            peer
        };
        let (engine, peer) = tokio::join!(builder.build().unwrap().start(), serve);
        let rig = Rig { engine: engine.unwrap(), server, peer, journal: probe.journal.clone() };
        rig.engine.control().exit();
        rig.journal.until("close stopped").await;
        tokio::time::sleep(secs(1)).await;
        rig.peer.send("log out");
        ends(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// A read error that the connection survives is for whoever reads next.
async fn read_error(matching: bool) {
    let reached = at_each_await(|cut| async move {
        let rig = start(Probe::default()).await;
        let mut held = within(rig.engine.pause()).await.unwrap();
        let fails = async {
            settle().await;
            rig.peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
            rig.peer.send("1");
        };
        let received = async {
            if matching {
                cut.call(held.recv_matching(|_| false)).await
            } else {
                cut.call(held.recv()).await
            }
        };
        let (received, ()) = tokio::join!(received, fails);
        let received = match received {
            Some(received) => received,
            None => within(held.recv()).await,
        };
        assert!(matches!(received, Err(RecvError::Read(_))), "{received:?}");
        assert_eq!(text(within(held.recv()).await), "1");
        drop(held);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// The hold is taken back while the call waits.
async fn taken_back(matching: bool, end: fn(&Rig), reason: Revoked) {
    let reached = at_each_await(|cut| async move {
        let mut rig = start(Probe::default()).await;
        let mut held = within(rig.engine.pause()).await.unwrap();
        let takes_back = async {
            settle().await;
            end(&rig);
        };
        let received = async {
            if matching {
                cut.call(held.recv_matching(|_| true)).await
            } else {
                cut.call(held.recv()).await
            }
        };
        let (received, ()) = tokio::join!(received, takes_back);
        if let Some(received) = received {
            assert!(
                matches!(received, Err(RecvError::Revoked(it)) if it == reason),
                "{received:?}"
            );
        }
        settle().await;
        assert_eq!(held.revoked(), Some(reason));
        drop(held);
        if reason == Revoked::Stopping {
            return ends(rig).await;
        }
        rig.reopened().await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

async fn ends_of_a_hold(matching: bool) {
    taken_back(matching, Rig::close_by_peer, Revoked::ConnectionEnded).await;
    taken_back(matching, |rig| rig.peer.reset(), Revoked::ConnectionEnded).await;
    taken_back(matching, |rig| rig.engine.restart(), Revoked::Restarting).await;
    taken_back(matching, |rig| rig.engine.control().exit(), Revoked::Stopping).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_recv_dropped_as_a_read_fails_leaves_the_error_to_the_next_call() {
    read_error(false).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_recv_dropped_as_the_hold_is_taken_back_leaves_the_reason() {
    ends_of_a_hold(false).await;
}

/// It waits three times: at first, and after each of the two messages that it passes over.
#[tokio::test(start_paused = true)]
async fn exclusive_recv_matching_dropped_after_passing_messages_over_loses_none() {
    let reached = at_each_await(|cut| async move {
        let rig = start(Probe::default()).await;
        let mut held = within(rig.engine.pause()).await.unwrap();
        let wanted = |message: &Message<'static>| message.text() == Some("3");
        let (found, ()) = tokio::join!(
            cut.call(held.recv_matching(wanted)),
            one_a_second(&rig, &["1", "2", "3", "4"])
        );
        let found = match found {
            Some(received) => text(received),
            None => text(within(held.recv_matching(wanted)).await),
        };
        assert_eq!(found, "3");
        assert_eq!(text(within(held.recv()).await), "1");
        drop(held);
        rig.journal.until("message 4").await;
        assert_eq!(rig.journal.messages(), ["2", "4"]);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 3);
}

/// The read-ahead is full of what does not match: dropped before it says so, everything is there.
#[tokio::test(start_paused = true)]
async fn exclusive_recv_matching_dropped_as_the_read_ahead_fills_loses_none() {
    let reached = at_each_await(|cut| async move {
        let rig = start_with(Probe::default(), |builder| builder.read_ahead(2, 1 << 20)).await;
        let mut held = within(rig.engine.pause()).await.unwrap();
        let (found, ()) = tokio::join!(
            cut.call(held.recv_matching(|message| message.text() == Some("4"))),
            one_a_second(&rig, &["1", "2", "3", "4"])
        );
        assert!(found.is_none_or(|found| matches!(found, Err(RecvError::ReadAheadFull))));
        for number in ["1", "2", "3", "4"] {
            assert_eq!(text(within(held.recv()).await), number);
        }
        drop(held);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 2);
}

#[tokio::test(start_paused = true)]
async fn exclusive_recv_matching_dropped_as_a_read_fails_leaves_the_error_to_the_next_call() {
    read_error(true).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_recv_matching_dropped_as_the_hold_is_taken_back_leaves_the_reason() {
    ends_of_a_hold(true).await;
}
