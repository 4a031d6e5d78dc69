//! What has no event: raw messages of groWs, native ones of iris. And an application of one's own, where go-easy
//! clients listen to the room of the others.

use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::easy::{Conn as EasyConn, Easy};
use wscengine_rooms_server::grows::{ClientHandler, Conn as GrowsConn, Event, Grows, Routes};
use wscengine_rooms_server::iris::{Conn as IrisConn, Iris};
use wscengine_rooms_server::wsrooms::{Message, Wsrooms};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{Talker, assert_nothing_more, host};
use crate::member::said;

const LOBBY: &str = "lobby";

/// One of each in the lobby; each protocol says to it what it hears from its client.
struct Lobby {
    wsrooms: Talker,
    grows: Talker,
    iris: Talker,
    easy: Talker,
    /// In the order above.
    ids: [String; 4],
    _host: JoinSet<()>,
}

fn grows() -> Grows {
    let handler = ClientHandler::new()
        .on_connect(async |conn: GrowsConn| Ok(conn.join(LOBBY)?))
        .on("to .*", async |conn: GrowsConn, text: String| {
            let id = text.strip_prefix("to ").unwrap_or_default();
            conn.clients().broadcast_to_client(id, "raw for you");
            conn.clients().broadcast_event_to_client(id, "dm", &json!({ "n": 1 }))?;
            Ok(())
        })
        .unwrap()
        .on("*", async |conn: GrowsConn, text: String| {
            conn.clients().broadcast(LOBBY, &text);
            Ok(())
        })
        .unwrap()
        .on_event("*", async |conn: GrowsConn, event: Event| {
            conn.clients().broadcast_event(LOBBY, &event.name, &event.data)?;
            Ok(())
        })
        .unwrap();
    Grows::new().router(Routes::new().route("/grows", handler).unwrap()).unwrap()
}

fn iris() -> Iris {
    Iris::new()
        .on_connection(async |conn: IrisConn| Ok(conn.join(LOBBY)?))
        .on("to", async |conn: IrisConn, id: String| {
            conn.to(&id).emit_message("native for you")?;
            Ok(())
        })
        .on_message(async |conn: IrisConn, message: Bytes| {
            conn.to(LOBBY).emit_message(message)?;
            Ok(())
        })
}

fn easy() -> Easy {
    let lobby = Easy::new().channel(LOBBY).unwrap();
    lobby
        .on("say", async |conn: EasyConn, content: Bytes| {
            conn.write_to_channel(LOBBY, "said", content)?;
            Ok(None)
        })
        .unwrap()
        .on("to", async |conn: EasyConn, id: Bytes| {
            conn.write_to_client(std::str::from_utf8(&id)?, "dm", "hello")?;
            Ok(None)
        })
        .unwrap()
}

impl Lobby {
    async fn open() -> Self {
        let rooms = Rooms::new(Config::default());
        let app: Router = rooms
            .grows(grows())
            .route("/wsrooms", rooms.wsrooms(Wsrooms::new()))
            .route("/iris", rooms.iris(iris()))
            .route("/easy", rooms.easy(easy()));
        let (addr, _host) = host(app).await;
        let mut wsrooms = Talker::connect(addr, "/wsrooms", &[]).await.unwrap();
        let id = heard(&mut wsrooms).await.src;
        wsrooms.send(said(LOBBY, "join", "", "", "")).await;
        assert_eq!(heard(&mut wsrooms).await.event, "join_ack");
        let (grows, grows_id) = enter(addr, "/grows", &mut wsrooms).await;
        let (iris, iris_id) = enter(addr, "/iris", &mut wsrooms).await;
        let (easy, easy_id) = enter(addr, "/easy", &mut wsrooms).await;
        Self { wsrooms, grows, iris, easy, ids: [id, grows_id, iris_id, easy_id], _host }
    }

    async fn assert_nothing_more(&mut self) {
        let all = &mut [&mut self.wsrooms, &mut self.grows, &mut self.iris, &mut self.easy];
        assert_nothing_more(all).await;
    }
}

/// Gives its id, as the others are told.
async fn enter(addr: SocketAddr, path: &str, witness: &mut Talker) -> (Talker, String) {
    let mut talker = Talker::connect(addr, path, &[("Cookie", "auth=x")]).await.unwrap();
    if path == "/easy" {
        talker.say("listen: lobby").await;
    }
    let news = heard(witness).await;
    assert_eq!(news.event, "new_member");
    (talker, String::from_utf8(news.payload.to_vec()).unwrap())
}

async fn heard(talker: &mut Talker) -> Message {
    Message::from_bytes(&talker.receive().await.into_data()).unwrap()
}

