//! What is dialled, dropped at each await that it reaches: whatever it had opened is closed.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "../../../wscengine/tests/cancel/cut.rs"]
#[allow(dead_code, reason = "the tests of the engine need more of it")]
mod cut;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wscengine::transport::ConnectRequest;
use wscengine::{ConnectError, ConnectErrorKind};
use wscengine_dial::{
    BoxedIo, Connector, Dialer, Extension, Proxy, Redirects, Resolve, Roots, StaticResolver,
    Target, TcpConnector, TlsConfig, handshake, handshake_with, rustls,
};

use cut::{at_each_await, at_each_await_over_sockets};

fn request(url: &str) -> ConnectRequest {
    ConnectRequest::new(url.parse().unwrap())
}

/// Gives one byte stream, in memory, after a second.
struct Slow {
    stream: Mutex<Option<DuplexStream>>,
    /// How many calls are under way.
    running: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Connector for Slow {
    async fn connect(&self, _: &Target) -> Result<BoxedIo, ConnectError> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self.running));
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Box::new(self.stream.lock().unwrap().take().unwrap()))
    }
}

/// Reads a request byte by byte; `None` if the client goes away before its end.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(text).ok()
}

fn accepted(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept =
        STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

fn refused(_: &str) -> String {
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nnot for you!".to_owned()
}

/// Answers a request piece by piece, then waits for the end of the stream. Whether the client has gone away by then.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answer: fn(&str) -> String,
    piece: usize,
) -> bool {
    if let Some(request) = read_request(&mut stream).await {
        for piece in answer(&request).into_bytes().chunks(piece) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
                return true;
            }
        }
    }
    let mut rest = Vec::new();
    // What is read, and how, does not matter: it has come to its end.
    let _ = stream.read_to_end(&mut rest).await;
    true
}

/// Dials `url` through a stream in memory to a server that answers; gives the number of awaits.
async fn dial(url: &'static str, answer: fn(&str) -> String, tls: Option<Tls>) -> usize {
    dial_with(url, answer, tls, &[]).await
}

async fn dial_with(
    url: &'static str,
    answer: fn(&str) -> String,
    tls: Option<Tls>,
    offers: &'static [&'static str],
) -> usize {
    let offers: Arc<[_]> = offers.iter().copied().map(Extension::new).collect();
    at_each_await(move |cut| {
        let (tls, offers) = (tls.clone(), Arc::clone(&offers));
        async move {
            // So small that writing the request has to wait too.
            let (client, server) = duplex(if tls.is_some() { 1_000 } else { 64 });
            let running = Arc::<AtomicUsize>::default();
            let connector =
                Slow { stream: Mutex::new(Some(client)), running: Arc::clone(&running) };
            let mut dialer = Dialer::default().connector(connector);
            if let Some(tls) = &tls {
                dialer = dialer.tls(tls.client.clone());
            }
            let server = async {
                match &tls {
                    None => serve(server, answer, 8).await,
                    Some(tls) => match tls.acceptor.accept(server).await {
                        Ok(stream) => serve(stream, answer, 64).await,
                        Err(_) => true,
                    },
                }
            };
            let client = async {
                let request = request(url);
                let dialing = async {
                    match &offers[..] {
                        [] => dialer.dial(&request).await,
                        offers => dialer.dial_with(&request, offers).await,
                    }
                };
                match cut.call(dialing).await {
                    Some(Ok(dialed)) => assert_eq!(dialed.response.status, 101),
                    Some(Err(error)) => assert_eq!(error.kind(), ConnectErrorKind::Status),
                    None => {}
                }
                assert_eq!(running.load(Ordering::SeqCst), 0, "the connector goes on");
                // Only what the dialer holds for another dial is left.
                drop(dialer);
            };
            let (gone, ()) = tokio::join!(server, client);
            assert!(gone);
        }
    })
    .await
}

/// A server's side of TLS, and whom the client trusts.
#[derive(Clone)]
struct Tls {
    acceptor: TlsAcceptor,
    client: TlsConfig,
}

fn tls() -> Tls {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["h".to_owned()]).unwrap().self_signed(&key).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let client =
        TlsConfig::builder().roots(Roots::None).ca_der(certificate.der().clone()).build().unwrap();
    Tls { acceptor: TlsAcceptor::from(Arc::new(server)), client }
}

#[tokio::test(start_paused = true)]
async fn dialer_dial_dropped_at_any_await_of_an_acceptance_closes_the_stream() {
    let awaits = dial("ws://h/", accepted, None).await;
    assert!(awaits >= 18, "{awaits}");
}

#[tokio::test(start_paused = true)]
async fn dialer_dial_dropped_at_any_await_of_a_refusal_closes_the_stream() {
    let awaits = dial("ws://h/", refused, None).await;
    assert!(awaits >= 8, "{awaits}");
}

