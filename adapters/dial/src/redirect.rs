//! Redirects of the opening handshake: RFC 9110 section 15.4, allowed by RFC 6455 section 4.1.

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, LOCATION, PROXY_AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use url::Url;
use wscengine::transport::{ConnectRequest, HandshakeResponse};
use wscengine::{ConnectError, ConnectErrorKind};

/// Headers that are meant for one origin alone.
const FOR_ONE_ORIGIN: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST];

/// Which redirects a dial follows: by default none, and a redirect is a refusal like any other.
///
/// Followed are the statuses 301, 302, 303, 307 and 308 with a `Location`, relative or not; `http` and `https` in it
/// mean `ws` and `wss`. To another origin (scheme, host or port) neither the credentials of the URL go along, nor the
/// headers `Authorization`, `Cookie`, `Proxy-Authorization` and `Host`; all other headers and the subprotocols do. A server
/// that hands out a redirect decides where they go: follow it only if you trust it with them. A client certificate of the
/// [`TlsConfig`](crate::TlsConfig) is shown to each server on the way that is trusted and asks for one.
/// [`Dialed::url`](crate::Dialed::url) says where the dial ended.
///
/// # Examples
/// ```
/// use wscengine_dial::{Dialer, Redirects};
///
/// let dialer = Dialer::default().redirects(Redirects::up_to(5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    most: u8,
    to_plain: bool,
}

impl Redirects {
    /// None: the default.
    pub fn none() -> Self {
        Self::default()
    }

    /// As many in one dial, one after the other; one more is an error, so that a loop comes to its end.
    pub fn up_to(most: u8) -> Self {
        Self { most, ..Self::default() }
    }

    /// Whether to follow a redirect from `wss` to `ws` too. Off by default: all that is sent could be read then.
    #[must_use]
    pub fn allow_plain(mut self, allow: bool) -> Self {
        self.to_plain = allow;
        self
    }

    /// Whether an answer with this status is followed at all: its body is of no use then.
    pub(crate) fn follow(self, status: StatusCode) -> bool {
        self.most > 0 && is_redirect(status)
    }

    /// The request to be sent after this refusal, the so manieth of the dial; `None` if it is no redirect.
    ///
    /// # Errors
    /// `Redirect`, if it leads to where the dial may not go.
    pub(crate) fn next(
        self,
        request: &ConnectRequest,
        refusal: &ConnectError,
        followed: u8,
    ) -> Result<Option<ConnectRequest>, ConnectError> {
        let Some(response) = refusal.response().filter(|response| self.follow(response.status))
        else {
            return Ok(None);
        };
        let Some(location) = response.headers.get(LOCATION) else { return Ok(None) };
        let refused = |problem| {
            ConnectError::with_source(ConnectErrorKind::Redirect, problem)
                .with_response(HandshakeResponse::clone(response))
        };
        if followed >= self.most {
            return Err(refused("the server redirects too often"));
        }
        let url = target(&request.url, location).map_err(refused)?;
        if request.url.scheme() == "wss" && url.scheme() == "ws" && !self.to_plain {
            return Err(refused("the server redirects from wss to ws"));
        }
        Ok(Some(redirected(request, url)))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a `Location` leads to from `base`.
fn target(base: &Url, location: &HeaderValue) -> Result<Url, &'static str> {
    let location = str::from_utf8(location.as_bytes()).map_err(|_| "the location is no text")?;
    let mut url = base.join(location).map_err(|_| "the location is no URL")?;
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err("the location is neither ws nor wss"),
    };
    url.set_scheme(scheme).map_err(|()| "the location is neither ws nor wss")?;
    url.set_fragment(None);
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the location has no host");
    }
    Ok(url)
}

