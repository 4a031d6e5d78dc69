//! What an application can do: its own handlers, in its own axum application.

use std::sync::Arc;

use axum::Router;
use tokio::sync::{Notify, mpsc};
use wscengine_rooms_server::wsrooms::{
    Claims, Conn, Message, RegisterError, Strangers, Unauthorized, Wsrooms,
};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{host, http};
use crate::peer::{Peer, assert_nothing_more, meet, new_member};

fn app(wsrooms: Wsrooms) -> Router {
    Router::new().route("/chat", Rooms::new(Config::default()).wsrooms(wsrooms))
}

#[test]
fn a_handler_is_registered_once_for_a_name_that_is_free() {
    let register = |name: &str| Wsrooms::new().on(name, async |_, _| Ok(()));
    assert!(register("chat").is_ok());
    let twice = register("chat").unwrap().on("chat", async |_, _| Ok(()));
    let error = twice.unwrap_err();
    assert_eq!(error, RegisterError::AlreadyRegistered("chat".into()));
    assert_eq!(error.to_string(), "handler for event \"chat\" already registered");
    let error = register("").unwrap_err();
    assert_eq!(error.to_string(), "event name cannot be empty");
    for name in
        ["join", "leave", "join_ack", "leave_ack", "new_member", "member_left", "open", "close"]
    {
        assert_eq!(register(name).unwrap_err(), RegisterError::Reserved(name.into()));
    }
}

