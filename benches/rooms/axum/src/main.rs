//! The room server that one writes with axum in an hour: axum-naive ADDR. The first text of a connection, `join ROOM`,
//! names its room; what it says after that goes to all others there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum::serve::ListenerExt as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};

/// How many messages a member may be behind.
const CAPACITY: usize = 256;

/// A message and the number of its sender.
type Said = (u64, Message);
type Rooms = Arc<Mutex<HashMap<String, broadcast::Sender<Said>>>>;

#[derive(Clone, Default)]
struct App {
    rooms: Rooms,
    next: Arc<std::sync::atomic::AtomicU64>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let addr = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let listener = TcpListener::bind(addr).await?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let upgrade = |State(app): State<App>, upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|socket| serve(app, socket))
    };
    axum::serve(listener, Router::new().fallback(any(upgrade)).with_state(App::default())).await
}

async fn serve(app: App, socket: WebSocket) {
    let id = app.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let (mut sink, mut stream) = socket.split();
    let name = loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => break text.trim_start_matches("join ").to_owned(),
            Some(Ok(_)) => {}
            _ => return,
        }
    };
    let room = {
        let mut rooms = app.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(name).or_insert_with(|| broadcast::channel(CAPACITY).0).clone()
    };
    let mut said = room.subscribe();
    loop {
        tokio::select! {
            received = stream.next() => match received {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => drop(room.send((id, message))),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
            heard = said.recv() => match heard {
                Ok((from, message)) if from != id => if sink.send(message).await.is_err() { return },
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}
