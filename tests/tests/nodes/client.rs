//! A client of the rooms, in any of the protocols, that notes what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Ws;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use wscengine_rooms_server::wsrooms::Message;

/// Nothing here waits for a time: this only turns a hang into a failure.
pub(crate) const HANG: Duration = Duration::from_secs(20);

/// A wsrooms client.
#[derive(Debug)]
pub(crate) struct Peer {
    socket: WebSocketStream<TcpStream>,
    pub(crate) id: String,
    /// Taken off the wire, and not looked at yet.
    seen: Vec<Message>,
}

impl Peer {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let url = format!("ws://{addr}/ws/wsrooms");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        let mut peer = Self { socket, id: String::new(), seen: Vec::new() };
        peer.id = peer.when("root", "join_ack", |_| true).await.src;
        peer
    }

    pub(crate) async fn send(&mut self, message: &Message) {
        self.socket.send(Ws::binary(message.to_bytes().unwrap())).await.unwrap();
    }

    pub(crate) async fn say(&mut self, room: &str, event: &str, payload: &str) {
        self.tell(room, event, "", payload).await;
    }

    pub(crate) async fn tell(&mut self, room: &str, event: &str, dst: &str, payload: &str) {
        let message = Message::new(room, event, dst, &*self.id, payload.to_owned());
        self.send(&message).await;
    }

    /// The ids in the answer, sorted.
    pub(crate) async fn join(&mut self, room: &str) -> Vec<String> {
        self.say(room, "join", "").await;
        let ack = self.when(room, "join_ack", |_| true).await;
        let mut ids: Vec<String> = serde_json::from_slice(&ack.payload).unwrap();
        ids.sort();
        ids
    }

    /// Waits until it is told so; what it is told before stays.
    pub(crate) async fn when(
        &mut self,
        room: &str,
        event: &str,
        fits: impl Fn(&Message) -> bool,
    ) -> Message {
        let is_it = |it: &Message| it.room == room && it.event == event && fits(it);
        loop {
            if let Some(at) = self.seen.iter().position(is_it) {
                return self.seen.remove(at);
            }
            let message = timeout(HANG, self.next()).await;
            let message = message.unwrap_or_else(|_| {
                panic!("{} waits for {event} in {room}, has {:?}", self.id, self.seen)
            });
            self.seen.push(message);
        }
    }

    /// Waits until it knows that this one is in the room.
    pub(crate) async fn sees(&mut self, room: &str, id: &str) {
        self.when(room, "new_member", |it| it.payload == *id).await;
    }

    pub(crate) async fn misses(&mut self, room: &str, id: &str) {
        self.when(room, "member_left", |it| it.payload == *id).await;
    }

    pub(crate) async fn hears(&mut self, room: &str, event: &str, payload: &str) -> Message {
        self.when(room, event, |it| it.payload == payload).await
    }

    /// All that was said in a room up to this payload, which is not in it: `event payload`.
    pub(crate) async fn heard_until(&mut self, room: &str, last: &str) -> Vec<String> {
        let is_news = |it: &Message| matches!(&*it.event, "new_member" | "member_left");
        let mut heard = Vec::new();
        loop {
            let message = self.when(room, "say", |_| true).await;
            let payload = String::from_utf8(message.payload.to_vec()).unwrap();
            if payload == last {
                assert!(self.seen.iter().all(|it| it.room != room || is_news(it)));
                return heard;
            }
            heard.push(payload);
        }
    }

    /// What it was told of a room and has not been looked at, without news of who comes and goes.
    pub(crate) fn left_over(&self, room: &str) -> Vec<&Message> {
        let is_news = |it: &Message| matches!(&*it.event, "new_member" | "member_left");
        self.seen.iter().filter(|it| it.room == room && !is_news(it)).collect()
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Ws::Binary(bytes) = self.socket.next().await.unwrap().unwrap() {
                return Message::from_bytes(&bytes).unwrap();
            }
        }
    }
}

/// A client of a protocol whose messages are text: it says and hears them as they are on the wire, in order.
#[derive(Debug)]
pub(crate) struct Texts {
    socket: WebSocketStream<TcpStream>,
}

impl Texts {
    pub(crate) async fn connect(addr: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
        // What go-easy wants to see; the others do not look.
        request.headers_mut().insert("cookie", "auth=valid".parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        Self { socket }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Ws::text(text)).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.say(text).await;
        self.next().await
    }

    /// It must be the next.
    pub(crate) async fn hears(&mut self, text: &str) {
        assert_eq!(self.next().await, text);
    }

    pub(crate) async fn next(&mut self) -> String {
        let next = async {
            loop {
                if let Ws::Text(text) = self.socket.next().await.unwrap().unwrap() {
                    return text.to_string();
                }
            }
        };
        timeout(HANG, next).await.expect("it is told something")
    }
}
