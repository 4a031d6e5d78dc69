//! Each place a machine may be in, and what each input that matters there leads to.

use super::super::{Event, SessionEvent};
use super::kit::Input::{
    Is, Past, Pause, PausePast, Release, Restart, RestartPast, RestartThis, Stop, Timeout,
};
use super::kit::{
    Input, Place, Rig, aborted, broken, drained, fatal, gone, no_dial, panicked, refused, returned,
    survivable,
};
use crate::handler::Callback::{
    OnClose, OnCloseError, OnMessage, OnOpen, OnReadError, OnRestartError,
};

/// For each row: put the input to a machine at this place, and see what it wants done and where it is then.
#[track_caller]
fn check(place: Place, rows: &[(Input, &str, &str)]) {
    for (input, said, then) in rows {
        let mut rig = Rig::at(place);
        rig.put(input);
        assert_eq!(
            (rig.said().as_str(), rig.place().as_str()),
            (*said, *then),
            "{place:?}: {input:?}"
        );
    }
}

fn lost() -> Input {
    Is(SessionEvent::HeartbeatLost)
}

fn closed() -> Input {
    Is(SessionEvent::PeerClosed(None))
}

#[test]
fn a_dial_leads_to_on_open_or_to_a_retry_and_a_stop_abandons_it() {
    check(
        Place::Dialing,
        &[
            (Is(SessionEvent::Dialed), "on_open", "Opening"),
            (Is(no_dial()), "on_restart_error 1", "Waiting, reporting"),
            (Is(SessionEvent::DialAbandoned), "", "Dialing"),
            (Timeout, "abandon dial", "Dialing, abandoned"),
            (Stop, "abandon dial", "FailedToStart"),
            (Restart, "", "Dialing"),
            (Pause(1), "deny 1 SessionEnded", "Dialing"),
            (lost(), "", "Dialing"),
        ],
    );
}

#[test]
fn no_dial_follows_an_abandoned_one_before_that_is_gone_or_its_grace_is_over() {
    check(
        Place::Abandoning,
        &[
            (Is(SessionEvent::DialAbandoned), "on_restart_error 1", "Waiting, reporting"),
            (Timeout, "on_restart_error 1", "Waiting, reporting"),
            (Is(SessionEvent::Dialed), "", "Dialing, abandoned"),
            (Is(no_dial()), "", "Dialing, abandoned"),
            (Restart, "", "Dialing, abandoned"),
            (Stop, "abandon dial", "FailedToStart"),
        ],
    );
}

#[test]
fn what_on_open_returns_opens_the_session_or_closes_the_connection() {
    check(
        Place::Opening,
        &[
            (Is(returned(OnOpen)), "dispatch", "Open"),
            (Is(refused()), "close", "Closing then retry"),
            (Is(panicked(OnOpen)), "close", "Closing then retry"),
            (Is(aborted(OnOpen)), "close", "Closing then retry"),
            (Timeout, "abort on_open", "Opening, to close then retry"),
            (lost(), "abort on_open", "Opening, lost then retry"),
            (closed(), "abort on_open", "Opening, lost then retry"),
            (Is(fatal()), "abort on_open", "Opening, lost then retry"),
            (Is(SessionEvent::WriteStalled), "abort on_open", "Opening, lost then retry"),
            (Is(SessionEvent::IdleTimedOut), "abort on_open", "Opening, lost then retry"),
            (Is(gone()), "abort on_open", "Opening, lost then retry"),
            (Is(survivable(None)), "", "Opening"),
            (Is(returned(OnClose)), "", "Opening"),
            (Stop, "abort on_open", "Opening, to close then FailedToStart"),
            (Restart, "abort on_open", "Opening, to close then restart"),
            (RestartThis, "abort on_open", "Opening, to close then restart"),
            (Pause(1), "deny 1 AlreadyHeld", "Opening"),
        ],
    );
}

