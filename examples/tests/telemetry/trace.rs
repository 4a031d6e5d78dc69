//! Questions to what was exported.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;

/// All that one program exported.
pub(crate) struct Trace {
    requests: Vec<ExportTraceServiceRequest>,
    spans: Vec<Span>,
}

impl Trace {
    pub(crate) fn new(requests: Vec<ExportTraceServiceRequest>) -> Self {
        let scopes = requests
            .iter()
            .flat_map(|request| &request.resource_spans)
            .flat_map(|spans| &spans.scope_spans);
        let mut spans: Vec<_> = scopes.flat_map(|scope| scope.spans.clone()).collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        Self { requests, spans }
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// In the order in which they began.
    pub(crate) fn all(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }

    pub(crate) fn one(&self, name: &str) -> &Span {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} among {:?}", self.names());
        all[0]
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.spans.iter().map(|span| span.name.as_str()).collect()
    }

    /// The names of a span's children, sorted.
    pub(crate) fn children(&self, parent: &Span) -> Vec<&str> {
        let mut names: Vec<_> = self
            .spans
            .iter()
            .filter(|span| {
                span.parent_span_id == parent.span_id && span.trace_id == parent.trace_id
            })
            .map(|span| span.name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn parent(&self, child: &Span) -> Option<&Span> {
        self.spans
            .iter()
            .find(|span| span.span_id == child.parent_span_id && span.trace_id == child.trace_id)
    }

    pub(crate) fn parent_name(&self, child: &Span) -> Option<&str> {
        self.parent(child).map(|parent| parent.name.as_str())
    }

    pub(crate) fn service(&self) -> Option<String> {
        let resource = self.requests.first()?.resource_spans.first()?.resource.as_ref()?;
        text(&resource.attributes, "service.name")
    }

    /// Whether the bytes are anywhere in what went over the wire.
    pub(crate) fn contains(&self, needle: &str) -> bool {
        self.requests.iter().any(|request| {
            let wire = request.encode_to_vec();
            wire.windows(needle.len()).any(|window| window == needle.as_bytes())
        })
    }
}

/// An attribute's value, as text.
pub(crate) fn attribute(span: &Span, key: &str) -> Option<String> {
    text(&span.attributes, key)
}

/// `error.type` and the description, if the span says that its work failed.
pub(crate) fn error(span: &Span) -> Option<(String, String)> {
    let status = span.status.as_ref()?;
    (status.code() == StatusCode::Error)
        .then(|| (attribute(span, "error.type").unwrap_or_default(), status.message.clone()))
}

pub(crate) fn error_type(span: &Span) -> Option<String> {
    error(span).map(|(kind, _)| kind)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()? {
        AnyValue { value: Some(Value::StringValue(text)) } => Some(text.clone()),
        AnyValue { value: Some(Value::IntValue(number)) } => Some(number.to_string()),
        AnyValue { value: Some(Value::BoolValue(yes)) } => Some(yes.to_string()),
        AnyValue { .. } => None,
    }
}
