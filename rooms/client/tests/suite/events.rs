//! groWs and iris, where rooms are reached through events of the application: here those of the demo.

use wscengine_rooms_client::{Data, Grows, Iris, Protocol, SendError};
use wscengine_rooms_server::{Config, Server};

use super::{builder_to, until_open_again, within};

/// Two clients meet, before and after the server was away.
async fn clients_meet<P: Protocol>(path: &str, protocol: impl Fn() -> P) {
    let server = Server::bind("127.0.0.1:0", Config::default()).await.unwrap().spawn();
    let address = server.local_addr();
    let connect = || within(builder_to(address, path, protocol()).connect());
    let (ann, bob) = (connect().await.unwrap(), connect().await.unwrap());
    let mut server = Some(server);
    for room in ["lobby", "𝄞", "left"] {
        within(ann.join(room)).await.unwrap();
        assert!(within(bob.join(room)).await.unwrap().is_empty());
    }
    for client in [&ann, &bob] {
        within(client.leave("left")).await.unwrap();
    }
    for round in 0..2 {
        let rooms = server.as_ref().unwrap().rooms();
        assert_eq!(rooms.members("left").len(), 0);
        for room in ["lobby", "𝄞"] {
            let mut ids = [ann.id().unwrap(), bob.id().unwrap()];
            ids.sort();
            let mut members: Vec<_> = rooms.members(room).iter().map(ToString::to_string).collect();
            members.sort();
            assert_eq!(members, ids);
            let mut chat = bob.on("chat");
            for data in [Data::from("grüezi"), Data::json(&[1, 2]).unwrap()] {
                within(ann.send(room, "chat", data.clone())).await.unwrap();
                assert_eq!(within(chat.next()).await.unwrap().unwrap().data, data);
            }
        }
        if round == 0 {
            let (mut anns, mut bobs) = (ann.events(), bob.events());
            within(server.take().unwrap().shutdown()).await;
            server = Some(Server::bind(address, Config::default()).await.unwrap().spawn());
            until_open_again(&mut anns).await;
            until_open_again(&mut bobs).await;
        }
    }
    let other = within(ann.send("lobby", "other", "")).await.unwrap_err();
    assert!(matches!(other, SendError::Protocol(_)));
    let bytes = within(ann.send("lobby", "chat", vec![0xff])).await.unwrap_err();
    assert!(matches!(bytes, SendError::Protocol(_)));
}

#[tokio::test]
async fn grows_clients_meet_and_again_after_the_server_was_away() {
    clients_meet("/ws/grows/example", Grows::new).await;
}

#[tokio::test]
async fn iris_clients_meet_and_again_after_the_server_was_away() {
    clients_meet("/ws/iris", || Iris::new("iris-websocket-message:")).await;
}

#[tokio::test]
async fn a_grows_client_reaches_handlers_of_the_server() {
    let server = Server::bind("127.0.0.1:0", Config::default()).await.unwrap().spawn();
    let ann = builder_to(server.local_addr(), "/ws/grows/example", Grows::new()).connect();
    let ann = within(ann).await.unwrap();
    let mut echo = ann.on("echo");
    within(ann.send_to_server("echo", Data::json(&(1, "a")).unwrap())).await.unwrap();
    let message = within(echo.next()).await.unwrap().unwrap();
    assert_eq!(message.data.parse::<(u8, String)>().unwrap(), (1, "a".to_owned()));
    let direct = within(ann.send_to("somebody", "chat", "")).await.unwrap_err();
    assert!(matches!(direct, SendError::Protocol(_)));
}

#[tokio::test]
async fn an_iris_client_speaks_to_one_other() {
    let server = Server::bind("127.0.0.1:0", Config::default()).await.unwrap().spawn();
    let connect = || builder_to(server.local_addr(), "/ws/gowsal", Iris::new("m:")).connect();
    let (ann, bob) = (within(connect()).await.unwrap(), within(connect()).await.unwrap());
    let mut chat = bob.on("chat");
    within(ann.send_to(&bob.id().unwrap(), "chat", "psst")).await.unwrap();
    assert_eq!(within(chat.next()).await.unwrap().unwrap().text(), Some("psst"));
}
