//! iris endpoints with clients that are not ours, which compress, and with the client for browsers that the server gives
//! out, on node.

use axum::Router;
use e2e::within;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wscengine_rooms_protocol::iris::{GOWSAL, IRIS};
use wscengine_rooms_server::iris::{BROADCAST, Conn, FrameKind, Iris};
use wscengine_rooms_server::{Config, Rooms};

use crate::harness::{Peer, Server, for_each_server};

const VECTORS: &str = include_str!("../../../rooms/protocol/tests/vectors.json");

for_each_server! {
    messages_are_compressed_for_those_who_offer_it,
}

/// Serves an application; the authority of its URLs. It ends with the handle.
async fn host(app: Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    (authority, tasks)
}

async fn messages_are_compressed_for_those_who_offer_it(server: Server) {
    let iris = Iris::new()
        .compression(true)
        .max_message(1 << 20)
        .on("how", async |conn: Conn| Ok(conn.emit("how", conn.is_compressed())?))
        .on("chat", async |conn: Conn, text: String| {
            conn.emit("own", &text)?;
            conn.to(BROADCAST).emit("chat", text)?;
            Ok(())
        });
    let app = Router::new().route("/ws", Rooms::new(Config::default()).iris(iris));
    let (authority, _host) = host(app).await;
    let url = format!("ws://{authority}/ws");
    let mut other = server.rooms_client(&url);
    let mut peer = server.rooms_client(&url);
    for peer in [&mut other, &mut peer] {
        let extensions = peer.event("open").await["extensions"].to_string();
        assert!(extensions.contains("permessage-deflate"), "{extensions}");
        peer.tell(&json!({ "text": "m:how;0;" }));
        assert_eq!(text_of(peer).await, "m:how;2;true");
    }
    for text in ["short", "grüße, grüße, grüße; ", "again and again "] {
        for times in [1, 60, 30_000] {
            let text = text.repeat(times);
            peer.tell(&json!({ "text": format!("m:chat;0;{text}") }));
            assert!(text_of(&mut peer).await == format!("m:own;0;{text}"), "{times}");
            assert!(text_of(&mut other).await == format!("m:chat;0;{text}"), "{times}");
        }
    }
}

/// The next message, a text.
async fn text_of(peer: &mut Peer) -> String {
    let message = peer.event("message").await;
    assert_eq!(message["binary"], false);
    String::from_utf8(bytes(&message["hex"])).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let byte = |at: &[u8]| u8::from_str_radix(std::str::from_utf8(at).unwrap(), 16).unwrap();
    hex.as_str().unwrap().as_bytes().chunks(2).map(byte).collect()
}

/// A client for browsers that talks to `iris`, and has this prefix.
async fn client(iris: Iris, prefix: &str) -> (Peer, JoinSet<()>) {
    let script = Iris::new().prefix(prefix).client();
    let app = Router::new()
        .route("/ws", Rooms::new(Config::default()).iris(iris))
        .route("/iris-ws.js", script);
    let (authority, host) = host(app).await;
    // Without `ws://`, which it puts in front.
    let endpoint = format!("{authority}/ws");
    let mut peer = Server::iris_client(&endpoint, &format!("http://{authority}/iris-ws.js"));
    peer.event("connect").await;
    (peer, host)
}

#[tokio::test]
async fn i066_to_i084_the_client_for_browsers_calls_the_callbacks_that_the_original_does() {
    let all: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let heard: Vec<_> = all.into_iter().filter(|it| it["test"] == "heard").collect();
    assert_eq!(heard.len(), 19);
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let iris = Iris::new().prefix(IRIS).on_connection(move |conn: Conn| {
        keep.send(conn).unwrap();
        std::future::ready(Ok(()))
    });
    let (mut peer, _host) = client(iris, IRIS).await;
    let conn = within(kept.recv()).await.unwrap();
    let listened = ["r", "chat", "é", "r;x"];
    for event in listened {
        peer.tell(&json!({ "on": event }));
    }
    // It is behind the listeners.
    peer.tell(&json!({ "onConnect": true }));
    peer.event("connect").await;
    for vector in heard {
        conn.write(FrameKind::Text, &bytes(&vector["hex"])).unwrap();
        match (vector["heard"][0].as_str(), &vector["heard"][1]) {
            (None, _) => {}
            (Some("<native>"), data) => assert_eq!(&peer.event("native").await["data"], data),
            (Some(event), data) if listened.contains(&event) => {
                let heard = peer.event("heard").await;
                assert_eq!((&heard["name"], &heard["data"]), (&json!(event), data), "{vector}");
            }
            (Some(_), _) => {}
        }
        // Nothing else was called: the next call is for this.
        conn.emit_message("mark").unwrap();
        assert_eq!(peer.event("native").await["data"], "mark", "{vector}");
        assert_eq!(peer.unread(), 0, "{vector}");
    }
    // On binary messages the original throws.
    conn.write(FrameKind::Binary, format!("{IRIS}r;0;binary").as_bytes()).unwrap();
    assert_eq!(peer.event("heard").await["data"], "binary");
    conn.disconnect().unwrap();
    peer.event("disconnect").await;
}

