//! npm `ws`, Python `websockets` and the engine speak all four protocols of the room server, in one room.

use e2e::{Dialect, Events, Reporter, Said, Tungstenite, builder, within};
use serde_json::json;
use wscengine::Engine;

use crate::harness::{Peer, Server, rooms};

enum Client {
    Theirs(Peer),
    Ours(Engine, Events),
}

struct Member {
    dialect: Dialect,
    client: Client,
}

impl Member {
    /// With one of their libraries, or the engine; in the room.
    async fn of(library: Option<Server>, base: &str, dialect: Dialect) -> Self {
        let url = format!("{base}{}", dialect.path());
        let client = match library {
            Some(library) => Client::Theirs(library.rooms_client_with(&url, dialect.cookie())),
            None => Client::ours(&url, dialect.cookie()).await,
        };
        let mut member = Self { dialect, client };
        for said in dialect.join() {
            member.send(said).await;
        }
        while !dialect.is_in(&member.receive().await) {}
        member
    }

    async fn send(&mut self, said: Said) {
        match (&mut self.client, said) {
            (Client::Theirs(peer), Said::Text(text)) => peer.tell(&json!({ "text": text })),
            (Client::Theirs(peer), Said::Binary(bytes)) => {
                peer.tell(&json!({ "hex": hex(&bytes) }));
            }
            (Client::Ours(engine, _), Said::Text(text)) => {
                within(engine.send(text)).await.unwrap();
            }
            (Client::Ours(engine, _), Said::Binary(bytes)) => {
                within(engine.send(bytes)).await.unwrap();
            }
        }
    }

    async fn receive(&mut self) -> Vec<u8> {
        let (is_binary, bytes) = match &mut self.client {
            Client::Theirs(peer) => {
                let message = peer.event("message").await;
                (message["binary"] == true, unhex(message["hex"].as_str().unwrap()))
            }
            Client::Ours(_, events) => {
                let message = events.message().await;
                (message.is_binary(), message.payload().to_vec())
            }
        };
        assert_eq!(is_binary, self.dialect == Dialect::Wsrooms);
        bytes
    }

    /// The next that somebody says in the room, past all else.
    async fn hears(&mut self) -> String {
        loop {
            if let Some(text) = self.dialect.heard(&self.receive().await) {
                return text;
            }
        }
    }
}

impl Client {
    async fn ours(url: &str, cookie: Option<&str>) -> Self {
        let (reporter, mut events) = Reporter::new();
        let mut prepared = builder::<Tungstenite, _>(url, reporter);
        if let Some(cookie) = cookie {
            prepared = prepared.header("cookie", cookie);
        }
        let engine = within(prepared.build().unwrap().start()).await.unwrap();
        assert!(!events.opened().await);
        Self::Ours(engine, events)
    }
}

#[tokio::test]
async fn three_libraries_speak_four_protocols_in_one_room() {
    let server = rooms("127.0.0.1:0").await;
    let base = format!("ws://{}", server.local_addr());
    let mut members = Vec::new();
    for library in [Some(Server::Ws), Some(Server::Websockets), None] {
        for dialect in Dialect::ALL {
            members.push(Member::of(library, &base, dialect).await);
        }
    }
    for at in 0..members.len() {
        let text = format!("grüße von {at}");
        let dialect = members[at].dialect;
        members[at].send(dialect.say(&text)).await;
        for (hearer, member) in members.iter_mut().enumerate() {
            if hearer != at || dialect.hears_itself() {
                assert_eq!(member.hears().await, text, "from {at} to {hearer}");
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
