//! What an application can do with connections and rooms.

use std::collections::HashMap;

use axum::Router;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use wscengine_rooms_server::iris::{
    ALL, BROADCAST, Conn, EmitError, FrameKind, Iris, Json, WriteError,
};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{assert_nothing_more, host};
use crate::peer::{all_come, come, meet, notes};

/// The connections as they come, for tests that act from outside of callbacks.
fn kept(iris: Iris) -> (Iris, mpsc::UnboundedReceiver<Conn>) {
    let (keep, kept) = mpsc::unbounded_channel();
    let iris = iris.on_connection(move |conn: Conn| {
        keep.send(conn).unwrap();
        std::future::ready(Ok(()))
    });
    (iris, kept)
}

#[tokio::test]
async fn events_and_native_messages_reach_one_a_room_all_or_all_others() {
    let (iris, mut conns) = kept(Iris::new());
    let (_addr, _host, [mut a, mut b, mut c]) = meet(iris).await;
    let [of_a, of_b, _] =
        [conns.recv().await.unwrap(), conns.recv().await.unwrap(), conns.recv().await.unwrap()];
    of_b.join("r").unwrap();
    for (target, told) in [
        (ALL, "abc"),
        (BROADCAST, "bc"),
        ("r", "b"),
        (of_b.id(), "b"),
        (of_a.id(), "a"),
        ("nobody", ""),
    ] {
        of_a.to(target).emit("e", 1).unwrap();
        of_a.to(target).emit_message(b"native").unwrap();
        of_a.to(target).emit_message([0xff]).unwrap();
        for (name, peer) in [('a', &mut a), ('b', &mut b), ('c', &mut c)] {
            if told.contains(name) {
                peer.expect("m:e;1;1").await;
                peer.expect("native").await;
                assert_eq!(peer.receive().await, Message::binary(vec![0xff]));
            }
        }
        assert_nothing_more(&mut [&mut a, &mut b, &mut c]).await;
    }
}

/// Each connection is in a room with its own id as name. Others who join one of that name do not hear what it is told.
#[tokio::test]
async fn who_joins_a_room_that_is_named_as_an_id_does_not_hear_what_is_sent_to_the_id() {
    let (iris, mut conns) = kept(Iris::new());
    let (_addr, _host, [mut a, mut b]) = meet(iris).await;
    let (of_a, of_b) = (conns.recv().await.unwrap(), conns.recv().await.unwrap());
    assert!(of_a.is_joined(of_a.id()) && !of_b.is_joined(of_a.id()));
    of_a.join(of_a.id()).unwrap();
    of_b.join(of_a.id()).unwrap();
    assert!(!of_a.leave(of_a.id()), "it is always in there");
    of_b.to(of_a.id()).emit("e", "x").unwrap();
    a.expect("m:e;0;x").await;
    let mut ids: Vec<_> =
        of_a.server().connections_in(of_a.id()).iter().map(|conn| conn.id().to_owned()).collect();
    ids.sort_unstable();
    let mut expected = [of_a.id(), of_b.id()];
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}

