//! Who comes and goes.

use crate::member::{KINDS, Kind, Member, ROOM};
use crate::party::Party;

/// Lists and `new_member` are checked as each one enters.
#[tokio::test]
async fn members_of_every_kind_are_listed_and_announced_to_wsrooms_members_alone() {
    let mut party = Party::meet().await;
    for kind in KINDS {
        party.enter(kind).await;
    }
    party.assert_nothing_more().await;
}

#[tokio::test]
async fn who_leaves_is_told_of_whatever_its_kind_and_hears_nothing_more() {
    let mut party = Party::meet().await;
    for kind in [Kind::Grows, Kind::Iris, Kind::Gowsal, Kind::Wsrooms] {
        let at = party.members.iter().rposition(|member| member.kind == kind).unwrap();
        let mut leaver = party.members.remove(at);
        leaver.leave(ROOM).await;
        party.are_told(ROOM, "member_left", &leaver.id).await;
        party.members[0].say(ROOM, &"without you".into()).await;
        let sender = party.members[0].id.clone();
        for member in &mut party.members[1..] {
            member.expect("chat", &sender, &"without you".into()).await;
        }
        // Leaving what one is not in: the answer, and no news.
        leaver.leave(ROOM).await;
        crate::common::assert_nothing_more(&mut [&mut leaver.talker]).await;
        party.assert_nothing_more().await;
        if kind == Kind::Wsrooms {
            let id = leaver.id.clone();
            leaver.talker.abort();
            party.are_told("root", "member_left", &id).await;
        }
    }
}

#[tokio::test]
async fn who_disconnects_is_told_of_whatever_its_kind() {
    let mut party = Party::meet().await;
    for kind in [Kind::Easy, Kind::Gowsal, Kind::Iris, Kind::Grows] {
        let at = party.members.iter().rposition(|member| member.kind == kind).unwrap();
        let gone = party.members.remove(at);
        gone.talker.abort();
        party.are_told(ROOM, "member_left", &gone.id).await;
        party.assert_nothing_more().await;
    }
}

#[tokio::test]
async fn nobody_but_wsrooms_clients_is_put_into_root() {
    let mut party = Party::meet().await;
    let in_root: Vec<_> = party.of_wsrooms().map(|member| member.id.clone()).collect();
    let mut newcomer = Member::connect(party.addr, Kind::Wsrooms).await;
    party.are_told("root", "new_member", &newcomer.id).await;
    let mut expected = [in_root, vec![newcomer.id.clone()]].concat();
    expected.sort_unstable();
    assert_eq!(newcomer.join("root").await, Some(expected));
    // Who is told to join it, does.
    let grows = party.members.iter_mut().find(|member| member.kind == Kind::Grows).unwrap();
    grows.join("root").await;
    let id = grows.id.clone();
    party.are_told("root", "new_member", &id).await;
    let news = newcomer.wsrooms().await;
    assert_eq!((&*news.event, &*news.payload), ("new_member", id.as_bytes()));
}
