//! The end of a server.

use std::time::Duration;

use tokio::net::TcpStream;
use wscengine_rooms_server::Config;

use crate::common::http;
use crate::peer::meeting;

#[tokio::test]
async fn a_drain_closes_everybody_with_1012() {
    let config = Config::default().drain(Duration::from_millis(200));
    let (server, peers) = meeting::<3>(config).await;
    let rooms = server.rooms().clone();
    let codes = peers.map(|mut peer| tokio::spawn(async move { peer.close_code().await }));
    server.shutdown().await;
    for code in codes {
        assert_eq!(code.await.unwrap(), Some(1012));
    }
    assert_eq!((rooms.rooms(), rooms.connections()), (0, 0));
}

#[tokio::test]
async fn in_a_drain_new_connections_are_refused_and_the_old_ones_end_one_by_one() {
    let config = Config::default().drain(Duration::from_secs(600));
    let (server, peers) = meeting::<2>(config).await;
    let (addr, rooms) = (server.local_addr(), server.rooms().clone());
    let [a, b] = peers.map(|mut peer| tokio::spawn(async move { peer.close_code().await }));
    let shutdown = tokio::spawn(server.shutdown());

    let first = tokio::select! { code = a => code.unwrap(), code = b => code.unwrap() };
    assert_eq!(first, Some(1012));
    for path in ["/ws/wsrooms", "/echo"] {
        let stream = TcpStream::connect(addr).await.unwrap();
        let url = format!("ws://{addr}{path}");
        match tokio_tungstenite::client_async(url, stream).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                assert_eq!(response.status(), 503);
            }
            other => panic!("{other:?}"),
        }
    }
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(http(addr, &get("/healthz")).await.starts_with("HTTP/1.1 200 "));
    assert!(http(addr, &get("/readyz")).await.starts_with("HTTP/1.1 503 "));
    // The other one's time comes in five minutes.
    assert_eq!(rooms.connections(), 1);
    shutdown.abort();
}

#[tokio::test]
async fn when_the_time_of_a_drain_is_over_what_is_left_is_closed_with_1001() {
    let config = Config::default().drain(Duration::from_secs(600));
    let (server, peers) = meeting::<2>(config).await;
    let codes = peers.map(|mut peer| tokio::spawn(async move { peer.close_code().await }));
    // Without a drain: the handle is dropped.
    drop(server);
    for code in codes {
        assert_eq!(code.await.unwrap(), Some(1001));
    }
}
