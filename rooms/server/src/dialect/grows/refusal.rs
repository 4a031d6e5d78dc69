//! The refusals of the original server.

use std::future::{Ready, ready};

use axum::http::header::{ALLOW, CONNECTION, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::handshake::HandshakeError;

/// Status 404 in the words of groWs, for paths that no route leads to:
/// [`fallback`](axum::Router::fallback)`(grows::not_found)`.
///
/// # Examples
/// ```
/// use wscengine_rooms_server::grows::{self, Grows};
/// use wscengine_rooms_server::{Config, Rooms};
///
/// let rooms = Rooms::new(Config::default());
/// let app: axum::Router = rooms.grows(Grows::new()).fallback(grows::not_found);
/// # let _ = app;
/// ```
pub fn not_found() -> Ready<(StatusCode, &'static str)> {
    ready((StatusCode::NOT_FOUND, "404 page not found\n"))
}

/// A middleware said no.
pub(super) fn forbidden() -> Response {
    (StatusCode::FORBIDDEN, "Forbidden\n").into_response()
}

/// The request is no handshake.
pub(super) fn no_handshake(error: HandshakeError) -> Response {
    use HandshakeError as E;

    let (status, what) = match error {
        E::Method => (StatusCode::METHOD_NOT_ALLOWED, "bad HTTP request method"),
        E::HttpVersion => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "bad HTTP protocol version"),
        E::Host => (StatusCode::BAD_REQUEST, r#"bad "Host" header"#),
        E::Upgrade => (StatusCode::BAD_REQUEST, r#"bad "Upgrade" header"#),
        E::Connection => (StatusCode::BAD_REQUEST, r#"bad "Connection" header"#),
        E::ProtocolVersion => {
            (StatusCode::UPGRADE_REQUIRED, r#"bad "Sec-WebSocket-Version" header"#)
        }
        E::Key => (StatusCode::BAD_REQUEST, r#"bad "Sec-WebSocket-Key" header"#),
        E::NotUpgradable => return error.into_response(),
    };
    let mut response = (status, format!("handshake error: {what}")).into_response();
    let headers = response.headers_mut();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
        }
        // It says what to upgrade to (RFC 9110 section 15.5.22).
        StatusCode::UPGRADE_REQUIRED => {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        _ => {}
    }
    response
}