#[tokio::test(start_paused = true)]
async fn dialer_dial_dropped_at_any_await_of_tls_closes_the_stream() {
    let awaits = dial("wss://h/", accepted, Some(tls())).await;
    assert!(awaits >= 4, "{awaits}");
}

#[tokio::test(start_paused = true)]
async fn dialer_dial_with_dropped_at_any_await_closes_the_stream() {
    let awaits = dial_with("ws://h/", accepted, None, &["x-offered"]).await;
    assert!(awaits >= 18, "{awaits}");
}

/// By name and TCP: while the name is resolved nothing is open; from then on the server sees the end.
#[tokio::test]
async fn connector_connect_dropped_at_any_await_of_a_tcp_connection_closes_it() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new("localhost", listener.local_addr().unwrap().port());
        let connector = TcpConnector::default();
        drop(cut.call(connector.connect(&target)).await);
        // A connection that was opened waits in the queue; this one comes behind it.
        let last = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let last = last.local_addr().unwrap();
        loop {
            let (mut stream, from) = listener.accept().await.unwrap();
            if from == last {
                break;
            }
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(rest.is_empty());
        }
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

/// It is not cancel safe: part of a request is on its way. But nothing more is written, and the stream is still its
/// owner's, to be closed.
#[tokio::test(start_paused = true)]
async fn handshake_dropped_at_any_await_writes_nothing_more_and_leaves_the_stream_to_its_owner() {
    let awaits = given_up(&[]).await;
    assert!(awaits >= 18, "{awaits}");
}

#[tokio::test(start_paused = true)]
async fn handshake_with_dropped_at_any_await_writes_nothing_more_and_leaves_the_stream_to_its_owner()
 {
    let awaits = given_up(&["x-offered"]).await;
    assert!(awaits >= 18, "{awaits}");
}

/// Gives a handshake up at each of its awaits; gives their number.
async fn given_up(offers: &'static [&'static str]) -> usize {
    at_each_await(|cut| async move {
        let (mut client, mut server) = duplex(16);
        let request = request("ws://h/chat");
        let client = async {
            let offers: Vec<_> = offers.iter().copied().map(Extension::new).collect();
            let handshaking = async {
                match &offers[..] {
                    [] => handshake(&mut client, &request).await.unwrap().0,
                    offers => handshake_with(&mut client, &request, offers).await.unwrap().response,
                }
            };
            let done = cut.call(handshaking).await;
            if let Some(response) = done {
                assert_eq!(response.status, 101);
                return true;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(client);
            false
        };
        let server = async {
            let mut seen = Vec::new();
            let mut byte = [0];
            while !seen.ends_with(b"\r\n\r\n") && server.read(&mut byte).await.unwrap() == 1 {
                tokio::task::yield_now().await;
                seen.push(byte[0]);
            }
            let seen = String::from_utf8(seen).unwrap();
            if seen.ends_with("\r\n\r\n") {
                let _ = server.write_all(accepted(&seen).as_bytes()).await;
            }
            let mut rest = Vec::new();
            let _ = server.read_to_end(&mut rest).await;
            (seen, rest)
        };
        let (done, (seen, rest)) = tokio::join!(client, server);
        assert!(
            seen.is_empty()
                || seen.starts_with("GET /chat HTTP/1.1\r\n".get(..seen.len().min(20)).unwrap())
        );
        assert!(!done || seen.ends_with("\r\n\r\n"));
        assert!(seen.is_empty() || cut.polls() > 0);
        assert!(rest.is_empty(), "{rest:?}");
    })
    .await
}

/// A resolver that takes a second.
#[derive(Debug)]
struct SlowNames(Arc<AtomicUsize>);

#[async_trait]
impl Resolve for SlowNames {
    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self.0));
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(vec![([127, 0, 0, 1], port).into()])
    }
}

#[tokio::test(start_paused = true)]
async fn resolve_resolve_dropped_at_any_await_abandons_the_look_up() {
    let awaits = at_each_await(|cut| async move {
        let running = Arc::<AtomicUsize>::default();
        let resolver = StaticResolver::new().otherwise(SlowNames(Arc::clone(&running)));
        if let Some(found) = cut.call(resolver.resolve("h", 7)).await {
            assert_eq!(found.unwrap(), [SocketAddr::from(([127, 0, 0, 1], 7))]);
        }
        assert_eq!(running.load(Ordering::SeqCst), 0, "the look-up goes on");
    })
    .await;
    assert_eq!(awaits, 1);
}

