//! A tunnel through an HTTP proxy: `CONNECT` (RFC 9110 section 9.3.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use wscengine::{ConnectError, ConnectErrorKind, Phase};

use super::{Credentials, ProxyError, ProxyErrorKind, failed};
use crate::connector::Target;
use crate::handshake::{Answer, Deadlines, Exchange};

/// Whether all headers are the user's to set.
pub(super) fn check(headers: &HeaderMap) -> Result<(), ProxyError> {
    match [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| headers.contains_key(name)) {
        true => Err(ProxyErrorKind::Header.into()),
        false => Ok(()),
    }
}

pub(super) async fn connect<S>(
    stream: &mut S,
    target: &Target,
    credentials: Option<&Credentials>,
    headers: &HeaderMap,
    deadlines: Deadlines,
) -> Result<(), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = render(target, credentials, headers)?;
    let exchange =
        Exchange { request: &request, deadlines, phase: Phase::Proxy, keeps_body: &|_| true };
    let answer = exchange.run(stream).await.map_err(|error| match error.kind() {
        ConnectErrorKind::Timeout(_) => error,
        _ => failed(error),
    })?;
    judge(answer)
}

fn judge(answer: Answer) -> Result<(), ConnectError> {
    let status = answer.head.status;
    if !status.is_success() {
        let kind = match status {
            // Nothing was forwarded yet: a 401 is the proxy's own too. tinyproxy says so of a wrong password.
            StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED => {
                ConnectErrorKind::ProxyAuth
            }
            _ => ConnectErrorKind::Proxy,
        };
        return Err(ConnectError::new(kind).with_response(answer.into_response()));
    }
    // Neither a TLS server nor a WebSocket server speaks first: it cannot be the host's.
    if !answer.leftover.is_empty() {
        return Err(failed("the proxy sent data behind its answer"));
    }
    Ok(())
}

fn render(
    target: &Target,
    credentials: Option<&Credentials>,
    headers: &HeaderMap,
) -> Result<Vec<u8>, ConnectError> {
    let authority = authority(target)?;
    let mut out = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let (Some(credentials), false) = (credentials, headers.contains_key(PROXY_AUTHORIZATION)) {
        out.extend_from_slice(b"Proxy-Authorization: Basic ");
        out.extend_from_slice(credentials.basic().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

/// Host and port; an IPv6 address in brackets.
fn authority(Target { host, port }: &Target) -> Result<String, ConnectError> {
    let breaks_out = |byte: u8| byte <= b' ' || byte == 0x7f || b"@/?#".contains(&byte);
    if host.is_empty() || host.bytes().any(breaks_out) {
        let problem = "the host's name cannot stand in a request";
        return Err(ConnectError::with_source(ConnectErrorKind::InvalidRequest, problem));
    }
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

impl Credentials {
    /// RFC 7617 section 2.
    fn basic(&self) -> String {
        STANDARD.encode([&self.user[..], b":", &self.password[..]].concat())
    }
}
