//! Engines as clients of the rooms: the wsrooms protocol over every adapter.

use std::time::Duration;

use e2e::{Event, Events, Reporter, within};
use wscengine::{Engine, ExponentialBackoff, Initiator};
use wscengine_rooms_server::wsrooms::Message;
use wscengine_rooms_server::{Config, RunningServer, Server};

use super::{builder, open};
use crate::rooms;

struct Client {
    engine: Engine,
    events: Events,
    id: String,
}

impl Client {
    async fn connect(server: &RunningServer) -> Self {
        let (engine, events) = open(&url(server)).await;
        let mut client = Self { engine, events, id: String::new() };
        client.greeted().await;
        client
    }

    /// Learns its id, from the acknowledgement for `root`.
    async fn greeted(&mut self) {
        let ack = self.receive().await;
        assert_eq!((&*ack.room, &*ack.event), ("root", "join_ack"));
        self.id = ack.src;
    }

    async fn receive(&mut self) -> Message {
        Message::from_bytes(self.events.message().await.payload()).unwrap()
    }

    async fn send(&self, message: Message) {
        self.engine.send(message.to_bytes().unwrap()).await.unwrap();
    }

    /// What it is told of other rooms than `root` next.
    async fn told(&mut self) -> Message {
        loop {
            let message = self.receive().await;
            if message.room != "root" {
                return message;
            }
        }
    }

    fn says(&self, event: &str, dst: &str, payload: &'static str) -> Message {
        Message::new("lobby", event, dst, &*self.id, payload)
    }
}

fn url(server: &RunningServer) -> String {
    format!("ws://{}/ws/wsrooms", server.local_addr())
}

#[tokio::test]
async fn engines_meet_in_a_room() {
    let server = rooms(Config::default()).await;
    let mut a = Client::connect(&server).await;
    let mut b = Client::connect(&server).await;
    for client in [&mut a, &mut b] {
        client.send(Message::new("lobby", "join", "", "", "")).await;
        assert_eq!(client.told().await.event, "join_ack");
    }
    let news = Message::new("lobby", "new_member", "", "", b.id.clone());
    assert_eq!(a.told().await, news);

    for (event, dst) in [("chat", ""), ("dm", &*a.id.clone())] {
        b.send(b.says(event, dst, "grüezi")).await;
        assert_eq!(a.told().await, b.says(event, dst, "grüezi"));
    }
    within(b.engine.stop()).await;
    assert_eq!(a.told().await, Message::new("lobby", "member_left", "", "", b.id.clone()));
    within(a.engine.stop()).await;
    let rooms = server.rooms().clone();
    within(server.shutdown()).await;
    assert_eq!((rooms.rooms(), rooms.connections()), (0, 0));
}

#[tokio::test]
async fn a_thousand_messages_of_one_engine_reach_the_other_in_order() {
    let server = rooms(Config::default().queue_messages(2_000)).await;
    let mut a = Client::connect(&server).await;
    let mut b = Client::connect(&server).await;
    for client in [&mut a, &mut b] {
        client.send(Message::new("lobby", "join", "", "", "")).await;
        assert_eq!(client.told().await.event, "join_ack");
    }
    a.told().await;
    let (engine, id) = (b.engine.clone(), b.id.clone());
    let sending = tokio::spawn(async move {
        for n in 0..1_000 {
            let message = Message::new("lobby", "chat", "", &*id, n.to_string());
            engine.send(message.to_bytes().unwrap()).await.unwrap();
        }
    });
    for n in 0..1_000 {
        assert_eq!(a.told().await.payload, n.to_string());
    }
    within(sending).await.unwrap();
}

#[tokio::test]
async fn a_drain_closes_with_1012_and_the_engine_finds_the_next_server() {
    let server = rooms(Config::default().drain(Duration::from_millis(50))).await;
    let address = server.local_addr();
    let (reporter, events) = Reporter::new();
    let quick =
        ExponentialBackoff::new().base(Duration::from_millis(20)).cap(Duration::from_millis(50));
    let prepared = builder(&url(&server), reporter).backoff(quick).build().unwrap();
    let engine = within(prepared.start()).await.unwrap();
    let mut client = Client { engine, events, id: String::new() };
    assert!(!client.events.opened().await);
    client.greeted().await;
    let id = client.id.clone();

    within(server.shutdown()).await;
    let closed = client.events.closed().await;
    assert_eq!(closed.frame.unwrap().code().0, 1012);
    assert_eq!((closed.initiator, closed.restarting), (Initiator::Peer, true));
    client.events.restart_error().await;
    let _server = Server::bind(address, Config::default()).await.unwrap().spawn();
    loop {
        match client.events.next().await {
            Event::RestartError(_) => {}
            Event::Open { restarting, .. } => break assert!(restarting),
            other => panic!("{other:?}"),
        }
    }
    client.greeted().await;
    assert_ne!(client.id, id);
}
