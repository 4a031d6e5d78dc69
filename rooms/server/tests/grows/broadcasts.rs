//! The ten broadcast functions, the lists of ids, and a client by its id.

use serde_json::{Value, json};
use wscengine_rooms_server::grows::{Conn, Event, SendError};

use crate::common::{Talker, assert_nothing_more};
use crate::setup::{App, telling_ids};

/// Three clients; the first two are in `lobby`, the first one is an admin, the second one is not.
async fn three() -> (App, [Talker; 3], [String; 3]) {
    let app = App::serving(telling_ids()).await;
    let [(a, id_a), (b, id_b), (c, id_c)] = app.three().await;
    for (id, admin) in [(&id_a, true), (&id_b, false)] {
        let conn = app.clients.get(id).unwrap();
        conn.join("lobby").unwrap();
        conn.set_meta("admin", admin);
    }
    (app, [a, b, c], [id_a, id_b, id_c])
}

/// These, and no others, are told this.
async fn told(talkers: &mut [Talker; 3], those: &[usize], text: &str) {
    for at in those {
        talkers[*at].expect(text).await;
    }
    assert_nothing_more(&mut talkers.each_mut()).await;
}

#[tokio::test]
async fn a_room_is_told_a_raw_message_or_an_event() {
    let (app, mut talkers, _) = three().await;
    assert_eq!(app.clients.broadcast("lobby", "hi"), 2);
    told(&mut talkers, &[0, 1], "hi").await;
    assert_eq!(app.clients.broadcast_event("lobby", "e", &json!({"b": 1, "a": "<"})).unwrap(), 2);
    told(&mut talkers, &[0, 1], r#"{"event":"e","data":{"a":"\u003c","b":1}}"#).await;
    assert_eq!(app.clients.broadcast("nowhere", "hi"), 0);
    assert_eq!(app.clients.broadcast_event("nowhere", "e", "hi").unwrap(), 0);
    told(&mut talkers, &[], "").await;
}

#[tokio::test]
async fn all_are_told_a_raw_message_or_an_event() {
    let (app, mut talkers, _) = three().await;
    assert_eq!(app.clients.broadcast_to_all("hi"), 3);
    told(&mut talkers, &[0, 1, 2], "hi").await;
    assert_eq!(app.clients.broadcast_event_to_all("e", &Value::Null).unwrap(), 3);
    told(&mut talkers, &[0, 1, 2], r#"{"event":"e","data":null}"#).await;
}

#[tokio::test]
async fn all_but_one_are_told_a_raw_message_or_an_event() {
    let (app, mut talkers, ids) = three().await;
    assert_eq!(app.clients.broadcast_except(&ids[0], "hi"), 2);
    told(&mut talkers, &[1, 2], "hi").await;
    assert_eq!(app.clients.broadcast_event_except(&ids[2], "e", &1.5).unwrap(), 2);
    told(&mut talkers, &[0, 1], r#"{"event":"e","data":1.5}"#).await;
    assert_eq!(app.clients.broadcast_except("nobody", "hi"), 3);
    told(&mut talkers, &[0, 1, 2], "hi").await;
}

#[tokio::test]
async fn those_with_a_value_in_their_metadata_are_told_a_raw_message_or_an_event() {
    let (app, mut talkers, _) = three().await;
    assert_eq!(app.clients.broadcast_by_meta("admin", true, "hi"), 1);
    told(&mut talkers, &[0], "hi").await;
    assert_eq!(app.clients.broadcast_event_by_meta("admin", false, "e", "x").unwrap(), 1);
    told(&mut talkers, &[1], r#"{"event":"e","data":"x"}"#).await;
    // Of another kind.
    assert_eq!(app.clients.broadcast_by_meta("admin", "true", "hi"), 0);
    assert_eq!(app.clients.broadcast_by_meta("admin", 1, "hi"), 0);
    // No value is the value of those that have none.
    assert_eq!(app.clients.broadcast_by_meta("admin", Value::Null, "hi"), 1);
    told(&mut talkers, &[2], "hi").await;
}

#[tokio::test]
async fn one_is_told_a_raw_message_or_an_event() {
    let (app, mut talkers, ids) = three().await;
    assert_eq!(app.clients.broadcast_to_client(&ids[1], "hi"), 1);
    told(&mut talkers, &[1], "hi").await;
    assert_eq!(app.clients.broadcast_event_to_client(&ids[2], "e", &[1]).unwrap(), 1);
    told(&mut talkers, &[2], r#"{"event":"e","data":[1]}"#).await;
    assert_eq!(app.clients.broadcast_to_client("nobody", "hi"), 0);
    assert_eq!(app.clients.broadcast_event_to_client("nobody", "e", &1).unwrap(), 0);
    told(&mut talkers, &[], "").await;
}

#[tokio::test]
async fn data_that_is_no_json_is_an_error_and_nobody_is_told() {
    let (app, mut talkers, ids) = three().await;
    let (clients, data) = (&app.clients, std::collections::HashMap::from([((1, 2), 3)]));
    for result in [
        clients.broadcast_event("lobby", "e", &data),
        clients.broadcast_event_to_all("e", &data),
        clients.broadcast_event_except("", "e", &data),
        clients.broadcast_event_by_meta("admin", true, "e", &data),
        clients.broadcast_event_to_client(&ids[0], "e", &data),
    ] {
        assert!(matches!(result, Err(SendError::Encode(_))));
    }
    told(&mut talkers, &[], "").await;
}

#[tokio::test]
async fn ids_are_listed_all_by_metadata_and_by_room() {
    let (app, talkers, ids) = three().await;
    let sorted = |listed: Vec<std::sync::Arc<str>>| {
        let mut listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        listed.sort_unstable();
        listed
    };
    let expected = |those: &[usize]| {
        let mut those: Vec<_> = those.iter().map(|at| ids[*at].clone()).collect();
        those.sort_unstable();
        those
    };
    assert_eq!(sorted(app.clients.ids()), expected(&[0, 1, 2]));
    assert_eq!(sorted(app.clients.ids_by_meta("admin", true)), expected(&[0]));
    assert_eq!(sorted(app.clients.ids_by_meta("admin", Value::Null)), expected(&[2]));
    assert_eq!(sorted(app.clients.ids_by_meta("name", "Ada")), expected(&[]));
    assert_eq!(sorted(app.clients.ids_by_room("lobby")), expected(&[0, 1]));
    assert_eq!(sorted(app.clients.ids_by_room("nowhere")), expected(&[]));
    assert!(app.clients.get(&ids[0]).is_some_and(|conn| conn.id() == ids[0]));
    assert!(app.clients.get("nobody").is_none());
    drop(talkers);
    app.rooms.close().await;
    assert!(app.clients.ids().is_empty());
}

#[tokio::test]
async fn a_handler_sends_data_on_as_it_came() {
    let handler = telling_ids().on_connect(async |conn: Conn| Ok(conn.join("lobby")?)).on_event(
        "say",
        async |conn: Conn, event: Event| {
            conn.clients().broadcast_event("lobby", "said", &event.data)?;
            Ok(())
        },
    );
    let app = App::serving(handler.unwrap()).await;
    let mut both = [app.join().await, app.join().await];
    both[0].say(r#"{"event":"say","data":{"z":1e400,"a":"\ud800"}}"#).await;
    for client in &mut both {
        client.expect(r#"{"event":"said","data":{"z":1e400,"a":"\ud800"}}"#).await;
    }
}
