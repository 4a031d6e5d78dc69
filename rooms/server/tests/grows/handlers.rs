//! What handlers are called for, and what they can do with a connection.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::{Notify, mpsc};
use wscengine_rooms_server::grows::{
    ClientHandler, Conn, Event, JoinError, MetaNotFound, RegisterError, SendError,
};

use crate::common::assert_nothing_more;
use crate::setup::{App, telling_ids};

/// Answers a raw message with a word.
fn on(handler: ClientHandler, pattern: &str, word: &'static str) -> ClientHandler {
    handler.on(pattern, async move |conn: Conn, _| Ok(conn.write(word)?)).unwrap()
}

#[tokio::test]
async fn a_text_is_for_its_own_handler_then_for_an_expression_then_for_the_rest() {
    let handler = on(ClientHandler::new(), "a.*", "first expression");
    let handler = on(on(handler, ".*c", "second expression"), "abc", "text");
    let handler = on(on(handler, "x|y", "one of two"), "*", "rest");
    let app = App::serving(handler).await;
    let mut client = app.join().await;
    for (text, answer) in [
        ("abc", "text"),
        ("abd", "first expression"),
        ("a", "first expression"),
        ("aac", "first expression"),
        ("bc", "second expression"),
        ("x", "one of two"),
        // The whole message, not a part of it.
        ("xy", "rest"),
        ("za", "rest"),
        ("abc\n", "rest"),
        // An expression is a text, too.
        ("a.*", "first expression"),
        ("x|y", "one of two"),
        ("*", "rest"),
    ] {
        client.say(text).await;
        client.expect(answer).await;
    }
}

