//! What follows which failure: the verdict of the classifier carried out, and the request of the next attempt.

use std::sync::Arc;
use std::time::Duration;

use super::super::{AfterSession, FirstAttempt, Policy, SessionEvent, State};
use super::kit::Input::{Is, Restart, Stop, Timeout, Wait};
use super::kit::{
    Place, Rig, dial_failed, drained, gone, no_dial, no_request, policy, refused, returned,
    with_factory,
};
use crate::classify::{Classifier, Failure, Verdict};
use crate::error::{AttemptError, ConnectError, ConnectErrorKind, RequestErrorKind};
use crate::handler::Callback::{OnClose, OnOpen, OnRestartError};
use crate::message::{CloseCode, CloseFrame};
use crate::retry::NoBackoff;
use crate::transport::HandshakeResponse;

const SECOND: Duration = Duration::from_secs(1);

fn status(code: u16) -> SessionEvent {
    let mut response = HandshakeResponse::accepted();
    response.status = http::StatusCode::from_u16(code).unwrap();
    dial_failed(ConnectError::new(ConnectErrorKind::Status).with_response(response))
}

fn closed(code: u16) -> SessionEvent {
    let frame = CloseFrame::new(CloseCode(code), "").unwrap();
    SessionEvent::PeerClosed(Some(frame))
}

impl Rig {
    /// The attempt fails so, is reported, and the next one begins.
    fn fail(&mut self, event: SessionEvent) {
        for input in [Is(event), Is(returned(OnRestartError)), Timeout] {
            self.put(&input);
        }
    }

    /// The session ends so, and its connection is gone.
    fn end(&mut self, event: SessionEvent) {
        for event in [event, drained(), returned(OnClose), gone()] {
            self.put(&Is(event));
        }
    }

    /// The dial succeeds, and `on_open`.
    fn open(&mut self) {
        for event in [SessionEvent::Dialed, returned(OnOpen)] {
            self.put(&Is(event));
        }
    }

    fn error(&self) -> Option<&AttemptError> {
        let State::Stopped(outcome) = self.machine.state() else { panic!("{}", self.place()) };
        outcome.error()
    }
}

#[test]
fn refused_credentials_without_a_factory_end_the_engine_with_the_answer() {
    let mut rig = Rig::with(policy(), Place::Waiting);
    rig.put(&Timeout);
    rig.said();
    rig.put(&Is(status(401)));
    assert_eq!(rig.said(), "on_restart_error 2 last");
    rig.put(&Is(returned(OnRestartError)));
    assert_eq!(rig.place(), "Fatal");
    let Some(AttemptError::Connect(error)) = rig.error() else { panic!("{:?}", rig.error()) };
    assert_eq!(error.response().unwrap().status, 401);
}

#[test]
fn before_the_first_session_a_fatal_failure_is_that_of_the_start() {
    for code in [400, 401, 403, 404, 405, 410] {
        let mut rig = Rig::new(policy());
        rig.put(&Is(status(code)));
        rig.put(&Is(returned(OnRestartError)));
        assert_eq!(rig.place(), "FailedToStart", "{code}");
    }
}

#[test]
fn refused_credentials_are_refreshed_once_with_a_factory() {
    let mut rig = Rig::new(with_factory());
    rig.put(&Is(SessionEvent::RequestMade));
    rig.fail(status(401));
    assert_eq!(
        rig.said(),
        "request 1 attempt 1; dial 1; on_restart_error 1; request 2 attempt 2 after Unauthorized, refreshed"
    );
    rig.put(&Is(SessionEvent::RequestMade));
    rig.put(&Is(status(403)));
    assert_eq!(rig.said(), "dial 2; on_restart_error 2 last");
    assert_eq!(rig.place(), "Waiting, reporting then FailedToStart");
}

#[test]
fn a_refreshed_attempt_that_fails_otherwise_may_be_refreshed_again() {
    let mut rig = Rig::new(with_factory());
    for failure in [status(401), no_dial()] {
        rig.put(&Is(SessionEvent::RequestMade));
        rig.fail(failure);
    }
    assert!(rig.said().ends_with("request 3 attempt 3 after Network"), "it is no refresh");
    rig.put(&Is(SessionEvent::RequestMade));
    rig.fail(status(401));
    assert!(rig.said().ends_with("request 4 attempt 4 after Unauthorized, refreshed"));
}

