//! Every recorded message, cut short everywhere and with bits turned over, to every protocol.

use std::collections::HashSet;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::{Config, RunningServer};

use crate::common::start;
use crate::member::{KINDS, Kind, Member, ROOM};

/// So many are said before what came back is taken in: the queue of a client has room for their answers.
const AT_ONCE: usize = 32;

fn recorded() -> Vec<Vec<u8>> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../../protocol/tests/vectors.json")).unwrap();
    all.iter().map(|entry| unhex(entry["hex"].as_str().unwrap())).collect()
}

/// The message itself, its beginnings, and versions with one bit turned over in every fifth byte.
fn garbled(message: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = (0..=message.len()).map(|end| message[..end].to_vec()).collect();
    for at in (0..message.len()).step_by(5) {
        let mut turned = message.to_vec();
        turned[at] ^= 1 << (at % 8);
        all.push(turned);
    }
    all.push([message, message].concat());
    all
}

async fn a_party(server: &RunningServer) -> Vec<Member> {
    let mut party = Vec::new();
    for kind in KINDS {
        let mut member = Member::connect(server.local_addr(), kind).await;
        member.join(ROOM).await;
        party.push(member);
    }
    party
}

/// Each of the party is heard by all others.
async fn assert_unharmed(party: &mut [Member]) {
    for speaker in 0..party.len() {
        let text = format!("still here, {speaker}");
        party[speaker].say(ROOM, &json!(text)).await;
        for (hearer, member) in party.iter_mut().enumerate() {
            if hearer != speaker {
                hears(member, &text).await;
            }
        }
    }
}

/// Past what it was told before.
async fn hears(member: &mut Member, text: &str) {
    loop {
        let heard = member.talker.receive().await.into_data();
        // Behind the text groWs closes quotes and brackets.
        let end = &heard[heard.len().saturating_sub(text.len() + 2)..];
        if String::from_utf8_lossy(end).contains(text) {
            return;
        }
    }
}

async fn says_it_all(server: &RunningServer, kind: Kind, party: &mut [Member]) {
    let all: HashSet<Vec<u8>> = recorded().iter().flat_map(|message| garbled(message)).collect();
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_unstable();
    for some in all.chunks(500) {
        // With rooms of its own: what it joins by chance stays below the limit.
        let mut client = Member::connect(server.local_addr(), kind).await;
        for few in some.chunks(AT_ONCE) {
            for message in few {
                let as_text = String::from_utf8(message.clone());
                match as_text {
                    Ok(text) => client.talker.send(Ws::text(text)).await,
                    Err(_) => client.talker.send(Ws::binary(message.clone())).await,
                }
                client.talker.send(Ws::binary(message.clone())).await;
            }
            // Fails if the connection has ended.
            client.talker.settle().await;
            // What is said to all on its path, they read.
            for member in party.iter_mut().filter(|member| member.kind == kind) {
                member.talker.settle().await;
            }
        }
    }
}

async fn harms_nobody(kind: Kind) {
    let server = start(Config::default().max_rooms(100_000)).await;
    let mut party = a_party(&server).await;
    says_it_all(&server, kind, &mut party).await;
    assert_unharmed(&mut party).await;
}

#[tokio::test]
async fn garbled_messages_of_a_wsrooms_client_harm_nobody_not_even_itself() {
    harms_nobody(Kind::Wsrooms).await;
}

#[tokio::test]
async fn garbled_messages_of_a_grows_client_harm_nobody_not_even_itself() {
    harms_nobody(Kind::Grows).await;
}

#[tokio::test]
async fn garbled_messages_of_an_iris_client_harm_nobody_not_even_itself() {
    harms_nobody(Kind::Iris).await;
}

#[tokio::test]
async fn garbled_messages_of_a_gowsal_client_harm_nobody_not_even_itself() {
    harms_nobody(Kind::Gowsal).await;
}

#[tokio::test]
async fn garbled_messages_of_a_go_easy_client_harm_nobody_not_even_itself() {
    harms_nobody(Kind::Easy).await;
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
