//! Three nodes, a hundred clients at each, of all four protocols in one room: whatever is said, by whichever function,
//! reaches those it is meant for, once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Ws;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use wscengine_rooms_server::easy::{self, Easy};
use wscengine_rooms_server::grows::{self, ClientHandler, Clients, Grows, Routes};
use wscengine_rooms_server::iris::{self, Iris, Json};
use wscengine_rooms_server::wsrooms::{Message, Wsrooms};
use wscengine_rooms_server::{Config, Redis, Rooms};

use crate::client::HANG;
use crate::redis_server::RedisServer;

const ROOM: &str = "test";
const EACH: usize = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Wsrooms,
    Grows,
    Easy,
    Iris,
}

const KINDS: [Kind; 4] = [Kind::Wsrooms, Kind::Grows, Kind::Easy, Kind::Iris];

/// A node with an application of each protocol.
struct Node {
    addr: SocketAddr,
    rooms: Rooms,
    grows: Clients,
    easy: easy::Handle,
    _tasks: JoinSet<()>,
}

struct Client {
    node: usize,
    kind: Kind,
    /// groWs: whether its metadata has `team` `red`.
    is_red: bool,
    id: String,
    socket: WebSocketStream<TcpStream>,
}

#[derive(serde::Deserialize)]
struct ToRoom {
    to: String,
    text: String,
}

fn grows() -> Grows {
    let handler = ClientHandler::new()
        .on_connect(async |conn: grows::Conn| {
            let team = conn.param("team").unwrap_or_default().to_owned();
            conn.set_meta("team", team);
            conn.join(ROOM)?;
            Ok(())
        })
        .on("id", async |conn: grows::Conn, _| Ok(conn.write(&format!("id={}", conn.id()))?))
        .unwrap();
    Grows::new().router(Routes::new().route("/grows/:team", handler).unwrap()).unwrap()
}

fn easy_rooms() -> Easy {
    Easy::new()
        .channel(ROOM)
        .unwrap()
        .on("id", async |conn: easy::Conn, _| {
            Ok(Some(easy::Message::new("id", format!("id={}", conn.id()))?))
        })
        .unwrap()
}

fn iris_rooms() -> Iris {
    Iris::new()
        .on("id", async |conn: iris::Conn| {
            conn.join(ROOM)?;
            conn.emit("id", format!("id={}", conn.id()))?;
            Ok(())
        })
        .on("say", async |conn: iris::Conn, Json(ToRoom { to, text }): Json<ToRoom>| {
            conn.to(&to).emit("chat", text)?;
            Ok(())
        })
}