#[test]
fn an_on_open_that_was_told_to_go_opens_a_session_only_if_it_had_returned_well() {
    check(
        Place::OpeningLate,
        &[
            (Is(aborted(OnOpen)), "close", "Closing then retry"),
            (Is(refused()), "close", "Closing then retry"),
            (Is(panicked(OnOpen)), "close", "Closing then retry"),
            (Is(returned(OnOpen)), "dispatch", "Open"),
            (Timeout, "warn on_open", "Opening, to close then retry"),
            (lost(), "", "Opening, lost then retry"),
            (Stop, "", "Opening, to close then FailedToStart"),
            (Restart, "", "Opening, to close then retry"),
        ],
    );
    check(
        Place::OpeningLost,
        &[
            (Is(aborted(OnOpen)), "disconnect", "Dropping then retry"),
            (
                Is(returned(OnOpen)),
                "dispatch; end sending; drain Handle",
                "Draining then reconnect",
            ),
            (Is(gone()), "", "Opening, lost then retry"),
            (Timeout, "warn on_open", "Opening, lost then retry"),
            (Stop, "", "Opening, lost then FailedToStart"),
        ],
    );
}

#[test]
fn an_open_session_ends_by_the_peer_by_a_failure_or_by_us() {
    check(
        Place::Open,
        &[
            (closed(), "end sending; drain Handle", "Draining then reconnect"),
            (Is(fatal()), "end sending; drain Handle", "Draining then reconnect"),
            (lost(), "end sending; drain Handle", "Draining then reconnect"),
            (
                Is(SessionEvent::WriteStalled),
                "end sending; drain Handle",
                "Draining then reconnect",
            ),
            (
                Is(SessionEvent::IdleTimedOut),
                "end sending; drain Handle",
                "Draining then reconnect",
            ),
            (Is(broken()), "end sending; drain Handle", "Draining then reconnect"),
            (Stop, "end sending; drain Keep", "Draining then Requested"),
            (Restart, "end sending; drain Keep", "Draining then restart"),
            (RestartThis, "end sending; drain Keep", "Draining then restart"),
            (RestartPast, "", "Open"),
            (Is(survivable(None)), "on_read_error", "Open, reporting"),
            (Is(survivable(Some(1))), "on_read_error", "Open, reporting"),
            (Is(survivable(Some(0))), "end sending; drain Handle", "Draining then reconnect"),
            (Is(drained()), "", "Open"),
            (Pause(1), "grant 1", "Open, held by 1"),
            (PausePast(1), "deny 1 SessionEnded", "Open"),
            (Release(1), "", "Open"),
        ],
    );
}

#[test]
fn a_holder_keeps_the_connection_until_it_gives_it_back_or_the_session_ends() {
    check(
        Place::Held,
        &[
            (Release(1), "dispatch", "Open"),
            (Release(2), "", "Open, held by 1"),
            (Pause(2), "", "Open, held by 1"),
            (
                closed(),
                "end sending; revoke 1 ConnectionEnded; drain Handle",
                "Draining then reconnect",
            ),
            (
                lost(),
                "end sending; revoke 1 ConnectionEnded; drain Handle",
                "Draining then reconnect",
            ),
            (Stop, "end sending; revoke 1 Stopping; drain Keep", "Draining then Requested"),
            (Restart, "end sending; revoke 1 Restarting; drain Keep", "Draining then restart"),
            (Is(survivable(None)), "on_read_error", "Open, held by 1, reporting"),
        ],
    );
}

#[test]
fn no_message_flows_while_on_read_error_runs_but_a_holder_may_come() {
    check(
        Place::Reporting,
        &[
            (Is(returned(OnReadError)), "dispatch after 1", "Open"),
            (Is(panicked(OnReadError)), "dispatch after 1", "Open"),
            (Is(returned(OnClose)), "", "Open, reporting"),
            (Timeout, "abort on_read_error", "Open, reporting too long"),
            (Pause(1), "grant 1", "Open, held by 1, reporting"),
            (closed(), "end sending", "Draining, reporting then reconnect"),
            (Stop, "end sending", "Draining, reporting then Requested"),
        ],
    );
}

