//! Redirects that are followed by option, against scripted servers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::HeaderValue;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use wscengine::ConnectErrorKind;
use wscengine_dial::{Dialer, Redirects, StaticResolver, TcpConnector};

use crate::support::{accepted, read_request, request};

/// A server that answers `GET /open` by accepting, and all else by what `answer` makes of the path; and what it saw.
async fn server(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (SocketAddr, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, requests) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let mut stream = listener.accept().await.unwrap().0;
            let request = read_request(&mut stream).await;
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let reply = match &*path {
                "/open" => accepted(&request, ""),
                path => answer(path).into_bytes(),
            };
            let _ = seen.send(request);
            // The rest of a body never comes: the client has to go on without it.
            stream.write_all(&reply).await.unwrap();
            tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(stream);
            });
        }
    });
    (address, requests)
}

fn found(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 1000\r\n\r\nmoved")
}

fn dialer(redirects: Redirects, hosts: &[(&str, SocketAddr)]) -> Dialer {
    let resolver = hosts
        .iter()
        .fold(StaticResolver::new(), |resolver, (name, address)| resolver.host(name, [*address]));
    Dialer::default().tcp(TcpConnector::default().resolver(resolver)).redirects(redirects)
}

#[tokio::test]
async fn a_redirect_is_followed_and_the_last_url_is_told() {
    let (address, mut requests) = server(|path| match path {
        "/a" => found("b?c=d"),
        _ => found("/open"),
    })
    .await;
    let dialer = dialer(Redirects::up_to(2), &[]);
    let begun = Instant::now();
    let dialed = dialer.dial(&request(&format!("ws://{address}/a"))).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(9), "a body was waited for, up to 10 s");
    assert_eq!(dialed.url.as_str(), format!("ws://{address}/open"));
    assert_eq!(dialed.response.status, 101);
    for path in ["/a", "/b?c=d", "/open"] {
        assert!(requests.recv().await.unwrap().starts_with(&format!("GET {path} ")), "{path}");
    }
}

#[tokio::test]
async fn credentials_do_not_go_along_to_another_host() {
    let (address, mut requests) = server(|path| match path {
        "/a" => found("/b"),
        _ => found("http://other.example/open"),
    })
    .await;
    let hosts = [("first.example", address), ("other.example", address)];
    let mut request = request("ws://user:secret@first.example/a");
    request.headers.insert("cookie", HeaderValue::from_static("session=1"));
    request.headers.insert("x-own", HeaderValue::from_static("1"));
    let dialed = dialer(Redirects::up_to(3), &hosts).dial(&request).await.unwrap();
    assert_eq!(dialed.url.as_str(), "ws://other.example/open");
    for (host, has_credentials) in
        [("first.example", true), ("first.example", true), ("other.example", false)]
    {
        let seen = requests.recv().await.unwrap().to_ascii_lowercase();
        assert!(seen.contains(&format!("\r\nhost: {host}\r\n")), "{seen}");
        assert_eq!(seen.contains("\r\nauthorization: "), has_credentials, "{seen}");
        assert_eq!(seen.contains("\r\ncookie: "), has_credentials, "{seen}");
        assert!(seen.contains("\r\nx-own: 1\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn a_loop_ends_at_the_limit_with_the_last_answer() {
    let (address, mut requests) = server(|_| found("/a")).await;
    let dialer = dialer(Redirects::up_to(4), &[]);
    let error = dialer.dial(&request(&format!("ws://{address}/a"))).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Redirect, "{error}");
    assert_eq!(error.response().unwrap().headers["location"], "/a");
    for _ in 0..5 {
        requests.recv().await.unwrap();
    }
    assert!(requests.try_recv().is_err(), "the first, and four redirects");
}

#[tokio::test]
async fn a_redirect_is_a_refusal_unless_it_is_to_be_followed() {
    let reply = "HTTP/1.1 302 Found\r\nLocation: /open\r\nContent-Length: 5\r\n\r\nmoved";
    let (address, _requests) = server(|_| reply.to_owned()).await;
    let error = Dialer::default().dial(&request(&format!("ws://{address}/"))).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Status);
    assert_eq!(&error.response().unwrap().body[..], b"moved");
}

#[tokio::test]
async fn a_place_that_cannot_be_dialled_is_a_redirect_error() {
    let (address, _requests) = server(|_| found("ftp://h/")).await;
    let dialer = dialer(Redirects::up_to(4), &[]);
    let error = dialer.dial(&request(&format!("ws://{address}/a"))).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Redirect, "{error}");
}
