//! The way through proxies that a client tells where to go: tinyproxy and squid (HTTP CONNECT), microsocks and danted
//! (SOCKS5), with each adapter.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::{Adapter, Authority, Events, Reporter, within};
use wscengine::{
    AttemptError, CloseCause, ConnectError, ConnectErrorKind, Engine, Initiator, Phase,
    ReadErrorKind, StartError,
};
use wscengine_dial::{Dialer, StaticResolver, TcpConnector};

use crate::harness::{
    CREDENTIALS, Forward, Port, Proxy, echoes, over, reopened, rooms, started_over,
};

/// The pings of tests in which a proxy falls silent.
const BEAT: Duration = Duration::from_secs(1);

/// Those for all, and those for some.
macro_rules! proxies {
    ($($name:ident: $proxy:ident, $($test:ident),*;)*) => {$(
        mod $name {
            crate::harness::for_each_adapter! { forwards, crate::harness::Forward::$proxy;
                messages_of_any_size_come_back,
                messages_come_back_over_tls_with_the_server_itself,
                a_certificate_of_the_server_that_is_not_trusted_fails_the_start,
                a_name_is_resolved_here_by_option,
                a_server_that_is_gone_is_a_failure_of_the_proxy_until_it_is_back,
                a_proxy_that_is_killed_resets_the_session_and_is_found_again_on_its_port,
                a_proxy_that_falls_silent_is_noticed_and_found_again_when_it_goes_on,
                $($test,)*
            }
        }
    )*};
}

proxies! {
    tinyproxy: Tinyproxy, credentials_that_are_wrong_or_missing_are_an_error_of_their_own;
    squid: Squid, credentials_that_are_wrong_or_missing_are_an_error_of_their_own,
        a_port_that_is_forbidden_is_an_error_of_the_proxy;
    microsocks: Microsocks, credentials_that_are_wrong_or_missing_are_an_error_of_their_own;
    danted: Danted, a_port_that_is_forbidden_is_an_error_of_the_proxy;
}

/// One that goes through `proxy`, and knows no name at all: who knows the server's is the proxy.
fn dialer(forward: Forward, proxy: &Proxy) -> Dialer {
    dialer_by(asked(forward, proxy, CREDENTIALS), StaticResolver::new())
}

fn asked(forward: Forward, proxy: &Proxy, credentials: &str) -> wscengine_dial::Proxy {
    forward.url(proxy, credentials).parse().unwrap()
}

fn dialer_by(proxy: wscengine_dial::Proxy, resolver: StaticResolver) -> Dialer {
    Dialer::default().tcp(TcpConnector::default().resolver(resolver)).proxy(proxy)
}

/// By a name that the proxy is to resolve.
fn url(scheme: &str, server: SocketAddr) -> String {
    format!("{scheme}://localhost:{}/echo", server.port())
}

async fn open<A: Adapter>(dialer: Dialer, url: &str) -> (Engine, Events) {
    started_over(A::transport(dialer), url, |builder| builder).await
}

/// Why an engine does not start.
async fn failed<A: Adapter>(dialer: Dialer, url: &str) -> ConnectError {
    let prepared = over(A::transport(dialer), url, Reporter::new().0).build().unwrap();
    match within(prepared.start()).await.unwrap_err() {
        StartError::Attempt(AttemptError::Connect(error)) => error,
        other => panic!("not a failed dial: {other:?}"),
    }
}

fn status(error: &ConnectError) -> Option<u16> {
    error.response().map(|response| response.status.as_u16())
}

async fn messages_of_any_size_come_back<A: Adapter>(forward: Forward) {
    let proxy = forward.start().await;
    let server = rooms("127.0.0.1:0").await;
    let url = url("ws", server.local_addr());
    let (engine, mut events) = open::<A>(dialer(forward, &proxy), &url).await;
    echoes(&engine, &mut events).await;
    assert!(!within(engine.stop()).await.is_forced());
}

async fn messages_come_back_over_tls_with_the_server_itself<A: Adapter>(forward: Forward) {
    let authority = Authority::new();
    let proxy = forward.start().await;
    let server = rooms("127.0.0.1:0").await;
    let url = url("wss", authority.terminate(server.local_addr()).await);
    let dialer = dialer(forward, &proxy).tls(authority.trusted());
    let (engine, mut events) = open::<A>(dialer, &url).await;
    echoes(&engine, &mut events).await;
    assert!(!within(engine.stop()).await.is_forced());
}

async fn a_certificate_of_the_server_that_is_not_trusted_fails_the_start<A: Adapter>(
    forward: Forward,
) {
    let proxy = forward.start().await;
    let server = rooms("127.0.0.1:0").await;
    let url = url("wss", Authority::new().terminate(server.local_addr()).await);
    let error = failed::<A>(dialer(forward, &proxy).tls(Authority::new().trusted()), &url).await;
    assert_eq!((error.kind(), status(&error)), (ConnectErrorKind::Certificate, None));
}

