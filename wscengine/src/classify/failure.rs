//! What a classifier is told.

use std::time::Duration;

use http::StatusCode;

use crate::error::{AttemptError, ConnectError, ConnectErrorKind, ReadErrorKind};
use crate::handler::CloseCause;
use crate::message::{CloseCode, CloseFrame};
use crate::transport::HandshakeResponse;

/// What failed: an attempt, or a session.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FailureCause {
    /// An attempt to connect.
    #[error(transparent)]
    Attempt(AttemptError),
    /// A session that the peer closed, or whose connection was lost.
    #[error("the session ended: {0}")]
    Session(CloseCause),
}

impl FailureCause {
    /// What kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Attempt(AttemptError::Connect(error)) => kind_of_connect_error(error),
            Self::Attempt(AttemptError::Request(_)) => FailureKind::Request,
            Self::Attempt(
                AttemptError::OnOpen(_)
                | AttemptError::OnOpenTimeout(_)
                | AttemptError::OnOpenPanicked,
            ) => FailureKind::OnOpen,
            Self::Attempt(AttemptError::ConnectionLost(cause)) | Self::Session(cause) => {
                kind_of_close_cause(cause)
            }
        }
    }

    /// The answer to the handshake, if there was one that was no acceptance: status, headers and body. Where a proxy
    /// refused, it is the proxy's.
    pub fn response(&self) -> Option<&HandshakeResponse> {
        match self {
            Self::Attempt(AttemptError::Connect(error)) => error.response(),
            Self::Attempt(_) | Self::Session(_) => None,
        }
    }

    /// The HTTP status that the server itself refused the handshake with.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Attempt(AttemptError::Connect(error))
                if matches!(
                    error.kind(),
                    ConnectErrorKind::Status | ConnectErrorKind::Redirect
                ) =>
            {
                error.response().map(|response| response.status)
            }
            Self::Attempt(_) | Self::Session(_) => None,
        }
    }

    /// The close code that the peer sent, of a session or while `on_open` ran. None if it sent none (1005), or no
    /// close frame at all (1006).
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Attempt(AttemptError::ConnectionLost(cause)) | Self::Session(cause) => {
                cause.frame().map(CloseFrame::code)
            }
            Self::Attempt(_) => None,
        }
    }
}

/// What kind of failure it is: failures of one kind are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The host name was not resolved.
    Resolve,
    /// No TCP connection, one that broke during the handshake, a proxy that makes none, or a time-out of the dial.
    Network,
    /// The TLS handshake failed for another reason than the certificate.
    Tls,
    /// The server's certificate is not trusted, has expired, or is for another name.
    Certificate,
    /// The credentials were not taken: status 401 or 403, or close code 1008.
    Unauthorized,
    /// The server does not know what is asked for: status 400, 404, 405 or 410. Or a proxy refused the credentials.
    Rejected,
    /// The server or a proxy cannot take it now: status 408, 429 or 5xx, or close code 1013.
    Unavailable,
    /// Another status: a redirect that is not followed, a page of a captive portal, a 4xx that does not stand above.
    OtherStatus,
    /// The answer was no valid WebSocket handshake.
    Handshake,
    /// The request could not be sent as it is: the configuration is wrong.
    InvalidRequest,
    /// The request factory failed.
    Request,
    /// `on_open` failed, panicked or took too long.
    OnOpen,
    /// One side found that the other broke the protocol, or sent what it cannot take: close codes 1002, 1003, 1007,
    /// 1009, 1010, and what the engine finds itself.
    Protocol,
    /// The peer closed with any other code, or without one.
    Closed,
    /// The connection was lost: a reset, an end without a close frame, a stalled write, a lost heartbeat, an idle
    /// watchdog.
    Lost,
    /// A failure of a transport's own.
    Other,
}

/// A failure, and what went before it.
///
/// # Examples
/// To test a classifier, make one:
/// ```
/// use wscengine::{Classifier, ConnectErrorKind, DefaultClassifier, Failure, FailureCause, Verdict};
///
/// let cause = FailureCause::Attempt(wscengine::ConnectError::new(ConnectErrorKind::Certificate).into());
/// let mut failure = Failure::new(&cause);
/// assert_eq!(DefaultClassifier::new().classify(&failure), Verdict::retry());
/// failure.in_a_row = 3;
/// assert_eq!(DefaultClassifier::new().classify(&failure), Verdict::Fatal);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// What failed.
    pub cause: &'a FailureCause,
    /// Whether there was no session yet.
    pub starting: bool,
    /// The number of the attempt since the last stable session, from 1. For a session, that of the attempt it came of.
    pub attempt: u32,
    /// How many failures of this kind came in a row since the last stable session, this one included. A session that was
    /// opened breaks the row, except of [`Protocol`](FailureKind::Protocol).
    pub in_a_row: u32,
    /// How long it has gone badly: since the first failure after the last stable session.
    pub elapsed: Duration,
    /// How long the server wants to be left alone, by the `Retry-After` of its refusal.
    pub retry_after: Option<Duration>,
    /// Whether there is a [`RequestFactory`](crate::RequestFactory), so that a refresh can change anything.
    pub can_refresh: bool,
    /// Whether this attempt's request, or that of the attempt that the session came of, was made anew after a
    /// [`Refresh`](crate::Verdict::Refresh). Not for a session that was stable: its request was good.
    pub refreshed: bool,
}

