//! Application code that panics: its connection ends, what it was in is left, and nobody else notices.

use axum::Router;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wscengine_rooms_server::easy::Easy;
use wscengine_rooms_server::grows::{ClientHandler, Grows, Routes};
use wscengine_rooms_server::iris::Iris;
use wscengine_rooms_server::wsrooms::Wsrooms;
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{HANG, Talker, assert_nothing_more, host};
use crate::member::said;

/// A member of the room `room`, by wsrooms, who must not notice.
struct Bystander {
    rooms: Rooms,
    addr: std::net::SocketAddr,
    _host: JoinSet<()>,
    talker: Talker,
}

impl Bystander {
    async fn of(rooms: Rooms, app: Router) -> Self {
        let (addr, _host) = host(app.route("/wsrooms", rooms.wsrooms(Wsrooms::new()))).await;
        let mut talker = Talker::connect(addr, "/wsrooms", &[]).await.unwrap();
        talker.send(said("room", "join", "", "", "")).await;
        talker.settle().await;
        talker.receive().await;
        talker.receive().await;
        Self { rooms, addr, _host, talker }
    }

    async fn victim(&self, path: &str) -> Talker {
        Talker::connect(self.addr, path, &[("Cookie", "auth=x")]).await.unwrap()
    }

    /// Alone again, with nothing left of the others.
    async fn ends_unharmed(mut self, what: &str) {
        timeout(HANG, async {
            while self.rooms.connections() > 1 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect(what);
        // `root` and `room`.
        assert_eq!((self.rooms.rooms(), self.rooms.members("room").len()), (2, 1), "{what}");
        self.talker.send(said("room", "chat", "", "", "x")).await;
        self.talker.settle().await;
    }
}

fn panics<T>() -> T {
    panic!("on purpose")
}

#[tokio::test]
async fn a_panic_in_any_callback_of_grows_ends_that_connection_alone() {
    let on_connect = ClientHandler::new().on_connect(async |_| panics());
    let on_disconnect = ClientHandler::new()
        .on_connect(async |conn| Ok(conn.join("room")?))
        .on_disconnect(async |_| panics());
    let handler = ClientHandler::new()
        .on_connect(async |conn| Ok(conn.join("room")?))
        .on("*", async |_, _| panics())
        .unwrap()
        .on_event("*", async |_, _| panics())
        .unwrap();
    let received = ClientHandler::new().on_connect(async |conn| Ok(conn.join("room")?));
    let routes = Routes::new()
        .route("/on_connect", on_connect)
        .and_then(|routes| routes.route("/on_disconnect", on_disconnect))
        .and_then(|routes| routes.route("/handler", handler))
        .and_then(|routes| routes.route("/received", received))
        .and_then(|routes| routes.receive_middleware("/received", async |_, _| panics()))
        .unwrap();
    let rooms = Rooms::new(Config::default());
    let app: Router = rooms.grows(Grows::new().router(routes).unwrap());
    for (path, says) in [
        ("/on_connect", "x"),
        ("/on_disconnect", "x"),
        ("/handler", "x"),
        ("/handler", r#"{"event":"e"}"#),
        ("/received", "x"),
    ] {
        let bystander = Bystander::of(rooms.clone(), app.clone()).await;
        let mut victim = bystander.victim(path).await;
        victim.try_say(says).await;
        if path == "/on_disconnect" {
            victim.abort();
        } else {
            victim.close_code().await;
        }
        bystander.ends_unharmed(path).await;
        timeout(HANG, async {
            while rooms.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}

/// What is said in a room goes through the middlewares of its receivers, on the task of the sender.
#[tokio::test]
async fn a_panic_in_the_send_middleware_of_a_receiver_does_not_end_the_sender() {
    let handler = || ClientHandler::new().on_connect(async |conn| Ok(conn.join("room")?));
    let routes = Routes::new()
        .route("/fails", handler())
        .and_then(|routes| routes.route("/plain", handler()))
        .and_then(|routes| routes.send_middleware("/fails", |_, _| panics()))
        .unwrap();
    let rooms = Rooms::new(Config::default());
    let app: Router = rooms.grows(Grows::new().router(routes).unwrap());
    let mut sender = Bystander::of(rooms, app).await;
    let mut fails = sender.victim("/fails").await;
    fails.settle().await;
    let mut plain = sender.victim("/plain").await;
    plain.settle().await;
    for text in ["one", "two"] {
        sender.talker.send(said("room", "chat", "", "", text)).await;
        plain.expect(&format!(r#"{{"event":"chat","data":"{text}"}}"#)).await;
    }
    sender.talker.settle().await;
    assert_eq!(fails.close_code().await, Some(1011));
    drop(plain);
    sender.ends_unharmed("send middleware").await;
}

#[tokio::test]
async fn a_panic_in_any_callback_of_iris_ends_that_connection_alone() {
    let inside = || Iris::new().on_connection(async |conn| Ok(conn.join("room")?));
    let cases: [(&str, Iris); 7] = [
        ("on_connection", Iris::new().on_connection(async |_| panics())),
        ("on_message", inside().on_message(async |_, _| panics())),
        ("on", inside().on("e", async |_, _: String| panics())),
        ("on_error", inside().on_error(|_, _| panics())),
        ("on_leave", inside().on_leave(|_, _| panics())),
        ("on_disconnect", inside().on_disconnect(async |_| panics())),
        ("on_pong", inside().on_pong(|_| panics())),
    ];
    for (what, iris) in cases {
        let rooms = Rooms::new(Config::default());
        let app = Router::new().route("/iris", rooms.iris(iris));
        let bystander = Bystander::of(rooms, app).await;
        let mut victim = bystander.victim("/iris").await;
        victim.try_say("native").await;
        // An error, too.
        victim.try_say("m:e").await;
        victim.try_say("m:e;0;x").await;
        if what == "on_pong" {
            victim.send(tokio_tungstenite::tungstenite::Message::Pong("x".into())).await;
        }
        if ["on_leave", "on_disconnect"].contains(&what) {
            victim.abort();
        } else {
            victim.close_code().await;
        }
        bystander.ends_unharmed(what).await;
    }
}

#[tokio::test]
async fn a_panic_in_any_callback_of_go_easy_ends_that_connection_alone() {
    let cases: [(&str, Easy); 3] = [
        ("open", Easy::new().on("open", async |_, _| panics()).unwrap()),
        ("handler", Easy::new().on("e", async |_, _| panics()).unwrap()),
        ("validation", Easy::new().guarded_channel("room", async |_| panics()).unwrap()),
    ];
    for (what, easy) in cases {
        let rooms = Rooms::new(Config::default());
        let app = Router::new().route("/easy", rooms.easy(easy));
        let bystander = Bystander::of(rooms, app).await;
        let mut victim = bystander.victim("/easy").await;
        victim.try_say("listen: room").await;
        victim.try_say("e: x").await;
        victim.close_code().await;
        bystander.ends_unharmed(what).await;
    }
}

/// Before there is a connection, too.
#[tokio::test]
async fn a_panic_before_the_upgrade_ends_that_request_alone() {
    let routes = Routes::new()
        .route("/grows", ClientHandler::new())
        .and_then(|routes| routes.handshake_middleware("/grows", async |_, _| panics()))
        .unwrap();
    let rooms = Rooms::new(Config::default());
    let app: Router = rooms
        .grows(Grows::new().router(routes).unwrap())
        .route("/easy", rooms.easy(Easy::new().validate(async |_| panics())));
    let mut bystander = Bystander::of(rooms, app).await;
    for path in ["/grows", "/easy"] {
        let request = format!("ws://{}{path}", bystander.addr);
        let stream = tokio::net::TcpStream::connect(bystander.addr).await.unwrap();
        assert!(tokio_tungstenite::client_async(request, stream).await.is_err());
    }
    assert_nothing_more(&mut [&mut bystander.talker]).await;
    bystander.ends_unharmed("before the upgrade").await;
}
