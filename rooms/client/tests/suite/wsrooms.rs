//! Rooms, members and messages of wsrooms.

use futures_util::future::join_all;
use wscengine::OutcomeKind;
use wscengine_rooms_client::{Data, Event, JoinError, LeaveError, LeftReason, SendError};
use wscengine_rooms_server::Config;

use super::host::Host;
use super::{connect, id_of, until, until_true, within};

#[tokio::test]
async fn who_joins_is_told_the_members_and_they_are_told_who_joined() {
    let host = Host::start(Config::default()).await;
    let (ann, bob) = (connect(&host).await, connect(&host).await);
    let mut events = ann.events();
    assert_eq!(within(ann.join("lobby")).await.unwrap(), [id_of(&ann)]);
    let mut both = [id_of(&ann), id_of(&bob)];
    both.sort();
    assert_eq!(within(bob.join("lobby")).await.unwrap(), both);
    let came = |event: &Event| match event {
        Event::NewMember { room, id } if room == "lobby" => Some(id.clone()),
        _ => None,
    };
    assert_eq!(until(&mut events, came).await, id_of(&bob));
    assert_eq!(ann.members("lobby").unwrap(), both);
    assert_eq!(ann.rooms(), ["root", "lobby"]);
    // Once more is no news to anybody.
    assert_eq!(within(bob.join("lobby")).await.unwrap(), both);

    within(bob.leave("lobby")).await.unwrap();
    assert_eq!(bob.members("lobby"), None);
    let went = |event: &Event| match event {
        Event::MemberLeft { room, id } if room == "lobby" => Some(id.clone()),
        _ => None,
    };
    assert_eq!(until(&mut events, went).await, id_of(&bob));
    assert_eq!(ann.members("lobby").unwrap(), [id_of(&ann)]);
}

#[tokio::test]
async fn a_message_goes_to_the_others_in_the_room_and_a_direct_one_to_its_receiver_alone() {
    let host = Host::start(Config::default()).await;
    let (ann, bob, eve) = (connect(&host).await, connect(&host).await, connect(&host).await);
    let mut chats: Vec<_> = [&ann, &bob, &eve].map(|client| client.on("chat")).into();
    for client in [&ann, &bob, &eve] {
        within(client.join("lobby")).await.unwrap();
    }
    within(ann.send_to(&id_of(&bob), "chat", "psst")).await.unwrap();
    within(ann.send("lobby", "chat", "hello")).await.unwrap();
    let mut next = async |of: usize| within(chats[of].next()).await.unwrap().unwrap();
    let whispered = next(1).await;
    assert_eq!((&*whispered.dst, whispered.text()), (&*id_of(&bob), Some("psst")));
    for of in [1, 2] {
        let said = next(of).await;
        assert_eq!((&*said.room, &*said.src), ("lobby", &*id_of(&ann)));
        assert_eq!((&*said.dst, said.text()), ("", Some("hello")));
    }
    // Had she heard herself, it would come before this.
    within(bob.send("lobby", "chat", "and you?")).await.unwrap();
    assert_eq!(next(0).await.text(), Some("and you?"));
}

#[tokio::test]
async fn data_of_any_kind_arrives_as_it_was_sent() {
    let host = Host::start(Config::default()).await;
    let (ann, bob) = (connect(&host).await, connect(&host).await);
    let mut heard = bob.on("data");
    within(bob.join("lobby")).await.unwrap();
    within(ann.join("lobby")).await.unwrap();
    let bytes = Data::from(vec![0xff, 0x00]);
    let point = Data::json(&[1, 2]).unwrap();
    for data in [Data::from(""), Data::from("𝄞"), bytes.clone(), point.clone()] {
        within(ann.send("lobby", "data", data.clone())).await.unwrap();
        let message = within(heard.next()).await.unwrap().unwrap();
        assert_eq!(message.data.plain(), data.plain());
    }
    assert_eq!(bytes.text(), None);
}

