//! From the first callback to the last.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use wscengine_rooms_server::iris::{ALL, BROADCAST, Conn, Error, Iris};

use crate::common::{Talker, assert_nothing_more};
use crate::peer::{Notes, Pen, come, meet, notes, serve};

/// All that ends a connection, by name.
fn ends(iris: Iris, pen: &Pen) -> Iris {
    let (left, gone, wrong) = (pen.clone(), pen.clone(), pen.clone());
    iris.on_leave(move |conn, room| {
        let room = if room == conn.id() { "own" } else { room };
        left.note(format!("leaves {room}, {}", conn.is_joined(room)));
    })
    .on_disconnect(move |conn: Conn| {
        let gone = gone.clone();
        async move {
            let listed = conn.server().is_connected(conn.id());
            gone.note(format!("disconnected, {listed}, {:?}", conn.rooms()));
            Ok(())
        }
    })
    .on_error(move |_, error| wrong.note(format!("error {error}")))
}

const GONE: [&str; 2] = ["leaves own, false", "disconnected, false, []"];

async fn closes(talker: &mut Talker, code: Option<u16>) {
    let frame = code.map(|code| CloseFrame { code: code.into(), reason: "".into() });
    talker.send(Message::Close(frame)).await;
}

#[tokio::test]
async fn what_is_sent_when_a_connection_begins_is_the_first_that_its_client_gets() {
    let hello = |text: &'static str| {
        move |conn: Conn| async move {
            conn.emit("hello", text)?;
            tokio::task::yield_now().await;
            Ok(())
        }
    };
    let iris = Iris::new()
        .on_connection(hello("first"))
        .on_connection(hello("second"))
        .on_message(async |conn: Conn, _| Ok(conn.emit_message("answer")?));
    let (addr, _host) = serve(iris).await;
    let mut a = Talker::connect(addr, "/ws", &[]).await.unwrap();
    a.say("asked at once").await;
    for expected in ["m:hello;0;first", "m:hello;0;second", "answer"] {
        a.expect(expected).await;
    }
}

#[tokio::test]
async fn the_callbacks_of_a_connection_are_called_behind_those_of_the_server_in_order_of_registration()
 {
    let (pen, mut seen) = notes();
    let said = |by: &'static str| {
        let pen = pen.clone();
        move |_: Conn| {
            let pen = pen.clone();
            // What is done before the future counts, too.
            pen.note(format!("{by} begins"));
            async move {
                tokio::task::yield_now().await;
                pen.note(format!("{by} ends"));
                Ok(())
            }
        }
    };
    let (own, third, fourth) = (said("own"), said("third"), said("fourth"));
    let iris = Iris::new().on("e", said("first")).on("e", said("second")).on_connection(
        move |conn: Conn| {
            conn.on("e", third.clone());
            conn.on("e", fourth.clone());
            conn.on("other", own.clone());
            async { Ok(()) }
        },
    );
    let (_addr, _host, [mut a]) = meet(iris).await;
    a.say("m:e;0;").await;
    for by in ["first", "second", "third", "fourth"] {
        seen.expect(&[&*format!("{by} begins"), &*format!("{by} ends")]).await;
    }
    seen.assert_no_more();
}

