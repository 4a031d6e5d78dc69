//! Wrong answers to the opening handshake: each is a `StartError` of the right kind, and none hangs.

use std::error::Error as _;
use std::time::{Duration, Instant};

use e2e::{Adapter, Opening, RawServer, Reporter, within};
use wscengine::{AttemptError, ConnectError, ConnectErrorKind, Engine, Phase, StartError};
use wscengine_dial::{Dialer, StaticResolver, TcpConnector};

use super::{Chosen, builder};

/// What `start()` says about a server that answers so.
async fn refused(answer: impl Fn(&Opening) -> Vec<u8>) -> ConnectError {
    let server = RawServer::bind().await;
    let prepared = builder(&server.url(), Reporter::new().0)
        .connect_timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    let serve = async {
        let opening = server.opening().await;
        let bytes = answer(&opening);
        opening.answer(&bytes).await
    };
    let (started, _connection) = within(async { tokio::join!(prepared.start(), serve) }).await;
    connect_error(started.expect_err("the server is wrong"))
}

fn connect_error(error: StartError) -> ConnectError {
    match error {
        StartError::Attempt(AttemptError::Connect(error)) => error,
        other => panic!("not a failed dial: {other:?}"),
    }
}

#[tokio::test]
async fn another_status_than_101_fails_the_start_and_keeps_status_headers_and_body() {
    for (status, reason) in
        [(200, "OK"), (401, "Unauthorized"), (404, "Not Found"), (503, "Service Unavailable")]
    {
        let error = refused(|_| {
            format!(
                "HTTP/1.1 {status} {reason}\r\nX-Why: tests\r\nContent-Length: 9\r\n\r\nnot today"
            )
            .into_bytes()
        })
        .await;
        assert_eq!(error.kind(), ConnectErrorKind::Status, "{status}");
        let response = error.response().unwrap();
        assert_eq!(response.status.as_u16(), status);
        assert_eq!(response.headers["x-why"], "tests");
        assert_eq!(&response.body[..], b"not today");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
}

/// A right answer to this request, but for one header.
fn answer_with(opening: &Opening, header: &str, value: Option<&str>) -> Vec<u8> {
    let accept = opening.accept_value();
    let right =
        [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", &accept)];
    let mut answer = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
    for (name, value) in right.into_iter().filter(|(name, _)| *name != header) {
        answer += &format!("{name}: {value}\r\n");
    }
    if let Some(value) = value {
        answer += &format!("{header}: {value}\r\n");
    }
    (answer + "\r\n").into_bytes()
}

#[tokio::test]
async fn an_acceptance_that_breaks_rfc_6455_fails_the_start_as_an_invalid_handshake() {
    for (header, value) in [
        ("Sec-WebSocket-Accept", None),
        ("Sec-WebSocket-Accept", Some("")),
        ("Sec-WebSocket-Accept", Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
        ("Upgrade", None),
        ("Upgrade", Some("h2c")),
        ("Connection", None),
        ("Connection", Some("keep-alive")),
        ("Sec-WebSocket-Protocol", Some("never-offered")),
        ("Sec-WebSocket-Extensions", Some("permessage-deflate")),
    ] {
        let error = refused(|opening| answer_with(opening, header, value)).await;
        assert_eq!(error.kind(), ConnectErrorKind::Handshake, "{header}: {value:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_fails_the_start_as_an_invalid_handshake() {
    for garbage in [
        &b"\0\x01\x02\xff\xfe\r\n\r\n"[..],
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/9.9 what\r\n\r\n",
        b"\r\n\r\n\r\n\x16\x03\x01",
    ] {
        let error = refused(|_| garbage.to_vec()).await;
        assert_eq!(error.kind(), ConnectErrorKind::Handshake, "{garbage:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_header_of_10_mb_fails_the_start_as_too_large() {
    let error = refused(|_| {
        let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
        while answer.len() < 10_000_000 {
            answer.extend_from_slice(b"X-Padding: ");
            answer.extend_from_slice(&[b'a'; 1000]);
            answer.extend_from_slice(b"\r\n");
        }
        answer
    })
    .await;
    assert_eq!(error.kind(), ConnectErrorKind::ResponseTooLarge);
    let error = refused(|_| [&b"HTTP/1.1 101 "[..], &vec![b'a'; 10_000_000]].concat()).await;
    assert_eq!(error.kind(), ConnectErrorKind::ResponseTooLarge);
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_does_fails_the_start_as_io() {
    let server = RawServer::bind().await;
    let prepared = builder(&server.url(), Reporter::new().0).build().unwrap();
    let serve = async { drop(server.opening().await.answer(b"HTTP/1.1 101 Switching Pro").await) };
    let (started, ()) = within(async { tokio::join!(prepared.start(), serve) }).await;
    assert_eq!(connect_error(started.unwrap_err()).kind(), ConnectErrorKind::Io);
}

#[tokio::test]
async fn nobody_at_the_address_fails_the_start_as_connect() {
    let free = RawServer::bind().await;
    let url = free.url();
    drop(free);
    let error =
        within(builder(&url, Reporter::new().0).build().unwrap().start()).await.unwrap_err();
    assert_eq!(connect_error(error).kind(), ConnectErrorKind::Connect);
}

#[tokio::test]
async fn a_name_that_nobody_knows_fails_the_start_as_resolve() {
    let tcp = TcpConnector::default().resolver(StaticResolver::new());
    let transport = Chosen::transport(Dialer::default().tcp(tcp));
    let prepared = Engine::builder(transport, Reporter::new().0).url("wss://unknown.example/");
    let error = within(prepared.build().unwrap().start()).await.unwrap_err();
    assert_eq!(connect_error(error).kind(), ConnectErrorKind::Resolve);
}

#[tokio::test]
async fn e06_a_server_that_never_answers_is_given_up() {
    let server = RawServer::bind().await;
    let limit = Duration::from_millis(300);
    let prepared =
        builder(&server.url(), Reporter::new().0).connect_timeout(limit).build().unwrap();
    let began = Instant::now();
    let (started, _silent) =
        within(async { tokio::join!(prepared.start(), server.stream()) }).await;
    let error = connect_error(started.unwrap_err());
    assert!(
        matches!(error.kind(), ConnectErrorKind::Timeout(Phase::Whole | Phase::Upgrade)),
        "{error:?}"
    );
    assert!(began.elapsed() >= limit);
}

#[tokio::test]
async fn e06_a_stop_does_not_wait_for_a_handshake_that_hangs() {
    let server = RawServer::bind().await;
    let prepared = builder(&server.url(), Reporter::new().0)
        .connect_timeout(Duration::from_secs(3600))
        .build()
        .unwrap();
    let control = prepared.control();
    let exit = async {
        let mut silent = server.opening().await.answer(b"").await;
        control.exit();
        assert_eq!(silent.frame().await, None);
    };
    let (started, ()) = within(async { tokio::join!(prepared.start(), exit) }).await;
    assert!(matches!(started, Err(StartError::Stopped)), "{started:?}");
}

#[tokio::test]
async fn e07_the_host_header_has_the_port() {
    let server = RawServer::bind().await;
    let prepared = builder(&server.url(), Reporter::new().0).build().unwrap();
    let serve = async {
        let opening = server.opening().await;
        let host = opening.header("host").map(str::to_owned);
        (host, opening.accept().await)
    };
    let (engine, (host, _connection)) =
        within(async { tokio::join!(prepared.start(), serve) }).await;
    assert_eq!(host, Some(format!("127.0.0.1:{}", server.port())));
    drop(engine.unwrap());
}

#[tokio::test]
async fn e10_a_401_ends_the_start_and_shows_the_answer() {
    let server = RawServer::bind().await;
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(&server.url(), reporter).build().unwrap();
    let status = prepared.control().status();
    let challenge =
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n";
    let serve = async { server.opening().await.answer(challenge).await };
    let (started, _connection) = within(async { tokio::join!(prepared.start(), serve) }).await;
    let error = connect_error(started.unwrap_err());
    assert_eq!(error.kind(), ConnectErrorKind::Status);
    assert_eq!(error.response().unwrap().headers["www-authenticate"], "Bearer");
    assert!(matches!(*status.borrow(), wscengine::Status::Stopped { .. }));
    assert!(events.already().is_none());
    assert!(error.source().is_none_or(|source| !source.to_string().is_empty()));
}
