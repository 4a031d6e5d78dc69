//! What the server refuses, and what is too slow.

use std::time::Duration;

use wscengine::{DefaultClassifier, FailureKind, Verdict};
use wscengine_rooms_client::{Event, JoinError, LeftReason, SendError, Wsrooms};
use wscengine_rooms_server::Config;

use super::host::Host;
use super::{builder, connect, until, until_closed, until_open_again, within};

#[tokio::test]
async fn a_room_too_many_is_refused_and_ends_the_client() {
    let host = Host::start(Config::default().max_rooms(2)).await;
    let ann = connect(&host).await;
    within(ann.join("one")).await.unwrap();
    assert!(matches!(within(ann.join("two")).await, Err(JoinError::Refused)));
    let outcome = within(ann.closed()).await;
    assert_eq!(outcome.cause().unwrap().frame().unwrap().code().0, 1008);
    until_closed(&ann).await;
}

/// Tries again after 1008, too.
fn goes_on() -> DefaultClassifier {
    DefaultClassifier::new()
        .rule(|failure| (failure.kind() == FailureKind::Unauthorized).then(Verdict::retry))
}

#[tokio::test]
async fn where_the_classifier_goes_on_a_room_too_many_is_not_tried_again() {
    let host = Host::start(Config::default().max_rooms(2)).await;
    let ann = builder(&host, "/ws/wsrooms", Wsrooms::new())
        .engine(|engine| engine.classifier(goes_on()))
        .connect();
    let ann = within(ann).await.unwrap();
    within(ann.join("one")).await.unwrap();
    let mut events = ann.events();
    assert!(matches!(within(ann.join("two")).await, Err(JoinError::Refused)));
    until_open_again(&mut events).await;
    assert_eq!(ann.rooms(), ["root", "one"]);
    within(ann.send("one", "log", "still here")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_fewer_rooms_after_a_restart_costs_those_too_many() {
    let mut host = Host::start(Config::default()).await;
    let ann = builder(&host, "/ws/wsrooms", Wsrooms::new())
        .engine(|engine| engine.classifier(goes_on()))
        .connect();
    let ann = within(ann).await.unwrap();
    for room in ["one", "two", "three"] {
        within(ann.join(room)).await.unwrap();
    }
    let mut events = ann.events();
    host.kill();
    host.restart(Config::default().max_rooms(2)).await;
    let refused = |event: &Event| match event {
        Event::Left { room, reason: LeftReason::Refused } => Some(room.clone()),
        _ => None,
    };
    assert_eq!(until(&mut events, refused).await, "two");
    assert_eq!(until(&mut events, refused).await, "three");
    until_open_again(&mut events).await;
    assert_eq!(ann.rooms(), ["root", "one"]);
}

#[tokio::test]
async fn a_name_that_the_server_drops_is_given_up_in_time() {
    let host = Host::start(Config::default().max_name(8)).await;
    let ann =
        builder(&host, "/ws/wsrooms", Wsrooms::new()).timeout(Duration::from_millis(100)).connect();
    let ann = within(ann).await.unwrap();
    let long = "nine bytes";
    assert!(matches!(within(ann.join(long)).await, Err(JoinError::TimedOut)));
    assert!(matches!(within(ann.send(long, "x", "")).await, Err(SendError::NotJoined { .. })));
    assert_eq!(ann.rooms(), ["root"]);
}

#[tokio::test]
async fn a_handler_that_is_slow_misses_the_oldest_and_delays_nobody() {
    let host = Host::start(Config::default()).await;
    let ann = connect(&host).await;
    let bob = builder(&host, "/ws/wsrooms", Wsrooms::new()).queue(10, 1 << 20).connect();
    let bob = within(bob).await.unwrap();
    within(ann.join("lobby")).await.unwrap();
    within(bob.join("lobby")).await.unwrap();
    let (mut slow, mut quick) = (bob.on("chat"), bob.on("chat"));
    for number in 0..100 {
        within(ann.send("lobby", "chat", number.to_string())).await.unwrap();
        let message = within(quick.next()).await.unwrap().unwrap();
        assert_eq!(message.text(), Some(&*number.to_string()));
    }
    assert_eq!(within(slow.next()).await.unwrap().unwrap_err().count, 90);
    for number in 90..100 {
        let message = within(slow.next()).await.unwrap().unwrap();
        assert_eq!(message.text(), Some(&*number.to_string()));
    }
}
