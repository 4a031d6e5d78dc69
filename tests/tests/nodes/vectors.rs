//! What nodes of groWs write to Redis and hear there: G026 to G034, seen with a subscriber that is neither.

use std::sync::Arc;

use axum::Router;
use futures_util::StreamExt as _;
use redis::AsyncCommands as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use wscengine_rooms_server::grows::{ClientHandler, Clients, Grows, Routes};
use wscengine_rooms_server::{Config, Redis, Rooms};

use crate::client::{HANG, Texts};
use crate::redis_server::RedisServer;
use crate::world::node;

fn vector(id: &str) -> (String, String) {
    let text = include_str!("../../../rooms/server/tests/nodes/vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    (text("channel"), text("text"))
}

/// An application of groWs whose node is on this Redis; connected, and without clients.
async fn application(redis: &RedisServer) -> (Clients, Rooms) {
    let grows = Grows::new()
        .router(Routes::new().route("/example", ClientHandler::new()).unwrap())
        .unwrap();
    let clients = grows.clients();
    let rooms = Rooms::new(Config::default().redis(Redis::new(&redis.url()).unwrap()));
    let _: Router = rooms.grows(grows);
    (clients, rooms)
}

#[tokio::test]
async fn g026_to_g033_are_what_the_broadcast_functions_publish() {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut seen = client.get_async_pubsub().await.unwrap();
    seen.psubscribe("*").await.unwrap();
    let mut seen = seen.into_on_message();
    let (clients, _rooms) = application(&redis).await;
    // It tells that it is there as soon as it is.
    let first = timeout(HANG, seen.next()).await.unwrap().unwrap();
    assert_eq!(first.get_channel_name(), "rooms:presence");
    let map = json!({"b": 1, "a": null});
    clients.broadcast_to_all("bcall msg");
    clients.broadcast_except("ID", "bcexcept msg");
    clients.broadcast_event_to_all("eall", &map).unwrap();
    clients.broadcast_event_except("ID", "eex", &Value::Null).unwrap();
    clients.broadcast_to_client("ID", "to me");
    clients.broadcast_event_to_client("ID", "me", &1.5).unwrap();
    clients.broadcast("testRoom", "bc msg");
    clients.broadcast_event("testRoom", "e", "x").unwrap();
    for id in ["G026", "G027", "G028", "G029", "G030", "G031", "G032", "G033"] {
        let message = loop {
            let message = timeout(HANG, seen.next()).await.expect(id).unwrap();
            if message.get_channel_name().starts_with("grows:") {
                break message;
            }
        };
        let payload = String::from_utf8(message.get_payload_bytes().to_vec()).unwrap();
        assert_eq!((message.get_channel_name().to_owned(), payload), vector(id), "{id}");
    }
}

#[tokio::test]
async fn g026_to_g034_reach_the_clients_that_they_are_meant_for() {
    let redis = RedisServer::start();
    let node = node(&redis.url(), 0).await;
    let mut outside =
        redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    // In `testRoom`, and in no room.
    let mut inside = Texts::connect(node.local_addr(), "/ws/grows/example").await;
    let id: Arc<str> = inside.ask("id").await.into();
    let mut other = Texts::connect(node.local_addr(), "/ws/grows/star").await;
    while !node.rooms().metrics().contains("rooms_redis_up 1") {
        tokio::task::yield_now().await;
    }
    let all = [
        ("G026", Some("bcall msg"), Some("bcall msg")),
        ("G027", None, Some("bcexcept msg")),
        (
            "G028",
            Some(r#"{"event":"eall","data":{"a":null,"b":1}}"#),
            Some(r#"{"event":"eall","data":{"a":null,"b":1}}"#),
        ),
        ("G029", None, Some(r#"{"event":"eex","data":null}"#)),
        ("G030", Some("to me"), None),
        ("G031", Some(r#"{"event":"me","data":1.5}"#), None),
        ("G032", Some("bc msg"), None),
        ("G033", Some(r#"{"event":"e","data":"x"}"#), None),
        ("G034", None, None),
    ];
    for (name, to_inside, to_other) in all {
        let (channel, payload) = vector(name);
        let payload = payload.replace(r#""ID""#, &format!(r#""{id}""#));
        let heard: u64 = outside.publish(&channel, payload).await.unwrap();
        assert_eq!(heard, 1, "{channel} has one subscriber");
        if let Some(text) = to_inside {
            inside.hears(text).await;
        }
        if let Some(text) = to_other {
            other.hears(text).await;
        }
    }
    // What the original does by mistake: an event of a room where its raw messages belong.
    let mistaken = r#"{"Id":"testRoom","Message":null,"event":{"event":"e","data":[1]}}"#;
    let _: u64 = outside.publish("grows:Id", mistaken).await.unwrap();
    inside.hears(r#"{"event":"e","data":[1]}"#).await;
    // Nothing else came: answers come in order.
    assert_eq!(inside.ask("id").await, *id);
    other.say("x").await;
    other.hears("star:x").await;
}
