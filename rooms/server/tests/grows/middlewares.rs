//! Handshake, receive and send middlewares.

use serde_json::json;
use wscengine_rooms_server::Config;
use wscengine_rooms_server::grows::{
    ClientHandler, Conn, Grows, Guest, RegisterError, Routes, SendError,
};

use crate::common::{Talker, assert_nothing_more};
use crate::setup::{App, behind, demo, telling_ids};

fn echoing() -> ClientHandler {
    ClientHandler::new().on("*", async |conn: Conn, text: String| Ok(conn.write(&text)?)).unwrap()
}

#[tokio::test]
async fn of_the_handshake_middlewares_that_match_the_first_one_decides() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let middleware = |word: &'static str, accepts: bool| {
        let told = std::sync::Arc::clone(&told);
        move |_, _: Guest| {
            told.lock().unwrap().push(word);
            std::future::ready(accepts)
        }
    };
    let routes = Routes::new()
        .route("/open", echoing())
        .and_then(|routes| routes.route("/closed", echoing()))
        .and_then(|routes| routes.route("/other", echoing()))
        .and_then(|routes| routes.handshake_middleware("^/open", middleware("open", true)))
        .and_then(|routes| routes.handshake_middleware("open|closed", middleware("second", false)))
        .and_then(|routes| routes.handshake_middleware("closed", middleware("third", true)));
    let app = App::start(Grows::new().router(routes.unwrap()).unwrap()).await;
    assert!(app.enter("/open").await.is_ok());
    assert_eq!(app.enter("/closed").await.err(), Some(403));
    assert!(app.enter("/other").await.is_ok());
    assert_eq!(*told.lock().unwrap(), ["open", "second"]);
}

#[tokio::test]
async fn one_who_is_refused_has_never_been_there() {
    let (server, []) = demo("example").await;
    let addr = server.local_addr();
    assert_eq!(Talker::connect(addr, "/ws/grows/denied", &[]).await.err(), Some(403));
    let metrics = server.rooms().metrics();
    assert!(metrics.contains("rooms_refused_total{reason=\"protocol\"} 1"), "{metrics}");
    assert!(metrics.contains("rooms_connections_total{protocol=\"grows\"} 0"), "{metrics}");
}

