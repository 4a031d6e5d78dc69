//! `rooms-server` behind nginx.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::{Event, within};
use wscengine::{AttemptError, Initiator, ReadErrorKind};
use wscengine_rooms_server::{Config, RunningServer, Server};

use crate::harness::{Peer, reopened, started};

/// What nginx lets a connection be idle.
const IDLE: &str = "2s";

/// A ping interval well below it, which a loaded machine can still keep.
const BEAT: Duration = Duration::from_millis(700);

async fn rooms(address: &str) -> RunningServer {
    Server::bind(address, Config::default()).await.unwrap().spawn()
}

async fn behind_nginx(address: SocketAddr) -> Peer {
    Peer::nginx(address.to_string(), IDLE).await
}

#[tokio::test]
async fn a_proxy_that_cuts_idle_connections_costs_a_reconnect_unless_pings_keep_them_busy() {
    let server = rooms("127.0.0.1:0").await;
    let nginx = behind_nginx(server.local_addr()).await;
    let (pinging, mut quiet) =
        started(&nginx.url(), |builder| builder.ping_interval(Some(BEAT)).ping_timeout(BEAT)).await;
    let (idle, mut events) = started(&nginx.url(), |builder| builder.ping_interval(None)).await;
    for _ in 0..3 {
        assert_eq!(events.read_error().await, ReadErrorKind::UnexpectedEof);
        let closed = events.closed().await;
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
        reopened(&idle, &mut events).await;
    }
    // Which was there all the time.
    assert!(quiet.already().is_none());
    pinging.send("still here").await.unwrap();
    assert_eq!(quiet.message().await.text(), Some("still here"));
    assert_eq!(pinging.stats().sessions, 1);
    within(pinging.stop()).await;
    within(idle.stop()).await;
}

#[tokio::test]
async fn a_proxy_that_is_killed_is_found_again_on_its_port() {
    let server = rooms("127.0.0.1:0").await;
    let upstream = server.local_addr().to_string();
    let mut nginx = behind_nginx(server.local_addr()).await;
    let (engine, mut events) = started(&nginx.url(), |builder| builder).await;
    nginx.kill();
    let Event::ReadError(_) = events.next().await else { panic!("not on_read_error") };
    assert_eq!(events.closed().await.initiator, Initiator::Lost);
    events.restart_error().await;
    let _nginx = Peer::nginx_again(nginx, upstream, "1h").await;
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}

#[tokio::test]
async fn a_proxy_whose_server_is_gone_answers_502_until_it_is_back() {
    let server = rooms("127.0.0.1:0").await;
    let upstream = server.local_addr();
    let nginx = behind_nginx(upstream).await;
    let (engine, mut events) = started(&nginx.url(), |builder| builder).await;
    within(server.shutdown()).await;
    let closed = events.closed().await;
    assert_eq!(closed.frame.unwrap().code().0, 1001, "nginx passes on what the server said");
    let AttemptError::Connect(error) = events.restart_error().await else { panic!() };
    assert_eq!(error.response().unwrap().status.as_u16(), 502);
    let _server = rooms(&upstream.to_string()).await;
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}
