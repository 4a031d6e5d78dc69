//! The request of the opening handshake: RFC 6455 section 4.1.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use sha1::{Digest, Sha1};
use url::Url;
use wscengine::transport::ConnectRequest;
use wscengine::{ConnectError, ConnectErrorKind};

use crate::extension::{Extension, is_token};

/// What the key is hashed with (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Headers that are not the user's to set: those of the handshake, and those that would announce a body.
const RESERVED: [HeaderName; 9] = [
    UPGRADE,
    CONNECTION,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
];

/// A request ready to be sent, and what its answer is checked against.
pub(crate) struct Opening {
    bytes: Vec<u8>,
    accept: String,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

impl Opening {
    /// Checks the request and the extensions offered with it, and draws its key.
    ///
    /// # Errors
    /// `InvalidRequest` for a request that cannot be sent; `Other` if the system gives no random numbers.
    pub(crate) fn new(
        request: &ConnectRequest,
        offers: &[Extension],
    ) -> Result<Self, ConnectError> {
        check_scheme(&request.url)?;
        check_headers(&request.headers)?;
        check_subprotocols(&request.subprotocols)?;
        check_offers(offers)?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)
            .map_err(|error| ConnectError::with_source(ConnectErrorKind::Other, error))?;
        let key = STANDARD.encode(nonce);
        Ok(Self {
            bytes: render(request, offers, &key)?,
            accept: accept_of(&key),
            subprotocols: request.subprotocols.clone(),
            extensions: offers.to_vec(),
        })
    }

    /// The request as it goes out.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The only right value of `Sec-WebSocket-Accept`.
    pub(super) fn accept(&self) -> &str {
        &self.accept
    }

    /// The subprotocols offered.
    pub(super) fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The extensions offered.
    pub(super) fn extensions(&self) -> &[Extension] {
        &self.extensions
    }
}

/// The header block: the handshake's own headers first, then the user's in their order.
fn render(
    request: &ConnectRequest,
    offers: &[Extension],
    key: &str,
) -> Result<Vec<u8>, ConnectError> {
    let url = &request.url;
    let mut out = Lines::default();
    out.start(url);
    match request.headers.get(HOST) {
        Some(host) => out.header("Host", host.as_bytes()),
        None => out.header("Host", host_of(url)?.as_bytes()),
    }
    out.header("Upgrade", b"websocket");
    out.header("Connection", b"Upgrade");
    out.header("Sec-WebSocket-Key", key.as_bytes());
    out.header("Sec-WebSocket-Version", b"13");
    if !request.subprotocols.is_empty() {
        out.header("Sec-WebSocket-Protocol", request.subprotocols.join(", ").as_bytes());
    }
    if !offers.is_empty() {
        let offers: Vec<_> = offers.iter().map(ToString::to_string).collect();
        out.header("Sec-WebSocket-Extensions", offers.join(", ").as_bytes());
    }
    if !request.headers.contains_key(AUTHORIZATION)
        && let Some(credentials) = credentials_of(url)?
    {
        out.header("Authorization", credentials.as_bytes());
    }
    for (name, value) in request.headers.iter().filter(|(name, _)| **name != HOST) {
        out.header(name.as_str(), value.as_bytes());
    }
    Ok(out.end())
}

/// Lines of a header block. Names and values hold no line break: their types see to that.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn start(&mut self, url: &Url) {
        self.0.extend_from_slice(b"GET ");
        self.0.extend_from_slice(url.path().as_bytes());
        if let Some(query) = url.query() {
            self.0.push(b'?');
            self.0.extend_from_slice(query.as_bytes());
        }
        self.0.extend_from_slice(b" HTTP/1.1\r\n");
    }

    fn header(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"\r\n");
        self.0
    }
}

