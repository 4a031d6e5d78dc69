//! Hosts with several addresses, and resolvers of the user's own, over loopback and on a paused clock.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use wscengine::{ConnectError, ConnectErrorKind, Phase};
use wscengine_dial::{Connector, Dialer, Proxy, Resolve, StaticResolver, Target, TcpConnector};

use crate::support::{request, serve_echo};

/// Connects to a host that has these addresses.
async fn connect(
    addresses: Vec<SocketAddr>,
    tcp: TcpConnector,
) -> Result<(SocketAddr, Duration), ConnectError> {
    let tcp = tcp.resolver(StaticResolver::new().host("many.example", addresses));
    let begun = Instant::now();
    let io = tcp.connect(&Target::new("many.example", 80)).await?;
    let io: &dyn std::any::Any = &*io;
    Ok((io.downcast_ref::<TcpStream>().unwrap().peer_addr().unwrap(), begun.elapsed()))
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port that is taken, so that nobody else gets it, and does not listen.
fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A listener whose queue is full: the system drops further requests to connect, as a black hole does.
async fn black_hole() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue is never full");
    }
    (listener, queued, address)
}

#[tokio::test]
async fn a_black_hole_as_first_address_costs_one_delay_over_sockets() {
    let (_hole, _queued, hole) = black_hole().await;
    let (_listener, live) = listener().await;
    let (peer, took) = connect(vec![hole, live], TcpConnector::default()).await.unwrap();
    assert_eq!(peer, live);
    assert!(took >= Duration::from_millis(240), "{took:?}");
    // 250 ms and a connection over loopback; the rest is for a machine under load.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_live_address_behind_fifty_dead_ones_is_found() {
    let (_hole, _queued, hole) = black_hole().await;
    let (mut addresses, mut sockets) = (Vec::new(), Vec::new());
    for number in 0..25_u8 {
        let (socket, refusing) = refusing();
        sockets.push(socket);
        // Other addresses of the same dead machine: 127.0.0.0/8 is one.
        addresses.push(refusing);
        addresses.push(SocketAddr::from(([127, 0, 1, number + 1], hole.port())));
    }
    let (_listener, live) = listener().await;
    addresses.push(live);
    // By itself the delay of 250 ms for each that is silent would take longer than there is time.
    let tcp = TcpConnector::default().connect_timeout(Duration::from_secs(5));
    let (peer, _) = connect(addresses, tcp).await.unwrap();
    assert_eq!(peer, live);
}

#[tokio::test]
async fn addresses_that_all_refuse_are_a_connect_error() {
    let (_one, first) = refusing();
    let (_other, second) = refusing();
    let error = connect(vec![first, second], TcpConnector::default()).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Connect);
    assert!(error.to_string().contains("none of 2 addresses"), "{error}");
}

#[tokio::test]
async fn addresses_that_all_are_silent_time_out_in_the_connect_phase() {
    let (_hole, _queued, hole) = black_hole().await;
    let tcp = TcpConnector::default().connect_timeout(Duration::from_millis(100));
    let error = connect(vec![hole], tcp).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Connect));
}

#[tokio::test]
async fn only_addresses_of_the_local_addresss_family_are_tried() {
    let (listener, live) = listener().await;
    let tcp = || TcpConnector::default().local_address("127.0.0.3".parse().unwrap());
    let addresses = vec!["[2001:db8::1]:9".parse().unwrap(), live];
    let (peer, _) = connect(addresses, tcp()).await.unwrap();
    assert_eq!(peer, live);
    assert_eq!(listener.accept().await.unwrap().1.ip().to_string(), "127.0.0.3");
    let error = connect(vec!["[2001:db8::1]:9".parse().unwrap()], tcp()).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Connect);
}

#[tokio::test]
async fn a_resolver_without_an_answer_is_a_resolve_error() {
    let error = connect(Vec::new(), TcpConnector::default()).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Resolve);
}

/// As the system's resolver says it of a name that does not exist: NXDOMAIN.
#[derive(Debug)]
struct NoSuchName;

#[async_trait]
impl Resolve for NoSuchName {
    async fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other(format!("{host}: Name or service not known")))
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_resolve_error_in_the_resolvers_words() {
    let tcp = TcpConnector::default().resolver(NoSuchName);
    let direct = Dialer::default().tcp(tcp.clone());
    let locally: Proxy = "socks5://127.0.0.1:9".parse().unwrap();
    let locally = Dialer::default().tcp(tcp.clone()).proxy(locally.resolve_locally(true));
    for dialer in [direct, locally] {
        let error = dialer.dial(&request("wss://unknown.example/")).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Resolve);
        assert!(error.to_string().contains("unknown.example: Name or service"), "{error}");
    }
    let proxy: Proxy = "http://unknown.example".parse().unwrap();
    let dialer = Dialer::default().tcp(tcp).proxy(proxy);
    let error = dialer.dial(&request("wss://127.0.0.1/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Proxy, "it is the proxy that is not found");
    assert!(error.to_string().contains("unknown.example"), "{error}");
}

#[derive(Debug)]
struct Hanging;

#[async_trait]
impl Resolve for Hanging {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_times_out_in_the_resolve_phase() {
    let tcp = TcpConnector::default().resolver(Hanging).resolve_timeout(Duration::from_secs(3));
    let begun = Instant::now();
    let error = Dialer::default().tcp(tcp).dial(&request("ws://h/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Resolve));
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn a_dial_goes_where_the_resolver_says_and_asks_for_the_host_of_the_url() {
    let (listener, live) = listener().await;
    tokio::spawn(async move { serve_echo(listener.accept().await.unwrap().0).await });
    let resolver = StaticResolver::new().host("chat.example", [live]);
    let dialer = Dialer::default().tcp(TcpConnector::default().resolver(resolver));
    let dialed = dialer.dial(&request("ws://chat.example/")).await.unwrap();
    assert_eq!(dialed.stream.tcp().unwrap().peer_addr().unwrap(), live);
}
