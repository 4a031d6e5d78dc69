//! The checks on an answer of status 101: RFC 6455 section 4.1, "the client MUST validate".

use http::HeaderMap;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};

use super::head::Head;
use super::request::Opening;

/// The subprotocol that the server chose, if everything about the answer is right; else what is not.
pub(super) fn subprotocol(head: &Head, opening: &Opening) -> Result<Option<String>, &'static str> {
    let headers = &head.headers;
    if head.minor_version != 1 {
        return Err("the answer is HTTP/1.0");
    }
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err("the header upgrade does not say websocket");
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err("the header connection does not say upgrade");
    }
    check_accept(headers, opening)?;
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err("the server uses an extension that was not offered");
    }
    chosen(headers, opening)
}

fn check_accept(headers: &HeaderMap, opening: &Opening) -> Result<(), &'static str> {
    match single(headers, &SEC_WEBSOCKET_ACCEPT) {
        Ok(Some(value)) if value == opening.accept().as_bytes() => Ok(()),
        Ok(Some(_)) => Err("the header sec-websocket-accept is wrong"),
        Ok(None) => Err("the header sec-websocket-accept is missing"),
        Err(Repeated) => Err("the header sec-websocket-accept is repeated"),
    }
}

fn chosen(headers: &HeaderMap, opening: &Opening) -> Result<Option<String>, &'static str> {
    match single(headers, &SEC_WEBSOCKET_PROTOCOL) {
        Ok(None) => Ok(None),
        Ok(Some(value)) => {
            match opening.subprotocols().iter().find(|offered| offered.as_bytes() == value) {
                Some(offered) => Ok(Some(offered.clone())),
                None => Err("the server chose a subprotocol that was not offered"),
            }
        }
        Err(Repeated) => Err("the header sec-websocket-protocol is repeated"),
    }
}

/// A header that may stand only once stands more often.
struct Repeated;

/// The value of a header that may stand at most once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Repeated);
    }
    Ok(first.map(|value| value.as_bytes().trim_ascii()))
}

/// Whether a list of tokens, in one header or several, has `token` in any case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}
