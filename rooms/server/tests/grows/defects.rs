//! What the original server does wrong does not happen here: each test would fail on it.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use wscengine_rooms_server::Config;
use wscengine_rooms_server::grows::{ClientHandler, Conn, Event};

use crate::common::assert_nothing_more;
use crate::setup::{App, behind, demo, telling_ids};

#[tokio::test]
async fn answers_come_in_the_order_of_the_questions() {
    let (_server, [mut a]) = demo("example").await;
    for at in 0..300 {
        a.say(&format!("echo {at}")).await;
        a.say(&format!(r#"{{"event":"echo","data":{at}}}"#)).await;
    }
    for at in 0..300 {
        a.expect(&format!("echo {at}")).await;
        a.expect(&format!(r#"{{"event":"echo","data":{at}}}"#)).await;
    }
}

#[tokio::test]
async fn a_handler_that_waits_keeps_what_is_behind_it_waiting_and_nobody_else() {
    let go = Arc::new(Notify::new());
    let gone = Arc::clone(&go);
    let wait = move |conn: Conn, _: String| {
        let go = Arc::clone(&gone);
        async move {
            go.notified().await;
            Ok(conn.write("waited")?)
        }
    };
    let app = App::serving(telling_ids().on("wait", wait).unwrap()).await;
    let (mut a, mut b) = (app.join().await, app.join().await);
    a.say("wait").await;
    a.say("id").await;
    b.say("id").await;
    assert_eq!(b.receive().await.len(), 36);
    // It is written to meanwhile.
    app.clients.broadcast_to_all("hi");
    a.expect("hi").await;
    go.notify_one();
    a.expect("waited").await;
    assert_eq!(a.receive().await.len(), 36);
}

#[tokio::test]
async fn many_that_broadcast_at_once_reach_all_unharmed_and_in_one_order() {
    const SENDERS: usize = 8;
    const EACH: usize = 100;
    let handler = ClientHandler::new()
        .on_connect(async |conn: Conn| Ok(conn.join("lobby")?))
        .on_event("say", async |conn: Conn, event: Event| {
            conn.clients().broadcast_event("lobby", "said", &event.data)?;
            Ok(())
        });
    let app = App::serving(handler.unwrap()).await;
    let mut talkers = Vec::new();
    for _ in 0..SENDERS {
        talkers.push(app.join().await);
    }
    let tasks = talkers.into_iter().enumerate().map(|(sender, mut talker)| {
        tokio::spawn(async move {
            for at in 0..EACH {
                talker.say(&format!(r#"{{"event":"say","data":"{sender} {at}"}}"#)).await;
            }
            let mut heard = Vec::new();
            for _ in 0..SENDERS * EACH {
                heard.push(talker.receive().await.into_text().unwrap().to_string());
            }
            heard
        })
    });
    let mut heard = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        heard.push(task.await.unwrap());
    }
    assert!(heard.windows(2).all(|pair| pair[0] == pair[1]), "one order for all");
    for sender in 0..SENDERS {
        let of = heard[0].iter().filter(|text| text.contains(&format!("\"{sender} ")));
        let expected = (0..EACH).map(|at| format!(r#"{{"event":"said","data":"{sender} {at}"}}"#));
        assert!(of.cloned().eq(expected), "those of one sender in its order");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_with_1013_and_blocks_nobody() {
    let config = Config::default().queue_messages(16);
    let app = App::with(config, behind(telling_ids(), Ok)).await;
    let (mut slow, mut quick) = (app.join().await, app.join().await);
    let text = "x".repeat(60_000);
    // The quick one takes each before the next is sent: what waits, waits for the slow one.
    while app.clients.broadcast_to_all(&text) == 2 {
        assert_eq!(quick.receive().await.len(), text.len());
        quick.settle().await;
    }
    assert_eq!(quick.receive().await.len(), text.len());
    // Others come in still; what waited for the slow one is told it first.
    assert_eq!(app.known().await.1.len(), 36);
    assert_eq!(slow.close_code().await, Some(1013));
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1007_as_rfc_6455_demands() {
    let (_server, [mut a]) = demo("star").await;
    let not_text = Frame::message(&b"\xff"[..], OpCode::Data(Data::Text), true);
    a.send(Message::Frame(not_text)).await;
    assert_eq!(a.close_code().await, Some(1007));
}

#[tokio::test]
async fn a_room_joined_twice_is_told_once_and_left_at_once() {
    let handler = telling_ids().on_connect(async |conn: Conn| {
        conn.join("lobby")?;
        Ok(conn.join("lobby")?)
    });
    let app = App::serving(handler).await;
    let (mut last, id) = app.known().await;
    assert_eq!(app.clients.ids_by_room("lobby").len(), 1);
    assert_eq!(app.clients.broadcast("lobby", "once"), 1);
    last.expect("once").await;
    assert_nothing_more(&mut [&mut last]).await;
    assert!(app.clients.get(&id).unwrap().leave("lobby"));
    assert!(app.clients.ids_by_room("lobby").is_empty());
    app.clients.get(&id).unwrap().join("lobby").unwrap();
    last.abort();
    app.rooms.close().await;
    assert_eq!(app.rooms.rooms(), 0);
}

#[tokio::test]
async fn what_ended_the_original_ends_nothing_here() {
    let app = App::serving(telling_ids()).await;
    let (mut client, id) = app.known().await;
    let conn = app.clients.get(&id).unwrap();
    // A room that nobody is in.
    assert!(app.clients.ids_by_room("nowhere").is_empty());
    // A room that the client is not in.
    assert!(!conn.leave("nowhere"));
    // Three rooms at once.
    for room in ["a", "b", "c"] {
        conn.join(room).unwrap();
    }
    conn.leave_all();
    assert!(conn.rooms().is_empty());
    // An empty message, which is for nobody here.
    client.say("").await;
    assert_nothing_more(&mut [&mut client]).await;
    // Without OnConnect and OnDisconnect.
    let (other, _) = app.known().await;
    other.abort();
    client.say("id").await;
    client.expect(&id).await;
}

#[tokio::test]
async fn many_clients_that_vanish_at_once_harm_nobody() {
    let handler = telling_ids().on_connect(async |conn: Conn| Ok(conn.join("lobby")?));
    let app = App::serving(handler).await;
    let (mut watcher, id) = app.known().await;
    for _ in 0..3 {
        let mut crowd = Vec::new();
        for _ in 0..50 {
            crowd.push(app.join().await);
        }
        assert_eq!(app.clients.broadcast("lobby", "hi"), 51);
        watcher.expect("hi").await;
        drop(crowd);
        // Some are gone by now, and some are not.
        app.clients.broadcast("lobby", "hi");
        app.clients.broadcast_to_all("hi");
        watcher.expect("hi").await;
        watcher.expect("hi").await;
    }
    watcher.say("id").await;
    watcher.expect(&id).await;
    watcher.abort();
    app.rooms.close().await;
    assert_eq!((app.rooms.rooms(), app.rooms.connections(), app.clients.ids().len()), (0, 0, 0));
}

#[tokio::test]
async fn a_panic_in_a_handler_ends_its_connection_and_no_other() {
    let panics = async |_, _| panic!("on purpose");
    let app = App::serving(telling_ids().on("panic", panics).unwrap()).await;
    let (mut a, (mut b, id)) = (app.join().await, app.known().await);
    a.say("panic").await;
    assert_eq!(a.close_code().await, None);
    b.say("id").await;
    b.expect(&id).await;
    assert_eq!(app.clients.ids(), [Arc::from(&*id)]);
}