async fn node(redis: &RedisServer, number: usize) -> Node {
    let redis = Redis::new(&redis.url()).unwrap().node(format!("n{number}"));
    let rooms = Rooms::new(Config::default().redis(redis).queue_messages(4096));
    let (grows, easy) = (grows(), easy_rooms());
    let (clients, handle) = (grows.clients(), easy.handle());
    let app: Router = rooms
        .grows(grows)
        .route("/wsrooms", rooms.wsrooms(Wsrooms::new()))
        .route("/easy", rooms.easy(easy))
        .route("/iris", rooms.iris(iris_rooms()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    Node { addr, rooms, grows: clients, easy: handle, _tasks: tasks }
}

impl Client {
    async fn connect(addr: SocketAddr, node: usize, kind: Kind, is_red: bool) -> Self {
        let path = match kind {
            Kind::Wsrooms => "/wsrooms",
            Kind::Grows if is_red => "/grows/red",
            Kind::Grows => "/grows/blue",
            Kind::Easy => "/easy",
            Kind::Iris => "/iris",
        };
        let stream = TcpStream::connect(addr).await.unwrap();
        let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
        request.headers_mut().insert("cookie", "auth=any".parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let mut client = Self { node, kind, is_red, id: String::new(), socket };
        client.id = client.introduce().await;
        client
    }

    /// Enters the room; its id.
    async fn introduce(&mut self) -> String {
        match self.kind {
            Kind::Wsrooms => {
                let Ws::Binary(ack) = self.socket.next().await.unwrap().unwrap() else { panic!() };
                let id = Message::from_bytes(&ack).unwrap().src;
                self.wsrooms(ROOM, "join", "", "").await;
                return id;
            }
            Kind::Grows => self.text("id").await,
            Kind::Easy => {
                self.text(&format!("listen: {ROOM}")).await;
                self.text("id: ").await;
            }
            Kind::Iris => self.text("m:id;0;").await,
        }
        loop {
            let text = self.next().await;
            if let Some((_, id)) = text.split_once("id=") {
                return id.to_owned();
            }
        }
    }

    async fn text(&mut self, text: &str) {
        self.socket.send(Ws::text(text)).await.unwrap();
    }

    async fn wsrooms(&mut self, room: &str, event: &str, dst: &str, payload: &str) {
        let message = Message::new(room, event, dst, "", payload.to_owned());
        self.socket.send(Ws::binary(message.to_bytes().unwrap())).await.unwrap();
    }

    /// As text, whatever it was.
    async fn next(&mut self) -> String {
        let next = timeout(HANG, self.socket.next()).await;
        let next = next.unwrap_or_else(|_| panic!("a {:?} at {} waits", self.kind, self.node));
        String::from_utf8_lossy(&next.unwrap().unwrap().into_data()).into_owned()
    }

    /// How often it was told each mark, such as `<m01>`, up to the last.
    async fn marks(&mut self, last: &str) -> BTreeMap<String, usize> {
        let mut marks = BTreeMap::new();
        loop {
            let text = self.next().await;
            if text.contains(last) {
                return marks;
            }
            if let Some((_, rest)) = text.split_once("[[") {
                let mark = rest.split_once("]]").unwrap().0;
                *marks.entry(mark.to_owned()).or_default() += 1;
            }
        }
    }
}

/// What was said, and who is to be told.
struct Expected<'a>(Vec<(&'static str, Told<'a>)>);

type Told<'a> = Box<dyn Fn(&Client) -> bool + 'a>;

impl<'a> Expected<'a> {
    fn expect(&mut self, mark: &'static str, told: impl Fn(&Client) -> bool + 'a) {
        self.0.push((mark, Box::new(told)));
    }
}

fn is(kind: Kind) -> impl Fn(&Client) -> bool {
    move |client| client.kind == kind
}

#[tokio::test]
async fn every_broadcast_function_reaches_exactly_the_right_clients_once() {
    let redis = RedisServer::start();
    let mut nodes = Vec::new();
    for number in 0..3 {
        nodes.push(node(&redis, number).await);
    }
    let mut clients = Vec::new();
    for number in 0..EACH {
        for (at, node) in nodes.iter().enumerate() {
            for kind in KINDS {
                clients.push(Client::connect(node.addr, at, kind, number % 2 == 0).await);
            }
        }
    }
    while nodes.iter().any(|node| node.rooms.members(ROOM).len() < clients.len()) {
        tokio::task::yield_now().await;
    }
    lists(&nodes, &clients);
    let id_of = |kind, node| -> Arc<str> {
        clients.iter().find(|it| it.kind == kind && it.node == node).unwrap().id.as_str().into()
    };
    let [far_wsrooms, far_grows, far_easy, far_iris] = KINDS.map(|kind| id_of(kind, 2));
    let [here_wsrooms, here_iris] = [Kind::Wsrooms, Kind::Iris].map(|kind| id_of(kind, 0));
    let mut expected = Expected(Vec::new());
    let Node { grows, easy, .. } = &nodes[0];

    let hears_raw = |it: &Client| it.kind != Kind::Easy;
    grows.broadcast(ROOM, "[[broadcast]]");
    expected.expect("broadcast", hears_raw);
    grows.broadcast_event(ROOM, "e", "[[broadcast_event]]").unwrap();
    expected.expect("broadcast_event", |_| true);
    grows.broadcast_to_all("[[to_all]]");
    expected.expect("to_all", is(Kind::Grows));
    grows.broadcast_event_to_all("e", "[[event_to_all]]").unwrap();
    expected.expect("event_to_all", is(Kind::Grows));
    let but = |it: &Client| it.kind == Kind::Grows && it.id != *far_grows;
    grows.broadcast_except(&far_grows, "[[except]]");
    expected.expect("except", but);
    grows.broadcast_event_except(&far_grows, "e", "[[event_except]]").unwrap();
    expected.expect("event_except", but);
    let red = |it: &Client| it.kind == Kind::Grows && it.is_red;
    grows.broadcast_by_meta("team", "red", "[[by_meta]]");
    expected.expect("by_meta", red);
    grows.broadcast_event_by_meta("team", "red", "e", "[[event_by_meta]]").unwrap();
    expected.expect("event_by_meta", red);
    grows.broadcast_to_client(&far_grows, "[[to_client]]");
    expected.expect("to_client", |it| it.id == *far_grows);
    grows.broadcast_event_to_client(&far_wsrooms, "e", "[[event_to_client]]").unwrap();
    expected.expect("event_to_client", |it| it.id == *far_wsrooms);
    easy.write_to_channel(ROOM, "cmd", "[[channel]]").unwrap();
    expected.expect("channel", |_| true);
    easy.write_to_client(&far_easy, "cmd", "[[easy_client]]").unwrap();
    expected.expect("easy_client", |it| it.id == *far_easy);

    let speaker = clients.iter_mut().find(|it| it.id == *here_wsrooms).unwrap();
    speaker.wsrooms(ROOM, "e", "", "[[wsrooms_room]]").await;
    expected.expect("wsrooms_room", |it| it.id != *here_wsrooms);
    speaker.wsrooms(ROOM, "e", &far_iris, "[[wsrooms_direct]]").await;
    expected.expect("wsrooms_direct", |it| it.id == *far_iris);
    speaker.wsrooms(ROOM, "e", &here_wsrooms, "[[wsrooms_done]]").await;
    expected.expect("wsrooms_done", |it| it.id == *here_wsrooms);
    while !speaker.next().await.contains("wsrooms_done") {}
    let speaker = clients.iter_mut().find(|it| it.id == *here_iris).unwrap();
    let targets = [
        (iris::ALL, "iris_all"),
        (iris::BROADCAST, "iris_broadcast"),
        (ROOM, "iris_room"),
        (&far_grows, "iris_one"),
        (&here_iris, "iris_done"),
    ];
    for (to, mark) in targets {
        let payload = json!({"to": to, "text": format!("[[{mark}]]")});
        speaker.text(&format!("m:say;4;{payload}")).await;
    }
    expected.expect("iris_all", is(Kind::Iris));
    expected.expect("iris_broadcast", |it| it.kind == Kind::Iris && it.id != *here_iris);
    expected.expect("iris_room", |_| true);
    expected.expect("iris_one", |it| it.id == *far_grows);
    // What the two speakers were told meanwhile, they have read past.
    while !speaker.next().await.contains("iris_done") {}

    grows.broadcast_event(ROOM, "e", "the last").unwrap();
    for client in &mut clients {
        let marks = client.marks("the last").await;
        if [&*here_wsrooms, &*here_iris].contains(&&*client.id) {
            assert!(marks.values().all(|times| *times == 1), "{marks:?}");
            continue;
        }
        let told = expected.0.iter().filter(|(_, told)| told(client));
        let told: BTreeMap<_, _> = told.map(|(mark, _)| ((*mark).to_owned(), 1)).collect();
        assert_eq!(marks, told, "a {:?} at {}", client.kind, client.node);
    }
}

/// The lists of ids are those of all nodes.
fn lists(nodes: &[Node], clients: &[Client]) {
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let all = |of: &dyn Fn(&Client) -> bool| {
        sorted(clients.iter().filter(|it| of(it)).map(|it| it.id.clone()).collect())
    };
    let texts = |ids: Vec<Arc<str>>| sorted(ids.iter().map(ToString::to_string).collect());
    for node in nodes {
        assert_eq!(texts(node.grows.ids()), all(&is(Kind::Grows)));
        assert_eq!(texts(node.grows.ids_by_room(ROOM)), all(&|_| true));
        assert_eq!(texts(node.rooms.members(ROOM)), all(&|_| true));
    }
}
