//! What the original does wrong, and that it is not done here.

use std::time::Duration;

use futures_util::future::join_all;
use tokio_tungstenite::tungstenite::Message;
use wscengine_rooms_server::iris::{ALL, BROADCAST, Conn, Iris};

use crate::common::{Talker, assert_nothing_more};
use crate::peer::{all_come, meet, notes, serve};

/// There a buffer is used again before it is written.
#[tokio::test]
async fn what_several_say_at_once_is_never_mixed_up() {
    const MESSAGES: usize = 200;
    let iris = Iris::new()
        .on("chat", async |conn: Conn, text: String| Ok(conn.to(ALL).emit("chat", text)?));
    let (_addr, _host, talkers) = meet::<8>(iris).await;
    let texts = |by: usize| {
        let letter = char::from(b'a' + by as u8);
        (0..MESSAGES).map(move |at| format!("m:chat;0;{}", letter.to_string().repeat(1 + at)))
    };
    let work = talkers.into_iter().enumerate().map(|(by, mut talker)| async move {
        for text in texts(by) {
            talker.say(&text).await;
        }
        let mut seen = vec![Vec::new(); 8];
        for _ in 0..8 * MESSAGES {
            let text = talker.receive().await.into_text().unwrap();
            let by = usize::from(text.as_bytes()["m:chat;0;".len()] - b'a');
            seen[by].push(text.to_string());
        }
        for (by, seen) in seen.iter().enumerate() {
            assert_eq!(*seen, texts(by).collect::<Vec<_>>());
        }
    });
    join_all(work).await;
}

/// There whoever sends to it waits for ever.
#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_delays_nobody() {
    let (pen, mut seen) = notes();
    let iris = Iris::new().on("chat", async |conn: Conn, text: String| {
        conn.to(BROADCAST).emit("chat", text.repeat(500))?;
        conn.emit("told", conn.server().total_connections())?;
        Ok(())
    });
    let iris = iris.on_error(move |_, error| pen.note(error.to_string()));
    let (_addr, _host, [mut a, _deaf]) = meet(iris).await;
    let text = format!("m:chat;0;{}", "x".repeat(1000));
    let mut told = 0;
    // Until it is closed, and its end has been seen.
    for _ in 0..100_000 {
        a.say(&text).await;
        told = match a.receive().await.into_text().unwrap().as_str() {
            "m:told;1;1" => 1,
            "m:told;1;2" => 2,
            other => panic!("{other}"),
        };
        if told == 1 {
            break;
        }
    }
    assert_eq!(told, 1);
    seen.expect(&["given up: too slow"]).await;
}

/// There a join of an id that is not connected leaves a ghost.
#[tokio::test]
async fn who_is_not_connected_is_in_no_room() {
    let iris = Iris::new();
    let server = iris.server();
    let (_addr, _host, [a]) = meet(iris).await;
    server.join("r", "nobody").unwrap();
    assert!(server.connections_in("r").is_empty() && !server.is_joined("r", "nobody"));
    // One that is gone joins none.
    let conn = server.connections().pop().unwrap();
    a.abort();
    while conn.join("r").is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!conn.is_joined("r") && server.connections_in("r").is_empty());
}

/// There it drops the connection, in v10, or is lost, in v11.
#[tokio::test]
async fn an_event_without_data_reaches_its_listeners() {
    let iris = Iris::new()
        .on("e", async |conn: Conn| Ok(conn.emit("nothing", ())?))
        .on("e", async |conn: Conn, text: String| Ok(conn.emit("text", text)?));
    let (_addr, _host, [mut a]) = meet(iris).await;
    a.say("m:e;0;").await;
    a.expect("m:nothing;0;").await;
    a.expect("m:text;0;").await;
}

/// There a malformed message or a mismatch ends the connection.
#[tokio::test]
async fn a_fault_in_a_message_is_told_to_on_error_and_the_connection_lives() {
    let (pen, mut seen) = notes();
    let iris = Iris::new()
        .on("i", async |conn: Conn, number: i64| Ok(conn.emit("i", number)?))
        .on_error(move |_, error| pen.note(error.to_string()));
    let (_addr, _host, [mut a]) = meet(iris).await;
    for (fault, error) in [
        ("m:i", "Invalid websocket Message: the name at byte 2 has no semicolon behind it"),
        (
            "m:i;0;x",
            "Invalid Type for message: event \"i\": the listener takes a whole number, the event brings text",
        ),
        ("m:i;1;1.5", "Invalid Type for message: event \"i\": the data is not a whole number"),
        (
            "m:i;4;bad",
            "Invalid Type for message: event \"i\": the data does not fit: expected value at line 1 column 1",
        ),
    ] {
        a.say(fault).await;
        seen.expect(&[error]).await;
    }
    a.say("m:i;1;5").await;
    a.expect("m:i;1;5").await;
    // An event that nobody listens to is none.
    a.say("m:unknown;0;x").await;
    assert_nothing_more(&mut [&mut a]).await;
    seen.assert_no_more();
}

/// There data in a text frame that is no text breaks the client.
#[tokio::test]
async fn bytes_that_are_no_text_go_in_a_binary_frame() {
    let iris = Iris::new().on("go", async |conn: Conn| Ok(conn.to(ALL).emit("y", [b'a', 0xff])?));
    let (_addr, _host, [mut a]) = meet(iris).await;
    a.say("m:go;0;").await;
    assert_eq!(a.receive().await, Message::binary(b"m:y;3;a\xff".to_vec()));
    // A name that is no text can be no event's.
    a.send(Message::binary(b"m:\xff;0;x".to_vec())).await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn clients_that_come_and_go_while_they_are_told_things_harm_nobody() {
    let iris = Iris::new()
        .on_connection(async |conn: Conn| {
            conn.join("r")?;
            conn.to("r").emit("came", conn.id())?;
            Ok(())
        })
        .on_leave(|conn, room| conn.to(room).emit("leaves", 1).unwrap())
        .on_disconnect(async |conn: Conn| Ok(conn.to(ALL).emit("gone", conn.id())?));
    let server = iris.server();
    let (addr, _host) = serve(iris).await;
    let churn = (0..8).map(|_| async move {
        for _ in 0..20 {
            let mut talker = Talker::connect(addr, "/ws", &[]).await.unwrap();
            talker.settle().await;
            talker.abort();
        }
    });
    join_all(churn).await;
    while server.total_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(server.connections_in("r").is_empty());
    let [_a, _b] = all_come(addr, "/ws").await;
    assert_eq!(server.connections_in("r").len(), 2);
}
