//! The dial over TCP and over other byte streams.

use std::any::Any;
use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::time::Instant;
use wscengine::{ConnectError, ConnectErrorKind, Phase};
use wscengine_dial::{BoxedIo, Connector, Dialer, Stream, Target};

use crate::support::{accepted, read_request, request, serve_echo};

/// Gives the one stream it holds, and then waits for ever.
pub(crate) struct Once {
    stream: Mutex<Option<DuplexStream>>,
    asked: Arc<Mutex<Vec<Target>>>,
}

impl Once {
    pub(crate) fn new(stream: Option<DuplexStream>) -> Self {
        Self { stream: Mutex::new(stream), asked: Arc::default() }
    }
}

#[async_trait]
impl Connector for Once {
    async fn connect(&self, target: &Target) -> Result<BoxedIo, ConnectError> {
        self.asked.lock().unwrap().push(target.clone());
        let stream = self.stream.lock().unwrap().take();
        match stream {
            Some(stream) => Ok(Box::new(stream)),
            None => std::future::pending().await,
        }
    }
}

async fn kind_of(dialer: &Dialer, url: &str) -> ConnectErrorKind {
    dialer.dial(&request(url)).await.unwrap_err().kind()
}

#[tokio::test]
async fn a_server_on_loopback_is_dialled_and_echoes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { serve_echo(listener.accept().await.unwrap().0).await });

    let mut dialed = Dialer::default().dial(&request(&format!("ws://{address}/"))).await.unwrap();
    assert_eq!(dialed.response.status, 101);
    assert!(dialed.leftover.is_empty());
    let tcp = dialed.stream.tcp().unwrap();
    assert_eq!(tcp.peer_addr().unwrap(), address);
    assert!(tcp.nodelay().unwrap());
    assert!(dialed.stream.tls().is_none() && dialed.stream.boxed().is_none());

    assert!(dialed.stream.is_write_vectored());
    let parts = [IoSlice::new(b"hel"), IoSlice::new(b"lo")];
    assert_eq!(dialed.stream.write_vectored(&parts).await.unwrap(), 5);
    let mut echoed = [0; 5];
    dialed.stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");

    dialed.stream.shutdown().await.unwrap();
    assert_eq!(dialed.stream.read(&mut echoed).await.unwrap(), 0);
    server.await.unwrap();
}

#[tokio::test]
async fn nodelay_can_be_turned_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { serve_echo(listener.accept().await.unwrap().0).await });
    let dialed =
        Dialer::default().nodelay(false).dial(&request(&format!("ws://{address}/"))).await.unwrap();
    assert!(!dialed.stream.tcp().unwrap().nodelay().unwrap());
}

#[tokio::test]
async fn a_name_is_resolved_and_each_of_its_addresses_tried() {
    // `localhost` may be ::1 first; the server listens on 127.0.0.1 only.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { serve_echo(listener.accept().await.unwrap().0).await });
    let dialed =
        Dialer::default().dial(&request(&format!("ws://localhost:{port}/"))).await.unwrap();
    assert_eq!(dialed.stream.tcp().unwrap().peer_addr().unwrap().port(), port);
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_a_connect_error() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(
        kind_of(&Dialer::default(), &format!("ws://127.0.0.1:{port}/")).await,
        ConnectErrorKind::Connect
    );
}

#[tokio::test]
async fn a_name_that_cannot_be_a_host_name_is_a_resolve_error() {
    // A label has at most 63 bytes (RFC 1035 section 2.3.4), so that no name server is asked.
    let url = format!("ws://{}/", "a".repeat(64));
    assert_eq!(kind_of(&Dialer::default(), &url).await, ConnectErrorKind::Resolve);
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_times_out_in_the_connect_phase() {
    let begun = Instant::now();
    let dialer = Dialer::default()
        .connector(Once::new(None))
        .resolve_timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_secs(2));
    assert_eq!(kind_of(&dialer, "ws://h/").await, ConnectErrorKind::Timeout(Phase::Connect));
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_times_out_in_the_upgrade_phase() {
    let (client, _server) = tokio::io::duplex(4096);
    let dialer = Dialer::default()
        .connector(Once::new(Some(client)))
        .upgrade_timeout(Duration::from_secs(2));
    let begun = Instant::now();
    assert_eq!(kind_of(&dialer, "ws://h/").await, ConnectErrorKind::Timeout(Phase::Upgrade));
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_hangs_is_reported_before_the_whole_dial_times_out() {
    let (client, mut server) = tokio::io::duplex(4096);
    let dialer = Dialer::default()
        .connector(Once::new(Some(client)))
        .upgrade_timeout(Duration::from_secs(60));
    server.write_all(b"HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\npart").await.unwrap();
    let mut request = request("ws://h/");
    request.timeout = Duration::from_secs(10);
    let begun = Instant::now();
    let error = dialer.dial(&request).await.unwrap_err();
    assert!(begun.elapsed() < request.timeout, "{:?}", begun.elapsed());
    assert_eq!(&error.response().unwrap().body[..], b"part");
}

#[tokio::test]
async fn a_connector_is_given_host_and_port_of_the_url() {
    for (url, host, port) in [
        ("ws://Example.com/a", "example.com", 80),
        ("wss://example.com/", "example.com", 443),
        ("ws://[::1]:81/", "::1", 81),
        ("ws://127.0.0.1:82/", "127.0.0.1", 82),
    ] {
        let (client, server) = tokio::io::duplex(16);
        drop(server);
        let connector = Once::new(Some(client));
        let asked = Arc::clone(&connector.asked);
        Dialer::default().connector(connector).dial(&request(url)).await.unwrap_err();
        assert_eq!(*asked.lock().unwrap(), [Target::new(host, port)], "{url}");
    }
}

#[tokio::test]
async fn a_stream_of_a_connector_is_upgraded_and_stays_reachable() {
    let (client, mut server) = tokio::io::duplex(4096);
    let dialer = Dialer::default().connector(Once::new(Some(client)));
    let serving = async {
        let mut answer = accepted(&read_request(&mut server).await, "");
        answer.extend_from_slice(b"\x81\x02hi");
        server.write_all(&answer).await.unwrap();
    };
    let request = request("ws://h/");
    let (dialed, ()) = tokio::join!(dialer.dial(&request), serving);
    let dialed = dialed.unwrap();
    assert_eq!(&dialed.leftover[..], b"\x81\x02hi");
    assert!(dialed.stream.tcp().is_none());
    let io: &dyn Any = &**dialed.stream.boxed().unwrap();
    assert!(io.is::<DuplexStream>());
    assert!(matches!(dialed.stream, Stream::Boxed(_)));
}

#[tokio::test]
async fn dropping_a_dial_closes_its_stream() {
    let (client, mut server) = tokio::io::duplex(4096);
    let dialer = Dialer::default().connector(Once::new(Some(client)));
    let request = request("ws://h/");
    let mut dial = Box::pin(dialer.dial(&request));
    tokio::select! {
        biased;
        _ = &mut dial => unreachable!("nobody answers"),
        _ = read_request(&mut server) => {}
    }
    drop(dial);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
}

#[test]
fn what_a_dial_gives_can_be_sent_to_another_task() {
    fn check<T: Send>(value: T) -> T {
        value
    }
    let dialer = check(Dialer::default());
    let request = request("ws://h/");
    drop(check(dialer.dial(&request)));
    fn is_write<T: AsyncWrite + Send + Unpin>() {}
    is_write::<Stream>();
}
