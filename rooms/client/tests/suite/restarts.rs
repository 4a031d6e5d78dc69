//! The server goes and comes again.

use std::time::Duration;

use wscengine::Fate;
use wscengine_rooms_client::{Client, Event, JoinError, State, Wsrooms};
use wscengine_rooms_server::Config;

use super::host::Host;
use super::{builder, connect, id_of, until, until_closed, until_open_again, until_true, within};

const ROOMS: [&str; 4] = ["zoo", "lobby", "𝄞", "arena"];

/// How the server ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Drain,
    Kill,
}

async fn end(host: &mut Host, end: End) {
    match end {
        End::Drain => host.drain().await,
        End::Kill => host.kill(),
    }
}

fn config() -> Config {
    Config::default().drain(Duration::from_millis(20))
}

async fn rooms_are_joined_again(how: End) {
    let mut host = Host::start(config()).await;
    let (ann, bob) = (connect(&host).await, connect(&host).await);
    for room in ROOMS {
        within(ann.join(room)).await.unwrap();
        within(bob.join(room)).await.unwrap();
    }
    within(bob.join("left")).await.unwrap();
    within(bob.leave("left")).await.unwrap();
    for _ in 0..2 {
        let (before, mut events) = ([id_of(&ann), id_of(&bob)], ann.events());
        let mut bobs = bob.events();
        end(&mut host, how).await;
        host.restart(config()).await;
        let mut rejoined = Vec::new();
        loop {
            match within(events.next()).await.unwrap().unwrap() {
                Event::Rejoined { room } => rejoined.push(room),
                Event::Open { again, id } => {
                    assert!(again);
                    assert_eq!(id, ann.id());
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(rejoined, ["root"].into_iter().chain(ROOMS).collect::<Vec<_>>());
        until_open_again(&mut bobs).await;
        let mut both = [id_of(&ann), id_of(&bob)];
        both.sort();
        assert!(both.iter().all(|id| !before.contains(id)));
        for room in ROOMS {
            for client in [&ann, &bob] {
                until_true(client, || client.members(room).unwrap() == both).await;
            }
            assert_eq!(host.rooms().members(room).len(), 2);
        }
        assert_eq!(bob.members("left"), None);
        assert_eq!(host.rooms().members("left").len(), 0);
    }
}

#[tokio::test]
async fn after_a_drain_the_rooms_are_joined_again_in_order_and_their_members_are_right() {
    rooms_are_joined_again(End::Drain).await;
}

#[tokio::test]
async fn after_a_kill_the_rooms_are_joined_again_in_order_and_their_members_are_right() {
    rooms_are_joined_again(End::Kill).await;
}

/// Sends without a pause while the server goes twice: once when it has seen all, once in the middle of it.
async fn fates_are_true(how: End) {
    const MESSAGES: usize = 600;
    let mut host = Host::start(config()).await;
    let ann = connect(&host).await;
    within(ann.join("lobby")).await.unwrap();
    let (mut events, mut deliveries) = (ann.events(), Vec::new());
    for number in 0..MESSAGES {
        let delivery = within(ann.enqueue("lobby", "log", number.to_string())).await.unwrap();
        deliveries.push(delivery);
        if number == 199 {
            until_logged(&ann, &host).await;
        }
        if [199, 399].contains(&number) {
            if number == 399 {
                // It may still be on its way back from the last time.
                until_open_again(&mut events).await;
            }
            end(&mut host, how).await;
            until(&mut events, |event| matches!(event, Event::Lost { .. }).then_some(())).await;
            // These wait for the next connection for certain.
            for _ in 0..50 {
                let text = format!("away after {number}");
                drop(within(ann.enqueue("lobby", "log", text)).await.unwrap());
            }
            host.restart(config()).await;
        }
    }
    within(ann.send("lobby", "log", "last")).await.unwrap();
    until_logged(&ann, &host).await;
    let log = host.log();
    let count = |wanted: &str| log.iter().filter(|text| *text == wanted).count();
    // The first ones may have been on their way when the server went again.
    assert!(count("away after 199") <= 50);
    assert_eq!(count("away after 399"), 50, "what was enqueued while it was away came once");
    let numbers: Vec<usize> = log.iter().filter_map(|text| text.parse().ok()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order, and none twice: {numbers:?}");
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let fate = within(delivery).await;
        // Handed to a socket that died, a message may be lost. No other is.
        let in_flight = (200..400).contains(&number);
        match fate {
            Fate::Written { .. } => assert!(in_flight || numbers.contains(&number), "{number}"),
            Fate::Unknown { .. } => assert!(in_flight, "{number}"),
            other => panic!("{number}: {other:?}"),
        }
    }
}

/// Everything that was written to the server before was handled: it answers a join in order.
async fn until_logged(client: &Client<Wsrooms>, host: &Host) {
    within(client.send("lobby", "log", "mark")).await.unwrap();
    within(client.join("mark")).await.unwrap();
    within(client.leave("mark")).await.unwrap();
    assert_eq!(host.log().last().map(String::as_str), Some("mark"));
}

#[tokio::test]
async fn no_message_is_doubled_or_out_of_order_over_drains() {
    fates_are_true(End::Drain).await;
}

#[tokio::test]
async fn no_message_is_doubled_or_out_of_order_over_kills() {
    fates_are_true(End::Kill).await;
}

#[tokio::test]
async fn what_is_sent_while_the_server_is_away_comes_after_the_rooms_are_joined_again() {
    let mut host = Host::start(config()).await;
    let ann = connect(&host).await;
    within(ann.join("lobby")).await.unwrap();
    let mut events = ann.events();
    host.kill();
    until(&mut events, |event| matches!(event, Event::Lost { .. }).then_some(())).await;
    let sends = (0..20).map(|number| ann.send("lobby", "log", format!("{number}")));
    let sends = futures_util::future::join_all(sends);
    let (sent, ()) = tokio::join!(within(sends), host.restart(config()));
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    until_logged(&ann, &host).await;
    let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(host.log()[..20], expected);
}

#[tokio::test]
async fn a_join_while_the_server_is_away_waits_for_it_and_a_leave_does_not() {
    let mut host = Host::start(config()).await;
    let ann = connect(&host).await;
    within(ann.join("old")).await.unwrap();
    let mut events = ann.events();
    host.kill();
    until(&mut events, |event| matches!(event, Event::Lost { .. }).then_some(())).await;
    within(ann.leave("old")).await.unwrap();
    let (joined, ()) = tokio::join!(within(ann.join("new")), host.restart(config()));
    assert_eq!(joined.unwrap(), [id_of(&ann)]);
    assert_eq!(ann.rooms(), ["root", "new"]);
    assert_eq!(host.rooms().members("old").len(), 0);
}

#[tokio::test]
async fn the_state_says_how_the_connection_is() {
    let mut host = Host::start(config()).await;
    let ann = connect(&host).await;
    let (mut state, mut events) = (ann.state(), ann.events());
    assert!(matches!(&*state.borrow(), State::Open { id } if *id == ann.id()));
    host.kill();
    let lost = |event: &Event| match event {
        Event::Lost { reconnecting, .. } => Some(*reconnecting),
        _ => None,
    };
    assert!(until(&mut events, lost).await);
    let waiting = |state: &State| matches!(state, State::Reconnecting { attempt: 2.., .. });
    within(state.wait_for(waiting)).await.unwrap();
    let announced = |event: &Event| match event {
        Event::Reconnecting { attempt, delay } => Some((*attempt, *delay)),
        _ => None,
    };
    let (attempt, delay) = until(&mut events, announced).await;
    assert!(attempt >= 1 && delay <= Duration::from_secs(1));
    let failed = |event: &Event| matches!(event, Event::AttemptFailed { .. }).then_some(());
    until(&mut events, failed).await;
    host.restart(config()).await;
    within(state.wait_for(|state| matches!(state, State::Open { .. }))).await.unwrap();
    within(ann.close()).await;
    until_closed(&ann).await;
}

#[tokio::test]
async fn a_budget_that_is_spent_ends_the_client_and_whoever_waits_is_told() {
    let mut host = Host::start(config()).await;
    let ann = builder(&host, "/ws/wsrooms", Wsrooms::new())
        .engine(|engine| engine.max_attempts(Some(2)))
        .connect();
    let ann = within(ann).await.unwrap();
    let mut events = ann.events();
    host.kill();
    until(&mut events, |event| matches!(event, Event::Lost { .. }).then_some(())).await;
    assert!(matches!(within(ann.join("lobby")).await, Err(JoinError::Closed)));
    until_closed(&ann).await;
}