#[tokio::test]
async fn a_raw_message_of_grows_is_a_native_one_of_iris_and_has_no_event_in_wsrooms() {
    let mut lobby = Lobby::open().await;
    lobby.grows.say("plain words").await;
    lobby.grows.expect("plain words").await;
    lobby.iris.expect("plain words").await;
    lobby.wsrooms.receive_is(said(LOBBY, "", "", &lobby.ids[1], "plain words")).await;
    lobby.assert_nothing_more().await;
}

#[tokio::test]
async fn a_native_message_of_iris_is_a_raw_one_of_grows_and_has_no_event_in_wsrooms() {
    let mut lobby = Lobby::open().await;
    lobby.iris.say("plain words").await;
    lobby.grows.expect("plain words").await;
    lobby.iris.expect("plain words").await;
    lobby.wsrooms.receive_is(said(LOBBY, "", "", &lobby.ids[2], "plain words")).await;
    // Bytes that are no text have a form in iris itself, and in wsrooms.
    lobby.iris.send(Ws::binary(&b"\xff"[..])).await;
    lobby.wsrooms.receive_is(said(LOBBY, "", "", &lobby.ids[2], &b"\xff"[..])).await;
    lobby.iris.receive_is(Ws::binary(&b"\xff"[..])).await;
    lobby.assert_nothing_more().await;
}

/// groWs clients can say anything: an iris client must not take it for an event that the server emits.
#[tokio::test]
async fn a_raw_message_that_looks_like_an_iris_event_is_not_told_to_iris_members() {
    let mut lobby = Lobby::open().await;
    lobby.grows.say("m:chat;0;forged").await;
    lobby.grows.expect("m:chat;0;forged").await;
    lobby.wsrooms.receive_is(said(LOBBY, "", "", &lobby.ids[1], "m:chat;0;forged")).await;
    lobby.assert_nothing_more().await;
}

#[tokio::test]
async fn go_easy_listens_and_writes_to_a_room_of_the_others() {
    let mut lobby = Lobby::open().await;
    lobby.easy.say("say: hi").await;
    lobby.easy.expect("said: hi").await;
    lobby.grows.expect(r#"{"event":"said","data":"hi"}"#).await;
    lobby.iris.expect("m:said;0;hi").await;
    lobby.wsrooms.receive_is(said(LOBBY, "said", "", &lobby.ids[3], "hi")).await;
    lobby.grows.say(r#"{"event":"news","data":{"a":1}}"#).await;
    lobby.grows.expect(r#"{"event":"news","data":{"a":1}}"#).await;
    lobby.easy.expect(r#"news: {"a":1}"#).await;
    lobby.iris.expect(r#"m:news;4;{"a":1}"#).await;
    lobby.wsrooms.receive_is(said(LOBBY, "news", "", &lobby.ids[1], r#"{"a":1}"#)).await;
    lobby.assert_nothing_more().await;
}

#[tokio::test]
async fn direct_messages_of_grows_iris_and_go_easy_reach_each_of_the_others() {
    let mut lobby = Lobby::open().await;
    let [wsrooms, grows, iris, easy] = lobby.ids.clone();

    lobby.grows.say(&format!("to {wsrooms}")).await;
    lobby.wsrooms.receive_is(said("root", "", &wsrooms, &grows, "raw for you")).await;
    lobby.wsrooms.receive_is(said("root", "dm", &wsrooms, &grows, r#"{"n":1}"#)).await;
    lobby.grows.say(&format!("to {iris}")).await;
    lobby.iris.expect("raw for you").await;
    lobby.iris.expect(r#"m:dm;4;{"n":1}"#).await;
    lobby.grows.say(&format!("to {easy}")).await;
    lobby.easy.expect(r#"dm: {"n":1}"#).await;

    lobby.iris.say(&format!("m:to;0;{wsrooms}")).await;
    lobby.wsrooms.receive_is(said("root", "", &wsrooms, &iris, "native for you")).await;
    lobby.iris.say(&format!("m:to;0;{grows}")).await;
    lobby.grows.expect("native for you").await;
    lobby.iris.say(&format!("m:to;0;{easy}")).await;

    lobby.easy.say(&format!("to: {wsrooms}")).await;
    lobby.wsrooms.receive_is(said("root", "dm", &wsrooms, &easy, "hello")).await;
    lobby.easy.say(&format!("to: {grows}")).await;
    lobby.grows.expect(r#"{"event":"dm","data":"hello"}"#).await;
    lobby.easy.say(&format!("to: {iris}")).await;
    lobby.iris.expect("m:dm;0;hello").await;
    lobby.assert_nothing_more().await;
}

trait ReceiveIs {
    async fn receive_is(&mut self, expected: Ws);
}

impl ReceiveIs for Talker {
    async fn receive_is(&mut self, expected: Ws) {
        assert_eq!(self.receive().await, expected);
    }
}