#[test]
fn on_close_waits_until_everything_of_the_session_is_quiet() {
    check(
        Place::Draining,
        &[
            (Is(drained()), "on_close (restarted, restarting) 2 3", "Notifying then restart"),
            (Is(broken()), "on_close (restarted, restarting) 0 0", "Notifying then restart"),
            (Timeout, "abort messages", "Draining, giving up then restart"),
            (Stop, "", "Draining then Requested"),
            (Restart, "", "Draining then restart"),
            (closed(), "", "Draining then restart"),
            (lost(), "", "Draining then restart"),
            (Pause(1), "deny 1 SessionEnded", "Draining then restart"),
            (Release(1), "", "Draining then restart"),
        ],
    );
    check(
        Place::DrainingAborted,
        &[
            (Is(drained()), "on_close (restarted, restarting) 2 3", "Notifying then restart"),
            (Timeout, "warn on_message", "Draining, giving up then restart"),
        ],
    );
    check(
        Place::DrainingReport,
        &[
            (Is(returned(OnReadError)), "drain Keep", "Draining then restart"),
            (Is(drained()), "", "Draining, reporting then restart"),
            (Timeout, "abort on_read_error", "Draining, reporting then restart"),
        ],
    );
    let nothing_came = "on_close (nothing came after a ping, restarting) 2 3";
    check(Place::DrainingLost, &[(Is(drained()), nothing_came, "Notifying then reconnect")]);
}

#[test]
fn a_read_error_of_before_the_end_is_told_in_its_place_and_the_drain_goes_on() {
    check(
        Place::DrainingLost,
        &[
            (Is(survivable(None)), "on_read_error", "Draining, reporting then reconnect"),
            (Is(survivable(Some(3))), "on_read_error", "Draining, reporting then reconnect"),
            (Is(survivable(Some(0))), "", "Draining then reconnect"),
            (Is(fatal()), "", "Draining then reconnect"),
        ],
    );
    let mut rig = Rig::at(Place::DrainingLost);
    rig.put(&Is(survivable(None)));
    rig.put(&Is(returned(OnReadError)));
    assert_eq!(rig.said(), "on_read_error; drain Handle");
}

#[test]
fn a_fatal_read_error_is_told_before_the_close() {
    let read_failed = "on_close (read failed: reading from the socket failed, restarting) 2 3";
    check(
        Place::NotifyingReadError,
        &[
            (Is(returned(OnReadError)), read_failed, "Notifying then reconnect"),
            (Is(returned(OnClose)), "", "Notifying of the error then reconnect"),
            (Timeout, "abort on_read_error", "Notifying of the error too long then reconnect"),
            (Stop, "", "Notifying of the error then Requested"),
            (Pause(1), "deny 1 SessionEnded", "Notifying of the error then reconnect"),
        ],
    );
}

#[test]
fn after_on_close_a_connection_of_ours_is_closed_and_a_lost_one_dropped() {
    check(
        Place::NotifyingLocal,
        &[
            (Is(returned(OnClose)), "close", "Closing then restart"),
            (Is(panicked(OnClose)), "close", "Closing then restart"),
            (Is(returned(OnReadError)), "", "Notifying then restart"),
            (Is(gone()), "", "Notifying then restart"),
            (Timeout, "abort on_close", "Notifying too long then restart"),
            (Stop, "", "Notifying then Requested"),
            (Restart, "", "Notifying then restart"),
            (Pause(1), "deny 1 AlreadyHeld", "Notifying then restart"),
        ],
    );
    check(
        Place::NotifyingLate,
        &[
            (Is(aborted(OnClose)), "close", "Closing then restart"),
            (Timeout, "warn on_close", "Notifying too long then restart"),
        ],
    );
    check(
        Place::NotifyingPeer,
        &[(Is(returned(OnClose)), "disconnect", "Dropping then reconnect")],
    );
}

#[test]
fn a_closing_handshake_that_fails_is_told_and_one_that_hangs_is_cut_short() {
    check(
        Place::Handshake,
        &[
            (Is(gone()), "", "Waiting"),
            (Is(broken()), "on_close_error Io", "Reporting the close then restart"),
            (Timeout, "disconnect", "Dropping then restart"),
            (Stop, "", "Closing then Requested"),
            (Restart, "", "Closing then restart"),
            (closed(), "", "Closing then restart"),
            (Pause(1), "deny 1 SessionEnded", "Closing then restart"),
        ],
    );
    check(
        Place::Dropping,
        &[
            (Is(gone()), "", "Waiting"),
            (Is(broken()), "", "Waiting"),
            (Timeout, "disconnect", "Dropping then reconnect"),
            (Stop, "", "Dropping then Requested"),
        ],
    );
    check(
        Place::CloseReport,
        &[
            (Is(returned(OnCloseError)), "", "Waiting"),
            (Is(gone()), "", "Reporting the close then restart"),
            (Is(returned(OnClose)), "", "Reporting the close then restart"),
            (Timeout, "abort on_close_error", "Reporting the close too long then restart"),
            (Stop, "", "Reporting the close then Requested"),
        ],
    );
}