#[test]
fn a_start_that_fails_fast_tries_one_refresh_and_nothing_else() {
    let fast = || Policy { first: FirstAttempt::FailFast, ..with_factory() };
    for failure in [status(400), status(503), no_dial()] {
        let mut rig = Rig::new(fast());
        rig.put(&Is(SessionEvent::RequestMade));
        rig.put(&Is(failure));
        assert_eq!(rig.place(), "FailedToStart");
    }
    let mut rig = Rig::new(fast());
    rig.put(&Is(no_request()));
    assert_eq!(rig.place(), "FailedToStart");

    let mut rig = Rig::new(fast());
    rig.put(&Is(SessionEvent::RequestMade));
    rig.fail(status(401));
    assert_eq!(rig.place(), "Requesting");
    rig.put(&Is(SessionEvent::RequestMade));
    rig.put(&Is(status(401)));
    assert_eq!(rig.place(), "FailedToStart");
}

#[derive(Debug)]
struct AlwaysRefresh;

impl Classifier for AlwaysRefresh {
    fn classify(&self, _: &Failure<'_>) -> Verdict {
        Verdict::refresh()
    }
}

#[test]
fn a_start_that_fails_fast_is_refreshed_once_whatever_the_classifier_says() {
    let classifier = Arc::new(AlwaysRefresh);
    let mut rig = Rig::new(Policy { first: FirstAttempt::FailFast, classifier, ..with_factory() });
    rig.put(&Is(SessionEvent::RequestMade));
    rig.fail(no_dial());
    assert_eq!(rig.place(), "Requesting");
    rig.put(&Is(SessionEvent::RequestMade));
    rig.put(&Is(no_dial()));
    assert_eq!(rig.place(), "FailedToStart");
}

#[test]
fn a_session_closed_for_good_is_not_followed_by_another_and_on_close_knows() {
    let mut rig = Rig::at(Place::Open);
    rig.said();
    rig.end(closed(1008));
    assert_eq!(
        rig.said(),
        "end sending; drain Handle; on_close (closed by the peer with 1008) 2 3; disconnect"
    );
    assert_eq!(rig.place(), "Fatal");
}

#[test]
fn a_session_closed_with_1008_is_followed_by_a_refreshed_request() {
    let mut rig = Rig::new(with_factory());
    rig.put(&Is(SessionEvent::RequestMade));
    rig.open();
    rig.end(closed(1008));
    rig.put(&Timeout);
    assert!(rig.said().ends_with("request 2 attempt 2 after Unauthorized, refreshed"));
    rig.put(&Is(SessionEvent::RequestMade));
    rig.open();
    // Refused again before it was stable.
    rig.end(closed(1008));
    assert_eq!(rig.place(), "Fatal");
}

#[test]
fn a_stable_session_clears_what_was_refreshed() {
    let mut rig = Rig::new(with_factory());
    rig.put(&Is(SessionEvent::RequestMade));
    rig.fail(status(401));
    rig.put(&Is(SessionEvent::RequestMade));
    rig.open();
    rig.put(&Wait(SECOND * 10));
    rig.end(closed(1008));
    rig.put(&Timeout);
    assert!(rig.said().ends_with("request 3 attempt 1 after Unauthorized, refreshed"));
}

#[test]
fn three_broken_sessions_in_a_row_are_fatal_and_a_stable_one_starts_over() {
    let mut rig = Rig::new(policy());
    for _ in 0..2 {
        rig.open();
        rig.end(closed(1002));
        rig.put(&Timeout);
    }
    rig.open();
    rig.put(&Wait(SECOND * 10));
    rig.end(closed(1002));
    assert_eq!(rig.place(), "Waiting", "the first after a stable one");
    for place in ["Waiting", "Fatal"] {
        rig.put(&Timeout);
        rig.open();
        rig.end(closed(1002));
        assert_eq!(rig.place(), place);
    }
}

#[test]
fn a_failure_of_another_kind_breaks_the_row() {
    let mut rig = Rig::with(policy(), Place::Waiting);
    rig.put(&Timeout);
    for failure in [status(404), status(404), no_dial(), status(404), status(410)] {
        rig.fail(failure);
    }
    rig.put(&Is(status(404)));
    assert_eq!(rig.place(), "Waiting, reporting then Fatal");
}

