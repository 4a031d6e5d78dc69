//! What an application can do: its own handlers, and writing from outside of them.

use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::easy::{Conn, Easy, Message, RegisterError, WriteError};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{assert_nothing_more, host};
use crate::peer::{NOT_SUPPORTED, come, listen, serve};

#[test]
fn a_handler_is_registered_once_for_a_command_that_clients_may_send() {
    let register = |command: &str| Easy::new().on(command, async |_, _| Ok(None));
    assert!(register("chat").is_ok());
    assert!(register(&"a".repeat(255)).is_ok());
    for (command, text) in [
        ("", "command may not be empty"),
        (&*"a".repeat(256), "command may not be longer than 255 characters"),
        ("a:b", "command may not contain a colon"),
        ("websocket", "command websocket is reserved"),
        ("listen", "command listen is reserved"),
    ] {
        assert_eq!(register(command).unwrap_err().to_string(), text);
    }
    let twice = register("chat").unwrap().on("chat", async |_, _| Ok(None)).unwrap_err();
    assert_eq!(twice, RegisterError::CommandExists);
    assert_eq!(twice.to_string(), "command already exists");
}

#[test]
fn a_message_has_a_command_that_can_be_sent() {
    for command in ["listen", "open", "ü", &"a".repeat(255)] {
        let message = Message::new(command, "x").unwrap();
        assert_eq!((message.command(), &message.content()[..]), (command, &b"x"[..]));
    }
    for (command, text) in [
        ("", "command may not be emtpy"),
        (&*"a".repeat(256), "command may not be longer than 255 characters"),
        ("a:b", "command may not contain a colon"),
        ("websocket", "command websocket is reserved"),
    ] {
        assert_eq!(Message::new(command, "x").unwrap_err().to_string(), text);
    }
}

#[tokio::test]
async fn a_handler_gets_connection_and_content_and_its_answer_goes_to_the_sender_alone() {
    let (calls, mut called) = mpsc::unbounded_channel();
    let easy = Easy::new()
        .channel("news")
        .unwrap()
        .on("ask", move |conn: Conn, content: Bytes| {
            let calls = calls.clone();
            async move {
                let (id, token) = (conn.id().to_owned(), conn.token().to_owned());
                assert!(!format!("{conn:?}").contains(&token), "it is a secret");
                calls.send((id, token, conn.channels(), content))?;
                Ok(Some(Message::new("told", "you")?))
            }
        })
        .unwrap();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "token").await;
    let mut b = come(addr, "/ws", "other").await;
    listen(&mut a, "news").await;
    a.say("ask: why: not").await;
    let (id, token, channels, content) = called.recv().await.unwrap();
    assert_eq!((id.len(), &id[14..15], &*token), (36, "4", "token"));
    assert_eq!((channels, &content[..]), (vec![Arc::from("news")], &b"why: not"[..]));
    a.expect("told: you").await;
    a.say("ask: ").await;
    assert!(called.recv().await.unwrap().3.is_empty(), "no content");
    a.expect("told: you").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn open_is_called_once_before_any_message_with_the_session_id() {
    let easy = Easy::new()
        .on("open", async |conn: Conn, id: Bytes| {
            tokio::task::yield_now().await;
            assert_eq!(id, conn.id());
            Ok(Some(Message::new("welcome", [b"Hello ", &id[..]].concat())?))
        })
        .unwrap()
        .on("echo", async |_, content| Ok(Some(Message::new("echo", content)?)))
        .unwrap();
    let (addr, _host) = serve(easy).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut a = come(addr, "/ws", "x").await;
        a.say("echo: first").await;
        let greeting = a.receive().await.into_text().unwrap();
        ids.push(greeting.strip_prefix("welcome: Hello ").unwrap().to_owned());
        a.expect("echo: first").await;
        assert_nothing_more(&mut [&mut a]).await;
    }
    assert!(ids.iter().all(|id| id.len() == 36 && *id == id.to_lowercase()) && ids[0] != ids[1]);
}

