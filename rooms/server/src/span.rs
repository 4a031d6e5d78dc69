//! The spans of connections, which continue the trace of the client.

use axum::http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// [Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header), as far as it is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TraceParent<'a> {
    trace: &'a str,
    parent: &'a str,
    flags: u8,
}

/// The span of a connection, from its upgrade to its end. With a `traceparent` header of the client it has the
/// ids of the trace and of the span that it continues.
pub(crate) fn connection(protocol: &'static str, id: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        "rooms.connection",
        otel.kind = "server",
        protocol,
        id,
        trace_id = Empty,
        parent_span_id = Empty,
    );
    let header = headers.get("traceparent").and_then(|header| header.to_str().ok());
    if let Some(parent) = header.and_then(TraceParent::parse) {
        span.record("trace_id", parent.trace);
        span.record("parent_span_id", parent.parent);
        // Fails where nobody collects traces, which is as well.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent.context()));
    }
    span
}

impl<'a> TraceParent<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
        let is_id = |id: &str, len| {
            id.len() == len
                && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                && id.bytes().any(|byte| byte != b'0')
        };
        let flags = u8::from_str_radix(parts.next()?.get(..2)?, 16).ok()?;
        let is_known = version.len() == 2 && version != "ff";
        (is_known && is_id(trace, 32) && is_id(parent, 16)).then_some(Self { trace, parent, flags })
    }

    fn context(self) -> SpanContext {
        let trace = TraceId::from_hex(self.trace).unwrap_or(TraceId::INVALID);
        let parent = SpanId::from_hex(self.parent).unwrap_or(SpanId::INVALID);
        SpanContext::new(trace, parent, TraceFlags::new(self.flags), true, TraceState::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_the_recommendation_says() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = "00f067aa0ba902b7";
        let header = format!("00-{trace}-{parent}-01");
        assert_eq!(TraceParent::parse(&header), Some(TraceParent { trace, parent, flags: 1 }));
        let later = format!("cc-{trace}-{parent}-01-what-the-future-holds");
        assert!(TraceParent::parse(&later).is_some());
        for wrong in [
            "".to_owned(),
            format!("ff-{trace}-{parent}-01"),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{trace}-{parent}"),
        ] {
            assert_eq!(TraceParent::parse(&wrong), None, "{wrong}");
        }
    }
}