#[tokio::test]
async fn a_room_is_a_set() {
    let (iris, mut conns) = kept(Iris::new());
    let (_addr, _host, [mut a]) = meet(iris).await;
    let conn = conns.recv().await.unwrap();
    conn.join("r").unwrap();
    conn.join("r").unwrap();
    assert_eq!(conn.server().connections_in("r").len(), 1);
    conn.to("r").emit("once", ()).unwrap();
    a.expect("m:once;0;").await;
    assert!(conn.leave("r") && !conn.leave("r") && !conn.is_joined("r"));
    conn.to("r").emit("never", ()).unwrap();
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn a_server_finds_joins_and_disconnects_connections_by_id() {
    let (iris, mut conns) = kept(Iris::new());
    let server = iris.server();
    assert_eq!((server.total_connections(), server.connections().len()), (0, 0));
    let (pen, mut seen) = notes();
    let iris = iris.on_disconnect(move |conn: Conn| {
        pen.note(conn.id());
        std::future::ready(Ok(()))
    });
    let (_addr, _host, [mut a, _b]) = meet(iris).await;
    let id = conns.recv().await.unwrap().id().to_owned();
    assert_eq!(id.len(), 36);
    assert_eq!(server.total_connections(), 2);
    assert_eq!(server.connections().len(), 2);
    assert!(server.is_connected(&id) && !server.is_connected("nobody"));
    assert_eq!(server.connection(&id).unwrap().id(), id);
    assert!(server.connection("nobody").is_none());

    server.join("r", &id).unwrap();
    server.join("s", &id).unwrap();
    server.join("r", "nobody").unwrap();
    assert!(server.is_joined("r", &id) && !server.is_joined("r", "nobody"));
    assert_eq!(server.connections_in("r").iter().map(Conn::id).collect::<Vec<_>>(), [&*id]);
    assert!(server.connections_in("no such room").is_empty());
    assert!(server.leave("r", &id) && !server.leave("r", &id) && !server.leave("r", "nobody"));
    server.join("t", &id).unwrap();
    server.leave_all(&id);
    server.leave_all("nobody");
    assert!(server.connection(&id).unwrap().rooms().is_empty());

    assert!(server.disconnect("nobody").is_ok());
    let conn = server.connection(&id).unwrap();
    assert!(server.disconnect(&id).is_ok());
    // It is off the list at once: nobody of this id is connected.
    assert!(!server.is_connected(&id) && server.disconnect(&id).is_ok());
    assert_eq!(conn.disconnect().unwrap_err().to_string(), "already disconnected");
    assert_eq!(a.close_code().await, Some(1000));
    seen.expect(&[&*id]).await;
    assert_eq!(server.total_connections(), 1);
}

#[tokio::test]
async fn conflict_30_a_listener_may_take_any_type_that_json_can_be_made_into() {
    #[derive(Deserialize, Serialize)]
    struct Point {
        x: i32,
        #[serde(default)]
        name: Option<String>,
    }
    let (pen, mut seen) = notes();
    let iris = Iris::new()
        .on("point", async |conn: Conn, Json(Point { x, name }): Json<Point>| {
            conn.emit("point", Json(Point { x: x + 1, name }))?;
            Ok(())
        })
        .on_error(move |_, error| pen.note(error.to_string()));
    let (_addr, _host, [mut a]) = meet(iris).await;
    a.say(r#"m:point;4;{"x": 1, "more": []}"#).await;
    a.expect(r#"m:point;4;{"x":2,"name":null}"#).await;
    for (data, complaint) in [
        ("4;{\"x\":\"1\"}", "invalid type"),
        ("4;null", "invalid type"),
        ("0;x", "invalid type"),
        ("3;x", "JSON"),
    ] {
        a.say(&format!("m:point;{data}")).await;
        let error = seen.next().await;
        assert!(error.starts_with("Invalid Type for message: event \"point\":"), "{error}");
        assert!(error.contains(complaint), "{error}");
    }
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn integers_take_only_what_fits() {
    let iris = Iris::new().on("byte", async |conn: Conn, byte: u8| Ok(conn.emit("byte", byte)?));
    let (_addr, _host, [mut a]) = meet(iris).await;
    for number in ["255", "256", "-1", "007", "9223372036854775808"] {
        a.say(&format!("m:byte;1;{number}")).await;
    }
    a.expect("m:byte;1;255").await;
    a.expect("m:byte;1;7").await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn a_value_that_cannot_be_json_is_an_error_and_nothing_is_sent() {
    let iris = Iris::new().on("go", async |conn: Conn| {
        let no_text_for_a_key = HashMap::from([(vec![1], 1)]);
        for target in [ALL, conn.id()] {
            let error = conn.to(target).emit("e", Json(&no_text_for_a_key)).unwrap_err();
            assert!(matches!(error, EmitError::Json(_)), "{error}");
        }
        assert!(matches!(conn.emit("e", f64::NAN), Err(EmitError::Json(_))));
        conn.emit("done", ())?;
        Ok(())
    });
    let (_addr, _host, [mut a]) = meet(iris).await;
    a.say("m:go;0;").await;
    a.expect("m:done;0;").await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn a_native_message_that_looks_like_an_event_is_an_error() {
    let iris = Iris::new().on("go", async |conn: Conn| {
        assert!(matches!(conn.emit_message("m:x"), Err(EmitError::Form(_))));
        assert!(matches!(conn.to(ALL).emit_message("m:x"), Err(EmitError::Form(_))));
        conn.emit_message("from: a")?;
        Ok(())
    });
    let (_addr, _host, [mut a]) = meet(iris).await;
    a.say("m:go;0;").await;
    a.expect("from: a").await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn frames_are_written_as_they_are() {
    let (iris, mut conns) = kept(Iris::new());
    let (addr, _host, [mut a]) = meet(iris).await;
    let conn = conns.recv().await.unwrap();
    conn.write(FrameKind::Text, "m:é".as_bytes()).unwrap();
    conn.write(FrameKind::Binary, &[0, 255]).unwrap();
    a.expect("m:é").await;
    assert_eq!(a.receive().await, Message::binary(vec![0, 255]));
    conn.write(FrameKind::Pong, b"unasked").unwrap();
    conn.write(FrameKind::Ping, b"hello").unwrap();
    // The pong is the first that it comes by.
    a.settle().await;
    assert_eq!(conn.write(FrameKind::Text, &[0xff]), Err(WriteError::NotUtf8));
    assert_eq!(conn.write(FrameKind::Ping, &[0; 126]), Err(WriteError::TooLong));
    assert_eq!(conn.write(FrameKind::Close, &[3]), Err(WriteError::CloseCode));
    assert_eq!(conn.write(FrameKind::Close, &[3, 237]), Err(WriteError::CloseCode));
    conn.write(FrameKind::Close, b"\x0f\xa1kicked").unwrap();
    assert!(matches!(conn.write(FrameKind::Text, b"x"), Err(WriteError::Disconnected(_))));
    assert_eq!(a.close_code().await, Some(4001));
    let mut b = come(addr, "/ws").await;
    conns.recv().await.unwrap().write(FrameKind::Close, b"").unwrap();
    assert_eq!(b.close_code().await, Some(1000));
}

#[tokio::test]
async fn values_are_kept_with_a_connection_and_read_as_what_they_are() {
    let (iris, mut conns) = kept(Iris::new());
    let (_addr, _host, [_a, _b]) = meet(iris).await;
    let (conn, other) = (conns.recv().await.unwrap(), conns.recv().await.unwrap());
    let values = conn.values();
    assert_eq!(values.set("name", "Ada"), None);
    assert_eq!(values.set("name", "Bob"), Some(json!("Ada")));
    values.set("age", 36);
    values.set("digits", "-12");
    values.set("tags", vec!["a", "b"]);
    values.set("mixed", json!(["a", 1]));
    values.set("half", 0.5);
    assert_eq!(values.get("age"), Some(json!(36)));
    assert_eq!(values.get("nothing"), None);
    assert_eq!(
        (values.string("name"), values.string("age"), values.string("x")),
        ("Bob".into(), String::new(), String::new())
    );
    assert_eq!(values.strings("tags").unwrap(), ["a", "b"]);
    assert!(values.strings("mixed").is_none() && values.strings("name").is_none());
    let ints = ["age", "digits", "name", "half", "nothing"].map(|key| values.int(key));
    assert_eq!(ints, [36, -12, 0, 0, 0]);
    assert_eq!(other.values().get("name"), None);
}

#[tokio::test]
async fn the_context_is_the_request() {
    let iris = Iris::new().on("where", async |conn: Conn| {
        let request = conn.context();
        let agents: Vec<_> = request.headers.get_all("x-agent").iter().collect();
        conn.emit("where", format!("{} {agents:?} {:?}", request.uri, conn.subprotocol()))?;
        Ok(())
    });
    let rooms = Rooms::new(Config::default());
    let (addr, _host) = host(Router::new().route("/room/{name}", rooms.iris(iris))).await;
    let headers = [("x-agent", "one"), ("x-agent", "two")];
    let mut a = crate::common::Talker::connect(addr, "/room/blue?x=1", &headers).await.unwrap();
    a.say("m:where;0;").await;
    a.expect("m:where;0;/room/blue?x=1 [\"one\", \"two\"] None").await;
}

#[tokio::test]
async fn two_endpoints_share_rooms_and_have_connections_of_their_own() {
    let iris = || {
        Iris::new()
            .on("join", async |conn: Conn, room: String| Ok(conn.join(&room)?))
            .on("all", async |conn: Conn| Ok(conn.to(ALL).emit("all", 1)?))
            .on("room", async |conn: Conn, room: String| Ok(conn.to(&room).emit("room", 1)?))
            .on("count", async |conn: Conn| {
                Ok(conn.emit("count", conn.server().total_connections())?)
            })
    };
    let rooms = Rooms::new(Config::default());
    let app = Router::new().route("/one", rooms.iris(iris())).route("/two", rooms.iris(iris()));
    let (addr, _host) = host(app).await;
    let [mut a] = all_come(addr, "/one").await;
    let [mut b] = all_come(addr, "/two").await;
    b.say("m:join;0;r").await;
    b.settle().await;
    for event in ["all;0;", "room;0;r", "count;0;"] {
        a.say(&format!("m:{event}")).await;
    }
    a.expect("m:all;1;1").await;
    a.expect("m:count;1;1").await;
    b.expect("m:room;1;1").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}
