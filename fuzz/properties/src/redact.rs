//! URLs as they are shown in spans and logs.

use url::{Position, Url};
use wscengine::transport::ConnectRequest;

/// Any text: if it is a URL, what is shown of it has neither credentials nor query values nor a fragment, and all else
/// unchanged.
pub fn redact(input: &[u8]) {
    let Ok(url) = str::from_utf8(input).unwrap_or_default().parse::<Url>() else { return };
    let shown = wscengine::redact(&url);
    assert_eq!(shown, expected(&url));

    // Of some URLs the text is not that of the same URL again, such as `file://host/e:/`.
    if url.as_str().parse().as_ref() == Ok(&url) {
        let again: Url = shown.parse().expect("what is shown is a URL");
        assert_eq!((again.username(), again.password(), again.fragment()), ("", None, None));
        assert_eq!(wscengine::redact(&again), shown, "it is shown the same again");
    }
    let debug = format!("{:?}", ConnectRequest::new(url));
    assert!(debug.starts_with(&format!("ConnectRequest {{ url: {shown:?}, headers: [], ")));
}

/// Cut out of the URL by its positions, and the query masked part by part.
fn expected(url: &Url) -> String {
    let start = &url[..Position::BeforeUsername];
    let middle = &url[Position::BeforeHost..Position::AfterPath];
    let masked = url.query().map(|query| {
        let parts = query.split('&').map(|part| match part.find('=') {
            Some(at) => format!("{}=REDACTED", &part[..at]),
            None => "REDACTED".to_owned(),
        });
        parts.fold(String::new(), |masked, part| {
            let before = if masked.is_empty() { '?' } else { '&' };
            format!("{masked}{before}{part}")
        })
    });
    let shown = format!("{start}{middle}{}", masked.unwrap_or_default());
    // Blanks at the end of an opaque path go with the fragment behind them, says the URL standard.
    if url.cannot_be_a_base() { shown.trim_end_matches(' ').to_owned() } else { shown }
}
