//! Tunnels through HTTP proxies: honest ones, ones that refuse, and ones that lie.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use wscengine::{ConnectError, ConnectErrorKind, Phase};
use wscengine_dial::{
    Dialer, Proxies, Proxy, ProxyErrorKind, StaticResolver, Target, TcpConnector,
};

use crate::support::{accepted, read_request, request, serve_echo};
use crate::tcp::Once;

const LIMIT: Duration = Duration::from_secs(10);

fn proxy(url: &str) -> Proxy {
    url.parse().unwrap()
}

/// Asks a proxy that answers so for `target`; also gives its request and what is left of the connection.
async fn tunnelled(
    proxy: &Proxy,
    target: &Target,
    answer: impl Into<Vec<u8>>,
    closes: bool,
) -> (Result<(), ConnectError>, String, DuplexStream) {
    let (mut client, mut server) = duplex(1 << 20);
    let answer = answer.into();
    let serving = async {
        let seen = read_request(&mut server).await;
        server.write_all(&answer).await.unwrap();
        if closes {
            drop(server);
            return (seen, None);
        }
        (seen, Some(server))
    };
    let (outcome, (seen, server)) = tokio::join!(proxy.tunnel(&mut client, target, LIMIT), serving);
    drop(server);
    (outcome, seen, client)
}

async fn error_of(answer: impl Into<Vec<u8>>, closes: bool) -> ConnectError {
    let target = Target::new("chat.example", 443);
    tunnelled(&proxy("http://p"), &target, answer, closes).await.0.unwrap_err()
}

