//! Clients of iris endpoints, and what the tests see of the callbacks.

use std::net::SocketAddr;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wscengine_rooms_server::iris::Iris;
use wscengine_rooms_server::{Config, Rooms, RunningServer};

use crate::common::{HANG, Talker, host, start};

/// The prefix of `/ws/iris`.
pub(crate) const P: &str = wscengine_rooms_protocol::iris::IRIS;

/// A client whose connection is known to be listed.
pub(crate) async fn come(addr: SocketAddr, path: &str) -> Talker {
    let mut talker = Talker::connect(addr, path, &[]).await.unwrap();
    talker.settle().await;
    talker
}

pub(crate) async fn all_come<const N: usize>(addr: SocketAddr, path: &str) -> [Talker; N] {
    let mut talkers = Vec::new();
    for _ in 0..N {
        talkers.push(come(addr, path).await);
    }
    talkers.try_into().ok().unwrap()
}

/// The server with the demo, and clients of `/ws/iris`.
pub(crate) async fn demo<const N: usize>(config: Config) -> (RunningServer, [Talker; N]) {
    let server = start(config).await;
    let talkers = all_come(server.local_addr(), "/ws/iris").await;
    (server, talkers)
}

/// An application's own endpoint on `/ws`, and its clients.
pub(crate) async fn meet<const N: usize>(iris: Iris) -> (SocketAddr, JoinSet<()>, [Talker; N]) {
    let (addr, tasks) = serve(iris).await;
    (addr, tasks, all_come(addr, "/ws").await)
}

pub(crate) async fn serve(iris: Iris) -> (SocketAddr, JoinSet<()>) {
    let rooms = Rooms::new(Config::default());
    host(Router::new().route("/ws", rooms.iris(iris))).await
}

/// What callbacks note, in order.
pub(crate) struct Notes(UnboundedReceiver<String>);

/// For callbacks to write to.
#[derive(Clone)]
pub(crate) struct Pen(UnboundedSender<String>);

pub(crate) fn notes() -> (Pen, Notes) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Pen(sender), Notes(receiver))
}

impl Pen {
    pub(crate) fn note(&self, text: impl Into<String>) {
        // The test may have seen enough.
        let _ = self.0.send(text.into());
    }
}

impl Notes {
    pub(crate) async fn next(&mut self) -> String {
        timeout(HANG, self.0.recv()).await.expect("no hang").expect("another note")
    }

    /// The next ones must be these.
    pub(crate) async fn expect(&mut self, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.next().await, *text);
        }
    }

    /// Fails if there is one.
    pub(crate) fn assert_no_more(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

/// The head of the answer to a request.
pub(crate) async fn head(addr: SocketAddr, request: &str) -> String {
    Raw::ask(addr, request).await.head
}

/// A client of which nothing is done by itself: it answers nothing, and its frames are made by hand.
pub(crate) struct Raw {
    stream: TcpStream,
    pub(crate) head: String,
}

/// Leaves what it covers as it is.
const MASK: [u8; 4] = [0; 4];

impl Raw {
    /// On `/ws`, with these lines in its handshake.
    pub(crate) async fn connect(addr: SocketAddr, lines: &[&str]) -> Self {
        let mut request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n".to_owned();
        request += "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        request += "Sec-WebSocket-Version: 13\r\n";
        for line in lines {
            request += &format!("{line}\r\n");
        }
        Self::ask(addr, &(request + "\r\n")).await
    }

    async fn ask(addr: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(HANG, stream.read_u8()).await.expect("no hang").unwrap());
        }
        Self { stream, head: String::from_utf8(head).unwrap() }
    }

    /// Sends a frame with this first byte.
    pub(crate) async fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | len as u8),
            len => {
                frame.push(0xfe);
                frame.extend(
                    u16::try_from(len).expect("none of the tests needs more").to_be_bytes(),
                );
            }
        }
        frame.extend(MASK);
        frame.extend(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The first byte of the next frame, and its payload.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let reading = async {
            let (first, len) = (self.stream.read_u8().await?, self.stream.read_u8().await?);
            let len = if len < 126 { u16::from(len) } else { self.stream.read_u16().await? };
            let mut payload = vec![0; len.into()];
            self.stream.read_exact(&mut payload).await?;
            std::io::Result::Ok((first, payload))
        };
        timeout(HANG, reading).await.expect("no hang").expect("another frame")
    }
}