/// Off the list, out of the rooms, the callbacks, the socket.
#[tokio::test]
async fn conflict_27_a_connection_ends_in_the_order_that_is_documented() {
    let (pen, mut seen) = notes();
    let iris = ends(Iris::new(), &pen)
        .on("join", async |conn: Conn, room: String| Ok(conn.join(&room)?))
        .on_disconnect(async |conn: Conn| {
            conn.to("other").emit("gone", conn.id().len())?;
            conn.to(BROADCAST).emit("gone", "to all others")?;
            Ok(())
        })
        .on("bye", async |conn: Conn| {
            let id = conn.id().to_owned();
            conn.disconnect()?;
            assert!(!conn.server().is_connected(&id));
            assert_eq!(conn.disconnect().unwrap_err().to_string(), "already disconnected");
            Ok(())
        });
    let (_addr, _host, [mut a, mut b]) = meet(iris).await;
    a.say("m:join;0;one").await;
    a.say("m:join;0;two").await;
    b.say("m:join;0;other").await;
    b.settle().await;
    a.say("m:bye;0;").await;
    seen.expect(&["leaves one, true", "leaves two, true"]).await;
    seen.expect(&GONE).await;
    b.expect("m:gone;1;36").await;
    b.expect("m:gone;0;to all others").await;
    assert_eq!(a.close_code().await, Some(1000));
    seen.assert_no_more();
}

#[tokio::test]
async fn conflict_27_who_closes_or_vanishes_is_off_the_list_before_it_leaves_its_rooms() {
    let (pen, mut seen) = notes();
    let iris = Iris::new()
        .on("join", async |conn: Conn, room: String| Ok(conn.join(&room)?))
        .on_leave(move |conn, room| {
            let is_listed = conn.server().is_connected(conn.id());
            let room = if room == conn.id() { "its own" } else { room };
            pen.note(format!("{room}, listed: {is_listed}"));
        });
    let (_addr, _host, [mut a, mut b]) = meet(iris).await;
    for peer in [&mut a, &mut b] {
        peer.say("m:join;0;one").await;
        peer.settle().await;
    }
    a.send(Message::Close(None)).await;
    seen.expect(&["one, listed: false", "its own, listed: false"]).await;
    b.abort();
    seen.expect(&["one, listed: false", "its own, listed: false"]).await;
    seen.assert_no_more();
}

#[tokio::test]
async fn conflict_26_a_callback_may_send_to_the_room_that_is_left_before_it_is() {
    let iris = Iris::new()
        .on("join", async |conn: Conn, room: String| Ok(conn.join(&room)?))
        .on("leave", async |conn: Conn, room: String| {
            // The second time it is not in there.
            let left = [conn.leave(&room), conn.leave(&room)];
            conn.emit("left", serde_json::json!(left))?;
            Ok(())
        })
        .on_leave(|conn, room| {
            assert!(!conn.leave(room), "it is being left");
            conn.to(room).emit("leaves", room).unwrap();
        });
    let (_addr, _host, [mut a, mut b]) = meet(iris).await;
    for peer in [&mut a, &mut b] {
        peer.say("m:join;0;r").await;
        peer.settle().await;
    }
    a.say("m:leave;0;r").await;
    for peer in [&mut a, &mut b] {
        peer.expect("m:leaves;0;r").await;
    }
    a.expect("m:left;4;[true,false]").await;
    a.say("m:join;0;r").await;
    a.settle().await;
    a.abort();
    b.expect("m:leaves;0;r").await;
    assert_nothing_more(&mut [&mut b]).await;
}

#[tokio::test]
async fn a_close_with_1000_or_1001_or_without_a_code_is_no_error() {
    for code in [None, Some(1000), Some(1001)] {
        let (pen, mut seen) = notes();
        let (_addr, _host, [mut a]) = meet(ends(Iris::new(), &pen)).await;
        closes(&mut a, code).await;
        seen.expect(&GONE).await;
        assert_eq!(a.close_code().await, code);
        seen.assert_no_more();
    }
}

async fn ends_with(seen: &mut Notes, error: &str) {
    seen.expect(&[&*format!("error {error}")]).await;
    seen.expect(&GONE).await;
    seen.assert_no_more();
}

#[tokio::test]
async fn any_other_close_and_a_broken_connection_are_errors() {
    let (pen, mut seen) = notes();
    let (addr, _host, [mut a, b]) = meet(ends(Iris::new(), &pen)).await;
    closes(&mut a, Some(4000)).await;
    ends_with(&mut seen, "the client closed with code 4000").await;
    b.abort();
    ends_with(&mut seen, "the connection is broken").await;
    let mut c = come(addr, "/ws").await;
    c.say(&"x".repeat(1025)).await;
    ends_with(&mut seen, "message too big").await;
    assert_eq!(c.close_code().await, Some(1009));
}

