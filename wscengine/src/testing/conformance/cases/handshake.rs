//! The opening handshake ([RFC 6455 section 4](https://www.rfc-editor.org/rfc/rfc6455#section-4)).

use std::future::Future;
use std::pin::pin;

use http::{HeaderName, HeaderValue, StatusCode};

use super::super::client::{Client, open, open_at};
use super::super::frame::text;
use super::super::outcome::{Failure, Outcome, check, check_eq};
use super::super::peer::{Peer, Server};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::transport::{ConnectRequest, Transport};

pub(super) async fn user_headers_and_subprotocols_reach_the_server<T: Transport>(
    transport: T,
) -> Outcome {
    let server = Server::bind()?;
    let mut request = ConnectRequest::new(server.url()?);
    request.headers.insert("x-conformance", HeaderValue::from_static("first"));
    request.headers.append("x-conformance", HeaderValue::from_static("second"));
    request
        .headers
        .insert(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer token"));
    request.subprotocols = vec!["chat.v2".into(), "chat.v1".into()];
    let connect = async { Ok(transport.connect(request).await?) };
    let serve = async {
        let opening = server.accept().await?;
        let sent = &opening.request;
        check_eq!(sent.target, "/conformance?case=1", "the request target");
        check_eq!(sent.values("x-conformance"), ["first", "second"], "a header with two values");
        check_eq!(sent.values("authorization"), ["Bearer token"], "the authorization header");
        let offered = sent.values("sec-websocket-protocol").join(", ").replace(' ', "");
        check_eq!(offered, "chat.v2,chat.v1", "the subprotocols offered");
        check_eq!(sent.values("sec-websocket-version"), ["13"], "the protocol version");
        opening.upgrade().await
    };
    let (connected, _peer) = tokio::try_join!(connect, serve)?;
    check_eq!(connected.response.subprotocol, None, "the subprotocol, when the server chose none");
    Ok(())
}

pub(super) async fn the_subprotocol_that_the_server_chose_is_reported<T: Transport>(
    transport: T,
) -> Outcome {
    let server = Server::bind()?;
    let mut request = ConnectRequest::new(server.url()?);
    request.subprotocols = vec!["chat.v2".into(), "chat.v1".into()];
    let connect = async { Ok(transport.connect(request).await?) };
    let headers = "Sec-WebSocket-Protocol: chat.v1\r\nX-Node: seven\r\n";
    let serve = async { server.accept().await?.upgrade_with(headers, b"").await };
    let (connected, _peer) = tokio::try_join!(connect, serve)?;
    let response = connected.response;
    check_eq!(response.status, StatusCode::SWITCHING_PROTOCOLS, "the status");
    check_eq!(response.subprotocol.as_deref(), Some("chat.v1"), "the subprotocol");
    check_eq!(
        response.headers.get("x-node").map(HeaderValue::as_bytes),
        Some(&b"seven"[..]),
        "a response header"
    );
    Ok(())
}

pub(super) async fn a_subprotocol_that_was_not_offered_is_refused<T: Transport>(
    transport: T,
) -> Outcome {
    let error = upgraded(&transport, "Sec-WebSocket-Protocol: chat.v9\r\n").await?;
    check_eq!(error.kind(), ConnectErrorKind::Handshake, "the kind of {error}");
    Ok(())
}

pub(super) async fn status_200_is_a_refusal<T: Transport>(transport: T) -> Outcome {
    refused(&transport, "200 OK", "a page", StatusCode::OK).await
}

pub(super) async fn a_refusal_with_401_keeps_status_headers_and_body<T: Transport>(
    transport: T,
) -> Outcome {
    refused(&transport, "401 Unauthorized", "who are you?", StatusCode::UNAUTHORIZED).await
}

pub(super) async fn a_refusal_with_404_keeps_its_response<T: Transport>(transport: T) -> Outcome {
    refused(&transport, "404 Not Found", "", StatusCode::NOT_FOUND).await
}

/// The server answers with this status line and body: both, and the headers, must be in the error.
async fn refused<T: Transport>(
    transport: &T,
    line: &str,
    body: &str,
    status: StatusCode,
) -> Outcome {
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {line}\r\nContent-Length: {length}\r\nX-Reason: test\r\n\r\n{body}");
    let error = answered(transport, answer.as_bytes()).await?;
    check_eq!(error.kind(), ConnectErrorKind::Status, "the kind of {error}");
    let response = error.response().ok_or_else(|| Failure::new("the response was not kept"))?;
    check_eq!(response.status, status, "the status");
    check_eq!(
        response.headers.get("x-reason").map(HeaderValue::as_bytes),
        Some(&b"test"[..]),
        "a header"
    );
    check_eq!(response.body, body.as_bytes(), "the body");
    Ok(())
}

pub(super) async fn a_wrong_accept_value_is_an_invalid_handshake<T: Transport>(
    transport: T,
) -> Outcome {
    not_accepted(&transport, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n").await
}

pub(super) async fn a_missing_accept_value_is_an_invalid_handshake<T: Transport>(
    transport: T,
) -> Outcome {
    not_accepted(&transport, "").await
}

async fn not_accepted<T: Transport>(transport: &T, accept: &str) -> Outcome {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let error = answered(transport, format!("{head}{accept}\r\n").as_bytes()).await?;
    check_eq!(error.kind(), ConnectErrorKind::Handshake, "the kind of {error}");
    Ok(())
}

/// The error of a dial that the server accepts with these header lines.
async fn upgraded<T: Transport>(transport: &T, headers: &str) -> Outcome<ConnectError> {
    let server = Server::bind()?;
    let serve = async { server.accept().await?.upgrade_with(headers, b"").await };
    refusal(transport, &server, serve).await
}

/// The error of a dial that the server answers with these bytes.
async fn answered<T: Transport>(transport: &T, answer: &[u8]) -> Outcome<ConnectError> {
    let server = Server::bind()?;
    let serve = async { server.accept().await?.answer(answer).await };
    refusal(transport, &server, serve).await
}

/// The error of a dial, given after the server had answered.
async fn refusal<T: Transport>(
    transport: &T,
    server: &Server,
    serve: impl Future<Output = Outcome<Peer>>,
) -> Outcome<ConnectError> {
    let mut connect = pin!(transport.connect(ConnectRequest::new(server.url()?)));
    let result = tokio::select! {
        // First, so that an answer counts before what the client makes of it.
        biased;
        peer = serve => {
            let _open = peer?;
            connect.await
        }
        result = &mut connect => {
            result?;
            return Err(Failure::new("connected, and nobody had answered"));
        }
    };
    result.err().ok_or_else(|| Failure::new("the handshake was taken for a good one"))
}

pub(super) async fn bytes_right_behind_the_101_are_the_first_message<T: Transport>(
    transport: T,
) -> Outcome {
    let server = Server::bind()?;
    let mut behind = [text("first"), text("second")].concat();
    let rest = behind.split_off(behind.len() - 2);
    let connect = async { Ok(transport.connect(ConnectRequest::new(server.url()?)).await?) };
    let serve = async { server.accept().await?.upgrade_with("", &behind).await };
    let (connected, mut peer) = tokio::try_join!(connect, serve)?;
    let mut client = Client::new(connected);
    client.expect_message("first").await?;
    peer.send(&rest).await?;
    client.expect_message("second").await
}

pub(super) async fn dropping_the_connect_future_closes_the_tcp_connection<T: Transport>(
    transport: T,
) -> Outcome {
    let server = Server::bind()?;
    let mut connect = Box::pin(transport.connect(ConnectRequest::new(server.url()?)));
    let opening = tokio::select! {
        opening = server.accept() => opening?,
        result = &mut connect => {
            check!(result.is_err(), "connected, and nobody had answered");
            return Err(Failure::new("the dial failed while the server was about to answer"));
        }
    };
    drop(connect);
    opening.expect_end().await
}

pub(super) async fn dropping_the_connection_closes_the_socket<T: Transport>(
    transport: T,
) -> Outcome {
    let server = Server::bind()?;
    let (client, peer) = open_at(&transport, &server, ConnectRequest::new(server.url()?)).await?;
    drop(client);
    peer.expect_end().await?;
    // The transport serves the next dial as it did the first.
    let (mut client, mut peer) = open(&transport).await?;
    peer.send(&text("again")).await?;
    client.expect_message("again").await
}
