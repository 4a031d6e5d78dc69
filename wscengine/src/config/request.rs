//! URL, headers and subprotocols, as they were given: to the builder, or by a request factory.

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::wrong;
use crate::error::ConfigError;
use crate::factory::HandshakeRequest;

pub(crate) fn parse_url(url: Option<&str>) -> Result<Url, ConfigError> {
    let Some(url) = url else { return wrong("url", "must be given") };
    // The text is not shown: it may hold credentials.
    let url = Url::parse(url).map_err(|error| {
        ConfigError::new("url", format!("must begin with ws:// or wss:// and a host: {error}"))
    })?;
    check_url(&url)?;
    Ok(url)
}

fn check_url(url: &Url) -> Result<(), ConfigError> {
    if !matches!(url.scheme(), "ws" | "wss") {
        let scheme = url.scheme();
        return wrong("url", format!("must begin with ws:// or wss://, not with `{scheme}:`"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return wrong("url", "must have a host");
    }
    if url.fragment().is_some() {
        return wrong("url", "must not have a fragment (RFC 6455 section 3)");
    }
    if url.port() == Some(0) {
        return wrong("url", "must not have port 0");
    }
    Ok(())
}

pub(super) fn parse_headers(headers: Vec<(String, String)>) -> Result<HeaderMap, ConfigError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        add_header(&mut map, &name, &value)?;
    }
    Ok(map)
}

pub(crate) fn add_header(map: &mut HeaderMap, name: &str, value: &str) -> Result<(), ConfigError> {
    let Ok(name) = HeaderName::try_from(name) else {
        return wrong("header", format!("name `{}` is not valid", name.escape_debug()));
    };
    check_name(&name)?;
    check_count(map.len() + 1)?;
    // The value is not shown: it may be a secret.
    let Ok(value) = HeaderValue::try_from(value) else {
        return wrong("header", format!("`{name}` has a value that is not valid"));
    };
    map.append(name, value);
    Ok(())
}

fn check_name(name: &HeaderName) -> Result<(), ConfigError> {
    if RESERVED.contains(&name.as_str()) { wrong("header", reserved(name)) } else { Ok(()) }
}

/// Far more than any server takes, and far less than a map can hold.
const MOST_HEADERS: usize = 1_024;

fn check_count(headers: usize) -> Result<(), ConfigError> {
    if headers > MOST_HEADERS {
        return wrong("header", format!("must not be given more than {MOST_HEADERS} times"));
    }
    Ok(())
}

/// Checks what a request factory gave, as the builder checks what it was given.
pub(crate) fn check_request(request: &HandshakeRequest) -> Result<(), ConfigError> {
    check_url(&request.url)?;
    request.headers.keys().try_for_each(check_name)?;
    check_count(request.headers.len())?;
    check_subprotocols(&request.subprotocols)
}

pub(super) fn check_subprotocols(names: &[String]) -> Result<(), ConfigError> {
    for (at, name) in names.iter().enumerate() {
        if !is_token(name) {
            // It is not shown: some carry a token of the other kind.
            let problem = format!("number {} is not a token (RFC 9110 section 5.6.2)", at + 1);
            return wrong("subprotocol", problem);
        }
        if names[..at].contains(name) {
            return wrong("subprotocol", format!("number {} is offered twice", at + 1));
        }
    }
    Ok(())
}

fn reserved(name: &HeaderName) -> String {
    match name.as_str() {
        "sec-websocket-protocol" => {
            "`sec-websocket-protocol` has an option of its own: subprotocol".to_owned()
        }
        name => format!("`{name}` is set by the handshake itself"),
    }
}

/// Whether this is a token of RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// Headers of RFC 6455 section 4.1 that are not the user's to choose; subprotocols have an option of their own.
const RESERVED: [&str; 8] = [
    "connection",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "content-length",
];
