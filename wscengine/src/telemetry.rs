//! Spans, their attributes, and what must not be in them.

use url::Url;

/// The URL as it may be shown: no user name, no password, and every query value masked
/// (OpenTelemetry semantic conventions, `url.full`).
///
/// # Examples
/// ```
/// let url = "wss://user:secret@example.com/feed?token=abc&depth=5".parse()?;
/// assert_eq!(wscengine::redact(&url), "wss://example.com/feed?token=REDACTED&depth=REDACTED");
/// # Ok::<(), url::ParseError>(())
/// ```
pub fn redact(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs that cannot have a host; those have no credentials either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if let Some(query) = url.query() {
        shown.set_query(Some(&mask(query)));
    }
    shown.into()
}

/// Keeps the keys of a query; a part without `=` may itself be a token, so it is masked whole.
fn mask(query: &str) -> String {
    let parts = query.split('&').map(|part| match part.split_once('=') {
        Some((key, _)) => format!("{key}=REDACTED"),
        None => "REDACTED".to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}
