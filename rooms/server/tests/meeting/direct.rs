//! From one to one.

use serde_json::json;

use crate::common::assert_nothing_more;
use crate::member::{Kind, Member, ROOM, said};
use crate::party::Party;

#[tokio::test]
async fn a_wsrooms_client_reaches_one_of_every_kind_and_nobody_else() {
    let mut party = Party::meet().await;
    let sender = party.members[0].id.clone();
    for receiver in 0..party.members.len() {
        let id = party.members[receiver].id.clone();
        party.members[0].talker.send(said(ROOM, "dm", &id, "", "just you")).await;
        if party.members[receiver].kind == Kind::Wsrooms {
            // In the room in which it was said.
            let heard = party.members[receiver].talker.receive().await;
            assert_eq!(heard, said(ROOM, "dm", &id, &sender, "just you"));
        } else {
            party.members[receiver].expect("dm", &sender, &json!("just you")).await;
        }
        party.assert_nothing_more().await;
    }
}

#[tokio::test]
async fn an_iris_client_reaches_one_of_every_kind_and_nobody_else() {
    let mut party = Party::meet().await;
    for kind in [Kind::Iris, Kind::Gowsal] {
        let at = party.members.iter().position(|member| member.kind == kind).unwrap();
        let sender = party.members[at].id.clone();
        for receiver in 0..party.members.len() {
            let id = party.members[receiver].id.clone();
            for data in [json!("just you"), json!(5), json!({ "a": 1 })] {
                party.members[at].say(&id, &data).await;
                if party.members[receiver].kind == Kind::Wsrooms {
                    let plain = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
                    let heard = party.members[receiver].talker.receive().await;
                    assert_eq!(heard, said("root", "chat", &id, &sender, plain));
                } else {
                    party.members[receiver].expect("chat", &sender, &data).await;
                }
            }
            party.assert_nothing_more().await;
        }
        party.members[at].say("nobody", &json!("x")).await;
        party.assert_nothing_more().await;
    }
}

/// The id of a connection is the name of its own room in iris. Who joins a room of that name by another protocol does
/// not hear what is meant for it.
#[tokio::test]
async fn who_joins_the_id_of_another_hears_nothing_that_is_meant_for_it() {
    let mut party = Party::meet().await;
    for victim in 0..party.members.len() {
        let id = party.members[victim].id.clone();
        for kind in [Kind::Wsrooms, Kind::Grows, Kind::Iris, Kind::Gowsal] {
            let mut listener = Member::connect(party.addr, kind).await;
            if kind == Kind::Wsrooms {
                party.are_told("root", "new_member", &listener.id).await;
            }
            listener.join(&id).await;
            party.members[0].talker.send(said(ROOM, "dm", &id, "", "secret")).await;
            let iris = party.members.iter().position(|member| member.kind == Kind::Iris).unwrap();
            party.members[victim].talker.receive().await;
            party.members[iris].say(&id, &json!("secret")).await;
            party.members[victim].talker.receive().await;
            assert_nothing_more(&mut [&mut listener.talker]).await;
            let gone = listener.id.clone();
            listener.talker.abort();
            if kind == Kind::Wsrooms {
                party.are_told("root", "member_left", &gone).await;
            }
            party.assert_nothing_more().await;
        }
    }
}

/// "All" and "all others" are those of one path.
#[tokio::test]
async fn what_iris_clients_say_to_all_stays_on_their_path() {
    let mut party = Party::meet().await;
    party.enter(Kind::Iris).await;
    for (speaker, prefix) in [(Kind::Iris, "iris-websocket-message:"), (Kind::Gowsal, "m:")] {
        let at = party.members.iter().position(|member| member.kind == speaker).unwrap();
        let id = party.members[at].id.clone();
        party.members[at].talker.say("plain words").await;
        party.members[at].talker.say(&format!("{prefix}chat;0;hi")).await;
        party.members[at].talker.expect("Me: plain words").await;
        for (hearer, member) in party.members.iter_mut().enumerate() {
            if hearer != at && member.kind == speaker {
                member.talker.expect("bc:plain words").await;
                member.expect("chat", &id, &json!("hi")).await;
            }
        }
        party.assert_nothing_more().await;
    }
}
