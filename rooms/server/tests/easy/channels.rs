//! Channels: who listens, who is refused, who is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::Config;
use wscengine_rooms_server::easy::{Conn, Easy, RegisterError, WriteError};

use crate::common::assert_nothing_more;
use crate::peer::{come, demo, listen, serve};

/// Writes its content to the channel `news`.
fn publishing(easy: Easy) -> Easy {
    easy.on("publish", async |conn: Conn, content: Bytes| {
        conn.write_to_channel("news", "news", content)?;
        Ok(None)
    })
    .unwrap()
}

#[test]
fn a_channel_is_registered_once_under_any_name() {
    let easy = Easy::new().channel("news").unwrap().channel("").unwrap();
    let handle = easy.handle();
    handle.channel("later").unwrap();
    for name in ["news", "", "later"] {
        let error = handle.guarded_channel(name, async |_| Ok(())).unwrap_err();
        assert_eq!(error, RegisterError::ChannelExists);
        assert_eq!(error.to_string(), "channel already exists");
    }
    assert_eq!(easy.channel("news").unwrap_err(), RegisterError::ChannelExists);
}

#[test]
fn what_cannot_be_written_is_an_error_that_says_why() {
    let handle = Easy::new().channel("news").unwrap().handle();
    for (command, text) in [
        ("", "command may not be empty"),
        (&*"a".repeat(256), "command may not be longer than 255 characters"),
        ("a:b", "command may not contain a colon"),
        ("websocket", "command websocket is reserved"),
    ] {
        assert_eq!(handle.write_to_channel("news", command, "x").unwrap_err().to_string(), text);
        assert_eq!(handle.write_to_client("id", command, "x").unwrap_err().to_string(), text);
    }
    let error = handle.write_to_channel("other", "news", "x").unwrap_err();
    assert_eq!(error, WriteError::ChannelDoesNotExist);
    assert_eq!(error.to_string(), "channel does not exist");
    let error = handle.write_to_client("nobody", "news", "x").unwrap_err();
    assert_eq!(error, WriteError::ClientNotFound);
    assert_eq!(error.to_string(), "client not found");
    handle.write_to_channel("news", "listen", "no listeners: fine").unwrap();
}

#[tokio::test]
async fn all_listeners_are_told_and_the_writer_too_if_it_listens() {
    let (addr, _host) = serve(publishing(Easy::new().channel("news").unwrap())).await;
    let mut a = come(addr, "/ws", "a").await;
    let mut b = come(addr, "/ws", "b").await;
    let mut c = come(addr, "/ws", "c").await;
    listen(&mut a, "news").await;
    listen(&mut b, "news").await;
    a.say("publish: one").await;
    c.say("publish: two").await;
    for listener in [&mut a, &mut b] {
        let mut heard = [listener.receive().await, listener.receive().await];
        heard.sort_by_key(ToString::to_string);
        assert_eq!(heard, [Ws::text("news: one"), Ws::text("news: two")]);
    }
    assert_nothing_more(&mut [&mut a, &mut b, &mut c]).await;
}

#[tokio::test]
async fn all_listeners_hear_what_is_written_in_the_same_order() {
    let (addr, _host) = serve(publishing(Easy::new().channel("news").unwrap())).await;
    let mut listeners = Vec::new();
    for _ in 0..3 {
        let mut talker = come(addr, "/ws", "x").await;
        listen(&mut talker, "news").await;
        listeners.push(talker);
    }
    let writers = (0..3).map(|writer| {
        tokio::spawn(async move {
            let mut talker = come(addr, "/ws", "x").await;
            for number in 0..100 {
                talker.say(&format!("publish: {writer} {number}")).await;
            }
            talker.settle().await;
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut heard = Vec::new();
    for listener in &mut listeners {
        let mut all = Vec::new();
        for _ in 0..300 {
            all.push(listener.receive().await);
        }
        heard.push(all);
    }
    assert!(heard.windows(2).all(|two| two[0] == two[1]));
    for writer in 0..3 {
        let own = format!("news: {writer} ");
        let own = heard[0].iter().filter(|message| message.to_text().unwrap().starts_with(&own));
        let expected = (0..100).map(|number| Ws::text(format!("news: {writer} {number}")));
        assert!(own.cloned().eq(expected), "in the order of its writer");
    }
}

#[tokio::test]
async fn a_listen_holds_for_what_a_later_command_of_the_client_causes() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.say("listen: test").await;
    a.say("publish: x").await;
    a.expect("news: x").await;
}

#[tokio::test]
async fn a_validation_comes_first_and_its_reason_is_not_told() {
    let shut = Arc::new(AtomicBool::new(false));
    let is_shut = Arc::clone(&shut);
    let easy = Easy::new()
        .guarded_channel("news", move |token: String| {
            let is_shut = is_shut.load(Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                if is_shut || token != "good" { Err("the reason".into()) } else { Ok(()) }
            }
        })
        .unwrap();
    let (addr, _host) = serve(publishing(easy)).await;
    let mut good = come(addr, "/ws", "good").await;
    let mut bad = come(addr, "/ws", "bad").await;
    bad.say("listen: news").await;
    bad.expect("websocket: not authorized").await;
    good.say("listen: news").await;
    good.say("listen: news").await;
    good.expect("websocket: already listening").await;
    // It listens already; what it is told first is that it may not.
    shut.store(true, Ordering::Relaxed);
    good.say("listen: news").await;
    good.expect("websocket: not authorized").await;
    bad.say("publish: x").await;
    good.expect("news: x").await;
    assert_nothing_more(&mut [&mut good, &mut bad]).await;
}

#[tokio::test]
async fn a_channel_may_have_any_name() {
    let easy = Easy::new().channel("").unwrap().channel("a: b").unwrap();
    let handle = easy.handle();
    let (addr, _host) = serve(easy).await;
    let mut a = come(addr, "/ws", "a").await;
    listen(&mut a, "").await;
    handle.write_to_channel("", "empty", "x").unwrap();
    a.expect("empty: x").await;
    listen(&mut a, "a: b").await;
    handle.write_to_channel("a: b", "odd", "x").unwrap();
    a.expect("odd: x").await;
    a.send(Ws::binary(&b"listen: \xff"[..])).await;
    a.expect("websocket: channel does not exist").await;
    handle.channel("later").unwrap();
    listen(&mut a, "later").await;
    handle.write_to_channel("later", "news", "x").unwrap();
    a.expect("news: x").await;
}

#[tokio::test]
async fn who_disconnects_listens_no_more() {
    let (server, [mut a, b]) = demo(Config::default()).await;
    let mut b = b;
    listen(&mut a, "test").await;
    listen(&mut b, "test").await;
    assert_eq!(server.rooms().members("test").len(), 2);
    b.abort();
    let gone = async {
        while server.rooms().members("test").len() > 1 {
            a.settle().await;
        }
    };
    tokio::time::timeout(crate::common::HANG, gone).await.unwrap();
    a.say("publish: x").await;
    a.expect("news: x").await;
}
