//! The default classifier.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Classifier, Failure, FailureKind, Verdict};

/// Leans to coming back, since that is what an engine is for.
///
/// | failure | verdict |
/// |---|---|
/// | status 401 or 403, close code 1008 | refresh and retry; fatal if the refreshed attempt is refused again, or if there is no request factory |
/// | status 400, 404, 405 or 410; the server's certificate; a request that cannot be sent; a proxy that refuses the credentials | fatal on the first start; later retried, and fatal when three came in a row |
/// | close code 1002, 1003, 1007, 1009 or 1010; a peer that breaks the protocol or sends what is too big | retried; fatal when three came in a row without a stable session |
/// | close code 1013 (try again later) | retried after 10 s at least |
/// | everything else: DNS, TCP, a proxy, TLS, a redirect that is not followed, time-outs, status 408, 429 and 5xx, close codes 1000, 1001, 1005, 1006, 1011, 1012, 1014, 3000-4999 and unknown ones, a lost heartbeat, a failed `on_open`, a failed request factory | retried |
///
/// A `Retry-After` of the refusal, in seconds or as a date (RFC 9110 section 10.2.3), is the least time to wait.
/// Close codes: RFC 6455 section 7.4.1 and IANA's registry.
///
/// Rules for the first attempt bind only with [`retry_first(true)`](crate::EngineBuilder::retry_first): without it a
/// start that fails has failed, except that one refresh is tried.
///
/// # Examples
/// A server that closes with 4001 for good, and with 4029 for a minute:
/// ```
/// use std::time::Duration;
/// use wscengine::{DefaultClassifier, Verdict};
///
/// let classifier = DefaultClassifier::new().rule(|failure| match failure.close_code()?.0 {
///     4001 => Some(Verdict::Fatal),
///     4029 => Some(Verdict::retry_after(Duration::from_secs(60))),
///     _ => None,
/// });
/// ```
#[derive(Clone, Default)]
pub struct DefaultClassifier {
    rules: Vec<Arc<Rule>>,
}

type Rule = dyn Fn(&Failure<'_>) -> Option<Verdict> + Send + Sync;

impl DefaultClassifier {
    /// The rules of the table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule, to be asked before the table and after the rules added before it. One that gives `None` leaves the
    /// failure to the next.
    #[must_use]
    pub fn rule(
        mut self,
        rule: impl Fn(&Failure<'_>) -> Option<Verdict> + Send + Sync + 'static,
    ) -> Self {
        self.rules.push(Arc::new(rule));
        self
    }
}

impl fmt::Debug for DefaultClassifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultClassifier").field("rules", &self.rules.len()).finish()
    }
}

impl Classifier for DefaultClassifier {
    fn classify(&self, failure: &Failure<'_>) -> Verdict {
        let ruled = self.rules.iter().find_map(|rule| rule(failure));
        ruled.unwrap_or_else(|| by_table(failure))
    }
}

fn by_table(failure: &Failure<'_>) -> Verdict {
    let floor = failure.retry_after.unwrap_or_default();
    match failure.kind() {
        FailureKind::Unauthorized if failure.can_refresh && !failure.refreshed => {
            Verdict::Refresh { floor }
        }
        FailureKind::Unauthorized => Verdict::Fatal,
        FailureKind::Rejected | FailureKind::Certificate | FailureKind::InvalidRequest
            if failure.starting || failure.in_a_row >= MOST_IN_A_ROW =>
        {
            Verdict::Fatal
        }
        FailureKind::Protocol if failure.in_a_row >= MOST_IN_A_ROW => Verdict::Fatal,
        FailureKind::Unavailable if failure.close_code().is_some() => {
            Verdict::Retry { floor: floor.max(TRY_AGAIN_LATER) }
        }
        FailureKind::Rejected
        | FailureKind::Certificate
        | FailureKind::InvalidRequest
        | FailureKind::Protocol
        | FailureKind::Unavailable
        | FailureKind::Resolve
        | FailureKind::Network
        | FailureKind::Tls
        | FailureKind::OtherStatus
        | FailureKind::Handshake
        | FailureKind::Request
        | FailureKind::OnOpen
        | FailureKind::Closed
        | FailureKind::Lost
        | FailureKind::Other => Verdict::Retry { floor },
    }
}

