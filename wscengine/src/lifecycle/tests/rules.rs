//! What a table of single steps does not show: deadlines, delays, budgets, turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{AfterSession, Event, FirstAttempt, Lifecycle, Policy, SessionEvent};
use super::kit::Input::{Is, Pause, PauseFor, Release, Restart, Stop, Timeout, Wait};
use super::kit::{
    Place, Rig, aborted, broken, drained, gone, no_dial, policy, refused, returned, survivable,
};
use crate::error::{AttemptError, ConnectErrorKind, Phase};
use crate::handler::Callback::{OnClose, OnOpen, OnReadError, OnRestartError};
use crate::retry::{ExponentialBackoff, NoBackoff};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn each_step_has_the_deadline_that_is_its_own() {
    let all = [
        (Place::Dialing, 15),
        (Place::Abandoning, 1),
        (Place::Opening, 31),
        (Place::OpeningLate, 1),
        (Place::OpeningLost, 1),
        (Place::Reporting, 7),
        (Place::Draining, 5),
        (Place::DrainingReport, 5),
        (Place::DrainingAborted, 1),
        (Place::NotifyingReadError, 7),
        (Place::NotifyingLocal, 8),
        (Place::NotifyingLate, 1),
        (Place::Handshake, 6),
        (Place::AttemptHandshake, 6),
        (Place::Dropping, 6),
        (Place::CloseReport, 9),
        (Place::Waiting, 1),
        (Place::WaitingReport, 11),
    ];
    for (place, seconds) in all {
        assert_eq!(Rig::at(place).due_in(), Some(SECOND * seconds), "{place:?}");
    }
}

#[test]
fn a_first_attempt_that_fails_fast_ends_the_engine_with_its_error() {
    let mut rig = Rig::new(Policy { first: FirstAttempt::FailFast, ..policy() });
    rig.put(&Is(no_dial()));
    assert_eq!((rig.said().as_str(), rig.place().as_str()), ("dial 1", "FailedToStart"));

    let mut rig =
        Rig::with(Policy { first: FirstAttempt::FailFast, ..policy() }, Place::AttemptHandshake);
    rig.put(&Is(gone()));
    assert_eq!(rig.place(), "FailedToStart");
    let super::super::State::Stopped(outcome) = rig.machine.state() else { panic!("stopped") };
    assert!(matches!(outcome.error(), Some(AttemptError::OnOpen(_))), "{outcome:?}");
}

#[test]
fn after_a_session_even_a_machine_that_fails_fast_retries() {
    let mut rig = Rig::with(Policy { first: FirstAttempt::FailFast, ..policy() }, Place::Waiting);
    rig.put(&Timeout);
    rig.put(&Is(no_dial()));
    assert_eq!(rig.said(), "dial 2; on_restart_error 2");
}

#[test]
fn a_dial_over_its_time_fails_as_a_timeout() {
    let mut rig = Rig::new(Policy { first: FirstAttempt::FailFast, ..policy() });
    rig.put(&Timeout);
    rig.put(&Is(SessionEvent::DialAbandoned));
    let super::super::State::Stopped(outcome) = rig.machine.state() else { panic!("stopped") };
    let Some(AttemptError::Connect(error)) = outcome.error() else { panic!("{outcome:?}") };
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Whole));
}

#[test]
fn without_reconnect_the_end_of_the_session_is_the_end_and_says_why() {
    for (event, outcome) in [
        (SessionEvent::PeerClosed(None), "PeerClosed"),
        (SessionEvent::HeartbeatLost, "ConnectionLost"),
    ] {
        let mut rig =
            Rig::with(Policy { after_session: AfterSession::Stop, ..policy() }, Place::Open);
        for event in [event, drained(), returned(OnClose), gone()] {
            rig.put(&Is(event));
        }
        assert_eq!(rig.place(), outcome);
        assert!(!rig.said().contains("restarting"));
    }
}

#[test]
fn without_reconnect_a_restart_still_reconnects() {
    for place in [Place::Draining, Place::DrainingLost, Place::NotifyingPeer, Place::Dropping] {
        let mut rig = Rig::with(Policy { after_session: AfterSession::Stop, ..policy() }, place);
        rig.put(&Restart);
        assert!(rig.place().ends_with("then restart"), "{place:?}: {}", rig.place());
    }
}

