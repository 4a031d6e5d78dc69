//! A server that can be drained, killed and started again on its port, and remembers what it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use wscengine_rooms_server::easy::Easy;
use wscengine_rooms_server::wsrooms::{Conn, Message, Wsrooms};
use wscengine_rooms_server::{Config, Rooms};

pub(crate) struct Host {
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    /// Its sockets live and die with the runtime.
    running: Option<(Runtime, Rooms)>,
}

impl Host {
    pub(crate) async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut host = Self { address, log: Arc::default(), running: None };
        host.serve(listener.into_std().unwrap(), config);
        host
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.running.as_ref().expect("it runs").1
    }

    /// The payloads of the event `log`, in the order in which they came, over all restarts.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Ends without a word: no close frame is sent.
    pub(crate) fn kill(&mut self) {
        if let Some((runtime, _)) = self.running.take() {
            runtime.shutdown_background();
        }
    }

    /// Closes its connections with 1012, and ends.
    pub(crate) async fn drain(&mut self) {
        self.rooms().clone().close().await;
        self.kill();
    }

    /// On the same port again.
    pub(crate) async fn restart(&mut self, config: Config) {
        // A connection of the last one may still be about to go.
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.serve(listener.into_std().unwrap(), config);
    }

    fn serve(&mut self, listener: std::net::TcpListener, config: Config) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let log = Arc::clone(&self.log);
        let record = move |_: Conn, message: Message| {
            let log = Arc::clone(&log);
            async move {
                log.lock().unwrap().push(String::from_utf8(message.payload.to_vec()).unwrap());
                Ok(())
            }
        };
        let rooms = Rooms::new(config);
        let app = Router::new()
            .route("/ws/wsrooms", rooms.wsrooms(Wsrooms::new().on("log", record).unwrap()))
            .route("/ws/easy", rooms.easy(easy()));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        self.running = Some((runtime, rooms));
    }
}

/// One channel, `news`, to which `publish` writes.
fn easy() -> Easy {
    use wscengine_rooms_server::easy::{Conn, Cookie};
    let publish = async |conn: Conn, content: bytes::Bytes| {
        conn.write_to_channel("news", "news", content)?;
        Ok(None)
    };
    Easy::new().cookie(Cookie::Optional).channel("news").unwrap().on("publish", publish).unwrap()
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}
