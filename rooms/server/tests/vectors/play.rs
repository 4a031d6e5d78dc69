//! The exchanges: several clients, and what they say and hear in turn.

use std::net::SocketAddr;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::common::assert_nothing_more;
use crate::entry::{Entry, text};
use crate::player::{Player, as_now, in_order, message_of, unhex};

/// What was recorded, or with more of it.
pub(crate) fn steps<'a>(entry: &'a Entry, play: &'a Value) -> &'a [Value] {
    play.get("steps").and_then(Value::as_array).map_or(entry.steps(), Vec::as_slice)
}

pub(crate) async fn check(addr: SocketAddr, entry: &Entry, play: &Value) {
    let mut stage = Stage::set(addr, entry, play).await;
    for step in steps(entry, play) {
        println!("  {step}");
        stage.act(step).await;
    }
    stage.assert_nothing_more().await;
}

struct Stage {
    /// Those who are still there.
    players: Vec<Player>,
    /// Of all who were there, and what they were in the recording.
    ids: Vec<(String, String)>,
}

impl Stage {
    /// With players that have heard of each other.
    async fn set(addr: SocketAddr, entry: &Entry, play: &Value) -> Self {
        let headers = play.get("headers").and_then(Value::as_object).into_iter().flatten();
        let headers: Vec<_> =
            headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let mut stage = Self { players: Vec::new(), ids: Vec::new() };
        for name in text(play, "clients").chars() {
            let mut player = Player::connect(addr, text(play, "path"), &headers, name).await;
            if entry.text("system") == "wsrooms" {
                stage.ids.push(player.greeted().await);
                for other in &mut stage.players {
                    other.hears_of_somebody("root").await;
                }
            }
            // What a server does for a new client is done.
            player.talker.settle().await;
            stage.players.push(player);
        }
        for room in play["rooms"].as_array().into_iter().flatten() {
            stage.meet(room.as_str().unwrap()).await;
        }
        stage
    }

    async fn meet(&mut self, room: &str) {
        for at in 0..self.players.len() {
            self.players[at].join(room).await;
            for other in &mut self.players[..at] {
                other.hears_of_somebody(room).await;
            }
        }
    }

    async fn act(&mut self, step: &Value) {
        let (name, value) = action(step);
        if name == "recv_nothing" {
            // What they may be told a little later: all who could are asked.
            return self.assert_nothing_more().await;
        }
        let who = step.get("who").map_or("A", |_| text(step, "who"));
        let at = self.players.iter().position(|player| player.name == who).unwrap();
        match name {
            "send" => {
                let message = Message::binary(as_now(&self.ids, value));
                self.players[at].talker.send(message).await;
            }
            "recv" => {
                let heard = self.players[at].talker.receive().await;
                let expected = Message::binary(as_now(&self.ids, value));
                assert_eq!(in_order(heard), in_order(expected));
            }
            "recv_any_order" => self.hears_all(at, value).await,
            "abort" => self.players.remove(at).talker.abort(),
            "close" => {
                let mut player = self.players.remove(at);
                assert_eq!(player.talker.close_code().await.map(u64::from), value.as_u64());
            }
            _ => act_alone(&mut self.players[at], name, value).await,
        }
    }

    async fn hears_all(&mut self, at: usize, expected: &Value) {
        let mut expected: Vec<_> =
            expected.as_array().unwrap().iter().map(|one| as_now(&self.ids, one)).collect();
        while !expected.is_empty() {
            let heard = self.players[at].talker.receive().await.into_data();
            let known = expected.iter().position(|expected| *expected == heard);
            expected.remove(known.unwrap_or_else(|| panic!("{heard:?}")));
        }
    }

    async fn assert_nothing_more(&mut self) {
        let mut talkers: Vec<_> = self.players.iter_mut().map(|one| &mut one.talker).collect();
        assert_nothing_more(&mut talkers).await;
    }
}

/// What a step is about, apart from who does it.
fn action(step: &Value) -> (&str, &Value) {
    let mut actions = step.as_object().unwrap().iter();
    let beside = ["who", "note", "recorded"];
    let (name, value) = actions.find(|(name, _)| !beside.contains(&name.as_str())).unwrap();
    (name, value)
}

/// What needs nothing of the others.
async fn act_alone(player: &mut Player, name: &str, value: &Value) {
    let text = || value.as_str().unwrap();
    let length = || usize::try_from(value.as_u64().unwrap()).unwrap();
    match name {
        "send_text" => player.talker.say(text()).await,
        "recv_text" => player.talker.expect(text()).await,
        "send_binary_hex" => player.talker.send(Message::binary(unhex(text()))).await,
        "send_len" => player.talker.send(message_of(length(), player.id.as_deref())).await,
        "recv_len" => assert_eq!(player.talker.receive().await.len(), length()),
        _ => panic!("unknown: {name}"),
    }
}