#[tokio::test]
async fn names_of_any_letters_work() {
    let host = Host::start(Config::default()).await;
    let (ann, bob) = (connect(&host).await, connect(&host).await);
    for room in ["𝄞𝄞𝄞", "комната", "", "a b\n"] {
        let mut heard = bob.on("🦀");
        within(ann.join(room)).await.unwrap();
        assert_eq!(within(bob.join(room)).await.unwrap().len(), 2);
        within(ann.send(room, "🦀", "😀")).await.unwrap();
        let message = within(heard.next()).await.unwrap().unwrap();
        assert_eq!((&*message.room, message.text()), (room, Some("😀")));
        within(ann.leave(room)).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_server_would_drop_without_a_word_is_an_error() {
    let host = Host::start(Config::default()).await;
    let ann = connect(&host).await;
    let strange = within(ann.send("lobby", "chat", "?")).await.unwrap_err();
    assert!(matches!(strange, SendError::NotJoined { room } if room == "lobby"));
    let unknown = within(ann.leave("lobby")).await.unwrap_err();
    assert!(matches!(unknown, LeaveError::NotJoined));
    within(ann.join("lobby")).await.unwrap();
    for reserved in ["join", "new_member", "open"] {
        let error = within(ann.send("lobby", reserved, "")).await.unwrap_err();
        assert!(matches!(error, SendError::Protocol(_)), "{error}");
    }
    within(ann.leave("lobby")).await.unwrap();
    assert!(within(ann.send("lobby", "chat", "?")).await.is_err());
}

#[tokio::test]
async fn joins_and_leaves_at_once_end_as_the_last_one_says() {
    let host = Host::start(Config::default()).await;
    let ann = connect(&host).await;
    for _ in 0..20 {
        let (first, left, again) =
            within(async { tokio::join!(ann.join("x"), ann.leave("x"), ann.join("x")) }).await;
        assert!(matches!(first, Err(JoinError::Left)), "{first:?}");
        left.unwrap();
        assert_eq!(again.unwrap(), [id_of(&ann)]);
        assert_eq!(host.rooms().members("x").len(), 1);
        within(ann.leave("x")).await.unwrap();
        assert_eq!(host.rooms().members("x").len(), 0);
    }
}

#[tokio::test]
async fn a_hundred_clients_hear_each_other_and_know_each_other() {
    const CLIENTS: usize = 100;
    let host = Host::start(Config::default()).await;
    let clients = join_all((0..CLIENTS).map(|_| connect(&host))).await;
    let mut chats: Vec<_> = clients.iter().map(|client| client.on("chat")).collect();
    join_all(clients.iter().map(|client| async { within(client.join("arena")).await.unwrap() }))
        .await;
    for client in &clients {
        until_true(client, || client.members("arena").unwrap().len() == CLIENTS).await;
    }
    let says = |client: usize| clients[client].send("arena", "chat", client.to_string());
    for said in join_all((0..CLIENTS).map(says)).await {
        said.unwrap();
    }
    for (own, chat) in chats.iter_mut().enumerate() {
        let mut heard = Vec::new();
        while heard.len() < CLIENTS - 1 {
            let message = within(chat.next()).await.unwrap().unwrap();
            heard.push(message.text().unwrap().parse::<usize>().unwrap());
        }
        heard.sort_unstable();
        assert!(heard.iter().copied().eq((0..CLIENTS).filter(|client| *client != own)));
    }
}

#[tokio::test]
async fn a_client_that_is_closed_says_so_everywhere() {
    let host = Host::start(Config::default()).await;
    let ann = connect(&host).await;
    within(ann.join("lobby")).await.unwrap();
    let (mut events, mut chats) = (ann.events(), ann.on("chat"));
    assert_eq!(within(ann.close()).await.kind(), OutcomeKind::Requested);
    until(&mut events, |event| matches!(event, Event::Closed { .. }).then_some(())).await;
    assert!(within(events.next()).await.is_none());
    assert!(within(chats.next()).await.is_none());
    assert!(within(ann.events().next()).await.is_none());
    assert!(matches!(within(ann.join("lobby")).await, Err(JoinError::Closed)));
    assert!(matches!(within(ann.leave("lobby")).await, Err(LeaveError::Closed)));
    assert_eq!((ann.id(), ann.members("lobby")), (None, None));
}

#[tokio::test]
async fn a_client_that_nobody_holds_goes_away() {
    let host = Host::start(Config::default()).await;
    let (ann, bob) = (connect(&host).await, connect(&host).await);
    within(ann.join("lobby")).await.unwrap();
    within(bob.join("lobby")).await.unwrap();
    drop(bob);
    until_true(&ann, || ann.members("lobby").unwrap().len() == 1).await;
}

#[tokio::test]
async fn who_left_is_told_so() {
    let host = Host::start(Config::default()).await;
    let ann = connect(&host).await;
    let mut events = ann.events();
    within(ann.join("lobby")).await.unwrap();
    within(ann.leave("lobby")).await.unwrap();
    let left = |event: &Event| match event {
        Event::Left { room, reason } => Some((room.clone(), *reason)),
        _ => None,
    };
    assert_eq!(until(&mut events, left).await, ("lobby".into(), LeftReason::Asked));
}
