//! The server of `cargo run --example request`: it doubles numbers, in its own time.
//!
//! `{"id":1,"double":21,"after":30}` is answered by `{"id":1,"result":42}` after 30 ms, whatever else goes on;
//! `{"tell":"x"}` by `{"event":"x"}`, which has no id; at `{"hang_up":true}` it drops the connection.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Error, Message};

/// A running server. Dropping it takes no more connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts one on a free port of the loopback interface.
    ///
    /// # Errors
    /// There is no such port.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // How a connection ends is the client's business.
                tokio::spawn(serve(stream));
            }
        });
        Ok(Self { address, accepting })
    }

    /// What to connect to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream) -> Result<(), Error> {
    let (mut sink, mut requests) = accept_async(stream).await?.split();
    let (answers, mut queue) = mpsc::unbounded_channel::<Value>();
    loop {
        let request = tokio::select! {
            Some(answer) = queue.recv() => {
                sink.send(Message::text(answer.to_string())).await?;
                continue;
            }
            request = requests.next() => request,
        };
        let Some(request) = request else { return Ok(()) };
        let request: Value = serde_json::from_slice(&request?.into_data()).unwrap_or_default();
        if request["hang_up"] == true {
            return Ok(());
        }
        tokio::spawn(answer(request, answers.clone()));
    }
}

async fn answer(request: Value, answers: mpsc::UnboundedSender<Value>) {
    let answer = match (&request["tell"], request["double"].as_u64()) {
        (Value::String(event), _) => json!({ "event": event }),
        (_, Some(number)) => json!({ "id": request["id"], "result": number.saturating_mul(2) }),
        _ => return,
    };
    sleep(Duration::from_millis(request["after"].as_u64().unwrap_or(0))).await;
    // The connection may be gone by now.
    let _ = answers.send(answer);
}
