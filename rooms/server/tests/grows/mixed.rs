//! groWs clients in one room with clients of wsrooms.

use axum::Router;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::grows::{ClientHandler, Conn, Event, Grows, Routes};
use wscengine_rooms_server::wsrooms::{Message, Wsrooms};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{Client, HANG, Talker, assert_nothing_more, connect_to, host};

/// The next message of a wsrooms client that is not about who came.
async fn told(client: &mut Client) -> Message {
    loop {
        let next = tokio::time::timeout(HANG, client.next()).await.unwrap().unwrap().unwrap();
        let message = Message::from_bytes(&next.into_data()).unwrap();
        if !matches!(&*message.event, "new_member" | "join_ack") {
            return message;
        }
    }
}

#[tokio::test]
async fn events_raw_messages_and_direct_ones_reach_clients_of_wsrooms_in_their_form() {
    let handler = ClientHandler::new()
        .on_connect(async |conn: Conn| Ok(conn.join("lobby")?))
        .on("id", async |conn: Conn, _| Ok(conn.write(conn.id())?))
        .and_then(|handler| {
            handler.on("*", async |conn: Conn, text: String| {
                conn.clients().broadcast("lobby", &text);
                Ok(())
            })
        })
        .and_then(|handler| {
            handler.on_event("*", async |conn: Conn, event: Event| {
                conn.clients().broadcast_event("lobby", &event.name, &event.data)?;
                Ok(())
            })
        });
    let routes = Routes::new().route("/grows", handler.unwrap()).unwrap();
    let grows = Grows::new().router(routes).unwrap();
    let (rooms, clients) = (Rooms::new(Config::default()), grows.clients());
    let app: Router = rooms.grows(grows).route("/wsrooms", rooms.wsrooms(Wsrooms::new()));
    let (addr, _tasks) = host(app).await;

    let mut ws = connect_to(addr, "/wsrooms").await;
    let ack = ws.next().await.unwrap().unwrap().into_data();
    let ws_id = Message::from_bytes(&ack).unwrap().src;
    let join = Message::new("lobby", "join", "", "", "").to_bytes().unwrap();
    ws.send(Ws::binary(join)).await.unwrap();
    let acked = ws.next().await.unwrap().unwrap().into_data();
    assert_eq!(Message::from_bytes(&acked).unwrap().room, "lobby");

    let mut client = Talker::connect(addr, "/grows", &[]).await.unwrap();
    client.say("id").await;
    let id = client.receive().await.into_text().unwrap().to_string();

    client.say(r#"{"event":"chat","data":"hi \u00fc"}"#).await;
    assert_eq!(told(&mut ws).await, Message::new("lobby", "chat", "", &*id, "hi ü"));
    client.expect(r#"{"event":"chat","data":"hi ü"}"#).await;
    client.say(r#"{"event":"chat","data":{"a": [1, 2]}}"#).await;
    assert_eq!(told(&mut ws).await, Message::new("lobby", "chat", "", &*id, r#"{"a":[1,2]}"#));
    client.expect(r#"{"event":"chat","data":{"a":[1,2]}}"#).await;
    client.say("raw").await;
    assert_eq!(told(&mut ws).await, Message::new("lobby", "", "", &*id, "raw"));
    client.expect("raw").await;

    // What the application says is in nobody's name.
    clients.broadcast_event("lobby", "news", &1).unwrap();
    assert_eq!(told(&mut ws).await, Message::new("lobby", "news", "", "", "1"));
    client.expect(r#"{"event":"news","data":1}"#).await;
    clients.broadcast_event_to_client(&ws_id, "dm", "you").unwrap();
    assert_eq!(told(&mut ws).await, Message::new("root", "dm", &*ws_id, "", "you"));

    let say = |payload: &'static [u8]| {
        Ws::binary(Message::new("lobby", "chat", "", "", payload).to_bytes().unwrap())
    };
    // Bytes that are no text are not for groWs.
    ws.send(say(b"\xff")).await.unwrap();
    ws.send(say(b"from wsrooms")).await.unwrap();
    client.expect(r#"{"event":"chat","data":"from wsrooms"}"#).await;
    let direct = Message::new("lobby", "dm", &*id, "", "psst").to_bytes().unwrap();
    ws.send(Ws::binary(direct)).await.unwrap();
    client.expect(r#"{"event":"dm","data":"psst"}"#).await;
    assert_nothing_more(&mut [&mut client]).await;
    assert_eq!(clients.ids_by_room("lobby").len(), 2, "members of every kind");
}
