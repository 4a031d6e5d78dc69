//! Who may come in, in the order and the words of the original.

use std::sync::Arc;

use axum::http::header::{
    ALLOW, CONNECTION, COOKIE, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use wscengine_rooms_protocol::easy;

use crate::guard::Origins;
use crate::handshake::HandshakeError;

/// The value of the first cookie `auth`, if it is one that a cookie may have.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|one| one.split_once('='));
    cookies.find_map(|(name, value)| {
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = bare.unwrap_or(value);
        let is_valid =
            value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte));
        (name.trim() == easy::COOKIE && is_valid).then(|| value.to_owned())
    })
}

/// Why a client does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no token, or not a good one.
    Authentication,
    Method,
    /// It is no upgrade, or not to the version that there is.
    Upgrade,
    Origin,
    /// The rest of RFC 6455 section 4.2.1.
    Request,
    /// It gets no session.
    Session,
}

/// What RFC 6455 and the origin of the page say, for one whose token is good.
pub(super) fn check(
    headers: &HeaderMap,
    handshake: Result<(), HandshakeError>,
    origins: &Origins,
) -> Result<(), Refused> {
    use HandshakeError as Wrong;

    match handshake {
        Err(Wrong::Method) => Err(Refused::Method),
        Err(Wrong::Upgrade | Wrong::Connection | Wrong::ProtocolVersion) => Err(Refused::Upgrade),
        _ if !origins.accept(headers) => Err(Refused::Origin),
        Err(Wrong::Host | Wrong::Key | Wrong::HttpVersion) => Err(Refused::Request),
        Err(Wrong::NotUpgradable) => Err(Refused::Session),
        Ok(()) => Ok(()),
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        const VERSION: (HeaderName, &str) = (SEC_WEBSOCKET_VERSION, "13");
        match self {
            Self::Authentication => {
                (StatusCode::FORBIDDEN, "Authentication failed\n").into_response()
            }
            Self::Origin => (StatusCode::FORBIDDEN, "Forbidden\n").into_response(),
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")], "Method Not Allowed\n")
                    .into_response()
            }
            Self::Upgrade => {
                // A 426 says what to upgrade to (RFC 9110 section 15.5.22).
                let headers = [(CONNECTION, "Upgrade"), (UPGRADE, "websocket"), VERSION];
                (StatusCode::UPGRADE_REQUIRED, headers, "Upgrade Required\n").into_response()
            }
            Self::Request => (StatusCode::BAD_REQUEST, [VERSION], "Bad Request\n").into_response(),
            Self::Session => {
                let body = "Server failed to initialize session\n";
                (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
            }
        }
    }
}

/// The subprotocol, if the client offers it.
pub(super) fn subprotocol(headers: &HeaderMap) -> HeaderMap {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let confirmed = offered.any(|name| name.trim() == easy::SUBPROTOCOL);
    let ours = (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(easy::SUBPROTOCOL));
    confirmed.then_some(ours).into_iter().collect()
}

/// A random UUID (version 4).
pub(super) fn session_id(
    fill: impl FnOnce(&mut [u8]) -> Result<(), getrandom::Error>,
) -> Result<Arc<str>, Refused> {
    let mut bytes = [0; 16];
    fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "a session gets no id");
        Refused::Session
    })?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn the_token_is_the_value_of_the_first_cookie_of_that_name() {
        for (lines, expected) in [
            (&["auth=valid"][..], Some("valid")),
            (&["a=1; auth=valid; auth=other"], Some("valid")),
            (&["a=1", "auth=a=b"], Some("a=b")),
            (&["auth=\"quoted\""], Some("quoted")),
            (&["auth="], Some("")),
            (&["auth=a\\b; auth=next"], Some("next")),
            (&["auth", "Auth=x", "xauth=x", ""], None),
            (&[], None),
        ] {
            assert_eq!(token(&headers(&COOKIE, lines)).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_subprotocol_is_confirmed_if_it_is_offered() {
        let ours = headers(&SEC_WEBSOCKET_PROTOCOL, &["cmd.fossores.de"]);
        let confirmed =
            |lines: &[&'static str]| subprotocol(&headers(&SEC_WEBSOCKET_PROTOCOL, lines));
        for lines in [&["foo, cmd.fossores.de"][..], &["foo", "cmd.fossores.de ,bar"]] {
            assert_eq!(confirmed(lines), ours, "{lines:?}");
        }
        for lines in [&[][..], &["foo"], &["cmd.fossores.de.x"], &["CMD.fossores.de"]] {
            assert_eq!(confirmed(lines), HeaderMap::new(), "{lines:?}");
        }
    }

    #[test]
    fn who_cannot_be_given_an_id_is_refused_with_500() {
        let refusal = session_id(|_| Err(getrandom::Error::UNSUPPORTED)).unwrap_err();
        assert_eq!(refusal.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
        let id = session_id(|bytes| {
            bytes.fill(0xff);
            Ok(())
        });
        assert_eq!(&*id.unwrap(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