#[test]
fn a_stop_stands_whatever_restart_follows() {
    let mut rig = Rig::at(Place::Open);
    rig.put(&Stop);
    rig.put(&Restart);
    assert_eq!(rig.place(), "Draining then Requested");
}

#[test]
fn only_a_stable_session_sets_the_counter_back() {
    for (lived, failures) in [(SECOND * 10, 1), (SECOND * 10 - Duration::from_nanos(1), 3)] {
        let mut rig = Rig::new(policy());
        for event in [no_dial(), returned(OnRestartError)] {
            rig.put(&Is(event));
        }
        rig.put(&Timeout);
        for event in [SessionEvent::Dialed, refused(), gone(), returned(OnRestartError)] {
            rig.put(&Is(event));
        }
        rig.put(&Timeout);
        for event in [SessionEvent::Dialed, returned(OnOpen)] {
            rig.put(&Is(event));
        }
        assert_eq!(rig.machine.retry.failures(), 2);
        rig.put(&Wait(lived));
        for event in [SessionEvent::HeartbeatLost, drained(), returned(OnClose), gone()] {
            rig.put(&Is(event));
        }
        assert_eq!(rig.machine.retry.failures(), failures, "{lived:?}");
    }
}

#[test]
fn the_budget_of_attempts_allows_so_many_retries_and_no_more() {
    for most in [0, 1, 3] {
        let mut rig = Rig::new(Policy { max_attempts: Some(most), ..policy() });
        for _ in 0..most {
            rig.put(&Is(no_dial()));
            rig.put(&Is(returned(OnRestartError)));
            rig.put(&Timeout);
            assert_eq!(rig.place(), "Dialing");
        }
        rig.said();
        rig.put(&Is(no_dial()));
        assert_eq!(rig.said(), format!("on_restart_error {} last", most + 1));
        assert_eq!(rig.place(), "Waiting, reporting then FailedToStart");
        rig.put(&Is(returned(OnRestartError)));
        assert_eq!(rig.place(), "FailedToStart");
    }
}

#[test]
fn the_budget_of_time_counts_the_delay_that_would_come() {
    for (budget, place) in [
        (SECOND, "Waiting, reporting"),
        (SECOND - Duration::from_nanos(1), "Waiting, reporting then FailedToStart"),
    ] {
        let mut rig = Rig::new(Policy { max_elapsed: Some(budget), ..policy() });
        rig.put(&Is(no_dial()));
        assert_eq!(rig.place(), place);
    }
    // The time runs from the first failure, not from the last.
    let mut rig = Rig::new(Policy { max_elapsed: Some(SECOND * 2), ..policy() });
    rig.put(&Is(no_dial()));
    rig.put(&Is(returned(OnRestartError)));
    rig.put(&Timeout);
    rig.put(&Wait(Duration::from_millis(1)));
    rig.put(&Is(no_dial()));
    assert_eq!(rig.place(), "Waiting, reporting then FailedToStart");
}

#[test]
fn a_session_that_ends_with_the_budget_spent_gives_up() {
    let mut rig = Rig::with(Policy { max_attempts: Some(0), ..policy() }, Place::Dropping);
    rig.put(&Is(gone()));
    assert_eq!(rig.place(), "GaveUp");
}

#[test]
fn the_next_dial_waits_for_on_restart_error_and_for_its_time() {
    let mut rig = Rig::at(Place::WaitingReport);
    rig.put(&Wait(SECOND * 5));
    assert_eq!((rig.said().as_str(), rig.place().as_str()), ("", "Waiting, reporting"));
    rig.put(&Is(returned(OnRestartError)));
    assert_eq!(rig.said(), "dial 2");

    let mut rig = Rig::at(Place::WaitingReport);
    rig.put(&Restart);
    rig.put(&Is(returned(OnRestartError)));
    assert_eq!(rig.said(), "dial 2");
}

