//! Several speak at once.

use std::collections::HashMap;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::wsrooms;

use crate::member::{Kind, Member, ROOM};
use crate::party::Party;

/// Of each speaker.
const MESSAGES: usize = 100;

/// A speaker of each kind, a hundred messages each: every member hears all of them, once, in the same order, in which
/// each speaker's own order holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_hear_all_that_is_said_at_once_in_one_order() {
    let mut party = Party::meet().await;
    // The second wsrooms client, and one of each other protocol.
    let speakers: Vec<_> =
        (1..party.members.len()).filter(|at| party.members[*at].kind != Kind::Gowsal).collect();
    let mut tasks = JoinSet::new();
    for (at, mut member) in party.members.drain(..).enumerate() {
        let says = if speakers.contains(&at) { MESSAGES } else { 0 };
        let hears = match member.kind {
            Kind::Wsrooms => speakers.len() * MESSAGES - says,
            _ => speakers.len() * MESSAGES,
        };
        tasks.spawn(async move {
            let heard = take_part(&mut member, at, says, hears).await;
            (at, member, heard)
        });
    }
    let mut heard: HashMap<usize, Vec<String>> = HashMap::new();
    while let Some(task) = tasks.join_next().await {
        let (at, member, all) = task.unwrap();
        heard.insert(at, all);
        party.members.push(member);
    }
    party.assert_nothing_more().await;
    // The wsrooms client that only listens.
    let order = heard[&0].clone();
    for at in &speakers {
        let own: Vec<_> = order.iter().filter(|text| text.starts_with(&format!("{at} "))).collect();
        let said: Vec<_> = (0..MESSAGES).map(|number| format!("{at} {number}")).collect();
        assert_eq!(own, said.iter().collect::<Vec<_>>());
    }
    for (at, heard) in heard {
        let mut expected = order.clone();
        if at == 1 {
            // It does not hear itself.
            expected.retain(|text| !text.starts_with("1 "));
        }
        assert_eq!(heard, expected, "member {at}");
    }
}

async fn take_part(member: &mut Member, at: usize, says: usize, hears: usize) -> Vec<String> {
    for number in 0..says {
        member.say(ROOM, &Value::from(format!("{at} {number}"))).await;
        tokio::task::yield_now().await;
    }
    let mut heard = Vec::new();
    while heard.len() < hears {
        heard.push(text_of(member.kind, member.talker.receive().await));
    }
    heard
}

/// What was said, out of the form of its hearer.
fn text_of(kind: Kind, message: Ws) -> String {
    match kind {
        Kind::Wsrooms => {
            let message = wsrooms::Message::from_bytes(&message.into_data()).unwrap();
            String::from_utf8(message.payload.to_vec()).unwrap()
        }
        Kind::Grows => {
            let event: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            event["data"].as_str().unwrap().to_owned()
        }
        Kind::Iris | Kind::Gowsal => message.to_text().unwrap().rsplit(';').next().unwrap().into(),
        Kind::Easy => message.to_text().unwrap().split_once(": ").unwrap().1.into(),
    }
}