#[tokio::test]
async fn write_to_client_reaches_one_session() {
    let easy = Easy::new()
        .on("open", async |_, id| Ok(Some(Message::new("id", id)?)))
        .unwrap()
        .on("tell", async |conn: Conn, to: Bytes| {
            conn.write_to_client(std::str::from_utf8(&to)?, "told", "psst")?;
            Ok(None)
        })
        .unwrap();
    let handle = easy.handle();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "a").await;
    let mut b = come(addr, "/ws", "b").await;
    let mut ids = Vec::new();
    for talker in [&mut a, &mut b] {
        let id = talker.receive().await.into_text().unwrap();
        ids.push(id.strip_prefix("id: ").unwrap().to_owned());
    }
    a.say(&format!("tell: {}", ids[1])).await;
    b.expect("told: psst").await;
    a.say(&format!("tell: {}", ids[0])).await;
    a.expect("told: psst").await;
    handle.write_to_client(&ids[1], "direct", "").unwrap();
    b.expect("direct: ").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn an_error_of_a_handler_is_not_told_and_the_connection_stays() {
    let easy = Easy::new()
        .on("fail", async |_, _| Err("the reason".into()))
        .unwrap()
        .on("nothing", async |_, _| Ok(None))
        .unwrap();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "x").await;
    a.say("fail: x").await;
    a.say("nothing: x").await;
    assert_nothing_more(&mut [&mut a]).await;
    a.say("other: x").await;
    a.expect(NOT_SUPPORTED).await;
}

#[tokio::test]
async fn the_messages_of_a_client_are_handled_in_order_and_a_slow_handler_delays_only_them() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let easy = Easy::new()
        .channel("news")
        .unwrap()
        .on("wait", move |_, _| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok(Some(Message::new("waited", "")?))
            }
        })
        .unwrap()
        .on("echo", async |_, content| Ok(Some(Message::new("echo", content)?)))
        .unwrap();
    let handle = easy.handle();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "a").await;
    let mut b = come(addr, "/ws", "b").await;
    listen(&mut a, "news").await;
    a.say("wait: ").await;
    a.say("echo: after the wait").await;
    b.say("echo: meanwhile").await;
    b.expect("echo: meanwhile").await;
    // It is written to all the while.
    handle.write_to_channel("news", "news", "x").unwrap();
    a.expect("news: x").await;
    go.notify_one();
    a.expect("waited: ").await;
    a.expect("echo: after the wait").await;
}

#[tokio::test]
async fn a_handler_may_close_its_connection_and_what_it_sent_before_arrives() {
    let (calls, mut called) = mpsc::unbounded_channel();
    let easy = Easy::new()
        .on("bye", move |conn: Conn, _| {
            let calls = calls.clone();
            async move {
                conn.write_to_client(conn.id(), "last", "words")?;
                assert!(!conn.is_closed() && conn.close(4000, "bye") && conn.is_closed());
                calls.send(conn)?;
                Ok(None)
            }
        })
        .unwrap();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "a").await;
    a.say("bye: ").await;
    a.expect("last: words").await;
    assert_eq!(a.close_code().await, Some(4000));
    let conn = called.recv().await.unwrap();
    assert_eq!(conn.write_to_client(conn.id(), "x", ""), Err(WriteError::ClientNotFound));
}

#[tokio::test]
async fn endpoints_have_handlers_and_channels_of_their_own_and_sessions_in_common() {
    let rooms = Rooms::new(Config::default());
    let one = Easy::new().channel("one").unwrap().on("one", async |_, _| Ok(None)).unwrap();
    let other = Easy::new().on("open", async |_, id| Ok(Some(Message::new("id", id)?))).unwrap();
    let (handle, other_handle) = (one.handle(), other.handle());
    let app = Router::new().route("/one", rooms.easy(one)).route("/other", rooms.easy(other));
    let (addr, _host) = host(app).await;
    let mut a = come(addr, "/one", "a").await;
    let mut b = come(addr, "/other", "b").await;
    let id = b.receive().await.into_text().unwrap().strip_prefix("id: ").unwrap().to_owned();
    b.say("one: x").await;
    b.expect(NOT_SUPPORTED).await;
    b.say("listen: one").await;
    b.expect("websocket: channel does not exist").await;
    listen(&mut a, "one").await;
    assert_eq!(other_handle.write_to_channel("one", "x", ""), Err(WriteError::ChannelDoesNotExist));
    handle.write_to_client(&id, "hi", "over there").unwrap();
    b.expect("hi: over there").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn content_may_be_anything_and_goes_as_text_if_it_is_text() {
    let easy = Easy::new()
        .channel("news")
        .unwrap()
        .on("echo", async |_, content| Ok(Some(Message::new("echo", content)?)))
        .unwrap();
    let handle = easy.handle();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "a").await;
    for content in ["", "x", "naïve", "\n: \0"] {
        a.send(Ws::binary(format!("echo: {content}"))).await;
        a.expect(&format!("echo: {content}")).await;
    }
    let large = format!("echo: {}", "x".repeat(60_000));
    a.say(&large).await;
    a.expect(&large).await;
    listen(&mut a, "news").await;
    handle.write_to_channel("news", "news", b"\xff").unwrap();
    assert_eq!(a.receive().await, Ws::binary(&b"news: \xff"[..]));
}
