//! `rooms-server` behind a reverse proxy: haproxy and nginx, with each adapter.

use std::time::Duration;

use e2e::{Adapter, Authority, Event, Events, within};
use wscengine::{AttemptError, Engine, Initiator, ReadErrorKind};
use wscengine_dial::Dialer;

use crate::harness::{Front, Port, Proxy, echoes, reopened, rooms, started_over};

/// What a proxy lets a connection be idle, where that matters.
const IDLE: &str = "2s";

/// Where it does not.
const LONG: &str = "1h";

/// A ping interval well below the former, which a loaded machine can still keep.
const BEAT: Duration = Duration::from_millis(700);

macro_rules! fronts {
    ($($name:ident: $front:ident;)*) => {$(
        mod $name {
            crate::harness::for_each_adapter! { fronts, crate::harness::Front::$front;
                messages_of_any_size_come_back,
                messages_come_back_over_the_tls_of_the_proxy,
                a_proxy_that_cuts_idle_connections_costs_a_reconnect_unless_pings_keep_them_busy,
                a_proxy_that_is_killed_is_found_again_on_its_port,
                a_proxy_that_is_killed_with_something_unread_resets_the_session,
                a_proxy_whose_server_is_gone_says_so_until_it_is_back,
            }
        }
    )*};
}

fronts! {
    haproxy: Haproxy;
    nginx: Nginx;
}

async fn open<A: Adapter>(proxy: &Proxy) -> (Engine, Events) {
    let transport = A::transport(Dialer::default());
    started_over(transport, &url(proxy), |builder| builder).await
}

fn url(proxy: &Proxy) -> String {
    format!("ws://{}/echo", proxy.address())
}

async fn messages_of_any_size_come_back<A: Adapter>(front: Front) {
    let server = rooms("127.0.0.1:0").await;
    let proxy = front.start(server.local_addr(), LONG).await;
    let (engine, mut events) = open::<A>(&proxy).await;
    echoes(&engine, &mut events).await;
    assert!(!within(engine.stop()).await.is_forced());
}

async fn messages_come_back_over_the_tls_of_the_proxy<A: Adapter>(front: Front) {
    let authority = Authority::new();
    let server = rooms("127.0.0.1:0").await;
    let proxy = front.start_tls(server.local_addr(), &authority).await;
    let transport = A::transport(Dialer::default().tls(authority.trusted()));
    let url = format!("wss://localhost:{}/echo", proxy.address().port());
    let (engine, mut events) = started_over(transport, &url, |builder| builder).await;
    echoes(&engine, &mut events).await;
    assert!(!within(engine.stop()).await.is_forced());
}

async fn a_proxy_that_cuts_idle_connections_costs_a_reconnect_unless_pings_keep_them_busy<
    A: Adapter,
>(
    front: Front,
) {
    let server = rooms("127.0.0.1:0").await;
    let proxy = front.start(server.local_addr(), IDLE).await;
    let url = &url(&proxy);
    let start = |ping: Option<Duration>| {
        let transport = A::transport(Dialer::default());
        started_over(transport, url, move |builder| builder.ping_interval(ping).ping_timeout(BEAT))
    };
    let (pinging, mut quiet) = start(Some(BEAT)).await;
    let (idle, mut events) = start(None).await;
    for _ in 0..2 {
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

async fn a_proxy_that_is_killed_is_found_again_on_its_port<A: Adapter>(front: Front) {
    let server = rooms("127.0.0.1:0").await;
    let mut proxy = front.start(server.local_addr(), LONG).await;
    let (engine, mut events) = open::<A>(&proxy).await;
    proxy.kill();
    let Event::ReadError(_) = events.next().await else { panic!("not on_read_error") };
    assert_eq!(events.closed().await.initiator, Initiator::Lost);
    events.restart_error().await;
    proxy.start_again().await;
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}

async fn a_proxy_that_is_killed_with_something_unread_resets_the_session<A: Adapter>(front: Front) {
    let server = rooms("127.0.0.1:0").await;
    let mut proxy = front.start(server.local_addr(), LONG).await;
    let (engine, mut events) = open::<A>(&proxy).await;
    proxy.freeze();
    engine.send_flushed("never read").await.unwrap();
    proxy.kill();
    assert_eq!(events.read_error().await, ReadErrorKind::Io);
    assert_eq!(events.closed().await.initiator, Initiator::Lost);
    events.restart_error().await;
    proxy.start_again().await;
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}

async fn a_proxy_whose_server_is_gone_says_so_until_it_is_back<A: Adapter>(front: Front) {
    let port = Port::new();
    let server = rooms(port.address()).await;
    let proxy = front.start(port.address(), LONG).await;
    let (engine, mut events) = open::<A>(&proxy).await;
    within(server.shutdown()).await;
    let closed = events.closed().await;
    assert_eq!(closed.frame.unwrap().code().0, 1001, "it passes on what the server said");
    let AttemptError::Connect(error) = events.restart_error().await else { panic!() };
    let status = match front {
        Front::Haproxy => 503,
        Front::Nginx => 502,
    };
    assert_eq!(error.response().unwrap().status.as_u16(), status);
    let _server = rooms(port.address()).await;
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}
