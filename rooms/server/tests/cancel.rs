//! The server's async functions, dropped at each await that they reach.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;
#[path = "../../../wscengine/tests/cancel/cut.rs"]
#[allow(dead_code, reason = "the tests of the engine need more of it")]
mod cut;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use common::{Client, close_code, connect, connect_to, receive, start};
use futures_util::{FutureExt as _, SinkExt as _};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use wscengine_rooms_server::iris::Iris;
use wscengine_rooms_server::{App, Config, Rooms, Server};

use cut::at_each_await_over_sockets;

/// One test at a time: the listeners of the process are counted.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How many sockets of the process listen, where that can be known: what `/proc/net/tcp` shows in state 0A.
fn listeners() -> usize {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let own: Vec<_> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(std::fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines());
    let listening = lines.filter(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(3) == Some(&"0A")
            && fields.get(9).is_some_and(|inode| own.iter().any(|it| it == inode))
    });
    listening.count()
}

/// A client that got an echo: its connection is known to be served.
async fn served(addr: SocketAddr) -> Client {
    let mut client = connect(addr).await;
    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(receive(&mut client).await, Some(Message::text("hello")));
    client
}

/// The application over sockets of somebody else's, here for one connection.
async fn serve_one(listener: TcpListener, app: App) {
    let (stream, _) = listener.accept().await.unwrap();
    drop(listener);
    let service = TowerToHyperService::new(app.router());
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    connection.with_upgrades().await.unwrap();
}

async fn assert_goes_away(client: &mut Client) {
    assert_eq!(close_code(client).await, Some(CloseCode::Away));
}

async fn assert_nobody_listens(addr: SocketAddr) {
    assert!(TcpStream::connect(addr).await.is_err(), "{addr} is still taken");
}

#[tokio::test]
async fn server_bind_dropped_at_any_await_leaves_nothing_bound() {
    let _alone = ALONE.lock().await;
    let awaits = at_each_await_over_sockets(|cut| async move {
        let before = listeners();
        // A name is looked up first.
        match cut.call(Server::bind("localhost:0", Config::default())).await {
            Some(server) => {
                let server = server.unwrap();
                assert_ne!(server.local_addr().port(), 0);
                if cfg!(target_os = "linux") {
                    assert_eq!(listeners(), before + 1);
                }
            }
            None => assert_eq!(listeners(), before),
        }
        assert_eq!(listeners(), before);
    })
    .await;
    assert_eq!(awaits, 1);
}

/// Dropped, it ends all the same: nobody listens any more, and each connection is closed with 1001.
#[tokio::test]
async fn server_run_dropped_at_any_await_closes_the_listener_and_the_connections() {
    let _alone = ALONE.lock().await;
    let awaits = at_each_await_over_sockets(|cut| async move {
        let server = Server::bind("127.0.0.1:0", Config::default()).await.unwrap();
        let addr = server.local_addr();
        let (close, closed) = tokio::sync::oneshot::channel::<()>();
        let (gone, give_up) = tokio::sync::oneshot::channel::<()>();
        let run = async {
            let call = cut.call(server.run(async { drop(closed.await) }));
            let _ = call.await;
            drop(gone);
        };
        let clients = async {
            // A run that is given up early has nobody to serve.
            let client = tokio::select! {
                biased;
                _ = give_up => return,
                client = served(addr) => client,
            };
            let mut clients = [client];
            drop(close);
            for client in &mut clients {
                assert_goes_away(client).await;
            }
        };
        let ((), ()) = tokio::join!(run, clients);
        assert_nobody_listens(addr).await;
    })
    .await;
    assert!(awaits >= 2, "{awaits}");
}

/// While a connection is served the drop begins to close it.
#[tokio::test]
async fn server_run_dropped_while_a_connection_is_served_closes_it_with_1001() {
    let _alone = ALONE.lock().await;
    let server = Server::bind("127.0.0.1:0", Config::default()).await.unwrap();
    let addr = server.local_addr();
    let mut client = tokio::select! {
        () = server.run(std::future::pending()) => unreachable!(),
        client = served(addr) => client,
    };
    assert_goes_away(&mut client).await;
    assert_nobody_listens(addr).await;
}

#[tokio::test]
async fn running_server_shutdown_dropped_at_any_await_goes_on_by_itself() {
    let _alone = ALONE.lock().await;
    let awaits = at_each_await_over_sockets(|cut| async move {
        let server = start(Config::default()).await;
        let addr = server.local_addr();
        let mut client = served(addr).await;
        let reads = tokio::spawn(async move {
            assert_goes_away(&mut client).await;
        });
        let _ = cut.call(server.shutdown()).await;
        reads.await.unwrap();
        // Once its connections are told, the port is free.
        assert_nobody_listens(addr).await;
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn rooms_close_dropped_at_any_await_goes_on_and_may_be_called_again() {
    let _alone = ALONE.lock().await;
    let awaits = at_each_await_over_sockets(|cut| async move {
        let server = start(Config::default()).await;
        let mut client = connect_to(server.local_addr(), "/ws/wsrooms").await;
        // It is in `root`.
        assert!(matches!(receive(&mut client).await, Some(Message::Binary(_))));
        let reads = tokio::spawn(async move { close_code(&mut client).await });
        let rooms = server.rooms().clone();
        if cut.call(rooms.close()).await.is_none() && cut.polls() == 0 {
            assert_eq!(rooms.connections(), 1, "not called, it has closed nothing");
            rooms.close().now_or_never();
        }
        assert_eq!(reads.await.unwrap(), Some(CloseCode::Away));
        rooms.close().await;
        assert_eq!(rooms.connections(), 0);
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn app_close_dropped_at_any_await_goes_on_and_may_be_called_again() {
    let _alone = ALONE.lock().await;
    let awaits = at_each_await_over_sockets(|cut| async move {
        let app = App::new(Config::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve_one(listener, app.clone()));
        let mut client = served(addr).await;
        let closing = cut.call(app.close());
        let client = async {
            if cut.polls() == 0 && cut.was_given_up() {
                // Not called, it has closed nothing.
                client.send(Message::text("still there")).await.unwrap();
                assert_eq!(receive(&mut client).await, Some(Message::text("still there")));
                app.close().now_or_never();
            }
            assert_goes_away(&mut client).await;
        };
        tokio::join!(closing, client);
        app.close().await;
        serving.abort();
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

/// It has nothing to wait for today: an application may give it up all the same, and nobody is in.
#[tokio::test]
async fn upgrader_upgrade_dropped_at_any_await_lets_nobody_in() {
    at_each_await_over_sockets(|cut| async move {
        let rooms = Rooms::new(Config::default());
        let upgrader = rooms.iris_upgrader(Iris::new());
        let request = Request::builder().uri("/ws").body(Body::empty()).unwrap();
        if let Some(refused) = cut.call(upgrader.upgrade(request)).await {
            assert_eq!(refused.unwrap_err().status(), StatusCode::BAD_REQUEST);
        }
        assert_eq!(rooms.connections(), 0);
    })
    .await;
}