#[tokio::test]
async fn an_event_is_for_the_handler_of_its_name_then_for_the_rest_and_never_a_raw_message() {
    let named = async |conn: Conn, _: Event| Ok(conn.write("named")?);
    let rest = async |conn: Conn, event: Event| Ok(conn.write_json(&event)?);
    let handler = ClientHandler::new().on_event("a.*", named).unwrap();
    let app = App::serving(on(handler.on_event("*", rest).unwrap(), "*", "raw")).await;
    let mut client = app.join().await;
    client.say(r#"{"event":"a.*","data":1}"#).await;
    client.expect("named").await;
    client.say(r#"{"event":"abc","data":{"x":1}}"#).await;
    client.expect(r#"{"event":"abc","data":{"x":1}}"#).await;

    let app = App::serving(on(ClientHandler::new(), "*", "raw")).await;
    let mut client = app.join().await;
    client.say(r#"{"event":"abc"}"#).await;
    assert_nothing_more(&mut [&mut client]).await;
}

#[test]
fn a_handler_is_registered_once_and_a_pattern_is_a_regular_expression() {
    let taken = |name: &str| RegisterError::AlreadyRegistered(name.to_owned());
    for pattern in ["test", "a.*", "*"] {
        let handler = ClientHandler::new().on(pattern, async |_, _| Ok(())).unwrap();
        assert_eq!(handler.on(pattern, async |_, _| Ok(())).unwrap_err(), taken(pattern));
        let handler = ClientHandler::new().on_event(pattern, async |_, _| Ok(())).unwrap();
        assert_eq!(handler.on_event(pattern, async |_, _| Ok(())).unwrap_err(), taken(pattern));
    }
    for pattern in ["(", "a)|(b", "[", "a{2"] {
        let error = ClientHandler::new().on(pattern, async |_, _| Ok(())).unwrap_err();
        assert!(matches!(error, RegisterError::Pattern { .. }), "{pattern} {error}");
    }
}

#[tokio::test]
async fn an_id_is_a_uuid_of_version_1_and_nobody_else_s() {
    let app = App::serving(telling_ids()).await;
    let three = app.three().await;
    for (_, id) in &three {
        assert_eq!((id.len(), &id[14..15]), (36, "1"), "{id}");
        assert_eq!(*id, id.to_lowercase());
        assert_eq!(app.clients.get(id).unwrap().id(), id);
    }
    assert!(three[0].1 != three[1].1 && three[1].1 != three[2].1);
}

#[tokio::test]
async fn write_write_json_and_write_event_send_text() {
    let handler = telling_ids().on("go", async |conn: Conn, _| {
        conn.write("{raw")?;
        conn.write_json(&json!({"b": "<", "a": 1.0}))?;
        conn.write_event("anyevent", "anydata")?;
        conn.write_event("e", &json!({"b": 1, "a": [1, 2]}))?;
        conn.write_event("", &())?;
        let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(matches!(conn.write_event("e", &unwritable), Err(SendError::Encode(_))));
        Ok(())
    });
    let app = App::serving(handler.unwrap()).await;
    let mut client = app.join().await;
    client.say("go").await;
    client.expect("{raw").await;
    client.expect(r#"{"a":1,"b":"\u003c"}"#).await;
    client.expect(r#"{"event":"anyevent","data":"anydata"}"#).await;
    client.expect(r#"{"event":"e","data":{"a":[1,2],"b":1}}"#).await;
    client.expect(r#"{"event":"","data":null}"#).await;
    assert_nothing_more(&mut [&mut client]).await;
}

#[tokio::test]
async fn metadata_is_kept_with_a_connection() {
    let app = App::serving(telling_ids()).await;
    let [(_a, a), (_b, b), _] = app.three().await;
    let [a, b] = [a, b].map(|id| app.clients.get(&id).unwrap());
    assert_eq!(a.get_meta("name"), Err(MetaNotFound));
    assert_eq!(MetaNotFound.to_string(), "metadata not found");
    a.set_meta("name", "Ada");
    assert_eq!(a.get_meta("name"), Ok(json!("Ada")));
    assert_eq!(b.get_meta("name"), Err(MetaNotFound));
    a.set_meta("name", json!({"first": "Ada"}));
    assert_eq!(a.get_meta("name"), Ok(json!({"first": "Ada"})));
    a.set_meta("name", json!(null));
    assert_eq!(a.get_meta("name"), Err(MetaNotFound), "as in the original");
}

#[tokio::test]
async fn rooms_are_made_and_removed_on_demand_and_listed_in_the_order_of_joining() {
    let app = App::serving(telling_ids()).await;
    let (_client, id) = app.known().await;
    let conn = app.clients.get(&id).unwrap();
    for room in ["c", "a", "b", "a"] {
        conn.join(room).unwrap();
    }
    let names = |conn: &Conn| conn.rooms().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&conn), ["c", "a", "b"]);
    assert_eq!(app.rooms.rooms(), 3);
    assert!(conn.leave("a"));
    assert!(!conn.leave("a") && !conn.leave("never"));
    assert_eq!(names(&conn), ["c", "b"]);
    conn.leave_all();
    assert_eq!((names(&conn).len(), app.rooms.rooms()), (0, 0));
    conn.leave_all();
}

#[tokio::test]
async fn close_ends_the_connection_with_1000_and_what_is_behind_it_is_not_handled() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let note = move |conn: Conn, text: String| {
        assert!(text != "close" || conn.close());
        std::future::ready(told.send(text).map_err(Into::into))
    };
    let app = App::serving(ClientHandler::new().on("*", note).unwrap()).await;
    let mut client = app.join().await;
    client.say("one").await;
    client.say("close").await;
    client.try_say("two").await;
    assert_eq!(client.close_code().await, Some(1000));
    assert_eq!(heard.recv().await.unwrap(), "one");
    assert_eq!(heard.recv().await.unwrap(), "close");
    drop(app);
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn in_on_connect_rooms_work_and_the_client_is_not_listed_yet() {
    let handler = telling_ids().on_connect(async |conn: Conn| {
        conn.join("lobby")?;
        let clients = conn.clients();
        assert!(!clients.ids().iter().any(|id| &**id == conn.id()));
        assert_eq!(clients.broadcast_to_all("not to me"), 0);
        assert_eq!(clients.broadcast("lobby", "hello"), 1);
        Ok(conn.write("welcome")?)
    });
    let app = App::serving(handler).await;
    let (mut client, id) = {
        let mut client = app.join().await;
        client.expect("hello").await;
        client.expect("welcome").await;
        client.say("id").await;
        let id = client.receive().await.to_text().unwrap().to_owned();
        (client, id)
    };
    assert_eq!(app.clients.ids(), [Arc::from(&*id)]);
    assert_nothing_more(&mut [&mut client]).await;
}

#[tokio::test]
async fn an_error_in_on_connect_closes_and_on_disconnect_is_called_still() {
    let gone = Arc::new(Notify::new());
    let (gone_too, seen) = (Arc::clone(&gone), Arc::new(Mutex::new(None)));
    let seen_too = Arc::clone(&seen);
    let handler = telling_ids()
        .on_connect(async |conn: Conn| {
            conn.join("lobby")?;
            Err("not you".into())
        })
        .on_disconnect(move |conn: Conn| {
            *seen_too.lock().unwrap() = Some((conn.rooms().len(), conn.clients().ids().len()));
            gone_too.notify_one();
            async { Err("logged, and nothing else".into()) }
        });
    let app = App::serving(handler).await;
    let mut client = crate::common::Talker::connect(app.addr, "/x", &[]).await.unwrap();
    client.try_say("id").await;
    assert_eq!(client.close_code().await, Some(1008));
    gone.notified().await;
    assert_eq!(*seen.lock().unwrap(), Some((1, 0)));
}

#[tokio::test]
async fn in_on_disconnect_the_client_is_listed_in_its_rooms_and_has_its_metadata() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let handler = telling_ids()
        .on_connect(async |conn: Conn| {
            conn.set_meta("name", "Ada");
            Ok(conn.join("lobby")?)
        })
        .on_disconnect(move |conn: Conn| {
            let listed = conn.clients().get(conn.id()).is_some();
            let in_room = conn.clients().ids_by_room("lobby").len();
            let name = conn.get_meta("name").unwrap();
            let sent = told.send((listed, in_room, name, conn.id().to_owned()));
            conn.clients().broadcast("lobby", "somebody goes");
            std::future::ready(sent.map_err(Into::into))
        });
    let app = App::serving(handler).await;
    let ((client, id), (mut other, _)) = (app.known().await, app.known().await);
    client.abort();
    assert_eq!(heard.recv().await.unwrap(), (true, 2, json!("Ada"), id));
    other.expect("somebody goes").await;
    assert_eq!(app.clients.ids_by_room("lobby").len(), 1);
}

#[tokio::test]
async fn a_handle_to_a_connection_that_is_gone_does_nothing() {
    let gone = Arc::new(Notify::new());
    let gone_too = Arc::clone(&gone);
    let handler = telling_ids().on_disconnect(move |_| {
        gone_too.notify_one();
        async { Ok(()) }
    });
    let app = App::serving(handler).await;
    let (client, id) = app.known().await;
    let conn = app.clients.get(&id).unwrap();
    assert!(!conn.is_closed());
    client.abort();
    gone.notified().await;
    app.rooms.close().await;
    assert!(conn.is_closed());
    assert!(matches!(conn.write("x"), Err(SendError::Closed)));
    assert_eq!(conn.join("lobby"), Err(JoinError::Gone));
    assert!(!conn.leave("lobby") && !conn.close());
    assert!(app.clients.get(&id).is_none());
}
