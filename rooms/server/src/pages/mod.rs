//! What a browser gets: the chat page, the status page, and the client that both kinds of pages connect with.
//!
//! The files are those of `rooms/web`, as they were when the server was compiled. They are asked for again at
//! every use and answered with 304 while they are the same: a new server has its new pages at once.

mod status;

use std::future::ready;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::Router;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::app::App;
pub(crate) use status::Status;

/// Nothing but what this server has itself; nothing written into a page runs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file: its path, its type, its content.
#[derive(Clone, Copy)]
struct File(&'static str, &'static str, &'static str);

macro_rules! file {
    ($path:literal, $kind:expr, $name:literal) => {
        File($path, $kind, include_str!(concat!("../../../web/", $name)))
    };
}

const FILES: [File; 12] = [
    file!("/", HTML, "pages/index.html"),
    file!("/status", HTML, "pages/status.html"),
    file!("/rooms.js", SCRIPT, "rooms.js"),
    file!("/assets/chat.css", CSS, "pages/assets/chat.css"),
    file!("/assets/chat.js", SCRIPT, "pages/assets/chat.js"),
    file!("/assets/conversations.js", SCRIPT, "pages/assets/conversations.js"),
    file!("/assets/dom.js", SCRIPT, "pages/assets/dom.js"),
    file!("/assets/icon.svg", SVG, "pages/assets/icon.svg"),
    file!("/assets/status.css", CSS, "pages/assets/status.css"),
    file!("/assets/status.js", SCRIPT, "pages/assets/status.js"),
    file!("/assets/style.css", CSS, "pages/assets/style.css"),
    file!("/assets/theme.js", SCRIPT, "pages/assets/theme.js"),
];

/// The pages and what they need.
pub(crate) fn routes() -> Router<App> {
    FILES.into_iter().fold(status::route(), |router, file| {
        let etag = file.etag();
        router.route(file.0, get(move |headers: HeaderMap| ready(file.answer(&etag, &headers))))
    })
}

impl File {
    fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.2.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    fn answer(&self, etag: &str, request: &HeaderMap) -> Response {
        let Self(path, kind, content) = *self;
        let always =
            [(ETAG, etag), (CACHE_CONTROL, "no-cache"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        if request.get_all(IF_NONE_MATCH).iter().any(|tags| names(tags.as_bytes(), etag)) {
            return (StatusCode::NOT_MODIFIED, always).into_response();
        }
        (always, [(CONTENT_TYPE, kind)], of_its_kind(path, kind), content).into_response()
    }
}

/// What a page may do, and that pages of other hosts may use the client.
fn of_its_kind(path: &str, kind: &str) -> HeaderMap {
    let headers: &[(HeaderName, &'static str)] = match path {
        "/rooms.js" => &[(ACCESS_CONTROL_ALLOW_ORIGIN, "*")],
        _ if kind == HTML || kind == SVG => {
            &[(CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer")]
        }
        _ => &[],
    };
    let value = axum::http::HeaderValue::from_static;
    headers.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

/// Whether `If-None-Match` has this tag (RFC 9110 section 13.1.2). A proxy that compresses makes it a weak one.
fn names(tags: &[u8], etag: &str) -> bool {
    let Ok(tags) = std::str::from_utf8(tags) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_strong() {
        for tags in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b\" , W/\"a\"", "*"] {
            assert!(names(tags.as_bytes(), "\"a\""), "{tags}");
        }
        for tags in ["", "a", "\"ab\"", "\"b\"", "\u{e9}"] {
            assert!(!names(tags.as_bytes(), "\"a\""), "{tags}");
        }
        assert!(!names(b"\xff", "\"a\""));
    }

    #[test]
    fn every_file_has_a_path_and_a_tag_of_its_own() {
        for (at, file) in FILES.iter().enumerate() {
            for other in &FILES[at + 1..] {
                assert_ne!(file.0, other.0);
                assert_ne!(file.etag(), other.etag());
            }
        }
    }
}
