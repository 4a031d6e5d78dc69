//! A client that speaks wsrooms, and nothing by itself.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::wsrooms::Message;
use wscengine_rooms_server::{Config, RunningServer};

use crate::common::{Client, HANG, start};

pub(crate) struct Peer {
    socket: Client,
    pub(crate) id: String,
    /// Taken off the wire, and not looked at yet.
    seen: Vec<Message>,
}

/// A server with the demo, and clients whose news of each other in `root` is behind them.
pub(crate) async fn meeting<const N: usize>(config: Config) -> (RunningServer, [Peer; N]) {
    let server = start(config).await;
    let peers = meet(server.local_addr(), "/ws/wsrooms").await;
    (server, peers)
}

pub(crate) async fn meet<const N: usize>(addr: SocketAddr, path: &str) -> [Peer; N] {
    let mut peers = Vec::new();
    for _ in 0..N {
        peers.push(Peer::connect(addr, path).await);
    }
    for peer in &mut peers {
        peer.forget().await;
    }
    peers.try_into().ok().unwrap()
}

/// Fails if anybody has been told anything that was not looked at.
pub(crate) async fn assert_nothing_more(peers: &mut [&mut Peer]) {
    // Whatever they said has been handled once all have their pongs, and delivered once they have another.
    for _ in 0..2 {
        for peer in &mut *peers {
            peer.settle().await;
        }
    }
    for peer in peers {
        assert_eq!(peer.seen, [], "for {}", peer.id);
    }
}

impl Peer {
    pub(crate) async fn connect(addr: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, path).await
    }

    pub(crate) async fn over(stream: TcpStream, path: &str) -> Self {
        let addr = stream.peer_addr().unwrap();
        let url = format!("ws://{addr}{path}");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        Self::greeted(socket).await
    }

    /// A connection whose handshake is done.
    pub(crate) async fn greeted(socket: Client) -> Self {
        let mut peer = Self { socket, id: String::new(), seen: Vec::new() };
        let ack = peer.receive().await;
        assert_eq!((&*ack.room, &*ack.event, &*ack.dst), ("root", "join_ack", ""));
        peer.id = ack.src;
        peer
    }

    pub(crate) async fn send(&mut self, message: &Message) {
        self.send_bytes(message.to_bytes().unwrap()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: impl Into<bytes::Bytes>) {
        self.send_frame(Ws::binary(bytes)).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Ws) {
        self.socket.send(frame).await.unwrap();
    }

    pub(crate) async fn say(&mut self, room: &str, event: &str, payload: &str) {
        let message = self.message(room, event, payload);
        self.send(&message).await;
    }

    /// Says something to a server that may have closed.
    pub(crate) async fn try_say(&mut self, room: &str, event: &str, payload: &str) {
        let bytes = self.message(room, event, payload).to_bytes().unwrap();
        let _ = self.socket.send(Ws::binary(bytes)).await;
    }

    /// The payload of the next ping.
    pub(crate) async fn ping(&mut self) -> bytes::Bytes {
        loop {
            match self.frame().await.expect("a ping") {
                Ws::Ping(payload) => return payload,
                frame => self.note(&frame),
            }
        }
    }

    /// What it says, as the others are told.
    pub(crate) fn message(&self, room: &str, event: &str, payload: &str) -> Message {
        Message::new(room, event, "", &*self.id, payload.to_owned())
    }

    /// Joins a room, and gives the members of the acknowledgement, sorted.
    pub(crate) async fn join(&mut self, room: &str) -> Vec<String> {
        self.send(&Message::new(room, "join", "", "", "")).await;
        let ack = self.receive().await;
        assert_eq!(ack.event, "join_ack");
        assert_eq!((&*ack.room, &*ack.dst, &ack.src), (room, "", &self.id));
        members(&ack)
    }

    pub(crate) async fn leave(&mut self, room: &str) {
        let id = self.id.clone();
        self.send(&Message::new(room, "leave", &*id, &*id, id.clone())).await;
        assert_eq!(self.receive().await, Message::new(room, "leave_ack", "", &*id, id.clone()));
    }

    /// The next thing it is told.
    pub(crate) async fn receive(&mut self) -> Message {
        // Over all frames: the pings of the server would keep up a time limit for each.
        let message = async {
            while self.seen.is_empty() {
                let frame = self.frame().await.expect("another message");
                self.note(&frame);
            }
            self.seen.remove(0)
        };
        timeout(HANG, message).await.expect("no hang")
    }

    pub(crate) async fn expect(&mut self, expected: &Message) {
        assert_eq!(&self.receive().await, expected);
    }

    /// Has all handled that it said, and takes in all that it was told.
    pub(crate) async fn settle(&mut self) {
        self.socket.send(Ws::Ping("settle".into())).await.unwrap();
        loop {
            match self.frame().await.expect("a pong") {
                Ws::Pong(_) => return,
                frame => self.note(&frame),
            }
        }
    }

    /// Takes in all that it was told so far, and does not look at it.
    pub(crate) async fn forget(&mut self) {
        self.settle().await;
        self.seen.clear();
    }

    /// The code of the close frame that the server sends, if it sends one.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        crate::common::close_code(&mut self.socket).await.map(u16::from)
    }

    /// Ends TCP without a close frame.
    pub(crate) fn abort(self) {
        drop(self.socket);
    }

    async fn frame(&mut self) -> Option<Ws> {
        timeout(HANG, self.socket.next()).await.expect("no hang")?.ok()
    }

    fn note(&mut self, frame: &Ws) {
        match frame {
            Ws::Binary(bytes) => self.seen.push(Message::from_bytes(bytes).unwrap()),
            Ws::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn members(ack: &Message) -> Vec<String> {
    let mut members = wscengine_rooms_protocol::wsrooms::decode_members(&ack.payload).unwrap();
    members.sort_unstable();
    members
}

pub(crate) fn sorted<'a>(peers: impl IntoIterator<Item = &'a Peer>) -> Vec<String> {
    let mut ids: Vec<_> = peers.into_iter().map(|peer| peer.id.clone()).collect();
    ids.sort_unstable();
    ids
}

pub(crate) fn new_member(room: &str, id: &str) -> Message {
    Message::new(room, "new_member", "", "", id.to_owned())
}

pub(crate) fn member_left(room: &str, id: &str) -> Message {
    Message::new(room, "member_left", "", "", id.to_owned())
}