#[test]
fn without_backoff_time_need_not_pass_and_does_not_spin() {
    let mut rig = Rig::with(Policy { backoff: Arc::new(NoBackoff), ..policy() }, Place::Dropping);
    rig.put(&Is(gone()));
    rig.put(&Wait(Duration::ZERO));
    assert_eq!((rig.said().as_str(), rig.place().as_str()), ("dial 2", "Dialing"));
}

#[test]
fn holders_are_served_in_turn_and_one_that_gave_up_is_passed_over() {
    let mut rig = Rig::at(Place::Held);
    for input in [Pause(2), Pause(3), Pause(4), Release(3), Release(1)] {
        rig.put(&input);
    }
    assert_eq!((rig.said().as_str(), rig.place().as_str()), ("grant 2", "Open, held by 2"));
    rig.put(&Release(2));
    rig.put(&Release(4));
    assert_eq!(rig.said(), "grant 4; dispatch");
}

#[test]
fn those_who_still_wait_when_the_session_ends_are_refused() {
    let mut rig = Rig::at(Place::Held);
    for input in [Pause(2), Pause(3), Stop] {
        rig.put(&input);
    }
    assert_eq!(
        rig.said(),
        "end sending; revoke 1 Stopping; deny 2 SessionEnded; deny 3 SessionEnded; drain Keep"
    );
}

#[test]
fn a_lease_runs_from_its_grant_and_the_next_in_turn_follows() {
    let mut rig = Rig::at(Place::Held);
    rig.put(&PauseFor(2, SECOND));
    assert_eq!(rig.due_in(), None);
    rig.put(&Wait(SECOND * 5));
    rig.put(&Release(1));
    rig.put(&Pause(3));
    assert_eq!((rig.said().as_str(), rig.due_in()), ("grant 2", Some(SECOND)));
    rig.put(&Timeout);
    assert_eq!(
        (rig.said().as_str(), rig.place().as_str()),
        ("revoke 2 Expired; grant 3", "Open, held by 3")
    );
}

#[test]
fn a_lease_of_any_length_can_be_asked_for() {
    for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let mut rig = Rig::at(Place::Open);
        rig.put(&PauseFor(1, limit));
        assert_eq!(rig.said(), "grant 1", "{limit:?}");
    }
}

#[test]
fn a_hold_released_beside_on_read_error_lets_no_message_flow_before_that_ends() {
    let mut rig = Rig::at(Place::Reporting);
    for input in [Pause(1), Release(1)] {
        rig.put(&input);
    }
    assert_eq!(rig.said(), "grant 1");
    rig.put(&Is(returned(OnReadError)));
    assert_eq!(rig.said(), "dispatch after 1");

    let mut rig = Rig::at(Place::Reporting);
    for input in [Pause(1), Is(returned(OnReadError))] {
        rig.put(&input);
    }
    assert_eq!(rig.said(), "grant 1");
    rig.put(&Release(1));
    assert_eq!(rig.said(), "dispatch after 1");
}

#[test]
fn a_read_error_over_its_time_is_told_to_go_and_then_warned_of() {
    let mut rig = Rig::at(Place::Reporting);
    for _ in 0..3 {
        rig.put(&Timeout);
    }
    assert_eq!(rig.said(), "abort on_read_error; warn on_read_error; warn on_read_error");
    rig.put(&Is(survivable(Some(0))));
    rig.put(&Is(returned(OnReadError)));
    assert_eq!(rig.said(), "end sending; drain Handle");
}

#[test]
fn a_stop_over_its_time_drops_everything_and_says_so_once() {
    let mut rig = Rig::at(Place::NotifyingLocal);
    rig.put(&Stop);
    rig.put(&Wait(SECOND * 60));
    assert_eq!(rig.said().matches("drop all").count(), 1);
    assert_eq!(rig.place(), "Requested by force");
    rig.put(&Wait(SECOND));
    assert_eq!(rig.said(), "");
}

#[test]
fn a_stop_that_is_repeated_does_not_get_more_time() {
    let mut rig = Rig::at(Place::NotifyingLocal);
    rig.put(&Stop);
    rig.put(&Wait(SECOND * 30));
    rig.put(&Stop);
    rig.put(&Wait(SECOND * 30));
    assert_eq!(rig.place(), "Requested by force");
}

