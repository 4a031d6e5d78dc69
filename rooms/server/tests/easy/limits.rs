//! The limits of the configuration hold here, too.

use std::time::Duration;

use wscengine_rooms_server::{Config, Origins};

use crate::common::{Talker, start};
use crate::peer::{NOT_SUPPORTED, come, demo, listen};

#[tokio::test]
async fn a_message_that_is_too_large_closes_with_1009() {
    let (_server, [mut a]) = demo(Config::default().max_room_message(100)).await;
    let largest = format!("echo: {}", "x".repeat(94));
    a.say(&largest).await;
    a.expect(&largest).await;
    a.say(&(largest + "x")).await;
    assert_eq!(a.close_code().await, Some(1009));
}

#[tokio::test]
async fn one_channel_too_many_closes_with_1008() {
    let (_server, [mut a]) = demo(Config::default().max_rooms(0)).await;
    a.say("listen: test").await;
    assert_eq!(a.close_code().await, Some(1008));
}

#[tokio::test]
async fn a_channel_whose_name_is_too_long_closes_with_1008_and_such_a_command_is_unknown() {
    let (server, [mut a]) = demo(Config::default().max_name(6)).await;
    for (command, answer) in [("echo: x", "echo: x"), ("publish: x", NOT_SUPPORTED)] {
        a.say(command).await;
        a.expect(answer).await;
    }
    let mut b = come(server.local_addr(), "/ws/easy", "channel_valid").await;
    b.say("listen: validate").await;
    b.expect("hello: Connected").await;
    assert_eq!(b.close_code().await, Some(1008));
}

#[tokio::test]
async fn more_messages_each_second_than_allowed_close_with_1008() {
    let (_server, [mut a]) = demo(Config::default().max_messages_per_second(10)).await;
    for _ in 0..10_000 {
        // Whether the last ones can be written depends on when the server closes.
        a.try_say("testChannel: ").await;
    }
    assert_eq!(a.close_code().await, Some(1008));
}

#[tokio::test]
async fn clients_are_pinged() {
    let (_server, [mut a]) = demo(Config::default().ping_interval(Duration::from_millis(20))).await;
    assert!(a.ping().await.is_empty());
}

#[tokio::test]
async fn the_origins_of_the_server_hold_as_well() {
    let allowed = Origins::Listed(vec!["https://app.example".into()]);
    let server = start(Config::default().origins(allowed)).await;
    let addr = server.local_addr();
    // One is not listed, the other not of this host.
    for origin in [&*format!("http://{addr}"), "https://app.example"] {
        let headers = [("cookie", "auth=valid"), ("origin", origin)];
        assert_eq!(Talker::connect(addr, "/ws/easy", &headers).await.err(), Some(403));
    }
    come(addr, "/ws/easy", "valid").await.settle().await;
}

#[tokio::test]
async fn a_server_that_ends_closes_with_1001() {
    let (server, [mut a]) = demo(Config::default()).await;
    listen(&mut a, "test").await;
    let end = tokio::spawn(server.shutdown());
    assert_eq!(a.close_code().await, Some(1001));
    end.await.unwrap();
}