#[tokio::test]
async fn a_handshake_middleware_sees_the_request_and_leaves_metadata_with_the_client() {
    let middleware = async |request: axum::http::request::Parts, guest: Guest| {
        let Some(name) = request.headers.get("x-name") else { return false };
        guest.set_meta("name", name.to_str().unwrap());
        guest.set_meta("room", guest.param("room").unwrap());
        guest.set_meta("id", guest.id());
        assert!(guest.get_meta("other").is_err());
        assert_eq!(guest.get_meta("name"), Ok(json!("Ada")));
        true
    };
    let who = async |conn: Conn, _| {
        assert_eq!(conn.get_meta("id")?, conn.id());
        Ok(conn.write_json(&[conn.get_meta("name")?, conn.get_meta("room")?])?)
    };
    let handler = ClientHandler::new().on("who", who).unwrap();
    let routes = Routes::new().route("/in/:room", handler).unwrap();
    let routes = routes.handshake_middleware("/in/:room", middleware).unwrap();
    let app = App::start(Grows::new().router(routes).unwrap()).await;
    assert_eq!(app.enter("/in/lobby").await.err(), Some(403));
    let mut client = Talker::connect(app.addr, "/in/lobby", &[("x-name", "Ada")]).await.unwrap();
    client.say("who").await;
    client.expect(r#"["Ada","lobby"]"#).await;
}

#[tokio::test]
async fn receive_middlewares_change_what_comes_in_the_order_in_which_they_were_added() {
    let app = App::start(behind(echoing(), |routes| {
        routes
            .receive_middleware("/x", async |_, text: String| Ok(Some(format!("1{text}"))))?
            .receive_middleware("*", async |_, text: String| Ok(Some(format!("2{text}"))))?
            .receive_middleware("/other", async |_, text: String| Ok(Some(format!("no{text}"))))?
            .receive_middleware("^/x$", async |conn: Conn, text: String| {
                Ok(Some(format!("{}3{text}", conn.route())))
            })
    }))
    .await;
    let mut client = app.join().await;
    for at in 0..100 {
        client.say(&format!("-{at}")).await;
    }
    for at in 0..100 {
        client.expect(&format!("/x321-{at}")).await;
    }
}

#[tokio::test]
async fn a_receive_middleware_makes_events_of_texts_and_texts_of_events() {
    let handler = echoing().on_event("e", async |conn: Conn, _| Ok(conn.write("an event")?));
    let app = App::start(behind(handler.unwrap(), |routes| {
        routes.receive_middleware("*", async |_, text: String| {
            Ok(Some(if text == "e" { r#"{"event":"e"}"#.to_owned() } else { "raw".to_owned() }))
        })
    }))
    .await;
    let mut client = app.join().await;
    client.say("e").await;
    client.expect("an event").await;
    client.say(r#"{"event":"e"}"#).await;
    client.expect("raw").await;
}

#[tokio::test]
async fn an_error_or_nothing_of_a_receive_middleware_drops_the_message() {
    let app = App::start(behind(echoing(), |routes| {
        routes
            .receive_middleware("*", async |_, text: String| match &*text {
                "bad" => Err("a bad word".into()),
                "nothing" => Ok(None),
                _ => Ok(Some(text)),
            })?
            .receive_middleware("*", async |_, text: String| {
                assert!(text != "bad" && text != "nothing", "the next one is not called");
                Ok(Some(text))
            })
    }))
    .await;
    let mut client = app.join().await;
    for text in ["bad", "nothing", "good"] {
        client.say(text).await;
    }
    client.expect("good").await;
    assert_nothing_more(&mut [&mut client]).await;
    let dropped = "rooms_dropped_total{direction=\"in\",protocol=\"grows\"} 1";
    assert!(app.rooms.metrics().contains(dropped), "the error is counted");
}

/// One route with a send middleware of which some texts do not come out, and one without.
fn guarded() -> Grows {
    behind(telling_ids(), |routes| {
        routes
            .route("/plain", telling_ids())?
            .send_middleware("^/x$", |conn: &Conn, text: String| {
                let name = conn.get_meta("name").unwrap_or_default();
                if text.contains("secret") && name != "Ada" {
                    return Err("not for everybody".into());
                }
                Ok(format!("1{text}"))
            })?
            .send_middleware("/x", |_, text: String| Ok(format!("2{text}")))
    })
}

#[tokio::test]
async fn an_error_of_a_send_middleware_stops_the_write_and_is_returned() {
    let app = App::start(guarded()).await;
    let (mut client, id) = app.known().await;
    let conn = app.clients.get(id.strip_prefix("21").unwrap()).unwrap();
    for result in [conn.write("secret"), conn.write_json("secret"), conn.write_event("secret", "x")]
    {
        let error = result.unwrap_err();
        assert!(matches!(&error, SendError::Middleware(_)));
        assert_eq!(error.to_string(), "a send middleware failed: not for everybody");
    }
    conn.write_event("open", "x").unwrap();
    client.expect(r#"21{"event":"open","data":"x"}"#).await;
    conn.write_json(&[1]).unwrap();
    client.expect("21[1]").await;
    assert_nothing_more(&mut [&mut client]).await;
}

#[tokio::test]
async fn send_middlewares_change_every_broadcast_and_their_errors_stop_nobody_else_s() {
    let app = App::start(guarded()).await;
    let (mut a, mut b) = (app.known().await, app.known().await);
    let mut plain = app.enter("/plain").await.unwrap();
    for conn in app.clients.ids().iter().filter_map(|id| app.clients.get(id)) {
        conn.join("lobby").unwrap();
    }
    for (_, id) in [&mut a, &mut b] {
        id.drain(..2);
    }
    app.clients.get(&a.1).unwrap().set_meta("name", "Ada");
    let clients = &app.clients;
    let mut sent = [
        clients.broadcast("lobby", "secret"),
        clients.broadcast_to_all("secret"),
        clients.broadcast_except("", "secret"),
    ];
    assert_eq!(sent, [2; 3], "Ada, and the one without middlewares");
    sent[0] = clients.broadcast_event("lobby", "secret", "x").unwrap();
    sent[1] = clients.broadcast_event_to_all("secret", "x").unwrap();
    sent[2] = clients.broadcast_event_except("", "secret", "x").unwrap();
    assert_eq!(sent, [2; 3]);
    for text in ["secret", r#"{"event":"secret","data":"x"}"#] {
        for _ in 0..3 {
            a.0.expect(&format!("21{text}")).await;
            plain.expect(text).await;
        }
    }
    assert_nothing_more(&mut [&mut a.0, &mut b.0, &mut plain]).await;

    assert_eq!(clients.broadcast_to_client(&b.1, "secret"), 0);
    assert_eq!(clients.broadcast_to_client(&b.1, "hi"), 1);
    assert_eq!(clients.broadcast_event_to_client(&b.1, "hi", &1).unwrap(), 1);
    assert_eq!(clients.broadcast_by_meta("name", json!(null), "hi"), 2);
    assert_eq!(clients.broadcast_event_by_meta("name", "Ada", "hi", &1).unwrap(), 1);
    b.0.expect("21hi").await;
    b.0.expect(r#"21{"event":"hi","data":1}"#).await;
    b.0.expect("21hi").await;
    a.0.expect(r#"21{"event":"hi","data":1}"#).await;
    plain.expect("hi").await;
    assert_nothing_more(&mut [&mut a.0, &mut b.0, &mut plain]).await;
    let dropped = "rooms_dropped_total{direction=\"out\",protocol=\"grows\"} 7";
    assert!(app.rooms.metrics().contains(dropped), "{}", app.rooms.metrics());
}

#[tokio::test]
async fn a_send_middleware_is_not_called_for_whom_a_broadcast_leaves_out() {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&calls);
    let grows = behind(telling_ids(), |routes| {
        routes.send_middleware("*", move |_, text: String| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(text)
        })
    });
    let app = App::start(grows).await;
    let three = app.three().await;
    let count = || calls.swap(0, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(count(), 3, "the three ids");
    app.clients.broadcast_except(&three[0].1, "hi");
    assert_eq!(count(), 2);
    app.clients.get(&three[0].1).unwrap().set_meta("name", "Ada");
    app.clients.broadcast_by_meta("name", "Ada", "hi");
    assert_eq!(count(), 1);
    app.clients.broadcast_to_client(&three[0].1, "hi");
    assert_eq!(count(), 1);
}

#[tokio::test]
async fn a_send_middleware_may_send_things_itself() {
    let grows = behind(telling_ids(), |routes| {
        routes.send_middleware("*", |conn: &Conn, text: String| {
            if text == "hi" {
                conn.clients().broadcast_to_all("before");
            }
            Ok(text)
        })
    });
    let app = App::with(Config::default(), grows).await;
    let mut client = app.join().await;
    app.clients.broadcast_to_all("hi");
    client.expect("before").await;
    client.expect("hi").await;
}

#[test]
fn the_pattern_of_a_middleware_is_a_regular_expression_or_a_star() {
    let wrong = |result: Result<Routes, RegisterError>| {
        assert!(matches!(result, Err(RegisterError::Pattern { .. })));
    };
    for pattern in ["(", "**", "[a"] {
        wrong(Routes::new().handshake_middleware(pattern, async |_, _| true));
        wrong(Routes::new().receive_middleware(pattern, async |_, text| Ok(Some(text))));
        wrong(Routes::new().send_middleware(pattern, |_, text| Ok(text)));
    }
}