#[tokio::test]
async fn a_handler_gets_the_connection_and_the_message_and_nothing_is_relayed() {
    let (calls, mut called) = mpsc::unbounded_channel();
    let wsrooms = Wsrooms::new()
        .on("ask", move |conn: Conn, message: Message| {
            let calls = calls.clone();
            async move {
                calls.send((conn.id().to_owned(), conn.rooms(), message))?;
                Err("an error is only logged".into())
            }
        })
        .unwrap();
    let (addr, _host) = host(app(wsrooms)).await;
    let [mut a, mut b] = meet(addr, "/chat").await;
    for peer in [&mut a, &mut b] {
        peer.join("lobby").await;
    }
    a.expect(&new_member("lobby", &b.id)).await;
    a.say("lobby", "ask", "why").await;
    let (id, rooms, message) = called.recv().await.unwrap();
    assert_eq!((&id, &message), (&a.id, &a.message("lobby", "ask", "why")));
    assert_eq!(rooms, [Arc::from("root"), Arc::from("lobby")]);
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn send_to_room_reaches_its_members_but_not_the_sender_who_need_not_be_one() {
    let wsrooms = Wsrooms::new()
        .on("shout", async |conn: Conn, message: Message| {
            conn.send_to_room("lobby", "shouted", &message.payload);
            conn.send_to_room("no such room", "shouted", b"");
            Ok(())
        })
        .unwrap();
    let (addr, _host) = host(app(wsrooms)).await;
    let [mut a, mut b] = meet(addr, "/chat").await;
    a.join("lobby").await;
    for peer in [&mut a, &mut b] {
        peer.say("", "shout", "hey").await;
        peer.settle().await;
    }
    a.expect(&b.message("lobby", "shouted", "hey")).await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn send_to_client_reaches_one_in_room_root() {
    let wsrooms = Wsrooms::new()
        .on("poke", async |conn: Conn, message: Message| {
            conn.send_to_client(std::str::from_utf8(&message.payload)?, "poked", b"you");
            conn.send_to_client("nobody", "poked", b"you");
            Ok(())
        })
        .unwrap();
    let (addr, _host) = host(app(wsrooms)).await;
    let [mut a, mut b] = meet(addr, "/chat").await;
    let id = b.id.clone();
    a.say("lobby", "poke", &id).await;
    b.expect(&Message::new("root", "poked", &*b.id, &*a.id, "you")).await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn try_send_says_whether_the_connection_took_it() {
    let (conns, mut given) = mpsc::unbounded_channel();
    let wsrooms = Wsrooms::new()
        .on("here", move |conn: Conn, _| {
            let conns = conns.clone();
            async move { Ok(conns.send(conn)?) }
        })
        .unwrap();
    let rooms = Rooms::new(Config::default());
    let (addr, _host) = host(Router::new().route("/chat", rooms.wsrooms(wsrooms))).await;
    let [mut a] = meet(addr, "/chat").await;
    a.say("", "here", "").await;
    let conn = given.recv().await.unwrap();
    let message = Message::new("any", "thing", "at", "all", "x");
    assert!(conn.try_send(&message));
    a.expect(&message).await;
    assert!(!conn.is_closed());
    assert!(conn.close(4000, "enough"));
    assert!(!conn.close(4001, "again"), "the first close counts");
    assert!(conn.is_closed());
    assert_eq!(a.close_code().await, Some(4000));
    rooms.close().await;
    // The original's process dies of this.
    assert!(!conn.try_send(&message));
    conn.send_to_room("root", "x", b"");
    conn.send_to_client(conn.id(), "x", b"");
}

#[tokio::test]
async fn who_is_authorized_has_claims_and_who_is_not_gets_401() {
    let (claims, mut seen) = mpsc::unbounded_channel();
    let wsrooms = Wsrooms::new()
        .authorize(async |request| match request.uri.query() {
            Some(name) => Ok(Claims::from([("name".into(), name.into())])),
            None => Err(Unauthorized("who are you?".into())),
        })
        .on("here", move |conn: Conn, _| {
            let claims = claims.clone();
            async move { Ok(claims.send(conn.claims().clone())?) }
        })
        .unwrap();
    let (addr, _host) = host(app(wsrooms)).await;
    let mut anna = Peer::connect(addr, "/chat?anna").await;
    anna.say("", "here", "").await;
    assert_eq!(seen.recv().await.unwrap(), Claims::from([("name".into(), "anna".into())]));
    // Asked before the headers of the upgrade are looked at, W038.
    let refusal = http(addr, "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(refusal.starts_with("HTTP/1.1 401 "), "{refusal}");
    assert!(refusal.ends_with("\r\n\r\nUnauthorized\n"), "{refusal}");
}

#[tokio::test]
async fn strangers_may_speak_if_so_wished() {
    let (addr, _host) = host(app(Wsrooms::new().strangers(Strangers::MaySpeak))).await;
    let [mut a, mut b] = meet(addr, "/chat").await;
    a.join("lobby").await;
    b.say("lobby", "chat", "hello in there").await;
    a.expect(&b.message("lobby", "chat", "hello in there")).await;
}

#[tokio::test]
async fn the_messages_of_a_client_are_handled_in_order_and_a_slow_handler_delays_only_them() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let wsrooms = Wsrooms::new()
        .on("wait", move |_, _| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok(())
            }
        })
        .unwrap();
    let (addr, _host) = host(app(wsrooms)).await;
    let [mut a, mut b] = meet(addr, "/chat").await;
    for peer in [&mut a, &mut b] {
        peer.join("lobby").await;
    }
    a.expect(&new_member("lobby", &b.id)).await;
    a.say("lobby", "wait", "").await;
    a.say("lobby", "chat", "after the wait").await;
    b.say("lobby", "chat", "meanwhile").await;
    a.expect(&b.message("lobby", "chat", "meanwhile")).await;
    assert_nothing_more(&mut [&mut b]).await;
    go.notify_one();
    b.expect(&a.message("lobby", "chat", "after the wait")).await;
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_connection_and_no_other() {
    let wsrooms = Wsrooms::new()
        .on("panic", |_, message: Message| async move {
            assert_ne!(message.event, "panic", "on purpose");
            Ok(())
        })
        .unwrap();
    let rooms = Rooms::new(Config::default());
    let (addr, _host) = host(Router::new().route("/chat", rooms.wsrooms(wsrooms))).await;
    let [mut a, mut b] = meet(addr, "/chat").await;
    a.say("", "panic", "").await;
    b.expect(&Message::new("root", "member_left", "", "", a.id.clone())).await;
    assert_eq!(a.close_code().await, None);
    assert_eq!(rooms.members("root"), [Arc::from(&*b.id)]);
}

#[tokio::test]
async fn servers_in_one_process_have_nothing_in_common() {
    let (one, _one) = host(app(Wsrooms::new())).await;
    let (other, _other) = host(app(Wsrooms::new())).await;
    let [mut a] = meet(one, "/chat").await;
    let [mut b] = meet(other, "/chat").await;
    assert_eq!(a.join("lobby").await.len(), 1);
    assert_eq!(b.join("lobby").await.len(), 1);
    a.send(&Message::new("root", "chat", &*b.id, "", "over there?")).await;
    a.say("lobby", "chat", "anybody?").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn two_endpoints_lead_into_the_same_rooms() {
    let rooms = Rooms::new(Config::default());
    let app = Router::new()
        .route("/one", rooms.wsrooms(Wsrooms::new()))
        .route("/other", rooms.wsrooms(Wsrooms::new()));
    let (addr, _host) = host(app).await;
    let mut a = Peer::connect(addr, "/one").await;
    let mut b = Peer::connect(addr, "/other").await;
    a.expect(&new_member("root", &b.id)).await;
    b.say("root", "chat", "hi").await;
    a.expect(&b.message("root", "chat", "hi")).await;
}
