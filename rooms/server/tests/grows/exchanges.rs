//! The exchanges that were recorded with the original server, G035 to G042, and the demo.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use wscengine_rooms_server::grows::{Conn, Event};

use crate::common::{Talker, assert_nothing_more};
use crate::setup::{App, demo, telling_ids};

/// The next message, an event: its name and its data.
async fn event(talker: &mut Talker) -> (String, Value) {
    let mut event: Value = serde_json::from_str(talker.receive().await.to_text().unwrap()).unwrap();
    (event["event"].as_str().unwrap().to_owned(), event["data"].take())
}

#[tokio::test]
async fn g035_a_raw_message_is_answered_and_another_one_is_not() {
    let (_server, [mut a]) = demo("example").await;
    a.say("test").await;
    a.expect("test back").await;
    a.say("testing").await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn g036_an_event_is_told_to_all_in_the_room_and_the_sender() {
    let (_server, [mut a, mut b]) = demo("example").await;
    a.say(r#"{"event":"Broadcast","data":"..."}"#).await;
    for client in [&mut a, &mut b] {
        client.expect(r#"{"event":"broadcast-event","data":"..."}"#).await;
    }
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn g037_broadcast_except_leaves_one_out_and_broadcast_to_all_nobody() {
    let app = App::serving(telling_ids()).await;
    let ((mut a, id), mut b) = (app.known().await, app.join().await);
    assert_eq!(app.clients.broadcast_except(&id, "bcexcept msg"), 1);
    b.expect("bcexcept msg").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
    assert_eq!(app.clients.broadcast_to_all("all"), 2);
    a.expect("all").await;
    b.expect("all").await;
}

#[tokio::test]
async fn g038_send_middlewares_change_what_is_sent_in_their_order() {
    let (_server, [mut a]) = demo("tagged").await;
    a.say("test").await;
    a.expect("2:1:test back").await;
}

#[tokio::test]
async fn g039_data_comes_back_as_the_original_writes_it() {
    let handler = telling_ids().on_event("ev", async |conn: Conn, event: Event| {
        Ok(conn.write_event("ev-back", &event.data.json::<Value>()?)?)
    });
    let app = App::serving(handler.unwrap()).await;
    let mut a = app.join().await;
    a.say(r#"{"event":"ev","data":{"x":[1,2,"\u00fc<"]}}"#).await;
    a.expect(r#"{"event":"ev-back","data":{"x":[1,2,"ü\u003c"]}}"#).await;
}

#[tokio::test]
async fn g040_star_handlers_get_what_no_other_handles() {
    let (_server, [mut a]) = demo("star").await;
    a.say("anything").await;
    a.expect("star:anything").await;
    a.say(r#"{"event":"zzz","data":3}"#).await;
    a.expect("starev:3").await;
}

#[tokio::test]
async fn g041_a_binary_message_reaches_no_handler() {
    let (_server, [mut a, mut star]) = {
        let (server, [star]) = demo("star").await;
        let a = Talker::connect(server.local_addr(), "/ws/grows/example", &[]).await.unwrap();
        (server, [a, star])
    };
    for client in [&mut a, &mut star] {
        client.send(Message::binary(&b"test"[..])).await;
    }
    assert_nothing_more(&mut [&mut a, &mut star]).await;
    star.say("alive").await;
    star.expect("star:alive").await;
}

#[tokio::test]
async fn g042_an_empty_message_is_a_raw_message_of_length_0() {
    let (_server, [mut star]) = demo("star").await;
    star.say("").await;
    star.expect("star:").await;
}

#[tokio::test]
async fn g017_g018_an_object_without_an_event_is_an_event_without_a_name() {
    let (_server, [mut star]) = demo("star").await;
    for object in [r#"{"foo":1}"#, "{}", r#"{"event":null}"#] {
        star.say(object).await;
        star.expect("starev:null").await;
    }
    star.say(r#"{"data":{"b": [1, "x y"]}}"#).await;
    star.expect(r#"starev:{"b":[1,"x y"]}"#).await;
}

#[tokio::test]
async fn what_is_no_event_is_raw() {
    let (_server, [mut star]) = demo("star").await;
    for text in [" {\"event\":\"x\"}", "{\"event\":5}", "{bad}", "[1]", "{\"event\":\"x\"}\n"] {
        star.say(text).await;
        star.expect(&format!("star:{text}")).await;
    }
}

#[tokio::test]
async fn the_demo_answers_raw_messages() {
    let (_server, [mut a]) = demo("example").await;
    a.say("echo  x y").await;
    a.expect("echo  x y").await;
    a.say("id").await;
    assert_eq!(a.receive().await.to_text().unwrap().len(), 36);
    a.say("fail").await;
    a.say("echo").await;
    a.say("an echo of").await;
    assert_nothing_more(&mut [&mut a]).await;
    a.say("close").await;
    assert_eq!(a.close_code().await, Some(1000));
}

#[tokio::test]
async fn the_demo_answers_events() {
    let (_server, [mut a, mut b]) = demo("example").await;
    a.say(r#"{"event":"echo","data":{"a": [1.5, null]}}"#).await;
    assert_eq!(event(&mut a).await, ("echo".into(), json!({"a": [1.5, null]})));
    a.say(r#"{"event":"join","data":"lobby"}"#).await;
    assert_eq!(event(&mut a).await, ("joined".into(), json!("lobby")));
    a.say(r#"{"event":"rooms"}"#).await;
    assert_eq!(event(&mut a).await, ("rooms".into(), json!(["testRoom", "lobby"])));
    b.say(r#"{"event":"room","data":{"room":"lobby","text":{"t":1}}}"#).await;
    assert_eq!(event(&mut a).await, ("chat".into(), json!({"t": 1})));
    for _ in 0..2 {
        a.say(r#"{"event":"leave","data":"lobby"}"#).await;
        assert_eq!(event(&mut a).await, ("left".into(), json!("lobby")));
    }
    // Not what the handlers want: errors of theirs.
    for wrong in [r#"{"event":"join","data":5}"#, r#"{"event":"leave"}"#, r#"{"event":"room"}"#] {
        a.say(wrong).await;
    }
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn the_demo_tells_the_parameter_of_its_path() {
    let (_server, [mut a]) = demo("user/42").await;
    a.say("user").await;
    a.expect("user 42").await;
    a.say("test").await;
    a.expect("test back").await;
}
