//! The sockets: a listener, and a task for each connection it accepts.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::config::Config;
use crate::rooms::Rooms;

/// Between attempts to accept when the process is short of descriptors: enough for some to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that has its address and listens, but serves nobody yet.
///
/// # Examples
///
/// ```
/// use wscengine_rooms_server::{Config, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::bind("127.0.0.1:0", Config::default()).await?;
/// println!("listening on http://{}", server.local_addr());
/// // In a program: `async { tokio::signal::ctrl_c().await; }`.
/// server.run(std::future::ready(())).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    app: App,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Server {
    /// Listens on `addr`. With port 0 the system chooses a free one, see [`local_addr`](Self::local_addr).
    ///
    /// # Errors
    /// Those of binding a TCP socket: the address cannot be resolved, is not ours, or is in use.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, nothing is bound.
    pub async fn bind(addr: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, app: App::new(config), tls: None })
    }

    /// Serves over TLS, with the certificates of `config`. The opening handshake of a WebSocket is HTTP/1.1:
    /// a configuration with ALPN has to offer `http/1.1`.
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The address with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` is done; then refuses new WebSocket connections and closes those there are,
    /// as [`App::close`] says, while plain requests are still answered. Returns when all have ended, at the
    /// latest after [`Config::drain`] and [`Config::close_timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the listener and begins to close the connections, all at once; they end by
    /// themselves within [`Config::close_timeout`], as long as the runtime lives.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, app, tls, .. } = self;
        let tls = tls.map(TlsAcceptor::from);
        let _closed = ClosedOnDrop(app.clone());
        tokio::select! {
            () = shutdown => {}
            () = accept_all(&listener, &app, tls.as_ref()) => {}
        }
        app.begin_drain();
        tokio::select! {
            () = app.drain().closing().cancelled() => {}
            () = accept_all(&listener, &app, tls.as_ref()) => {}
        }
        drop(listener);
        app.close().await;
    }

    /// Serves in a task of its own: for tests, and for programs that do other things besides.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    #[must_use = "dropping the handle ends the server"]
    pub fn spawn(self) -> RunningServer {
        let (addr, app) = (self.addr, self.app.clone());
        let draining = app.drain().draining().clone();
        let task = tokio::spawn(self.run(async move { draining.cancelled().await }));
        RunningServer { addr, app, task }
    }
}

/// A server that runs in a task. Dropping it begins its shutdown without waiting for the end.
#[derive(Debug)]
pub struct RunningServer {
    addr: SocketAddr,
    app: App,
    task: JoinHandle<()>,
}

impl RunningServer {
    /// The address with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// `ws://ADDR/echo`.
    #[must_use]
    pub fn echo_url(&self) -> String {
        format!("ws://{}/echo", self.addr)
    }

    /// The rooms that its endpoints lead into.
    #[must_use]
    pub fn rooms(&self) -> &Rooms {
        self.app.rooms()
    }

    /// Closes the WebSocket connections, as [`App::close`] says, and returns when all have ended and the
    /// port is free, at the latest after [`Config::drain`] and [`Config::close_timeout`].
    ///
    /// # Cancel safety
    /// Cancel safe: once polled, the shutdown goes on by itself.
    pub async fn shutdown(mut self) {
        self.app.begin_drain();
        let _ = (&mut self.task).await;
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.app.begin_closing();
    }
}

/// Closes its connections when the one who serves them gives up.
struct ClosedOnDrop(App);

impl Drop for ClosedOnDrop {
    fn drop(&mut self) {
        self.0.begin_closing();
    }
}

async fn accept_all(listener: &TcpListener, app: &App, tls: Option<&TlsAcceptor>) {
    let service = TowerToHyperService::new(app.router());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Echoes are flushed when they should leave; waiting for more (Nagle) would only delay them.
                let _ = stream.set_nodelay(true);
                let service = Addressed { service: service.clone(), peer };
                match tls.cloned() {
                    None => app.spawn_http(serve_http(app.clone(), service, stream)),
                    Some(tls) => app.spawn_http(serve_tls(app.clone(), tls, service, stream)),
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections, trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The client was gone before we accepted it, which says nothing about the next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// Tells the routes who the client is.
#[derive(Clone)]
struct Addressed {
    service: TowerToHyperService<axum::Router>,
    peer: SocketAddr,
}

impl Service<Request<Incoming>> for Addressed {
    type Response = <TowerToHyperService<axum::Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<axum::Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<axum::Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.service.call(request)
    }
}

/// TLS, then HTTP.
async fn serve_tls(app: App, tls: TlsAcceptor, service: Addressed, stream: TcpStream) {
    let handshake = timeout(app.config().handshake_timeout, tls.accept(stream));
    let closing = app.drain().closing().clone();
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = closing.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => serve_http(app, service, stream).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS failed"),
        Err(_) => tracing::debug!("TLS took too long"),
    }
}

/// HTTP/1.1 on one connection, until it ends or is upgraded.
async fn serve_http<S>(app: App, service: Addressed, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.config().handshake_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let closing = app.drain().closing();
    // Errors are those of one client's connection: it has gone, or it does not speak HTTP.
    tokio::select! {
        result = connection.as_mut() => {
            if let Err(error) = result {
                tracing::debug!(%error, "connection failed");
            }
        }
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(app.config().close_timeout, connection).await;
        }
    }
}