/// The authority without credentials; an IPv6 address in brackets, the port only if it is not the scheme's.
fn host_of(url: &Url) -> Result<String, ConnectError> {
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(invalid("the scheme of the URL is neither ws nor wss"));
    }
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| invalid("the URL has no host"))?;
    Ok(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// The user and password of the URL as basic credentials (RFC 7617).
fn credentials_of(url: &Url) -> Result<Option<String>, ConnectError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut plain: Vec<u8> = percent_decode_str(url.username()).collect();
    if plain.contains(&b':') {
        return Err(invalid("the user name in the URL has a colon in it"));
    }
    plain.push(b':');
    plain.extend(percent_decode_str(url.password().unwrap_or_default()));
    Ok(Some(format!("Basic {}", STANDARD.encode(plain))))
}

fn check_scheme(url: &Url) -> Result<(), ConnectError> {
    match url.scheme() {
        "ws" | "wss" => Ok(()),
        _ => Err(invalid("the scheme of the URL is neither ws nor wss")),
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), ConnectError> {
    if let Some(name) = RESERVED.iter().find(|name| headers.contains_key(*name)) {
        return Err(invalid(format!("the header {name} is not the user's to set")));
    }
    match headers.get_all(HOST).iter().count() {
        0 | 1 => Ok(()),
        _ => Err(invalid("there is more than one header host")),
    }
}

fn check_subprotocols(subprotocols: &[String]) -> Result<(), ConnectError> {
    let mut seen = HashSet::new();
    for name in subprotocols {
        if !is_token(name) {
            return Err(invalid(format!("the subprotocol {name:?} is not a token")));
        }
        if !seen.insert(name) {
            return Err(invalid(format!("the subprotocol {name:?} is offered twice")));
        }
    }
    Ok(())
}

/// One extension may be offered more than once: with different parameters, the most wanted first.
fn check_offers(offers: &[Extension]) -> Result<(), ConnectError> {
    match offers.iter().find(|offer| !offer.is_valid()) {
        None => Ok(()),
        Some(offer) => {
            Err(invalid(format!("the extension {:?} is not made of tokens", offer.name)))
        }
    }
}

/// What the server has to answer to `key` (RFC 6455 section 4.2.2, item 5.4).
fn accept_of(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

fn invalid(problem: impl Into<String>) -> ConnectError {
    ConnectError::with_source(ConnectErrorKind::InvalidRequest, problem.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(url: &str) -> String {
        let opening = Opening::new(&ConnectRequest::new(url.parse().unwrap()), &[]).unwrap();
        String::from_utf8(opening.bytes).unwrap()
    }

    #[test]
    fn the_accept_value_is_the_one_of_the_rfc_example() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn host_has_the_port_only_if_it_is_not_the_default_one() {
        for (url, host) in [
            ("ws://example.com/", "example.com"),
            ("ws://example.com:80/", "example.com"),
            ("wss://example.com:443/", "example.com"),
            ("ws://example.com:443/", "example.com:443"),
            ("wss://EXAMPLE.com:8080/", "example.com:8080"),
            ("ws://[::1]:8080/", "[::1]:8080"),
            ("ws://[::1]/", "[::1]"),
            ("ws://127.0.0.1/", "127.0.0.1"),
        ] {
            assert!(
                rendered(url).contains(&format!("\r\nHost: {host}\r\n")),
                "{url}: {}",
                rendered(url)
            );
        }
    }

    #[test]
    fn the_request_line_has_path_and_query() {
        for (url, line) in [
            ("ws://h", "GET / HTTP/1.1\r\n"),
            ("ws://h/a/b", "GET /a/b HTTP/1.1\r\n"),
            ("ws://h/a?b=c d&e", "GET /a?b=c%20d&e HTTP/1.1\r\n"),
            ("ws://h?", "GET /? HTTP/1.1\r\n"),
            ("ws://h/a#part", "GET /a HTTP/1.1\r\n"),
        ] {
            assert!(rendered(url).starts_with(line), "{url}: {}", rendered(url));
        }
    }

    #[test]
    fn each_request_has_a_key_of_its_own() {
        let keys: HashSet<String> = (0..100).map(|_| rendered("ws://h/")).collect();
        assert_eq!(keys.len(), 100);
    }
}