impl<'a> Failure<'a> {
    /// A first failure of its kind after a session, with nothing before it: for tests of a classifier.
    pub fn new(cause: &'a FailureCause) -> Self {
        Self {
            cause,
            starting: false,
            attempt: 1,
            in_a_row: 1,
            elapsed: Duration::ZERO,
            retry_after: None,
            can_refresh: false,
            refreshed: false,
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        self.cause.kind()
    }

    /// The answer to the handshake, if there was one that was no acceptance: see [`FailureCause::response`].
    pub fn response(&self) -> Option<&'a HandshakeResponse> {
        self.cause.response()
    }

    /// The HTTP status that the server itself refused the handshake with.
    pub fn status(&self) -> Option<StatusCode> {
        self.cause.status()
    }

    /// The close code that the peer sent, if it sent one.
    pub fn close_code(&self) -> Option<CloseCode> {
        self.cause.close_code()
    }
}

fn kind_of_connect_error(error: &ConnectError) -> FailureKind {
    match error.kind() {
        ConnectErrorKind::InvalidRequest => FailureKind::InvalidRequest,
        ConnectErrorKind::Resolve => FailureKind::Resolve,
        ConnectErrorKind::Connect | ConnectErrorKind::Io | ConnectErrorKind::Timeout(_) => {
            FailureKind::Network
        }
        ConnectErrorKind::Proxy => match error.response().map(|it| kind_of_status(it.status)) {
            Some(FailureKind::Unavailable) => FailureKind::Unavailable,
            _ => FailureKind::Network,
        },
        ConnectErrorKind::ProxyAuth => FailureKind::Rejected,
        ConnectErrorKind::Redirect => FailureKind::OtherStatus,
        ConnectErrorKind::Tls => FailureKind::Tls,
        ConnectErrorKind::Certificate => FailureKind::Certificate,
        ConnectErrorKind::Status => error
            .response()
            .map_or(FailureKind::OtherStatus, |response| kind_of_status(response.status)),
        ConnectErrorKind::Handshake | ConnectErrorKind::ResponseTooLarge => FailureKind::Handshake,
        ConnectErrorKind::Other => FailureKind::Other,
    }
}

fn kind_of_status(status: StatusCode) -> FailureKind {
    match status.as_u16() {
        401 | 403 => FailureKind::Unauthorized,
        400 | 404 | 405 | 410 => FailureKind::Rejected,
        408 | 429 | 500..=599 => FailureKind::Unavailable,
        _ => FailureKind::OtherStatus,
    }
}

fn kind_of_close_cause(cause: &CloseCause) -> FailureKind {
    match cause {
        CloseCause::PeerClosed(frame) => match frame.as_ref().map(|frame| frame.code().0) {
            Some(1002 | 1003 | 1007 | 1009 | 1010) => FailureKind::Protocol,
            Some(1008) => FailureKind::Unauthorized,
            Some(1013) => FailureKind::Unavailable,
            Some(_) | None => FailureKind::Closed,
        },
        CloseCause::ReadFailed(error) => match error.kind() {
            ReadErrorKind::Protocol | ReadErrorKind::TooBig | ReadErrorKind::InvalidUtf8 => {
                FailureKind::Protocol
            }
            ReadErrorKind::Io
            | ReadErrorKind::UnexpectedEof
            | ReadErrorKind::Closed
            | ReadErrorKind::Codec => FailureKind::Lost,
        },
        CloseCause::WriteFailed(_)
        | CloseCause::WriteStalled
        | CloseCause::HeartbeatLost
        | CloseCause::IdleTimeout
        | CloseCause::TransportPanicked => FailureKind::Lost,
        // Nobody classifies what the user asked for.
        CloseCause::Stopped | CloseCause::Restarted => FailureKind::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_refuses_counts_by_its_status() {
        for (kind, status, expected) in [
            (ConnectErrorKind::Proxy, None, FailureKind::Network),
            (ConnectErrorKind::Proxy, Some(403), FailureKind::Network),
            (ConnectErrorKind::Proxy, Some(404), FailureKind::Network),
            (ConnectErrorKind::Proxy, Some(429), FailureKind::Unavailable),
            (ConnectErrorKind::Proxy, Some(503), FailureKind::Unavailable),
            (ConnectErrorKind::ProxyAuth, None, FailureKind::Rejected),
            (ConnectErrorKind::ProxyAuth, Some(407), FailureKind::Rejected),
        ] {
            let mut error = ConnectError::new(kind);
            if let Some(status) = status {
                let mut response = HandshakeResponse::accepted();
                response.status = StatusCode::from_u16(status).unwrap();
                error = error.with_response(response);
            }
            let cause = FailureCause::Attempt(error.into());
            assert_eq!(cause.kind(), expected, "{kind:?} {status:?}");
        }
    }
}