/// What is sent is native to a server with another prefix, which shows it as it is.
#[tokio::test]
async fn i050_to_i064_the_client_for_browsers_sends_what_the_original_does() {
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let iris = Iris::new().prefix("another:").on_message(move |_, message| {
        keep.send(String::from_utf8(message.to_vec()).unwrap()).unwrap();
        std::future::ready(Ok(()))
    });
    let (mut peer, _host) = client(iris, GOWSAL).await;
    for (data, sent) in [
        (json!(["e", "hello"]), "e;0;hello"),
        (json!(["e", "123"]), "e;1;123"),
        (json!(["e", "007"]), "e;1;007"),
        (json!(["e", "1e5"]), "e;1;1e5"),
        (json!(["e", "0x10"]), "e;1;0x10"),
        (json!(["e", "Infinity"]), "e;1;Infinity"),
        (json!(["e", "a;b;c"]), "e;0;a;b;c"),
        (json!(["e", ""]), "e;0;"),
        (json!(["e", " "]), "e;1; "),
        (json!(["é", "ü"]), "é;0;ü"),
        (json!(["e", 42]), "e;1;42"),
        (json!(["e", 0]), "e;1;0"),
        (json!(["e", 1.5]), "e;1;1.5"),
        (json!(["e", true]), "e;1;true"),
        (json!(["e", false]), "e;2;false"),
        (json!(["e", { "a": 1 }]), "e;4;{\"a\":1}"),
        (json!(["e", [1, 2]]), "e;4;[1,2]"),
        (json!(["e", []]), "e;1;"),
        (json!(["e", [5]]), "e;1;5"),
        (json!(["e"]), "e;0;"),
        // Here the original throws.
        (json!(["e", null]), "e;4;null"),
    ] {
        peer.tell(&json!({ "emit": data }));
        assert_eq!(within(kept.recv()).await.unwrap(), format!("{GOWSAL}{sent}"), "{data}");
    }
    for text in ["native", ""] {
        peer.tell(&json!({ "native": text }));
        assert_eq!(within(kept.recv()).await.unwrap(), text);
    }
    peer.tell(&json!({ "disconnect": true }));
    peer.event("disconnect").await;
}

#[tokio::test]
async fn the_client_that_the_program_gives_to_browsers_works_with_its_demo() {
    let server = crate::harness::rooms("127.0.0.1:0").await;
    let authority = server.local_addr().to_string();
    let script = format!("http://{authority}/iris-ws.js");
    let endpoint = format!("ws://{authority}/ws/iris");
    let mut peers =
        [Server::iris_client(&endpoint, &script), Server::iris_client(&endpoint, &script)];
    for peer in &mut peers {
        peer.event("connect").await;
        for event in ["chat", "joined"] {
            peer.tell(&json!({ "on": event }));
        }
        peer.tell(&json!({ "emit": ["join", "lobby"] }));
        assert_eq!(peer.event("heard").await["data"], "lobby");
    }
    let [a, b] = &mut peers;
    a.tell(&json!({ "emit": ["room", { "room": "lobby", "text": "hello, room" }] }));
    for peer in [&mut *a, &mut *b] {
        assert_eq!(peer.event("heard").await["data"], "hello, room");
    }
    b.tell(&json!({ "native": "hi" }));
    assert_eq!(b.event("native").await["data"], "Me: hi");
    assert_eq!(a.event("native").await["data"], "bc:hi");
    b.tell(&json!({ "emit": ["bye"] }));
    b.event("disconnect").await;
}