/// Twice may be a server that is being deployed.
const MOST_IN_A_ROW: u32 = 3;

/// The least time after close code 1013, which says "try again later".
const TRY_AGAIN_LATER: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::super::FailureCause;
    use super::*;
    use crate::error::{
        AttemptError, ConnectError, ConnectErrorKind, Phase, ReadError, ReadErrorKind,
        RequestError, RequestErrorKind, WriteError, WriteErrorKind,
    };
    use crate::handler::CloseCause;
    use crate::message::{CloseCode, CloseFrame};
    use crate::transport::HandshakeResponse;

    fn status(code: u16) -> FailureCause {
        let mut response = HandshakeResponse::accepted();
        response.status = StatusCode::from_u16(code).unwrap();
        let error = ConnectError::new(ConnectErrorKind::Status).with_response(response);
        FailureCause::Attempt(error.into())
    }

    fn dial(kind: ConnectErrorKind) -> FailureCause {
        FailureCause::Attempt(ConnectError::new(kind).into())
    }

    fn closed(code: u16) -> FailureCause {
        FailureCause::Session(peer_closed(code))
    }

    fn peer_closed(code: u16) -> CloseCause {
        let code = CloseCode(code);
        CloseCause::PeerClosed(Some(CloseFrame::new(code, "").unwrap()))
    }

    fn read(kind: ReadErrorKind) -> FailureCause {
        FailureCause::Session(CloseCause::ReadFailed(ReadError::new(kind)))
    }

    fn classify(failure: &Failure<'_>) -> Verdict {
        DefaultClassifier::new().classify(failure)
    }

    fn retried_for_ever() -> Vec<FailureCause> {
        let mut all: Vec<_> = [408, 429, 500, 502, 503, 504, 599].map(status).into();
        // Not in the table: a captive portal, redirects, what a proxy may say for a while.
        all.extend([200, 302, 307, 402, 407, 421, 425, 426, 451].map(status));
        all.extend([1000, 1001, 1011, 1012, 1014, 3000, 3999, 4000, 4999].map(closed));
        all.extend(
            [
                ConnectErrorKind::Resolve,
                ConnectErrorKind::Connect,
                ConnectErrorKind::Io,
                ConnectErrorKind::Timeout(Phase::Tls),
                ConnectErrorKind::Timeout(Phase::Whole),
                ConnectErrorKind::Timeout(Phase::Proxy),
                ConnectErrorKind::Proxy,
                ConnectErrorKind::Redirect,
                ConnectErrorKind::Tls,
                ConnectErrorKind::Handshake,
                ConnectErrorKind::ResponseTooLarge,
                ConnectErrorKind::Other,
            ]
            .map(dial),
        );
        all.extend(
            [ReadErrorKind::Io, ReadErrorKind::UnexpectedEof, ReadErrorKind::Codec].map(read),
        );
        all.extend(
            [
                CloseCause::PeerClosed(None),
                CloseCause::WriteFailed(WriteError::new(WriteErrorKind::Io)),
                CloseCause::WriteStalled,
                CloseCause::HeartbeatLost,
                CloseCause::IdleTimeout,
                CloseCause::TransportPanicked,
            ]
            .map(FailureCause::Session),
        );
        all.extend(
            [
                AttemptError::OnOpen(Arc::from(crate::HandlerError::from("no"))),
                AttemptError::OnOpenTimeout(Duration::from_secs(1)),
                AttemptError::OnOpenPanicked,
                AttemptError::Request(RequestError::new(RequestErrorKind::Timeout)),
                AttemptError::ConnectionLost(CloseCause::HeartbeatLost),
                AttemptError::ConnectionLost(peer_closed(1011)),
            ]
            .map(FailureCause::Attempt),
        );
        all
    }

    #[test]
    fn what_may_pass_is_retried_for_ever_first_or_later() {
        for cause in retried_for_ever() {
            for starting in [true, false] {
                let failure = Failure {
                    starting,
                    in_a_row: u32::MAX,
                    refreshed: true,
                    ..Failure::new(&cause)
                };
                assert_eq!(classify(&failure), Verdict::retry(), "{cause:?}");
            }
        }
    }

    #[test]
    fn refused_credentials_are_refreshed_once_where_that_is_possible() {
        let on_open = FailureCause::Attempt(AttemptError::ConnectionLost(peer_closed(1008)));
        for cause in [status(401), status(403), closed(1008), on_open] {
            let mut failure = Failure::new(&cause);
            assert_eq!(classify(&failure), Verdict::Fatal, "without a factory: {cause:?}");
            failure.can_refresh = true;
            assert_eq!(classify(&failure), Verdict::refresh(), "{cause:?}");
            failure.refreshed = true;
            assert_eq!(classify(&failure), Verdict::Fatal, "refused again: {cause:?}");
        }
    }

    #[test]
    fn what_looks_permanent_is_fatal_at_first_and_later_after_three_in_a_row() {
        let mut all: Vec<_> = [400, 404, 405, 410].map(status).into();
        all.extend(
            [
                ConnectErrorKind::Certificate,
                ConnectErrorKind::InvalidRequest,
                ConnectErrorKind::ProxyAuth,
            ]
            .map(dial),
        );
        for cause in all {
            let mut failure = Failure::new(&cause);
            for (in_a_row, verdict) in
                [(1, Verdict::retry()), (2, Verdict::retry()), (3, Verdict::Fatal)]
            {
                failure.in_a_row = in_a_row;
                assert_eq!(classify(&failure), verdict, "{cause:?}");
            }
            let first = Failure { starting: true, ..Failure::new(&cause) };
            assert_eq!(classify(&first), Verdict::Fatal, "{cause:?}");
        }
    }

    #[test]
    fn a_broken_protocol_is_fatal_after_three_in_a_row_whoever_found_it() {
        let mut all: Vec<_> = [1002, 1003, 1007, 1009, 1010].map(closed).into();
        all.extend(
            [ReadErrorKind::Protocol, ReadErrorKind::TooBig, ReadErrorKind::InvalidUtf8].map(read),
        );
        all.push(FailureCause::Attempt(AttemptError::ConnectionLost(peer_closed(1002))));
        for cause in all {
            for starting in [true, false] {
                let mut failure = Failure { starting, in_a_row: 2, ..Failure::new(&cause) };
                assert_eq!(classify(&failure), Verdict::retry(), "{cause:?}");
                failure.in_a_row = 3;
                assert_eq!(classify(&failure), Verdict::Fatal, "{cause:?}");
            }
        }
    }

    #[test]
    fn try_again_later_means_ten_seconds_at_least() {
        let floor = Duration::from_secs(10);
        assert_eq!(classify(&Failure::new(&closed(1013))), Verdict::Retry { floor });
    }

    #[test]
    fn retry_after_is_the_least_time_whatever_the_status() {
        let floor = Duration::from_secs(7);
        for code in [301, 400, 429, 503] {
            let cause = status(code);
            let failure = Failure { retry_after: Some(floor), ..Failure::new(&cause) };
            assert_eq!(classify(&failure), Verdict::Retry { floor }, "{code}");
        }
        let cause = status(401);
        let failure =
            Failure { retry_after: Some(floor), can_refresh: true, ..Failure::new(&cause) };
        assert_eq!(classify(&failure), Verdict::Refresh { floor });
    }

    #[test]
    fn rules_are_asked_in_order_before_the_table() {
        let classifier = DefaultClassifier::new()
            .rule(|failure| (failure.status()? == 503).then_some(Verdict::Fatal))
            .rule(|failure| (failure.status()?.is_server_error()).then(Verdict::refresh));
        let verdict = |cause: FailureCause| classifier.classify(&Failure::new(&cause));
        assert_eq!(verdict(status(503)), Verdict::Fatal);
        assert_eq!(verdict(status(500)), Verdict::refresh());
        assert_eq!(verdict(status(429)), Verdict::retry());
        assert_eq!(verdict(closed(1011)), Verdict::retry());
    }

    #[derive(Debug)]
    struct Panics;

    impl Classifier for Panics {
        fn classify(&self, _: &Failure<'_>) -> Verdict {
            panic!("as a test wants it")
        }
    }

    #[test]
    fn a_classifier_that_panics_is_replaced_by_the_default() {
        let cause = closed(1013);
        let verdict = super::super::judge(&Panics, &Failure::new(&cause));
        assert_eq!(verdict, Verdict::retry_after(TRY_AGAIN_LATER));
    }
}