#[test]
fn the_closing_of_an_attempt_is_nobodys_business_and_its_failure_is_reported_once() {
    check(
        Place::AttemptHandshake,
        &[
            (Is(gone()), "on_restart_error 1", "Waiting, reporting"),
            (Is(broken()), "on_restart_error 1", "Waiting, reporting"),
            (Timeout, "disconnect", "Dropping then retry"),
            (Stop, "", "Closing then FailedToStart"),
            (Restart, "", "Closing then retry"),
        ],
    );
}

#[test]
fn waiting_ends_when_it_is_time_or_at_once_by_a_restart_or_a_stop() {
    check(
        Place::Waiting,
        &[
            (Timeout, "dial 2", "Dialing"),
            (Restart, "dial 2", "Dialing"),
            (RestartThis, "", "Waiting"),
            (RestartPast, "", "Waiting"),
            (Stop, "", "Requested"),
            (Pause(1), "deny 1 SessionEnded", "Waiting"),
            (Is(gone()), "", "Waiting"),
            (Is(SessionEvent::Dialed), "", "Waiting"),
        ],
    );
    check(
        Place::WaitingReport,
        &[
            (Is(returned(OnRestartError)), "", "Waiting"),
            (Is(returned(OnOpen)), "", "Waiting, reporting"),
            (Timeout, "abort on_restart_error", "Waiting, reporting too long"),
            (Restart, "", "Waiting, reporting"),
            (Stop, "", "Waiting, reporting then FailedToStart"),
        ],
    );
}

#[test]
fn a_machine_that_has_stopped_does_nothing_but_refuse() {
    check(
        Place::Stopped,
        &[
            (Stop, "", "FailedToStart"),
            (Restart, "", "FailedToStart"),
            (Is(SessionEvent::DialAbandoned), "", "FailedToStart"),
            (Is(SessionEvent::Dialed), "", "FailedToStart"),
            (Is(gone()), "", "FailedToStart"),
            (Pause(1), "deny 1 Stopped", "FailedToStart"),
            (Input::Wait(std::time::Duration::from_secs(3600)), "", "FailedToStart"),
        ],
    );
}

#[test]
fn what_is_of_a_past_epoch_changes_nothing_anywhere() {
    let calls = [OnOpen, OnMessage, OnReadError, OnClose, OnCloseError, OnRestartError];
    let events = calls.into_iter().map(returned).chain([
        SessionEvent::Dialed,
        no_dial(),
        SessionEvent::DialAbandoned,
        SessionEvent::PeerClosed(None),
        fatal(),
        survivable(None),
        SessionEvent::WriteStalled,
        SessionEvent::HeartbeatLost,
        SessionEvent::IdleTimedOut,
        drained(),
        gone(),
        broken(),
    ]);
    for input in events.map(Past).chain([RestartPast]) {
        for place in Place::ALL {
            let mut rig = Rig::at(place);
            let before = format!("{:?}", rig.machine.state());
            rig.put(&input);
            assert_eq!(format!("{:?}", rig.machine.state()), before, "{place:?}: {input:?}");
            assert_eq!(rig.said(), "", "{place:?}: {input:?}");
        }
    }
}

#[test]
fn every_state_but_open_and_stopped_has_a_deadline() {
    for place in Place::ALL {
        let rig = Rig::at(place);
        let has_none = matches!(place, Place::Open | Place::Held | Place::Stopped);
        assert_eq!(rig.due_in().is_none(), has_none, "{place:?}");
    }
}

#[test]
fn to_be_woken_early_does_no_harm() {
    for place in Place::ALL {
        let mut rig = Rig::at(place);
        let before = format!("{:?}", rig.machine.state());
        rig.machine.handle_timeout(rig.now);
        assert_eq!(format!("{:?}", rig.machine.state()), before, "{place:?}");
        assert!(rig.machine.poll_action().is_none(), "{place:?}");
    }
}

#[test]
fn a_stop_from_anywhere_is_over_in_time_even_if_nothing_answers() {
    for place in Place::ALL {
        let mut rig = Rig::at(place);
        rig.machine.handle(rig.now, Event::Stop);
        rig.put(&Input::Wait(super::kit::policy().timeouts.stop));
        assert!(rig.machine.poll_timeout().is_none(), "{place:?}: {}", rig.place());
    }
}
