//! Connections that end while the application is busy with them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use wscengine_rooms_server::easy::Easy;
use wscengine_rooms_server::grows::{ClientHandler, Grows, Routes};
use wscengine_rooms_server::iris::Iris;
use wscengine_rooms_server::wsrooms::Wsrooms;
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{HANG, Talker, host};
use crate::member::said;

const PATHS: [&str; 4] = ["/wsrooms", "/grows", "/iris", "/easy"];

/// Every protocol, with an event `wait` whose handler reports that it was called, and waits for a permit.
struct Waiting {
    rooms: Rooms,
    app: Router,
    called: mpsc::UnboundedReceiver<()>,
    go_on: Arc<Semaphore>,
}

fn waiting() -> Waiting {
    let (call, called) = mpsc::unbounded_channel();
    let go_on = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&go_on);
    let wait = move || {
        let (call, permits) = (call.clone(), Arc::clone(&permits));
        async move {
            call.send(()).unwrap();
            permits.acquire().await.unwrap().forget();
        }
    };
    let config = Config::default().close_timeout(Duration::from_millis(100));
    let rooms = Rooms::new(config.idle_timeout(10 * HANG));
    let wsrooms = Wsrooms::new().on("wait", {
        let wait = wait.clone();
        move |_, _| {
            let wait = wait();
            async move {
                wait.await;
                Ok(())
            }
        }
    });
    let grows = ClientHandler::new().on_connect(async |conn| Ok(conn.join("room")?)).on("wait", {
        let wait = wait.clone();
        move |_, _| {
            let wait = wait();
            async move {
                wait.await;
                Ok(())
            }
        }
    });
    let routes = Routes::new().route("/grows", grows.unwrap()).unwrap();
    let iris = Iris::new().on_connection(async |conn| Ok(conn.join("room")?)).on_message({
        let wait = wait.clone();
        move |_, _| {
            let wait = wait();
            async move {
                wait.await;
                Ok(())
            }
        }
    });
    let easy = Easy::new().channel("room").unwrap().on("wait", move |_, _| {
        let wait = wait();
        async move {
            wait.await;
            Ok(None)
        }
    });
    let app = rooms
        .grows(Grows::new().router(routes).unwrap())
        .route("/wsrooms", rooms.wsrooms(wsrooms.unwrap()))
        .route("/iris", rooms.iris(iris))
        .route("/easy", rooms.easy(easy.unwrap()));
    Waiting { rooms, app, called, go_on }
}

/// In the room, with a handler that waits.
async fn busy(addr: std::net::SocketAddr, path: &str) -> Talker {
    let mut talker = Talker::connect(addr, path, &[("Cookie", "auth=x")]).await.unwrap();
    match path {
        "/wsrooms" => {
            talker.send(said("room", "join", "", "", "")).await;
            talker.settle().await;
            talker.send(said("room", "wait", "", "", "")).await;
        }
        "/easy" => {
            talker.say("listen: room").await;
            talker.settle().await;
            talker.say("wait: x").await;
        }
        _ => talker.say("wait").await,
    }
    talker
}

#[tokio::test]
async fn a_client_that_is_gone_when_its_handler_returns_leaves_nothing_behind() {
    for path in PATHS {
        let mut waiting = waiting();
        let (addr, _host) = host(waiting.app).await;
        let gone = busy(addr, path).await;
        timeout(HANG, waiting.called.recv()).await.expect("a call").unwrap();
        assert_eq!(waiting.rooms.members("room").len(), 1, "{path}");
        gone.abort();
        waiting.go_on.add_permits(1);
        timeout(HANG, async {
            while waiting.rooms.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect(path);
        assert_eq!(waiting.rooms.rooms(), 0, "{path}");
    }
}

/// It is given the time of a closing handshake.
#[tokio::test]
async fn a_client_that_is_gone_leaves_nothing_behind_although_its_handler_never_returns() {
    for path in PATHS {
        let mut waiting = waiting();
        let (addr, _host) = host(waiting.app).await;
        let gone = busy(addr, path).await;
        timeout(HANG, waiting.called.recv()).await.expect("a call").unwrap();
        gone.abort();
        timeout(HANG, async {
            while waiting.rooms.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect(path);
        assert_eq!(waiting.rooms.rooms(), 0, "{path}");
    }
}

/// What it said before is handled all the same.
#[tokio::test]
async fn what_a_client_said_before_it_went_is_handled_behind_a_handler_that_waits() {
    let mut waiting = waiting();
    let (addr, _host) = host(waiting.app).await;
    let mut gone = busy(addr, "/iris").await;
    timeout(HANG, waiting.called.recv()).await.expect("a call").unwrap();
    gone.say("second").await;
    gone.say("third").await;
    drop(gone);
    for _ in 0..2 {
        waiting.go_on.add_permits(1);
        timeout(HANG, waiting.called.recv()).await.expect("a call").unwrap();
    }
}

/// With the client still there, and with a client that is gone.
#[tokio::test]
async fn a_server_ends_although_a_handler_never_returns() {
    for path in PATHS {
        for is_gone in [false, true] {
            let mut waiting = waiting();
            let (addr, _host) = host(waiting.app).await;
            let client = busy(addr, path).await;
            timeout(HANG, waiting.called.recv()).await.expect("a call").unwrap();
            let reading = (!is_gone).then(|| {
                let mut client = client;
                tokio::spawn(async move { client.close_code().await })
            });
            timeout(HANG, waiting.rooms.close()).await.expect(path);
            assert_eq!((waiting.rooms.connections(), waiting.rooms.rooms()), (0, 0), "{path}");
            if let Some(reading) = reading {
                assert_eq!(reading.await.unwrap(), Some(1001));
            }
        }
    }
}

/// What is said to it meanwhile is for nobody, and others are heard.
#[tokio::test]
async fn a_member_whose_handler_waits_delays_nobody_in_the_room() {
    let mut waiting = waiting();
    let (addr, _host) = host(waiting.app).await;
    let mut busy_ones = Vec::new();
    for path in PATHS {
        busy_ones.push(busy(addr, path).await);
        timeout(HANG, waiting.called.recv()).await.expect("a call").unwrap();
    }
    let mut members = [
        Talker::connect(addr, "/wsrooms", &[]).await.unwrap(),
        Talker::connect(addr, "/wsrooms", &[]).await.unwrap(),
    ];
    for member in &mut members {
        member.send(said("room", "join", "", "", "")).await;
        member.settle().await;
    }
    for number in 0..50 {
        members[0].send(said("room", "chat", "", "", number.to_string())).await;
    }
    let mut next = 0;
    while next < 50 {
        let heard = members[1].receive().await.into_data();
        let message = wscengine_rooms_server::wsrooms::Message::from_bytes(&heard).unwrap();
        if message.event == "chat" {
            assert_eq!(message.payload, next.to_string());
            next += 1;
        }
    }
    // They are told while their handlers wait.
    busy_ones[1].expect(r#"{"event":"chat","data":"0"}"#).await;
    busy_ones[2].expect("m:chat;0;0").await;
    busy_ones[3].expect("chat: 0").await;
    waiting.go_on.add_permits(4);
}