#[test]
fn a_floor_comes_before_the_backoff() {
    let mut rig = Rig::at(Place::Open);
    rig.end(closed(1013));
    assert_eq!(rig.due_in(), Some(SECOND * 11));

    let mut rig = Rig::new(policy());
    let SessionEvent::DialFailed { error, .. } = status(503) else { unreachable!() };
    rig.put(&Is(SessionEvent::DialFailed { error, retry_after: Some(SECOND * 40) }));
    rig.put(&Is(returned(OnRestartError)));
    assert_eq!(rig.due_in(), Some(SECOND * 41));
}

#[test]
fn a_floor_without_end_neither_overflows_nor_hides_the_budget() {
    let never = || {
        let SessionEvent::DialFailed { error, .. } = status(503) else { unreachable!() };
        Is(SessionEvent::DialFailed { error, retry_after: Some(Duration::MAX) })
    };
    let mut rig = Rig::new(policy());
    rig.put(&never());
    rig.put(&Is(returned(OnRestartError)));
    assert!(rig.due_in() >= Some(SECOND * 365 * 24 * 3600));

    let mut rig = Rig::new(Policy { max_elapsed: Some(SECOND * 60), ..policy() });
    rig.put(&never());
    assert_eq!(rig.place(), "Waiting, reporting then FailedToStart");
}

#[test]
fn a_refresh_stays_asked_for_until_a_request_was_made() {
    let mut rig = Rig::new(with_factory());
    rig.put(&Is(SessionEvent::RequestMade));
    rig.fail(status(401));
    rig.fail(no_request());
    assert!(rig.said().ends_with("request 3 attempt 3 after Request, refreshed"));
    rig.put(&Is(SessionEvent::RequestMade));
    rig.put(&Is(status(401)));
    assert_eq!(rig.place(), "Waiting, reporting then FailedToStart", "refused again");
}

#[test]
fn a_start_that_fails_fast_gives_up_where_the_server_wants_to_be_left_alone_or_the_factory_fails() {
    let fast = || Policy { first: FirstAttempt::FailFast, ..with_factory() };
    let mut rig = Rig::new(fast());
    rig.put(&Is(SessionEvent::RequestMade));
    let SessionEvent::DialFailed { error, .. } = status(401) else { unreachable!() };
    rig.put(&Is(SessionEvent::DialFailed { error, retry_after: Some(SECOND) }));
    assert_eq!(rig.place(), "FailedToStart");

    let classifier = Arc::new(AlwaysRefresh);
    let mut rig = Rig::new(Policy { classifier, ..fast() });
    rig.fail(no_request());
    rig.put(&Is(no_request()));
    assert_eq!(rig.place(), "FailedToStart");
}

#[test]
fn without_a_factory_refresh_means_retry() {
    let classifier = Arc::new(AlwaysRefresh);
    let mut rig = Rig::new(Policy { first: FirstAttempt::FailFast, classifier, ..policy() });
    rig.put(&Is(no_dial()));
    assert_eq!(rig.place(), "FailedToStart");
}

#[test]
fn a_restart_in_on_restart_error_undoes_a_fatal_failure_and_a_stop_stands() {
    let fatal = || {
        let mut rig = Rig::with(policy(), Place::Waiting);
        for input in [Timeout, Is(status(403))] {
            rig.put(&input);
        }
        assert_eq!(rig.place(), "Waiting, reporting then Fatal");
        rig
    };
    let mut rig = fatal();
    for input in [Restart, Is(returned(OnRestartError))] {
        rig.put(&input);
    }
    assert_eq!(rig.place(), "Dialing");

    let mut rig = fatal();
    for input in [Stop, Restart, Is(returned(OnRestartError))] {
        rig.put(&input);
    }
    assert_eq!(rig.place(), "Fatal");
}

#[test]
fn a_session_that_was_opened_breaks_the_row_of_all_but_broken_protocols() {
    let mut rig = Rig::with(policy(), Place::Waiting);
    rig.put(&Timeout);
    for _ in 0..3 {
        rig.fail(status(404));
        rig.fail(status(404));
        rig.open();
        rig.end(SessionEvent::HeartbeatLost);
        rig.put(&Timeout);
        assert_eq!(rig.place(), "Dialing");
    }
}

#[test]
fn a_restart_that_is_asked_for_undoes_a_fatal_close() {
    let mut rig = Rig::at(Place::Open);
    for input in [Is(closed(1008)), Restart, Is(drained()), Is(returned(OnClose)), Is(gone())] {
        rig.put(&input);
    }
    assert_eq!(rig.place(), "Waiting");
}

#[test]
fn without_reconnect_nothing_is_classified() {
    let mut rig = Rig::with(Policy { after_session: AfterSession::Stop, ..policy() }, Place::Open);
    rig.end(closed(1008));
    assert_eq!(rig.place(), "PeerClosed");
}

