//! The opening handshake, server side (RFC 6455 section 4.2), on hyper's upgrade.

use axum::http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::OnUpgrade;
use sha1::{Digest as _, Sha1};

/// The one protocol version there is (RFC 6455 section 4.1, item 9).
const VERSION: &str = "13";

/// What the accepted key is made of beside the client's (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request whose opening handshake has passed every check.
///
/// The endpoint answers with [`response`](Self::response); once that has been sent, the
/// [`OnUpgrade`] gives the raw byte stream.
#[derive(Debug)]
pub(crate) struct Upgrade {
    accept: HeaderValue,
    on_upgrade: OnUpgrade,
}

/// What was wrong with an opening handshake. As a response it has the status given with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The method is not GET: 405 (RFC 6455 section 4.2.1, item 1).
    #[error("a WebSocket handshake is a GET request")]
    Method,
    /// The request is older than HTTP/1.1, or newer, where upgrades work differently: 505.
    #[error("a WebSocket handshake is an HTTP/1.1 request")]
    HttpVersion,
    /// There is no Host header: 400 (item 2).
    #[error("the Host header is missing")]
    Host,
    /// `Upgrade` does not name websocket, most likely because this is a plain request: 426 (item 3).
    #[error("this is a WebSocket endpoint: the Upgrade header must name websocket")]
    Upgrade,
    /// `Connection` does not name upgrade: 400 (item 4). Often the work of a proxy.
    #[error("the Connection header must name upgrade")]
    Connection,
    /// The version is missing or is not 13: 426 with the version we speak (section 4.4).
    #[error("the Sec-WebSocket-Version header must be 13")]
    ProtocolVersion,
    /// The key is missing, repeated, or not the base64 of 16 bytes: 400 (item 5).
    #[error("the Sec-WebSocket-Key header must be the base64 form of 16 bytes")]
    Key,
    /// The HTTP server in front of this router cannot hand over its connection: 500.
    #[error("this server cannot upgrade connections")]
    NotUpgradable,
}

impl Upgrade {
    /// Checks a request, and takes the promise of its connection if all is well.
    pub(crate) fn take(parts: &mut Parts) -> Result<Self, HandshakeError> {
        let accept = check(parts)?;
        let on_upgrade =
            parts.extensions.remove::<OnUpgrade>().ok_or(HandshakeError::NotUpgradable)?;
        Ok(Self { accept, on_upgrade })
    }

    /// The 101 response and, apart from it, the promise of the connection.
    pub(crate) fn response(self) -> (Response, OnUpgrade) {
        let headers = [
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        let response = (StatusCode::SWITCHING_PROTOCOLS, headers).into_response();
        (response, self.on_upgrade)
    }
}

/// The checks of RFC 6455 section 4.2.1 in its order; the value of Sec-WebSocket-Accept if all hold.
fn check(parts: &Parts) -> Result<HeaderValue, HandshakeError> {
    let headers = &parts.headers;
    if parts.method != Method::GET {
        return Err(HandshakeError::Method);
    }
    if parts.version != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if !headers.contains_key(HOST) {
        return Err(HandshakeError::Host);
    }
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(HandshakeError::Connection);
    }
    if only_value(headers, &SEC_WEBSOCKET_VERSION) != Some(VERSION.as_bytes()) {
        return Err(HandshakeError::ProtocolVersion);
    }
    let key = only_value(headers, &SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?;
    if !matches!(STANDARD.decode(key), Ok(nonce) if nonce.len() == 16) {
        return Err(HandshakeError::Key);
    }
    HeaderValue::try_from(accept(key)).map_err(|_| HandshakeError::Key)
}

/// The value of Sec-WebSocket-Accept (section 4.2.2, item 5.4).
fn accept(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Whether a header that is a list of tokens, over one or several lines, has this one.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(token))
}

/// The value of a header that must occur exactly once.
fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next()?;
    lines.next().is_none().then(|| value.as_bytes())
}

impl HandshakeError {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::HttpVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Upgrade | Self::ProtocolVersion => StatusCode::UPGRADE_REQUIRED,
            Self::Host | Self::Connection | Self::Key => StatusCode::BAD_REQUEST,
            Self::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for HandshakeError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Method => {
                headers.insert(axum::http::header::ALLOW, HeaderValue::from_static("GET"));
            }
            // A 426 must say what to upgrade to (RFC 9110 section 15.5.22), and hyper leaves the
            // Connection header that goes with it to us.
            Self::Upgrade | Self::ProtocolVersion => {
                headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            Self::HttpVersion | Self::Host | Self::Connection | Self::Key | Self::NotUpgradable => {
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455_has_the_accepted_key_that_it_says() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
