//! A server that does what `rooms-server` does not: it sends by itself, and closes when it is told to.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

/// Echoes; after it was sent [`PUSH`], it also sends `push 0`, `push 1`, ... at a steady pace. Told to close, it sends a
/// number of them in one write with its close frame.
pub(crate) struct Peer {
    addr: SocketAddr,
    close: watch::Sender<u16>,
    accepting: AbortHandle,
}

/// Asks for messages.
pub(crate) const PUSH: &str = "push";

/// Slow enough to leave the machine to others, quick enough that a fault meets one.
const PACE: Duration = Duration::from_millis(5);

/// How many messages come in one piece with the close frame.
const LAST_WORDS: usize = 20;

impl Peer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let close = watch::Sender::new(0);
        let accepting = tokio::spawn(accept(listener, close.clone())).abort_handle();
        Self { addr, close, accepting }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Closes all open connections.
    pub(crate) fn close(&self, code: u16) {
        self.close.send_replace(code);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, close: watch::Sender<u16>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                connections.spawn(serve(stream, close.subscribe()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, mut close: watch::Receiver<u16>) {
    // Whoever comes through a faulty proxy may not get as far as that.
    let Ok(mut socket) = accept_async(stream).await else { return };
    let mut pushes = Pushes { wanted: false, sent: 0 };
    let code = tokio::select! {
        biased;
        Ok(()) = close.changed() => {
            for _ in 0..LAST_WORDS {
                // An error comes back from the next call.
                let _ = socket.feed(pushes.next()).await;
            }
            *close.borrow()
        }
        result = talk(&mut socket, &mut pushes) => match result {
            Err(Error::Protocol(_)) => 1002,
            Err(Error::Utf8(_)) => 1007,
            Ok(()) | Err(_) => return,
        },
    };
    let _ = socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await;
    linger(socket.get_mut()).await;
}

struct Pushes {
    wanted: bool,
    sent: usize,
}

impl Pushes {
    fn next(&mut self) -> Message {
        self.sent += 1;
        Message::text(format!("{PUSH} {}", self.sent - 1))
    }
}

/// Ends with the connection, or with the error that its peer made.
async fn talk(socket: &mut WebSocketStream<TcpStream>, pushes: &mut Pushes) -> Result<(), Error> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) if text == PUSH => pushes.wanted = true,
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => socket.send(message).await?,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            _ = pace.tick(), if pushes.wanted => socket.send(pushes.next()).await?,
        }
    }
}

/// A socket closed with unread input is reset, and the reset could overtake the close frame.
async fn linger(stream: &mut TcpStream) {
    if stream.shutdown().await.is_ok() {
        let mut rest = [0; 4096];
        while matches!(stream.read(&mut rest).await, Ok(1..)) {}
    }
}