#[test]
fn a_request_is_made_before_each_dial_and_told_what_went_before() {
    let mut rig = Rig::new(with_factory());
    assert_eq!((rig.said().as_str(), rig.place().as_str()), ("request 1 attempt 1", "Requesting"));
    assert_eq!(rig.due_in(), Some(SECOND * 14));
    rig.put(&Is(SessionEvent::RequestMade));
    assert_eq!((rig.said().as_str(), rig.place().as_str()), ("dial 1", "Dialing"));
    assert_eq!(rig.due_in(), Some(SECOND * 15));
    rig.fail(no_dial());
    rig.put(&Is(SessionEvent::RequestMade));
    rig.open();
    rig.said();
    rig.put(&Restart);
    for event in [drained(), returned(OnClose), gone()] {
        rig.put(&Is(event));
    }
    rig.put(&Timeout);
    assert!(rig.said().ends_with("request 3 attempt 3"), "nothing failed: it was asked for");
}

#[test]
fn a_request_that_fails_is_a_failed_attempt() {
    let mut rig = Rig::new(with_factory());
    rig.said();
    rig.fail(no_request());
    assert_eq!(rig.said(), "on_restart_error 1; request 2 attempt 2 after Request");
}

#[test]
fn a_request_over_its_time_is_dropped_and_has_failed_once_it_is_gone() {
    let mut rig = Rig::new(Policy { first: FirstAttempt::FailFast, ..with_factory() });
    rig.said();
    rig.put(&Timeout);
    let abandoned = "Requesting, abandoned";
    assert_eq!((rig.said().as_str(), rig.place().as_str()), ("abandon dial", abandoned));
    rig.put(&Is(SessionEvent::RequestMade));
    assert_eq!(rig.said(), "", "it came too late");
    for _ in 0..3 {
        // It blocks its thread: it is not asked again meanwhile.
        rig.put(&Timeout);
        assert_eq!((rig.said().as_str(), rig.place().as_str()), ("warn of the request", abandoned));
    }
    rig.put(&Is(SessionEvent::DialAbandoned));
    let Some(AttemptError::Request(error)) = rig.error() else { panic!("{:?}", rig.error()) };
    assert_eq!(error.kind(), RequestErrorKind::Timeout);
}

#[test]
fn a_stop_drops_the_request_and_nothing_is_dialled() {
    for late in [false, true] {
        let mut rig = Rig::new(with_factory());
        if late {
            rig.put(&Timeout);
        }
        rig.said();
        rig.put(&Stop);
        assert_eq!((rig.said().as_str(), rig.place().as_str()), ("abandon dial", "FailedToStart"));
        rig.put(&Is(SessionEvent::RequestMade));
        assert_eq!(rig.said(), "");
    }
}

#[test]
fn a_request_that_comes_while_none_is_wanted_changes_nothing() {
    for place in Place::ALL {
        for event in [SessionEvent::RequestMade, no_request()] {
            let mut rig = Rig::at(place);
            let before = rig.place();
            rig.put(&Is(event));
            assert_eq!((rig.said(), rig.place()), (String::new(), before), "{place:?}");
        }
    }
}

#[test]
fn what_on_open_refuses_is_retried_for_ever() {
    let mut rig = Rig::new(Policy { backoff: Arc::new(NoBackoff), ..policy() });
    for _ in 0..100 {
        for event in [SessionEvent::Dialed, refused(), gone(), returned(OnRestartError)] {
            rig.put(&Is(event));
        }
        rig.put(&Wait(Duration::ZERO));
        assert_eq!(rig.place(), "Dialing");
    }
}

#[test]
fn a_stop_or_a_restart_asked_for_before_the_connection_was_lost_stands_though_on_open_returned_well()
 {
    let lost = || {
        [Is(closed(1008)), Is(returned(OnOpen)), Is(drained()), Is(returned(OnClose)), Is(gone())]
    };
    for after_session in [AfterSession::Reconnect, AfterSession::Stop] {
        for (asked, then) in [(Stop, "Requested"), (Restart, "Waiting")] {
            let mut rig = Rig::with(Policy { after_session, ..policy() }, Place::Opening);
            rig.put(&asked);
            lost().iter().for_each(|input| rig.put(input));
            assert_eq!(rig.place(), then, "{asked:?} {after_session:?}");
        }
    }
}