async fn a_name_is_resolved_here_by_option<A: Adapter>(forward: Forward) {
    let proxy = forward.start().await;
    let server = rooms("127.0.0.1:0").await;
    let resolver = StaticResolver::new().host("known.only.here", [server.local_addr()]);
    let through = asked(forward, &proxy, CREDENTIALS).resolve_locally(true);
    let url = format!("ws://known.only.here:{}/echo", server.local_addr().port());
    let (engine, mut events) = open::<A>(dialer_by(through, resolver), &url).await;
    echoes(&engine, &mut events).await;
    within(engine.stop()).await;
}

async fn credentials_that_are_wrong_or_missing_are_an_error_of_their_own<A: Adapter>(
    forward: Forward,
) {
    let proxy = forward.start().await;
    let server = rooms("127.0.0.1:0").await;
    let url = url("ws", server.local_addr());
    let auth = ConnectErrorKind::ProxyAuth;
    let (wrong, missing) = match forward {
        // Which says "Unauthorized" where RFC 9110 has another status for it.
        Forward::Tinyproxy => ((auth, Some(401)), (auth, Some(407))),
        Forward::Squid => ((auth, Some(407)), (auth, Some(407))),
        Forward::Microsocks => ((auth, None), (auth, None)),
        Forward::Danted => unreachable!("it asks for none"),
    };
    for (credentials, expected) in [("engine:guess", wrong), ("", missing)] {
        let dialer = dialer_by(asked(forward, &proxy, credentials), StaticResolver::new());
        let error = failed::<A>(dialer, &url).await;
        assert_eq!((error.kind(), status(&error)), expected, "{credentials}: {error:?}");
        assert!(!format!("{error:?}").contains("guess"), "{error:?}");
    }
}

async fn a_port_that_is_forbidden_is_an_error_of_the_proxy<A: Adapter>(forward: Forward) {
    let server = rooms("127.0.0.1:0").await;
    let proxy = forward.start_forbidding(server.local_addr().port()).await;
    let url = url("ws", server.local_addr());
    let error = failed::<A>(dialer(forward, &proxy), &url).await;
    let expected = if forward == Forward::Squid { Some(403) } else { None };
    assert_eq!((error.kind(), status(&error)), (ConnectErrorKind::Proxy, expected));
    if forward == Forward::Danted {
        let reason = format!("{error:?}");
        assert!(reason.contains("not allowed by its rules (2)"), "{reason}");
    }
}

async fn a_server_that_is_gone_is_a_failure_of_the_proxy_until_it_is_back<A: Adapter>(
    forward: Forward,
) {
    let port = Port::new();
    let server = rooms(port.address()).await;
    let proxy = forward.start().await;
    let url = url("ws", port.address());
    let (engine, mut events) = open::<A>(dialer(forward, &proxy), &url).await;
    within(server.shutdown()).await;
    let closed = events.closed().await;
    assert_eq!(closed.frame.unwrap().code().0, 1001);
    let AttemptError::Connect(error) = events.restart_error().await else { panic!() };
    let expected = match forward {
        Forward::Tinyproxy => Some(500),
        Forward::Squid => Some(503),
        Forward::Microsocks | Forward::Danted => None,
    };
    assert_eq!((error.kind(), status(&error)), (ConnectErrorKind::Proxy, expected), "{error:?}");
    let _server = rooms(port.address()).await;
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}

async fn a_proxy_that_is_killed_resets_the_session_and_is_found_again_on_its_port<A: Adapter>(
    forward: Forward,
) {
    let mut proxy = forward.start().await;
    let server = rooms("127.0.0.1:0").await;
    let url = url("ws", server.local_addr());
    let (engine, mut events) = open::<A>(dialer(forward, &proxy), &url).await;
    for _ in 0..2 {
        proxy.freeze();
        engine.send_flushed("never read").await.unwrap();
        proxy.kill();
        assert_eq!(events.read_error().await, ReadErrorKind::Io);
        let closed = events.closed().await;
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true));
        let AttemptError::Connect(error) = events.restart_error().await else { panic!() };
        assert_eq!((error.kind(), status(&error)), (ConnectErrorKind::Proxy, None));
        proxy.start_again().await;
        reopened(&engine, &mut events).await;
    }
    within(engine.stop()).await;
}

async fn a_proxy_that_falls_silent_is_noticed_and_found_again_when_it_goes_on<A: Adapter>(
    forward: Forward,
) {
    let proxy = forward.start().await;
    let server = rooms("127.0.0.1:0").await;
    let url = url("ws", server.local_addr());
    let transport = A::transport(dialer(forward, &proxy).proxy_timeout(BEAT / 2));
    let (engine, mut events) = started_over(transport, &url, |builder| {
        builder.ping_interval(Some(BEAT)).ping_timeout(BEAT)
    })
    .await;
    proxy.freeze();
    let closed = events.closed().await;
    assert!(matches!(closed.cause, CloseCause::HeartbeatLost), "{closed:?}");
    // The system accepts the new connection, but nobody answers.
    let AttemptError::Connect(error) = events.restart_error().await else { panic!() };
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Proxy));
    proxy.thaw();
    reopened(&engine, &mut events).await;
    within(engine.stop()).await;
}
