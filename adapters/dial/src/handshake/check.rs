//! The checks on an answer of status 101: RFC 6455 section 4.1, "the client MUST validate".

use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use wscengine::HandlerError;

use super::head::Head;
use super::request::Opening;
use crate::extension::Extension;

/// What the server chose of what was offered.
pub(super) struct Chosen {
    pub(super) subprotocol: Option<String>,
    pub(super) extensions: Vec<Extension>,
}

/// What the server chose, if everything about the answer is right; else what is not.
pub(super) fn chosen(head: &Head, opening: &Opening) -> Result<Chosen, HandlerError> {
    let headers = &head.headers;
    if head.minor_version != 1 {
        return Err("the answer is HTTP/1.0".into());
    }
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err("the header upgrade does not say websocket".into());
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err("the header connection does not say upgrade".into());
    }
    check_accept(headers, opening)?;
    let extensions = extensions(headers, opening)?;
    Ok(Chosen { subprotocol: subprotocol(headers, opening)?, extensions })
}

fn check_accept(headers: &HeaderMap, opening: &Opening) -> Result<(), &'static str> {
    match single(headers, &SEC_WEBSOCKET_ACCEPT) {
        Ok(Some(value)) if value == opening.accept().as_bytes() => Ok(()),
        Ok(Some(_)) => Err("the header sec-websocket-accept is wrong"),
        Ok(None) => Err("the header sec-websocket-accept is missing"),
        Err(Repeated) => Err("the header sec-websocket-accept is repeated"),
    }
}

/// Several headers count as one list (RFC 6455 section 9.1).
fn extensions(headers: &HeaderMap, opening: &Opening) -> Result<Vec<Extension>, HandlerError> {
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    let values: Vec<_> = values.map(HeaderValue::as_bytes).collect();
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let accepted = Extension::parse_list(&values.join(&b','))?;
    for Extension { name, .. } in &accepted {
        let times = |list: &[Extension]| list.iter().filter(|one| one.name == *name).count();
        match (times(opening.extensions()), times(&accepted)) {
            (0, _) => return Err("the server uses an extension that was not offered".into()),
            (offered, accepted) if accepted > offered => {
                return Err("the server uses an extension more often than it was offered".into());
            }
            _ => {}
        }
    }
    Ok(accepted)
}

fn subprotocol(headers: &HeaderMap, opening: &Opening) -> Result<Option<String>, &'static str> {
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
