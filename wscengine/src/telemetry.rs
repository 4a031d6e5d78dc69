//! Spans, their attributes, and what must not be in them.
//!
//! Every span is short: it is ended where its work ends, by scope, and says so when the work failed. No payload, no
//! header value, no query value and no user info is ever part of one.

use http::HeaderValue;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::field::Empty;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Span, debug_span, info_span, trace_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use url::Url;

use crate::config::Config;
use crate::error::{ConnectErrorKind, ReadError};
use crate::handler::{Callback, CloseCause};
use crate::lifecycle::{AfterSession, Epoch};
use crate::message::{CloseFrame, Message};
use crate::session::Session;
use crate::transport::ConnectRequest;

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

/// `wscengine.start`: the call of `start()`.
pub(crate) fn start(config: &Config) -> Span {
    let url = config.base.url.as_ref();
    info_span!(
        "wscengine.start",
        url.full = url.map(redact),
        server.address = url.and_then(Url::host_str),
        server.port = url.and_then(Url::port_or_known_default),
        wscengine.auto_reconnect = config.policy.after_session == AfterSession::Reconnect,
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    )
}

/// `wscengine.stop`: the call of `stop()`.
pub(crate) fn stop() -> Span {
    info_span!(
        "wscengine.stop",
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty
    )
}

/// `wscengine.background.restart`: one attempt to get a new session.
pub(crate) fn background_restart(retry: u32) -> Span {
    info_span!(
        parent: None,
        "wscengine.background.restart",
        wscengine.retry_count = retry,
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    )
}

/// `wscengine.background.start`: a dial, and `on_open` after it.
pub(crate) fn background_start(parent: &Span, restart: bool, retry: u32) -> Span {
    info_span!(
        parent: parent,
        "wscengine.background.start",
        wscengine.restart = restart,
        wscengine.retry_count = retry,
        wscengine.session_id = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    )
}

/// `wscengine.background.run`: messages begin to flow.
pub(crate) fn background_run(parent: &Span, session: &Session, workers: usize) -> Span {
    info_span!(
        parent: parent,
        "wscengine.background.run",
        wscengine.session_id = %session.id(),
        wscengine.workers = workers,
    )
}

/// `wscengine.background.shutdown`: from the end of a session to the end of its connection.
pub(crate) fn background_shutdown(
    parent: &Span,
    session: &Session,
    cause: &CloseCause,
    restart: bool,
) -> Span {
    let span = info_span!(
        parent: parent,
        "wscengine.background.shutdown",
        wscengine.session_id = %session.id(),
        wscengine.restart = restart,
        wscengine.has_close_message = cause.frame().is_some(),
        wscengine.close_code = cause.frame().map(|frame| frame.code().0),
        wscengine.close_reason = cause.frame().map(CloseFrame::reason),
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    );
    if let Some(kind) = failure_kind(cause) {
        failed(&span, kind, &cause.to_string());
    }
    span
}

/// `wscengine.callback.*`, but for `on_message`.
pub(crate) fn callback(
    parent: &Span,
    callback: Callback,
    epoch: Epoch,
    session: Option<&Session>,
) -> Span {
    /// A span's name must be known when the program is compiled.
    macro_rules! span {
        ($name:literal) => {
            info_span!(
                parent: parent,
                $name,
                wscengine.session_id = session.map(|session| tracing::field::display(session.id())),
                wscengine.epoch = epoch,
                wscengine.restart = Empty,
                wscengine.retry_count = Empty,
                otel.status_code = Empty,
                otel.status_description = Empty,
                error.r#type = Empty,
            )
        };
    }
    match callback {
        Callback::OnOpen => span!("wscengine.callback.on_open"),
        Callback::OnMessage => span!("wscengine.callback.on_message"),
        Callback::OnReadError => span!("wscengine.callback.on_read_error"),
        Callback::OnClose => span!("wscengine.callback.on_close"),
        Callback::OnCloseError => span!("wscengine.callback.on_close_error"),
        Callback::OnRestartError => span!("wscengine.callback.on_restart_error"),
    }
}

/// Whether there may be somebody who wants a span for each message.
#[inline]
pub(crate) fn observes_messages() -> bool {
    observes(LevelFilter::DEBUG)
}

/// Whether there may be somebody who wants one for each read.
#[inline]
pub(crate) fn observes_reads() -> bool {
    observes(LevelFilter::TRACE)
}

/// What the macros ask before anything else; where the answer is no, it is all that a span costs.
#[inline]
fn observes(level: LevelFilter) -> bool {
    level <= STATIC_MAX_LEVEL && level <= LevelFilter::current()
}

