//! The client for browsers, which the server gives out.

use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;

use super::Iris;

const SOURCE: &str = include_str!("iris-ws.js");

/// What stands in the source for the prefix, with its quotes.
const PLACE: &str = "\"PREFIX\"";

impl Iris {
    /// The source of the client for browsers, with the prefix of this server: a classic script that defines the class
    /// `Ws`, with the methods of the original's.
    ///
    /// `new Ws(endpoint, protocols)` connects; `OnConnect(f)`, `OnDisconnect(f)`, `OnMessage(f)` and
    /// `On(event, f)` register callbacks; `Emit(event, data)`, `EmitMessage(text)` and `Disconnect()` do what they say.
    /// It does not reconnect, and rooms are the server's. `f` gets text, whatever the type of the event.
    #[must_use]
    pub fn client_source(&self) -> String {
        client_source(&self.options.prefix)
    }

    /// An endpoint that gives out [`client_source`](Self::client_source), usually on `/iris-ws.js`. It has the prefix
    /// set until now.
    pub fn client<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let source = Bytes::from(self.client_source());
        let headers =
            [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        get(move || async move { (headers, source) })
    }
}

/// The source of the client for browsers, with this prefix.
#[must_use]
pub fn client_source(prefix: &str) -> String {
    // JSON is JavaScript, also as to U+2028, which is escaped.
    let prefix = wscengine_rooms_protocol::json::encode(prefix);
    SOURCE.replacen(PLACE, prefix.as_deref().map_or("\"\"", serde_json::value::RawValue::get), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_in_the_source_as_a_string_of_javascript() {
        assert_eq!(SOURCE.matches(PLACE).count(), 1);
        assert!(client_source("m:").contains("const prefix = \"m:\";"));
        let evil = client_source("\"</script>\n");
        assert!(evil.contains(r#"const prefix = "\"\u003c/script\u003e\n";"#));
    }
}
