//! A channel is a room: members of another protocol in it.

use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::easy::{Conn, Easy, Handle, Message};
use wscengine_rooms_server::wsrooms::{Message as Said, Wsrooms};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{Client, Talker, assert_nothing_more, connect_to, host};
use crate::peer::{come, listen};

/// A wsrooms client and a go-easy one in the channel `lobby`, each with its id.
struct Meeting {
    wsrooms: Client,
    wsrooms_id: String,
    easy: Talker,
    easy_id: String,
    handle: Handle,
    _host: tokio::task::JoinSet<()>,
}

async fn said(client: &mut Client) -> Said {
    loop {
        match tokio::time::timeout(crate::common::HANG, client.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
        {
            Ws::Binary(bytes) => return Said::from_bytes(&bytes).unwrap(),
            Ws::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn say(client: &mut Client, event: &str, dst: &str, payload: &'static [u8]) {
    let message = Said::new("lobby", event, dst, "", payload);
    client.send(Ws::binary(message.to_bytes().unwrap())).await.unwrap();
}

async fn meet() -> Meeting {
    let easy = Easy::new()
        .channel("lobby")
        .unwrap()
        .on("open", async |_, id| Ok(Some(Message::new("id", id)?)))
        .unwrap()
        .on("chat", async |conn: Conn, content: Bytes| {
            conn.write_to_channel("lobby", "chat", content)?;
            Ok(None)
        })
        .unwrap()
        .on("tell", async |conn: Conn, id: Bytes| {
            conn.write_to_client(std::str::from_utf8(&id)?, "told", "psst")?;
            Ok(None)
        })
        .unwrap();
    let handle = easy.handle();
    let rooms = Rooms::new(Config::default());
    let app = Router::new()
        .route("/easy", rooms.easy(easy))
        .route("/rooms", rooms.wsrooms(Wsrooms::new()));
    let (addr, _host): (SocketAddr, _) = host(app).await;
    let mut easy = come(addr, "/easy", "x").await;
    let easy_id =
        easy.receive().await.into_text().unwrap().strip_prefix("id: ").unwrap().to_owned();
    let mut wsrooms = connect_to(addr, "/rooms").await;
    let wsrooms_id = said(&mut wsrooms).await.src;
    say(&mut wsrooms, "join", "", b"").await;
    assert_eq!(said(&mut wsrooms).await.event, "join_ack");
    listen(&mut easy, "lobby").await;
    let news = said(&mut wsrooms).await;
    assert_eq!((&*news.event, &news.payload[..]), ("new_member", easy_id.as_bytes()));
    Meeting { wsrooms, wsrooms_id, easy, easy_id, handle, _host }
}

#[tokio::test]
async fn what_is_written_to_a_channel_is_an_event_in_its_room() {
    let mut meeting = meet().await;
    meeting.easy.say("chat: hi: all").await;
    let expected = Said::new("lobby", "chat", "", &*meeting.easy_id, "hi: all");
    assert_eq!(said(&mut meeting.wsrooms).await, expected);
    meeting.easy.expect("chat: hi: all").await;
    meeting.handle.write_to_channel("lobby", "news", "x").unwrap();
    assert_eq!(said(&mut meeting.wsrooms).await, Said::new("lobby", "news", "", "", "x"));
    meeting.easy.expect("news: x").await;
}

#[tokio::test]
async fn what_is_said_in_the_room_reaches_the_listeners_if_it_is_text_and_a_command() {
    let mut meeting = meet().await;
    for (event, payload) in [
        ("chat", &b"\xff"[..]),
        ("websocket", b"not authorized"),
        ("a:b", b"x"),
        ("", b"x"),
        ("chat", b"hi"),
    ] {
        say(&mut meeting.wsrooms, event, "", payload).await;
    }
    meeting.easy.expect("chat: hi").await;
    assert_nothing_more(&mut [&mut meeting.easy]).await;
}

#[tokio::test]
async fn a_direct_message_crosses_protocols_both_ways() {
    let mut meeting = meet().await;
    let id = meeting.easy_id.clone();
    say(&mut meeting.wsrooms, "dm", &id, b"just you").await;
    meeting.easy.expect("dm: just you").await;
    let to = meeting.wsrooms_id.clone();
    meeting.easy.say(&format!("tell: {to}")).await;
    assert_eq!(said(&mut meeting.wsrooms).await, Said::new("root", "told", &*to, id, "psst"));
    assert_nothing_more(&mut [&mut meeting.easy]).await;
}

#[tokio::test]
async fn a_listener_that_leaves_is_told_of_as_of_any_member() {
    let mut meeting = meet().await;
    meeting.easy.abort();
    let news = said(&mut meeting.wsrooms).await;
    assert_eq!((&*news.event, &news.payload[..]), ("member_left", meeting.easy_id.as_bytes()));
}