#[tokio::test]
async fn silence_beyond_the_read_timeout_is_an_error_and_closes_with_1013() {
    let (pen, mut seen) = notes();
    let iris = ends(Iris::new(), &pen).read_timeout(Duration::from_millis(100));
    let (addr, _host) = serve(iris).await;
    let mut a = Talker::connect(addr, "/ws", &[]).await.unwrap();
    ends_with(&mut seen, "given up: no sign of life").await;
    assert_eq!(a.close_code().await, Some(1013));
}

#[tokio::test]
async fn an_error_of_a_listener_is_told_and_one_that_is_fired_and_nothing_is_sent() {
    let (pen, mut seen) = notes();
    let iris = Iris::new()
        .on("fail", async |_: Conn| Err("it failed".into()))
        .on("fire", async |conn: Conn| {
            conn.fire_on_error("fired");
            Ok(())
        })
        .on_connection(move |conn: Conn| {
            let pen = pen.clone();
            conn.on_error(move |_, error| {
                let kind = match error {
                    Error::Listener(_) => "listener",
                    Error::Fired(_) => "fired",
                    _ => "other",
                };
                pen.note(format!("{kind}: {error}"));
            });
            async { Ok(()) }
        });
    let (_addr, _host, [mut a]) = meet(iris).await;
    a.say("m:fail;0;").await;
    a.say("m:fire;0;").await;
    seen.expect(&["listener: it failed", "fired: fired"]).await;
    assert_nothing_more(&mut [&mut a]).await;
    seen.assert_no_more();
}

#[tokio::test]
async fn callbacks_are_called_before_each_ping_and_for_each_pong() {
    let (pen, mut seen) = notes();
    let (ping, pong, own) = (pen.clone(), pen.clone(), pen);
    let iris = Iris::new()
        .ping_period(Duration::from_millis(50))
        .on_ping(move |_| ping.note("ping"))
        .on_pong(move |_| pong.note("pong"))
        .on_connection(move |conn: Conn| {
            let (ping, pong) = (own.clone(), own.clone());
            conn.on_ping(move |_| ping.note("own ping"));
            conn.on_pong(move |_| pong.note("own pong"));
            async { Ok(()) }
        });
    let (addr, _host) = serve(iris).await;
    let mut a = Talker::connect(addr, "/ws", &[]).await.unwrap();
    assert!(a.ping().await.is_empty());
    seen.expect(&["ping", "own ping"]).await;
    // Its library answers, once it is asked for more.
    a.settle().await;
    while seen.next().await != "pong" {}
    assert_eq!(seen.next().await, "own pong");
}

/// The message in the middle of a listener that waits is that of a connection which is gone by then.
#[tokio::test]
async fn a_handle_outlives_its_connection_and_reaches_nobody() {
    let (pen, mut seen) = notes();
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let iris = ends(Iris::new(), &pen).on_connection(move |conn: Conn| {
        keep.send(conn).unwrap();
        async { Ok(()) }
    });
    let (_addr, _host, [a]) = meet(iris).await;
    let conn = kept.recv().await.unwrap();
    a.abort();
    ends_with(&mut seen, "the connection is broken").await;
    assert_eq!(conn.emit("e", 1).unwrap_err().to_string(), "already disconnected");
    assert_eq!(conn.emit_message("x").unwrap_err().to_string(), "already disconnected");
    assert!(conn.disconnect().is_err() && conn.is_disconnected() && !conn.is_joined(conn.id()));
    conn.to(ALL).emit("e", 1).unwrap();
    conn.to(conn.id()).emit("e", 1).unwrap();
}