/// The same request for another URL, without what is meant for the first one's origin alone.
fn redirected(request: &ConnectRequest, mut url: Url) -> ConnectRequest {
    let mut next = request.clone();
    // Credentials in a location are nobody's that we know: only our own go on, and only to where they belong. Setting
    // them fails for URLs without a host, which this is not.
    let stays = url.origin() == request.url.origin();
    let (user, password) =
        if stays { (request.url.username(), request.url.password()) } else { ("", None) };
    let _ = url.set_username(user);
    let _ = url.set_password(password);
    if !stays {
        for name in FOR_ONE_ORIGIN {
            next.headers.remove(name);
        }
    }
    next.url = url;
    next
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn request(url: &str) -> ConnectRequest {
        let mut request = ConnectRequest::new(url.parse().unwrap());
        for name in ["authorization", "cookie", "proxy-authorization", "host", "x-own"] {
            request.headers.insert(name, HeaderValue::from_static("v"));
        }
        request
    }

    fn refusal(status: u16, location: Option<&str>) -> ConnectError {
        let mut headers = HeaderMap::new();
        if let Some(location) = location {
            headers.insert(LOCATION, HeaderValue::from_bytes(location.as_bytes()).unwrap());
        }
        let mut response = HandshakeResponse::accepted();
        response.status = StatusCode::from_u16(status).unwrap();
        response.headers = headers;
        ConnectError::new(ConnectErrorKind::Status).with_response(response)
    }

    fn next(from: &str, to: &str) -> Result<ConnectRequest, ConnectError> {
        let redirects = Redirects::up_to(1);
        Ok(redirects.next(&request(from), &refusal(302, Some(to)), 0)?.unwrap())
    }

    #[test]
    fn locations_are_taken_relative_and_by_their_http_names() {
        for (from, to, expected) in [
            ("ws://h/a/b", "c", "ws://h/a/c"),
            ("ws://h/a/b?q", "/c?d", "ws://h/c?d"),
            ("ws://h/a", "?x=y", "ws://h/a?x=y"),
            ("wss://h/a", "//other/b", "wss://other/b"),
            ("ws://h/a", "http://other:81/", "ws://other:81/"),
            ("ws://h/a", "http://other:80/", "ws://other/"),
            ("ws://h/a", "https://other/b#part", "wss://other/b"),
            ("ws://h:8080/a", "wss://h/", "wss://h/"),
            ("ws://h/a", "HTTPS://Other", "wss://other/"),
        ] {
            assert_eq!(next(from, to).unwrap().url.as_str(), expected, "{from} {to}");
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        for (from, to, expected, stay) in [
            ("ws://u:p@h/a", "/b", "ws://u:p@h/b", true),
            ("ws://u:p@h/a", "http://h:80/b", "ws://u:p@h/b", true),
            ("ws://u:p@h/a", "ws://x:y@h/b", "ws://u:p@h/b", true),
            ("ws://u:p@h/a", "ws://h:81/b", "ws://h:81/b", false),
            ("ws://u:p@h/a", "wss://h/b", "wss://h/b", false),
            ("ws://u:p@h/a", "ws://other/b", "ws://other/b", false),
            ("ws://u:p@h/a", "ws://x:y@other/b", "ws://other/b", false),
            ("ws://u:p@h/a", "ws://sub.h/b", "ws://sub.h/b", false),
        ] {
            let next = next(from, to).unwrap();
            assert_eq!(next.url.as_str(), expected, "{from} {to}");
            for name in FOR_ONE_ORIGIN {
                assert_eq!(next.headers.contains_key(&name), stay, "{name}: {from} {to}");
            }
            assert!(next.headers.contains_key("x-own"));
        }
    }

    #[test]
    fn what_is_dropped_once_does_not_come_back() {
        let away = next("ws://u:p@h/a", "ws://other/").unwrap();
        let back = Redirects::up_to(2).next(&away, &refusal(302, Some("ws://h/a")), 1);
        let back = back.unwrap().unwrap();
        assert_eq!(back.url.as_str(), "ws://h/a");
        assert!(!back.headers.contains_key(AUTHORIZATION));
    }

    #[test]
    fn where_a_dial_may_not_go_is_a_redirect_error() {
        for (from, to) in [
            ("wss://h/", "ws://h/"),
            ("wss://h/", "http://other/"),
            ("ws://h/", "ftp://h/"),
            ("ws://h/", "mailto:someone@h"),
            ("ws://h/", "data:,"),
            ("ws://h/", "http://"),
            ("ws://h/", "ws://h:99999/"),
            ("ws://h/", "//"),
            ("ws://h/", "ws://h\u{a0}/%"),
        ] {
            let error = next(from, to).expect_err(to);
            assert_eq!(error.kind(), ConnectErrorKind::Redirect, "{to}");
            assert_eq!(error.response().unwrap().status, 302);
        }
        let plain = Redirects::up_to(1).allow_plain(true);
        let next = plain.next(&request("wss://h/"), &refusal(302, Some("ws://h/")), 0);
        assert_eq!(next.unwrap().unwrap().url.as_str(), "ws://h/");
    }

    #[test]
    fn only_redirects_with_a_location_are_followed_and_so_many() {
        let from = request("ws://h/");
        for (redirects, status, location, followed) in [
            (Redirects::none(), 302, Some("/a"), 0),
            (Redirects::up_to(1), 302, None, 0),
            (Redirects::up_to(1), 300, Some("/a"), 0),
            (Redirects::up_to(1), 304, Some("/a"), 0),
            (Redirects::up_to(1), 404, Some("/a"), 0),
            (Redirects::up_to(1), 201, Some("/a"), 0),
        ] {
            let next = redirects.next(&from, &refusal(status, location), followed);
            assert!(next.unwrap().is_none(), "{status}");
        }
        for status in [301, 302, 303, 307, 308] {
            let refusal = refusal(status, Some("/a"));
            assert!(Redirects::up_to(2).next(&from, &refusal, 1).unwrap().is_some(), "{status}");
            let error = Redirects::up_to(2).next(&from, &refusal, 2).unwrap_err();
            assert_eq!(error.kind(), ConnectErrorKind::Redirect, "{status}");
        }
    }
}
