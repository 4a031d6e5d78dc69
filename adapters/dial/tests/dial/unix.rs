//! The dial over Unix sockets.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use wscengine::ConnectErrorKind;
use wscengine_dial::{Dialer, UnixConnector, rustls};

use crate::support::{accepted, read_request, request, serve_echo};
use crate::tls::{authority, issue, server_config, trusting};

/// A path for a socket, of which nothing is left afterwards.
struct Path(PathBuf);

impl Path {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("wscengine-{}-{number}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_server_on_a_unix_socket_is_dialled_and_told_the_urls_host() {
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let dialer = Dialer::default().connector(UnixConnector::new(&path.0));
    let serving = async {
        let mut stream = listener.accept().await.unwrap().0;
        let seen = read_request(&mut stream).await;
        stream.write_all(&accepted(&seen, "")).await.unwrap();
        seen
    };
    let request = request("ws://chat.example:81/a");
    let (dialed, seen) = tokio::join!(dialer.dial(&request), serving);
    assert!(seen.starts_with("GET /a HTTP/1.1\r\nHost: chat.example:81\r\n"), "{seen}");
    let dialed = dialed.unwrap();
    let io: &dyn std::any::Any = &**dialed.stream.boxed().unwrap();
    assert!(io.is::<UnixStream>());
}

#[tokio::test]
async fn tls_on_a_unix_socket_proves_the_urls_host() {
    for (name, is_trusted) in [("chat.example", true), ("other.example", false)] {
        let (path, authority) = (Path::new(), authority());
        let listener = UnixListener::bind(&path.0).unwrap();
        let config = server_config(&issue(&authority, name), None, rustls::DEFAULT_VERSIONS);
        tokio::spawn(async move {
            let stream = listener.accept().await.unwrap().0;
            if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
                serve_echo(stream).await;
            }
        });
        let dialer = Dialer::default()
            .connector(UnixConnector::new(&path.0))
            .tls(trusting(&authority).build().unwrap());
        let outcome = dialer.dial(&request("wss://chat.example/")).await;
        match is_trusted {
            true => assert!(outcome.unwrap().stream.tls().is_some()),
            false => assert_eq!(outcome.unwrap_err().kind(), ConnectErrorKind::Certificate),
        }
    }
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_a_connect_error() {
    let path = Path::new();
    let dialer = Dialer::default().connector(UnixConnector::new(&path.0));
    let error = dialer.dial(&request("ws://h/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Connect);
    drop(UnixListener::bind(&path.0).unwrap());
    let error = dialer.dial(&request("ws://h/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Connect);
}
