//! Engines as clients of all four protocols, in one room.

use e2e::{Dialect, Events, Reporter, Said, within};
use wscengine::Engine;
use wscengine_rooms_server::{Config, RunningServer};

use super::builder;
use crate::rooms;

const MESSAGES: usize = 100;

struct Member {
    dialect: Dialect,
    engine: Engine,
    events: Events,
}

impl Member {
    /// In the room.
    async fn of(server: &RunningServer, dialect: Dialect) -> Self {
        let (reporter, mut events) = Reporter::new();
        let url = format!("ws://{}{}", server.local_addr(), dialect.path());
        let mut prepared = builder(&url, reporter);
        if let Some(cookie) = dialect.cookie() {
            prepared = prepared.header("cookie", cookie);
        }
        let engine = within(prepared.build().unwrap().start()).await.unwrap();
        assert!(!events.opened().await);
        let mut member = Self { dialect, engine, events };
        for said in dialect.join() {
            send(&member.engine, said).await;
        }
        while !dialect.is_in(member.events.message().await.payload()) {}
        member
    }

    /// The next that somebody says in the room, past all else.
    async fn hears(&mut self) -> String {
        loop {
            let message = self.events.message().await;
            assert_eq!(message.is_binary(), self.dialect == Dialect::Wsrooms);
            if let Some(text) = self.dialect.heard(message.payload()) {
                return text;
            }
        }
    }
}

async fn send(engine: &Engine, said: Said) {
    match said {
        Said::Text(text) => within(engine.send(text)).await.unwrap(),
        Said::Binary(bytes) => within(engine.send(bytes)).await.unwrap(),
    }
}

#[tokio::test]
async fn engines_of_all_four_protocols_hear_each_other_in_one_order() {
    let server = rooms(Config::default().queue_messages(1_000)).await;
    let mut members = Vec::new();
    for dialect in Dialect::ALL {
        members.push(Member::of(&server, dialect).await);
    }
    // Who only listens.
    members.push(Member::of(&server, Dialect::Wsrooms).await);
    let mut speakers = Vec::new();
    for member in &members[..4] {
        let (engine, dialect) = (member.engine.clone(), member.dialect);
        speakers.push(tokio::spawn(async move {
            for number in 0..MESSAGES {
                send(&engine, dialect.say(&format!("{dialect:?} {number}"))).await;
            }
        }));
    }
    for speaker in speakers {
        within(speaker).await.unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..4 * MESSAGES {
        order.push(members[4].hears().await);
    }
    for dialect in Dialect::ALL {
        let own = |text: &&String| text.starts_with(&format!("{dialect:?} "));
        let said: Vec<_> = (0..MESSAGES).map(|number| format!("{dialect:?} {number}")).collect();
        assert_eq!(order.iter().filter(own).collect::<Vec<_>>(), said.iter().collect::<Vec<_>>());
    }
    for member in &mut members[..4] {
        let dialect = member.dialect;
        let own = format!("{dialect:?} ");
        for text in order.iter().filter(|text| dialect.hears_itself() || !text.starts_with(&own)) {
            assert_eq!(member.hears().await, *text, "{dialect:?}");
        }
    }
}