/// `wscengine.callback.on_message`.
pub(crate) fn on_message(session: &Session, worker: usize, message: &Message<'_>) -> Span {
    debug_span!(
        parent: None,
        "wscengine.callback.on_message",
        wscengine.session_id = %session.id(),
        wscengine.worker_id = worker,
        wscengine.message.length = message.len(),
        wscengine.message.opcode = opcode(message),
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    )
}

/// `websocket.dial`: the transport's part of an attempt.
pub(crate) fn dial(parent: &Span, request: &ConnectRequest) -> Span {
    info_span!(
        parent: parent,
        "websocket.dial",
        otel.kind = "client",
        url.full = redact(&request.url),
        server.address = request.url.host_str(),
        server.port = request.url.port_or_known_default(),
        http.response.status_code = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    )
}

/// `websocket.close`: the closing handshake.
pub(crate) fn close(parent: &Span, session: &Session, frame: &CloseFrame) -> Span {
    info_span!(
        parent: parent,
        "websocket.close",
        wscengine.session_id = %session.id(),
        wscengine.close_code = frame.code().0,
        wscengine.close_reason = frame.reason(),
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    )
}

/// `websocket.ping`: from the ping to its pong.
pub(crate) fn ping() -> Span {
    debug_span!(
        parent: None,
        "websocket.ping",
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty
    )
}

/// `websocket.read`: one batch, from the first byte available to the hand-over.
pub(crate) fn read(session: &Session, entries: usize, error: Option<&ReadError>) -> Span {
    let span = trace_span!(
        parent: None,
        "websocket.read",
        wscengine.session_id = %session.id(),
        wscengine.batch.entries = entries,
        otel.status_code = Empty,
        otel.status_description = Empty,
        error.r#type = Empty,
    );
    if let (Some(error), false) = (error, span.is_disabled()) {
        failed(&span, "read_error", &error.to_string());
    }
    span
}

/// `websocket.write`: one flush.
pub(crate) fn write(session: &Session, messages: usize) -> Span {
    trace_span!(
        parent: None,
        "websocket.write",
        wscengine.session_id = %session.id(),
        wscengine.batch.entries = messages,
    )
}

/// Says in a span that its work failed.
pub(crate) fn failed(span: &Span, kind: &str, description: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", description);
    span.record("error.type", kind);
}

/// The value of a `traceparent` header for this span (W3C Trace Context, section 3.2), if it is sampled.
pub(crate) fn traceparent(span: &Span) -> Option<HeaderValue> {
    let context = span.context();
    let context: SpanContext = context.span().span_context().clone();
    if !context.is_valid() || !context.is_sampled() {
        return None;
    }
    let value = format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags().to_u8()
    );
    HeaderValue::try_from(value).ok()
}

/// The `error.type` of a dial that failed.
pub(crate) fn connect_error_type(kind: ConnectErrorKind) -> &'static str {
    match kind {
        ConnectErrorKind::InvalidRequest => "invalid_request",
        ConnectErrorKind::Resolve => "resolve",
        ConnectErrorKind::Connect => "connect",
        ConnectErrorKind::Proxy => "proxy",
        ConnectErrorKind::ProxyAuth => "proxy_auth",
        ConnectErrorKind::Tls => "tls",
        ConnectErrorKind::Certificate => "certificate",
        ConnectErrorKind::Status => "status",
        ConnectErrorKind::Redirect => "redirect",
        ConnectErrorKind::Handshake => "handshake",
        ConnectErrorKind::ResponseTooLarge => "response_too_large",
        ConnectErrorKind::Io => "io",
        ConnectErrorKind::Timeout(_) => "timeout",
        ConnectErrorKind::Other => "other",
    }
}

fn opcode(message: &Message<'_>) -> &'static str {
    if message.is_text() { "text" } else { "binary" }
}

/// The `error.type` of a session that did not end as anybody meant it to.
fn failure_kind(cause: &CloseCause) -> Option<&'static str> {
    match cause {
        CloseCause::Stopped | CloseCause::Restarted | CloseCause::PeerClosed(_) => None,
        CloseCause::ReadFailed(_) => Some("read_failed"),
        CloseCause::WriteFailed(_) => Some("write_failed"),
        CloseCause::WriteStalled => Some("write_stalled"),
        CloseCause::HeartbeatLost => Some("heartbeat_lost"),
        CloseCause::IdleTimeout => Some("idle_timeout"),
        CloseCause::TransportPanicked => Some("transport_panicked"),
    }
}
