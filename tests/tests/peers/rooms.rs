//! The room server with clients that are not ours: npm `ws`, Python `websockets`, and the engine, all in one room.

use e2e::{Events, Reporter, Tungstenite, builder, within};
use serde_json::{Value, json};
use wscengine::{Engine, Message};
use wscengine_rooms_server::wsrooms;

use crate::harness::{Peer, Server, rooms};

/// A client of either library, or the engine; all speak the same protocol.
enum Client {
    Theirs(Peer),
    Ours(Engine, Events),
}

/// A client that knows its id.
struct Member {
    client: Client,
    id: String,
}

#[tokio::test]
async fn npm_ws_and_python_websockets_and_the_engine_meet_in_a_room() {
    let server = rooms("127.0.0.1:0").await;
    let url = format!("ws://{}/ws/wsrooms", server.local_addr());
    let mut members = [
        Member::of(Client::Theirs(Server::Ws.rooms_client(&url))).await,
        Member::of(Client::Theirs(Server::Websockets.rooms_client(&url))).await,
        Member::of(Client::ours(&url).await).await,
    ];
    for at in 0..members.len() {
        members[at].say("lobby", "join", "", "").await;
        let ack = members[at].hears("lobby", "join_ack").await;
        let mut list: Vec<String> = serde_json::from_str(text(&ack, "payload")).unwrap();
        let mut expected: Vec<_> = members[..=at].iter().map(|one| one.id.clone()).collect();
        list.sort_unstable();
        expected.sort_unstable();
        assert_eq!(list, expected);
        let id = members[at].id.clone();
        for other in &mut members[..at] {
            let news = other.hears("lobby", "new_member").await;
            assert_eq!(text(&news, "payload"), id);
        }
    }
    for at in 0..members.len() {
        let (id, payload) = (members[at].id.clone(), format!("grüße von {at}"));
        members[at].say("lobby", "chat", "", &payload).await;
        for other in (0..members.len()).filter(|other| *other != at) {
            let heard = members[other].hears("lobby", "chat").await;
            let expected = json!([id, "", payload]);
            assert_eq!(json!([heard["src"], heard["dst"], heard["payload"]]), expected);
        }
        let next = (at + 1) % members.len();
        let receiver = members[next].id.clone();
        members[at].say("lobby", "aside", &receiver, "only you").await;
        let heard = members[next].hears("lobby", "aside").await;
        assert_eq!(json!([heard["src"], heard["dst"]]), json!([id, receiver]));
    }
    // The demo's handlers, too.
    for member in &mut members {
        member.say("lobby", "ping", "", "there?").await;
        assert_eq!(text(&member.hears("lobby", "pong").await, "payload"), "there?");
    }
    let [mut node, python, mut engine] = members;
    python.tell(&json!({ "close": 1000 }));
    for other in [&mut node, &mut engine] {
        assert_eq!(text(&other.hears("lobby", "member_left").await, "payload"), python.id);
    }
    node.say("lobby", "leave", &node.id.clone(), "").await;
    assert_eq!(text(&node.hears("lobby", "leave_ack").await, "payload"), node.id);
    assert_eq!(text(&engine.hears("lobby", "member_left").await, "payload"), node.id);
}

fn text<'a>(message: &'a Value, field: &str) -> &'a str {
    message[field].as_str().unwrap_or_else(|| panic!("{message} has no {field}"))
}

impl Client {
    async fn ours(url: &str) -> Self {
        let (reporter, mut events) = Reporter::new();
        let engine = builder::<Tungstenite, _>(url, reporter).build().unwrap();
        let engine = within(engine.start()).await.unwrap();
        assert!(!events.opened().await);
        Self::Ours(engine, events)
    }
}

impl Member {
    /// Learns its id by the acknowledgement of `root`.
    async fn of(client: Client) -> Self {
        let mut member = Self { client, id: String::new() };
        let ack = member.hears("root", "join_ack").await;
        text(&ack, "src").clone_into(&mut member.id);
        member
    }

    async fn say(&mut self, room: &str, name: &str, dst: &str, payload: &str) {
        match &mut self.client {
            Client::Theirs(_) => {
                self.tell(&json!({ "room": room, "name": name, "dst": dst, "payload": payload }));
            }
            Client::Ours(engine, _) => {
                let message = wsrooms::Message::new(room, name, dst, "", payload.to_owned());
                within(engine.send(message.to_bytes().unwrap())).await.unwrap();
            }
        }
    }

    fn tell(&self, command: &Value) {
        if let Client::Theirs(peer) = &self.client {
            peer.tell(command);
        }
    }

    /// The next message of this room and name, past all others.
    async fn hears(&mut self, room: &str, name: &str) -> Value {
        loop {
            let message = match &mut self.client {
                Client::Theirs(peer) => peer.event("message").await,
                Client::Ours(_, events) => told(&events.message().await),
            };
            assert_eq!(message["binary"], json!(true));
            if message["room"] == room && message["name"] == name {
                return message;
            }
        }
    }
}

/// A message to the engine, as the other clients report theirs.
fn told(message: &Message<'_>) -> Value {
    let told = wsrooms::Message::from_bytes(message.payload()).unwrap();
    let payload = String::from_utf8(told.payload.to_vec()).unwrap();
    json!({
        "room": told.room, "name": told.event, "dst": told.dst, "src": told.src, "payload": payload,
        "binary": message.is_binary(),
    })
}
