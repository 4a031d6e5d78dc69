//! The limits of [`Config`] for groWs clients.

use wscengine_rooms_server::Config;
use wscengine_rooms_server::grows::{Conn, Event, JoinError};

use crate::common::assert_nothing_more;
use crate::setup::{App, behind, telling_ids};

#[tokio::test]
async fn a_message_that_is_too_big_closes_with_1009() {
    let handler = telling_ids().on("*", async |conn: Conn, text: String| Ok(conn.write(&text)?));
    let grows = behind(handler.unwrap(), Ok);
    let app = App::with(Config::default().max_room_message(1000), grows).await;
    let mut client = app.join().await;
    client.say(&"x".repeat(1000)).await;
    client.expect(&"x".repeat(1000)).await;
    client.say(&"x".repeat(1001)).await;
    assert_eq!(client.close_code().await, Some(1009));
}

#[tokio::test]
async fn rooms_and_the_length_of_their_names_are_limited() {
    let config = Config::default().max_rooms(2).max_name(64);
    let app = App::with(config, behind(telling_ids(), Ok)).await;
    let (_client, id) = app.known().await;
    let conn = app.clients.get(&id).unwrap();
    assert_eq!(conn.join(&"x".repeat(65)), Err(JoinError::NameTooLong));
    conn.join(&"x".repeat(64)).unwrap();
    conn.join("").unwrap();
    assert_eq!(conn.join("third"), Err(JoinError::TooManyRooms));
    assert!(conn.leave(""));
    conn.join("third").unwrap();
}

#[tokio::test]
async fn an_event_whose_name_is_too_long_is_dropped_and_counted() {
    let handler = telling_ids().on_event("*", async |conn: Conn, event: Event| {
        Ok(conn.write(&event.name.len().to_string())?)
    });
    let grows = behind(handler.unwrap(), Ok);
    let app = App::with(Config::default().max_name(8), grows).await;
    let mut client = app.join().await;
    client.say(r#"{"event":"123456789"}"#).await;
    client.say(r#"{"event":"12345678"}"#).await;
    client.expect("8").await;
    assert_nothing_more(&mut [&mut client]).await;
    let dropped = "rooms_dropped_total{direction=\"in\",protocol=\"grows\"} 1";
    assert!(app.rooms.metrics().contains(dropped));
}

#[tokio::test]
async fn a_client_that_says_too_much_is_closed_with_1008() {
    let grows = behind(telling_ids(), Ok);
    let app = App::with(Config::default().max_messages_per_second(5), grows).await;
    let mut client = app.join().await;
    for _ in 0..6 {
        client.try_say("x").await;
    }
    assert_eq!(client.close_code().await, Some(1008));
}
