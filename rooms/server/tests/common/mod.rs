//! What the integration tests share: a server on a free port, and clients for it.
#![allow(dead_code, reason = "each test binary uses its own part")]

mod host;
mod talker;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use wscengine_rooms_server::{Config, RunningServer, Server};

#[allow(unused_imports, reason = "each test binary uses its own part")]
pub(crate) use {
    host::host,
    talker::{Talker, assert_nothing_more},
};

pub(crate) type Client = WebSocketStream<TcpStream>;

/// Nothing here waits for a time: this only turns a hang into a failure.
pub(crate) const HANG: Duration = Duration::from_secs(60);

pub(crate) async fn start(config: Config) -> RunningServer {
    Server::bind("127.0.0.1:0", config).await.expect("a free port").spawn()
}

pub(crate) async fn connect(addr: SocketAddr) -> Client {
    connect_to(addr, "/echo").await
}

pub(crate) async fn connect_to(addr: SocketAddr, path: &str) -> Client {
    let stream = TcpStream::connect(addr).await.expect("the server listens");
    let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
    let url = format!("ws://{addr}{path}");
    tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await.expect("101").0
}

/// The next message, or None at an end without a close frame.
pub(crate) async fn receive(client: &mut Client) -> Option<Message> {
    timeout(HANG, client.next()).await.expect("no hang")?.ok()
}

/// The close code the server sends. Reads on to the end, which sends our half of the handshake.
pub(crate) async fn close_code(client: &mut Client) -> Option<CloseCode> {
    let mut code = None;
    let reading = async {
        while let Some(message) = receive(client).await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| frame.code);
            }
        }
    };
    // Messages and pings may come for ever.
    timeout(HANG, reading).await.expect("an end");
    code
}

/// Sends `request` as it is and gives the whole response of a connection that ends after it.
pub(crate) async fn http(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("the request goes out");
    let mut response = String::new();
    let reading = stream.read_to_string(&mut response);
    timeout(HANG, reading).await.expect("no hang").expect("a response");
    response
}