#[tokio::test]
async fn a_connect_names_host_and_port_and_shows_credentials_and_headers() {
    let mut headers = HeaderMap::new();
    headers.insert("x-team", HeaderValue::from_static("feeds"));
    let plain = proxy("http://p");
    let known = proxy("http://user:p%40ss@p").headers(headers.clone()).unwrap();
    headers.insert("proxy-authorization", HeaderValue::from_static("Bearer token"));
    let overridden = proxy("http://user:pass@p").headers(headers).unwrap();
    for (proxy, target, expected) in [
        (
            &plain,
            Target::new("chat.example", 443),
            "CONNECT chat.example:443 HTTP/1.1\r\nHost: chat.example:443\r\n\r\n",
        ),
        (
            &plain,
            Target::new("2001:db8::1", 80),
            "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
        ),
        (
            &known,
            Target::new("h", 1),
            "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n\
             x-team: feeds\r\n\r\n",
        ),
        (
            &overridden,
            Target::new("h", 1),
            "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nx-team: feeds\r\n\
             proxy-authorization: Bearer token\r\n\r\n",
        ),
    ] {
        let (outcome, seen, _) = tunnelled(proxy, &target, "HTTP/1.1 200 OK\r\n\r\n", false).await;
        outcome.unwrap();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_success_of_any_form_opens_and_what_comes_later_is_the_hosts() {
    for answer in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200\r\nProxy-Agent: x\r\n\r\n",
        "HTTP/1.1 204 x\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let target = Target::new("h", 1);
        let (outcome, _, _) = tunnelled(&proxy("http://p"), &target, answer, false).await;
        outcome.expect(answer);
    }
}

#[tokio::test]
async fn a_refusal_keeps_status_headers_and_body() {
    for (status, kind) in [
        (StatusCode::PROXY_AUTHENTICATION_REQUIRED, ConnectErrorKind::ProxyAuth),
        (StatusCode::FORBIDDEN, ConnectErrorKind::Proxy),
        (StatusCode::BAD_GATEWAY, ConnectErrorKind::Proxy),
        (StatusCode::FOUND, ConnectErrorKind::Proxy),
    ] {
        let answer = format!(
            "HTTP/1.1 {} x\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nlist",
            status.as_str()
        );
        let error = error_of(answer, false).await;
        assert_eq!(error.kind(), kind, "{error}");
        let response = error.response().unwrap();
        assert_eq!((response.status, &response.body[..]), (status, &b"list"[..]));
        assert_eq!(response.headers["retry-after"], "3");
        assert!(error.to_string().contains(status.as_str()), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_lies_is_a_proxy_error() {
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(64 << 10));
    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
    for (what, answer, closes) in [
        ("no HTTP", "SSH-2.0-OpenSSH_9.6\r\n", false),
        ("HTTP/2", "HTTP/2 200\r\n\r\n", false),
        ("a SOCKS reply", "\x05\x00", false),
        ("a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n", false),
        ("data behind a success", "HTTP/1.1 200 OK\r\n\r\ngarbage", false),
        ("a huge head", &huge, false),
        ("interim answers without end", &endless, false),
        ("no answer and the end", "", true),
        ("half an answer and the end", "HTTP/1.1 200 OK\r\nX: y", true),
    ] {
        let error = error_of(answer, closes).await;
        assert_eq!(error.kind(), ConnectErrorKind::Proxy, "{what}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_never_answers_times_out_in_its_own_phase() {
    for answer in ["", "HTTP/1.1 200 OK\r\n"] {
        let (client, mut server) = duplex(1 << 10);
        server.write_all(answer.as_bytes()).await.unwrap();
        let dialer = Dialer::default()
            .connector(Once::new(Some(client)))
            .proxy(proxy("http://p"))
            .proxy_timeout(Duration::from_secs(3));
        let begun = Instant::now();
        let error = dialer.dial(&request("ws://h/")).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Proxy));
        assert_eq!(begun.elapsed().as_secs(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_hangs_is_reported_with_what_came() {
    let (client, mut server) = duplex(1 << 10);
    server.write_all(b"HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\npart").await.unwrap();
    let dialer = Dialer::default().connector(Once::new(Some(client))).proxy(proxy("http://p"));
    let error = dialer.dial(&request("ws://h/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Proxy);
    assert_eq!(&error.response().unwrap().body[..], b"part");
}

#[tokio::test]
async fn garbage_behind_a_success_that_comes_late_is_an_invalid_handshake() {
    let (client, mut server) = duplex(1 << 10);
    let dialer = Dialer::default().connector(Once::new(Some(client))).proxy(proxy("http://p"));
    let serving = async {
        read_request(&mut server).await;
        server.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        read_request(&mut server).await;
        server.write_all(b"garbage").await.unwrap();
        server
    };
    let request = request("ws://h/");
    let (outcome, _server) = tokio::join!(dialer.dial(&request), serving);
    assert_eq!(outcome.unwrap_err().kind(), ConnectErrorKind::Handshake);
}

#[tokio::test]
async fn a_host_that_cannot_stand_in_a_request_is_found_before_anything_is_written() {
    for host in ["", "a b", "a\r\nX: y", "user@h", "h/path"] {
        let (mut client, mut server) = duplex(1 << 10);
        let target = Target::new(host, 1);
        let error = proxy("http://p").tunnel(&mut client, &target, LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::InvalidRequest, "{host:?}");
        drop(client);
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    }
}

#[test]
fn headers_that_are_not_the_users_to_set_are_refused() {
    for name in ["host", "content-length", "transfer-encoding"] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static("1"));
        assert_eq!(proxy("http://p").headers(headers).unwrap_err().kind(), ProxyErrorKind::Header);
    }
}

/// A proxy over loopback that connects to `host`, whatever it is asked for; gives its address.
async fn honest(host: std::net::SocketAddr) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut client = listener.accept().await.unwrap().0;
        read_request(&mut client).await;
        let mut server = TcpStream::connect(host).await.unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    address
}

#[tokio::test]
async fn a_dial_goes_through_the_proxy_of_its_url_and_past_it_to_the_exceptions() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            tokio::spawn(serve_echo(listener.accept().await.unwrap().0));
        }
    });
    let through = honest(server).await;
    let resolver = StaticResolver::new().host("direct.example", [server]);
    let proxies = Proxies::from(proxy(&format!("http://{through}"))).except("direct.example");
    let dialer = Dialer::default().proxy(proxies).tcp(TcpConnector::default().resolver(resolver));
    for (url, peer) in [("ws://direct.example/", server), ("ws://only.the.proxy.knows/", through)] {
        let mut dialed = dialer.dial(&request(url)).await.unwrap();
        assert_eq!(dialed.stream.tcp().unwrap().peer_addr().unwrap(), peer);
        dialed.stream.write_all(b"hello").await.unwrap();
        let mut echoed = [0; 5];
        dialed.stream.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"hello");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_reached_is_a_proxy_error() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for url in [format!("http://127.0.0.1:{port}"), "socks5://unknown.example".to_owned()] {
        let tcp = TcpConnector::default().resolver(StaticResolver::new());
        let dialer = Dialer::default().tcp(tcp).proxy(proxy(&url));
        let error = dialer.dial(&request("ws://h/")).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Proxy, "{error}");
    }
}

#[tokio::test]
async fn the_handshake_with_the_server_follows_that_with_the_proxy() {
    let (client, mut server) = duplex(1 << 10);
    let dialer =
        Dialer::default().connector(Once::new(Some(client))).proxy(proxy("http://u:secret@p"));
    assert!(!format!("{dialer:?}").contains("secret"));
    let serving = async {
        let asked = read_request(&mut server).await;
        server.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let seen = read_request(&mut server).await;
        server.write_all(&accepted(&seen, "")).await.unwrap();
        (asked, seen)
    };
    let request = request("ws://h:8080/path");
    let (dialed, (asked, seen)) = tokio::join!(dialer.dial(&request), serving);
    dialed.unwrap();
    assert!(asked.starts_with("CONNECT h:8080 HTTP/1.1\r\n"), "{asked}");
    assert!(seen.starts_with("GET /path HTTP/1.1\r\nHost: h:8080\r\n"), "{seen}");
    assert!(!seen.to_ascii_lowercase().contains("proxy-authorization"), "{seen}");
}
