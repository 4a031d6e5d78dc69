//! A client of a protocol whose messages are text: it says and expects them as they are on the wire.

use std::collections::VecDeque;
use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Client, HANG};

pub(crate) struct Talker {
    socket: Client,
    /// Of the answer to its handshake.
    pub(crate) headers: HeaderMap,
    /// Taken off the wire, and not looked at yet.
    seen: VecDeque<Message>,
}

/// Fails if anybody has been told anything that was not looked at.
pub(crate) async fn assert_nothing_more(talkers: &mut [&mut Talker]) {
    // Whatever they said has been handled once all have their pongs, and delivered once they have another.
    for _ in 0..2 {
        for talker in &mut *talkers {
            talker.settle().await;
        }
    }
    for talker in talkers {
        assert_eq!(talker.seen, []);
    }
}

impl Talker {
    /// With these headers in its handshake; refused: the status.
    pub(crate) async fn connect(
        addr: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, u16> {
        let stream = TcpStream::connect(addr).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self::over(stream, path, headers).await
    }

    /// As [`connect`](Self::connect), over a stream with settings of its own.
    pub(crate) async fn over(
        stream: TcpStream,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, u16> {
        let addr = stream.peer_addr().expect("it is connected");
        let mut request = format!("ws://{addr}{path}").into_client_request().expect("a URL");
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header's name");
            request.headers_mut().append(name, value.parse().expect("a header's value"));
        }
        match timeout(HANG, tokio_tungstenite::client_async(request, stream)).await {
            Ok(Ok((socket, response))) => {
                let headers = response.headers().clone();
                Ok(Self { socket, headers, seen: VecDeque::new() })
            }
            Ok(Err(Error::Http(response))) => Err(response.status().as_u16()),
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => panic!("a hang"),
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("the server reads");
    }

    /// Says something to a server that may have closed.
    pub(crate) async fn try_say(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// The next message, text or binary.
    pub(crate) async fn receive(&mut self) -> Message {
        // Over all frames: the pings of the server would keep up a time limit for each.
        let message = async {
            loop {
                if let Some(message) = self.seen.pop_front() {
                    return message;
                }
                let frame = self.frame().await.expect("another message");
                self.note(frame);
            }
        };
        timeout(HANG, message).await.expect("no hang")
    }

    /// The next message must be this text.
    pub(crate) async fn expect(&mut self, text: &str) {
        assert_eq!(self.receive().await, Message::text(text));
    }

    /// Has all handled that it said, and takes in all that it was told.
    pub(crate) async fn settle(&mut self) {
        self.send(Message::Ping("settle".into())).await;
        loop {
            match self.frame().await.expect("a pong") {
                Message::Pong(_) => return,
                frame => self.note(frame),
            }
        }
    }

    /// The payload of the next ping.
    pub(crate) async fn ping(&mut self) -> bytes::Bytes {
        loop {
            match self.frame().await.expect("a ping") {
                Message::Ping(payload) => return payload,
                frame => self.note(frame),
            }
        }
    }

    /// The code of the close frame that the server sends, if it sends one.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        super::close_code(&mut self.socket).await.map(u16::from)
    }

    /// Ends TCP without a close frame.
    pub(crate) fn abort(self) {
        drop(self.socket);
    }

    async fn frame(&mut self) -> Option<Message> {
        timeout(HANG, self.socket.next()).await.expect("no hang")?.ok()
    }

    fn note(&mut self, frame: Message) {
        match frame {
            Message::Text(_) | Message::Binary(_) => self.seen.push_back(frame),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