/// It is not cancel safe either: but nothing more is written, and the stream is still its owner's.
#[tokio::test(start_paused = true)]
async fn proxy_tunnel_dropped_at_any_await_writes_nothing_more() {
    let http = (
        "http://u:p@proxy",
        "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nProxy-Authorization: Basic dTpw\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    );
    let socks =
        ("socks5://proxy", "\x05\x01\0\x05\x01\0\x03\x01h\0\x01", "\x05\0\x05\0\0\x01\0\0\0\0\0\0");
    for (url, told, said) in [http, socks] {
        let awaits = at_each_await(|cut| async move {
            let (mut client, mut server) = duplex(4);
            let proxy: Proxy = url.parse().unwrap();
            let client = async {
                let target = Target::new("h", 1);
                let tunnel = proxy.tunnel(&mut client, &target, Duration::from_secs(60));
                if let Some(result) = cut.call(tunnel).await {
                    result.unwrap();
                }
                drop(client);
            };
            let server = async {
                let (mut seen, mut said) = (Vec::new(), said.as_bytes());
                let mut byte = [0];
                // A SOCKS proxy speaks twice: after the greeting, and at the end.
                while let Ok(1) = server.read(&mut byte).await {
                    tokio::task::yield_now().await;
                    seen.push(byte[0]);
                    if seen == b"\x05\x01\0" || seen.len() == told.len() {
                        let now = if seen.len() == told.len() { said.len() } else { 2 };
                        let _ = server.write_all(&said[..now]).await;
                        said = &said[now..];
                    }
                }
                seen
            };
            let (seen, ()) = tokio::join!(server, client);
            assert!(told.as_bytes().starts_with(&seen), "{seen:?}");
        })
        .await;
        assert!(awaits >= 4, "{awaits}");
    }
}

fn through_a_proxy(request: &str) -> String {
    if request.starts_with("CONNECT ") {
        return "HTTP/1.1 200 OK\r\n\r\n".to_owned();
    }
    accepted(request)
}

#[tokio::test(start_paused = true)]
async fn dialer_dial_dropped_at_any_await_of_a_proxys_tunnel_closes_the_stream() {
    let awaits = at_each_await(|cut| async move {
        let (client, mut server) = duplex(32);
        let running = Arc::<AtomicUsize>::default();
        let connector = Slow { stream: Mutex::new(Some(client)), running: Arc::clone(&running) };
        let proxy: Proxy = "http://proxy".parse().unwrap();
        let dialer = Dialer::default().connector(connector).proxy(proxy);
        let server = async {
            while let Some(request) = read_request(&mut server).await {
                let _ = server.write_all(through_a_proxy(&request).as_bytes()).await;
            }
        };
        let client = async {
            if let Some(result) = cut.call(dialer.dial(&request("ws://h/"))).await {
                assert_eq!(result.unwrap().response.status, 101);
            }
            assert_eq!(running.load(Ordering::SeqCst), 0, "the connector goes on");
            drop(dialer);
        };
        // The server ends with the stream.
        tokio::join!(server, client);
    })
    .await;
    assert!(awaits >= 8, "{awaits}");
}

/// Gives a stream in memory for each dial, in turn.
struct InTurn(Mutex<Vec<DuplexStream>>);

#[async_trait]
impl Connector for InTurn {
    async fn connect(&self, _: &Target) -> Result<BoxedIo, ConnectError> {
        tokio::task::yield_now().await;
        Ok(Box::new(self.0.lock().unwrap().remove(0)))
    }
}

fn moved(_: &str) -> String {
    "HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n".to_owned()
}

#[tokio::test(start_paused = true)]
async fn dialer_dial_dropped_at_any_await_of_a_redirect_closes_both_streams() {
    let awaits = at_each_await(|cut| async move {
        let ((first, from), (second, to)) = (duplex(64), duplex(64));
        let connector = InTurn(Mutex::new(vec![first, second]));
        let dialer = Dialer::default().connector(connector).redirects(Redirects::up_to(1));
        let client = async {
            if let Some(result) = cut.call(dialer.dial(&request("ws://h/"))).await {
                assert_eq!(result.unwrap().url.path(), "/other");
            }
            drop(dialer);
        };
        let (left, gone, ()) =
            tokio::join!(serve(from, moved, 64), serve(to, accepted, 64), client);
        assert!(left && gone);
    })
    .await;
    assert!(awaits >= 8, "{awaits}");
}

/// Two addresses are tried at once: of neither a connection is left open.
#[tokio::test]
async fn connector_connect_dropped_at_any_await_of_a_race_closes_all() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let listeners =
            [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await]
                .map(Result::unwrap);
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let connector = TcpConnector::default()
            .resolver(StaticResolver::new().host("h", addresses))
            .attempt_delay(Duration::ZERO);
        drop(cut.call(connector.connect(&Target::new("h", 1))).await);
        for (listener, address) in listeners.iter().zip(addresses) {
            let last = tokio::net::TcpStream::connect(address).await.unwrap();
            let last = last.local_addr().unwrap();
            loop {
                let (mut stream, from) = listener.accept().await.unwrap();
                if from == last {
                    break;
                }
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                assert!(rest.is_empty());
            }
        }
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}