#[test]
fn a_handshake_cut_short_is_told_as_a_timeout() {
    let mut rig = Rig::at(Place::Handshake);
    rig.put(&Timeout);
    rig.put(&Is(broken()));
    assert_eq!(rig.said(), "disconnect; on_close_error Timeout");
}

#[test]
fn a_stop_before_the_first_dial_has_begun_takes_it_back() {
    let mut machine = Lifecycle::new(Instant::now(), policy());
    machine.handle(Instant::now(), Event::Stop);
    assert!(machine.poll_action().is_none());
    assert!(machine.poll_timeout().is_none());
}

#[test]
fn a_restart_that_is_asked_for_dials_at_once_and_only_in_a_row_backs_off() {
    let policy = Policy { max_attempts: Some(0), ..policy() };
    let mut rig = Rig::with(policy, Place::Handshake);
    rig.put(&Is(gone()));
    assert_eq!((rig.place().as_str(), rig.due_in()), ("Waiting", Some(Duration::ZERO)));
    rig.put(&Timeout);
    for input in [
        Is(SessionEvent::Dialed),
        Is(returned(OnOpen)),
        Restart,
        Is(drained()),
        Is(returned(OnClose)),
    ] {
        rig.put(&input);
    }
    rig.put(&Is(gone()));
    assert_eq!((rig.place().as_str(), rig.due_in()), ("Waiting", Some(SECOND)));
    // Asked for in a loop, it does not cut short the backoff that asking for it has brought about.
    rig.put(&Restart);
    assert_eq!((rig.place().as_str(), rig.due_in()), ("Waiting", Some(SECOND)));
}

#[test]
fn a_restart_while_on_open_runs_is_no_failure() {
    let mut rig = Rig::with(Policy { first: FirstAttempt::FailFast, ..policy() }, Place::Opening);
    for input in [Restart, Is(aborted(OnOpen)), Is(gone()), Timeout] {
        rig.put(&input);
    }
    assert_eq!(rig.said(), "abort on_open; close; dial 2");
}

#[test]
fn attempts_are_numbered_from_the_last_stable_session() {
    for (lived, attempt) in [(SECOND, 2), (SECOND * 10, 1)] {
        let mut rig = Rig::at(Place::Open);
        rig.put(&Wait(lived));
        for event in [SessionEvent::HeartbeatLost, drained(), returned(OnClose), gone()] {
            rig.put(&Is(event));
        }
        rig.put(&Timeout);
        assert_eq!((rig.place().as_str(), rig.machine.attempt()), ("Dialing", attempt));
    }
}

#[test]
fn a_restart_that_was_asked_for_is_done_though_the_connection_is_lost_first() {
    let mut rig =
        Rig::with(Policy { after_session: AfterSession::Stop, ..policy() }, Place::Opening);
    for input in [Restart, Is(SessionEvent::HeartbeatLost), Is(returned(OnOpen))] {
        rig.put(&input);
    }
    assert_eq!(rig.place(), "Draining then restart");
}

#[test]
fn an_on_restart_error_over_its_time_is_told_to_go_however_long_the_wait() {
    let backoff = ExponentialBackoff::new().base(SECOND * 1_000_000).cap(SECOND * 1_000_000);
    let mut rig =
        Rig::with(Policy { backoff: Arc::new(backoff), ..policy() }, Place::WaitingReport);
    rig.put(&Wait(SECOND * 11));
    assert_eq!(rig.said(), "abort on_restart_error");
}

#[test]
fn restarts_that_are_asked_for_spend_nothing_of_the_budget() {
    let mut rig = Rig::new(Policy { max_attempts: Some(1), ..policy() });
    let ends = [Restart, Restart, Is(SessionEvent::HeartbeatLost)];
    for end in ends {
        for input in [
            Is(SessionEvent::Dialed),
            Is(returned(OnOpen)),
            end,
            Is(drained()),
            Is(returned(OnClose)),
        ] {
            rig.put(&input);
        }
        rig.put(&Is(gone()));
        assert_eq!(rig.place(), "Waiting");
        rig.put(&Timeout);
    }
    rig.put(&Is(no_dial()));
    assert_eq!(rig.place(), "Waiting, reporting then GaveUp");
}
