//! A client of any of the protocols, as the demo lets it enter a room and speak there.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::wsrooms;

use crate::common::Talker;

/// The room that go-easy clients of the demo can be in: its channel.
pub(crate) const ROOM: &str = "test";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Wsrooms,
    Grows,
    Iris,
    /// iris with the short prefix.
    Gowsal,
    Easy,
}

pub(crate) const KINDS: [Kind; 5] =
    [Kind::Wsrooms, Kind::Grows, Kind::Iris, Kind::Gowsal, Kind::Easy];

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Wsrooms => "/ws/wsrooms",
            Self::Grows => "/ws/grows/example",
            Self::Iris => "/ws/iris",
            Self::Gowsal => "/ws/gowsal",
            Self::Easy => "/ws/easy",
        }
    }

    fn prefix(self) -> &'static str {
        if self == Self::Iris { "iris-websocket-message:" } else { "m:" }
    }

    /// Whether it hears what it says to a room that it is in.
    pub(crate) fn hears_itself(self) -> bool {
        self != Self::Wsrooms
    }

    /// The name of what it says to the room.
    pub(crate) fn event(self) -> &'static str {
        if self == Self::Easy { "news" } else { "chat" }
    }

    /// Whether it can say data that is no text.
    pub(crate) fn says_json(self) -> bool {
        matches!(self, Self::Grows | Self::Iris | Self::Gowsal)
    }

    /// An event as it is told what happens in a room: written out, so that no code of ours says what is right.
    pub(crate) fn form(self, event: &str, sender: &str, data: &Value) -> Ws {
        let plain = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
        match self {
            Self::Wsrooms => said(ROOM, event, "", sender, plain),
            Self::Grows => Ws::text(format!(r#"{{"event":"{event}","data":{}}}"#, escaped(data))),
            Self::Easy => Ws::text(format!("{event}: {plain}")),
            Self::Iris | Self::Gowsal => {
                let digit = match data {
                    Value::String(_) => 0,
                    Value::Number(number) if number.is_i64() => 1,
                    Value::Bool(_) => 2,
                    _ => 4,
                };
                Ws::text(format!("{}{event};{digit};{plain}", self.prefix()))
            }
        }
    }
}

/// Text with the escapes of the original's JSON writer. Other JSON stays as it was written.
fn escaped(data: &Value) -> String {
    let escapes = [("<", r"\u003c"), (">", r"\u003e"), ("&", r"\u0026")];
    let escapes = if data.is_string() { &escapes[..] } else { &[] };
    escapes.iter().fold(data.to_string(), |text, (from, to)| text.replace(from, to))
}

/// A wsrooms message.
pub(crate) fn said(
    room: &str,
    event: &str,
    dst: &str,
    src: &str,
    payload: impl Into<bytes::Bytes>,
) -> Ws {
    Ws::binary(wsrooms::Message::new(room, event, dst, src, payload).to_bytes().unwrap())
}

pub(crate) struct Member {
    pub(crate) kind: Kind,
    pub(crate) talker: Talker,
    /// Known to a go-easy client by what others hear of it only.
    pub(crate) id: String,
}

impl Member {
    /// Of the server, and of no room but those that its protocol puts it into.
    pub(crate) async fn connect(addr: SocketAddr, kind: Kind) -> Self {
        let cookie = [("Cookie", "auth=valid")];
        let headers = if kind == Kind::Easy { &cookie[..] } else { &[] };
        let talker = Talker::connect(addr, kind.path(), headers).await.expect("101");
        let mut member = Self { kind, talker, id: String::new() };
        member.id = member.learn_id().await;
        member
    }

    async fn learn_id(&mut self) -> String {
        match self.kind {
            Kind::Wsrooms => self.wsrooms().await.src,
            Kind::Grows => {
                self.talker.say("id").await;
                self.text().await
            }
            Kind::Iris | Kind::Gowsal => {
                let prefix = self.kind.prefix();
                self.talker.say(&format!("{prefix}whoami;0;")).await;
                let answer = self.text().await;
                answer.strip_prefix(&format!("{prefix}whoami;0;")).expect(&answer).to_owned()
            }
            Kind::Easy => {
                self.talker.expect("hello: Connected").await;
                String::new()
            }
        }
    }

    /// Has joined when this returns. Gives the list of members, if it is told one.
    pub(crate) async fn join(&mut self, room: &str) -> Option<Vec<String>> {
        let prefix = self.kind.prefix();
        match self.kind {
            Kind::Wsrooms => {
                self.talker.send(said(room, "join", "", "", "")).await;
                return Some(self.join_ack(room).await);
            }
            Kind::Grows => {
                self.talker.say(&json!({ "event": "join", "data": room }).to_string()).await;
                self.talker.expect(&format!(r#"{{"event":"joined","data":"{room}"}}"#)).await;
            }
            Kind::Iris | Kind::Gowsal => {
                self.talker.say(&format!("{prefix}join;0;{room}")).await;
                self.talker.expect(&format!("{prefix}joined;0;{room}")).await;
            }
            Kind::Easy => {
                self.talker.say(&format!("listen: {room}")).await;
                self.talker.settle().await;
            }
        }
        None
    }

    async fn join_ack(&mut self, room: &str) -> Vec<String> {
        let ack = self.wsrooms().await;
        assert_eq!((&*ack.room, &*ack.event), (room, "join_ack"));
        let mut members: Vec<String> = serde_json::from_slice(&ack.payload).unwrap();
        members.sort_unstable();
        members
    }

    /// Leaves the room but not the server, which go-easy clients cannot.
    pub(crate) async fn leave(&mut self, room: &str) {
        let prefix = self.kind.prefix();
        match self.kind {
            Kind::Wsrooms => {
                self.talker.send(said(room, "leave", "", "", "")).await;
                assert_eq!(self.wsrooms().await.event, "leave_ack");
            }
            Kind::Grows => {
                self.talker.say(&json!({ "event": "leave", "data": room }).to_string()).await;
                self.talker.expect(&format!(r#"{{"event":"left","data":"{room}"}}"#)).await;
            }
            Kind::Iris | Kind::Gowsal => {
                self.talker.say(&format!("{prefix}leave;0;{room}")).await;
                self.talker.expect(&format!("{prefix}left;0;{room}")).await;
            }
            Kind::Easy => panic!("it cannot"),
        }
    }

    /// Says something to the room; iris also to another target.
    pub(crate) async fn say(&mut self, room: &str, data: &Value) {
        let prefix = self.kind.prefix();
        let plain = data.as_str().unwrap_or_default().to_owned();
        let to = json!({ "room": room, "text": data });
        match self.kind {
            Kind::Wsrooms => self.talker.send(said(room, "chat", "", "", plain)).await,
            Kind::Grows => {
                self.talker.say(&json!({ "event": "room", "data": to }).to_string()).await;
            }
            Kind::Iris | Kind::Gowsal => self.talker.say(&format!("{prefix}room;4;{to}")).await,
            Kind::Easy => self.talker.say(&format!("publish: {plain}")).await,
        }
    }

    /// The next thing it is told must be this event.
    pub(crate) async fn expect(&mut self, event: &str, sender: &str, data: &Value) {
        let heard = self.talker.receive().await;
        assert_eq!(heard, self.kind.form(event, sender, data), "to {:?}", self.kind);
    }

    /// A message to a wsrooms client.
    pub(crate) async fn wsrooms(&mut self) -> wsrooms::Message {
        wsrooms::Message::from_bytes(&self.talker.receive().await.into_data()).unwrap()
    }

    async fn text(&mut self) -> String {
        self.talker.receive().await.into_text().unwrap().as_str().to_owned()
    }
}
