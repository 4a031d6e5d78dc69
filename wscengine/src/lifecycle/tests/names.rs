//! States and actions in a few words, so that a table of them can be read.

use std::time::Duration;

use super::super::state::{
    AfterOpening, AfterWait, ClosingStage, DialingStage, DrainingStage, Late, Notice, OpeningStage,
    Stage, Then, Why,
};
use super::super::{Action, Call, State};
use crate::status::Outcome;

pub(super) fn state_name(state: &State) -> String {
    match state {
        State::Dialing { stage: DialingStage::Running, .. } => "Dialing".into(),
        State::Dialing { stage: DialingStage::Requesting, .. } => "Requesting".into(),
        State::Dialing { stage: DialingStage::Abandoning(Late::Dial), .. } => {
            "Dialing, abandoned".into()
        }
        State::Dialing { stage: DialingStage::Abandoning(Late::Request), .. } => {
            "Requesting, abandoned".into()
        }
        State::Opening { stage: OpeningStage::Running, .. } => "Opening".into(),
        State::Opening { stage: OpeningStage::Aborting(AfterOpening::Close(then)), .. } => {
            format!("Opening, to close then {}", then_name(then))
        }
        State::Opening {
            stage: OpeningStage::Aborting(AfterOpening::Finish(then, ..)), ..
        } => {
            format!("Opening, lost then {}", then_name(then))
        }
        State::Open(open) => {
            let hold = open.hold.map(|hold| format!(", held by {}", hold.id)).unwrap_or_default();
            let report = match open.report.map(|report| report.stage) {
                Some(Stage::Running) => ", reporting",
                Some(Stage::Aborting) => ", reporting too long",
                None => "",
            };
            format!("Open{hold}{report}")
        }
        State::Draining { ending, stage, .. } => {
            let stage = match stage {
                DrainingStage::Reporting(_) => ", reporting",
                DrainingStage::Finishing => "",
                DrainingStage::Aborting => ", giving up",
            };
            format!("Draining{stage} then {}", then_name(&ending.then))
        }
        State::Notifying { ending, notice, stage, .. } => {
            let notice = match notice {
                Notice::ReadError => "Notifying of the error",
                Notice::Close => "Notifying",
            };
            format!("{notice}{} then {}", late(*stage), then_name(&ending.then))
        }
        State::Closing { then, stage, .. } => {
            let stage = match stage {
                ClosingStage::Handshake => "Closing".into(),
                ClosingStage::Dropping(_) => "Dropping".into(),
                ClosingStage::Report(stage) => format!("Reporting the close{}", late(*stage)),
            };
            format!("{stage} then {}", then_name(then))
        }
        State::Waiting { report, then, .. } => {
            let report = report
                .map(|report| format!(", reporting{}", late(report.stage)))
                .unwrap_or_default();
            match then {
                AfterWait::Dial => format!("Waiting{report}"),
                AfterWait::Stop(outcome) => {
                    format!("Waiting{report} then {}", outcome_name(outcome))
                }
            }
        }
        State::Stopped(outcome) => outcome_name(outcome),
    }
}

fn late(stage: Stage) -> &'static str {
    match stage {
        Stage::Running => "",
        Stage::Aborting => " too long",
    }
}

fn then_name(then: &Then) -> String {
    match then {
        Then::Reconnect(Why::Ended { floor: Duration::ZERO }) => "reconnect".into(),
        Then::Reconnect(Why::Ended { floor }) => format!("reconnect after {floor:?}"),
        Then::Reconnect(Why::Asked) => "restart".into(),
        Then::AttemptFailed(_) => "retry".into(),
        Then::Stop(outcome) => outcome_name(outcome),
    }
}

pub(super) fn outcome_name(outcome: &Outcome) -> String {
    let forced = if outcome.is_forced() { " by force" } else { "" };
    format!("{:?}{forced}", outcome.kind())
}

pub(super) fn action_name(action: &Action) -> String {
    match action {
        Action::MakeRequest { epoch, attempt, failure, refresh, .. } => {
            let refresh = if *refresh { ", refreshed" } else { "" };
            let failure = failure.as_ref().map(|failure| format!(" after {:?}", failure.kind()));
            format!("request {epoch} attempt {attempt}{}{refresh}", failure.unwrap_or_default())
        }
        Action::Dial { epoch } => format!("dial {epoch}"),
        Action::AbandonDial { .. } => "abandon dial".into(),
        Action::WarnOfRequest => "warn of the request".into(),
        Action::Run { call, .. } => call_name(call),
        Action::Abort { callback, .. } => format!("abort {callback}"),
        Action::Warn { callback } => format!("warn {callback}"),
        Action::Dispatch { errors: 0, .. } => "dispatch".into(),
        Action::Dispatch { errors, .. } => format!("dispatch after {errors}"),
        Action::EndSending { .. } => "end sending".into(),
        Action::Grant { hold, .. } => format!("grant {hold}"),
        Action::Deny { hold, error } => format!("deny {hold} {error:?}"),
        Action::Revoke { hold, reason, .. } => format!("revoke {hold} {reason:?}"),
        Action::Drain { rest, .. } => format!("drain {rest:?}"),
        Action::AbortMessages { .. } => "abort messages".into(),
        Action::Close { .. } => "close".into(),
        Action::Disconnect { .. } => "disconnect".into(),
        Action::DropAll => "drop all".into(),
    }
}

fn call_name(call: &Call) -> String {
    match call {
        Call::OnOpen => "on_open".into(),
        Call::OnReadError(error) if error.is_fatal() => "on_read_error fatal".into(),
        Call::OnReadError(_) => "on_read_error".into(),
        Call::OnClose { cause, restarting, unhandled, unsent } => {
            let restarting = if *restarting { ", restarting" } else { "" };
            format!("on_close ({cause}{restarting}) {unhandled} {unsent}")
        }
        Call::OnCloseError(error) => format!("on_close_error {:?}", error.kind()),
        Call::OnRestartError { retry, until, .. } => {
            let last = if until.is_some() { "" } else { " last" };
            format!("on_restart_error {retry}{last}")
        }
    }
}

/// Every stage and every action by a name that costs nothing.
pub(super) mod corner {
    use super::*;

    pub(in super::super) fn of_state(state: &State) -> &'static str {
        match state {
            State::Dialing { stage: DialingStage::Running, .. } => "Dialing",
            State::Dialing { stage: DialingStage::Requesting, .. } => "Dialing/Requesting",
            State::Dialing { stage: DialingStage::Abandoning(Late::Dial), .. } => {
                "Dialing/Abandoning"
            }
            State::Dialing { stage: DialingStage::Abandoning(Late::Request), .. } => {
                "Dialing/Abandoning the request"
            }
            State::Opening { stage: OpeningStage::Running, .. } => "Opening",
            State::Opening { stage: OpeningStage::Aborting(AfterOpening::Close(_)), .. } => {
                "Opening/Close"
            }
            State::Opening { stage: OpeningStage::Aborting(AfterOpening::Finish(..)), .. } => {
                "Opening/Finish"
            }
            State::Open(open) => match (open.hold.is_some(), open.report.is_some()) {
                (false, false) => "Open",
                (true, false) => "Open/held",
                (false, true) => "Open/reporting",
                (true, true) => "Open/held and reporting",
            },
            State::Draining { stage: DrainingStage::Reporting(_), .. } => "Draining/Reporting",
            State::Draining { stage: DrainingStage::Finishing, .. } => "Draining",
            State::Draining { stage: DrainingStage::Aborting, .. } => "Draining/Aborting",
            State::Notifying { notice: Notice::ReadError, .. } => "Notifying/ReadError",
            State::Notifying { notice: Notice::Close, stage: Stage::Running, .. } => "Notifying",
            State::Notifying { notice: Notice::Close, stage: Stage::Aborting, .. } => {
                "Notifying/Aborting"
            }
            State::Closing { stage: ClosingStage::Handshake, .. } => "Closing",
            State::Closing { stage: ClosingStage::Dropping(None), .. } => "Closing/Dropping",
            State::Closing { stage: ClosingStage::Dropping(Some(_)), .. } => {
                "Closing/Dropping after a failure"
            }
            State::Closing { stage: ClosingStage::Report(_), .. } => "Closing/Report",
            State::Waiting { report: Some(_), then: AfterWait::Dial, .. } => "Waiting/reporting",
            State::Waiting { report: None, then: AfterWait::Dial, .. } => "Waiting",
            State::Waiting { then: AfterWait::Stop(_), .. } => "Waiting/to stop",
            State::Stopped(_) => "Stopped",
        }
    }

    pub(in super::super) fn of_action(action: &Action) -> &'static str {
        match action {
            Action::MakeRequest { .. } => "request",
            Action::Dial { .. } => "dial",
            Action::AbandonDial { .. } => "abandon dial",
            Action::WarnOfRequest => "warn of the request",
            Action::Run { call: Call::OnOpen, .. } => "on_open",
            Action::Run { call: Call::OnReadError(_), .. } => "on_read_error",
            Action::Run { call: Call::OnClose { .. }, .. } => "on_close",
            Action::Run { call: Call::OnCloseError(_), .. } => "on_close_error",
            Action::Run { call: Call::OnRestartError { .. }, .. } => "on_restart_error",
            Action::Abort { .. } => "abort",
            Action::Warn { .. } => "warn",
            Action::Dispatch { .. } => "dispatch",
            Action::EndSending { .. } => "end sending",
            Action::Grant { .. } => "grant",
            Action::Deny { .. } => "deny",
            Action::Revoke { .. } => "revoke",
            Action::Drain { .. } => "drain",
            Action::AbortMessages { .. } => "abort messages",
            Action::Close { .. } => "close",
            Action::Disconnect { .. } => "disconnect",
            Action::DropAll => "drop all",
        }
    }

    /// All of them.
    pub(in super::super) const ALL: &[&str] = &[
        "Dialing",
        "Dialing/Requesting",
        "Dialing/Abandoning",
        "Dialing/Abandoning the request",
        "Opening",
        "Opening/Close",
        "Opening/Finish",
        "Open",
        "Open/held",
        "Open/reporting",
        "Open/held and reporting",
        "Draining/Reporting",
        "Draining",
        "Draining/Aborting",
        "Notifying/ReadError",
        "Notifying",
        "Notifying/Aborting",
        "Closing",
        "Closing/Dropping",
        "Closing/Dropping after a failure",
        "Closing/Report",
        "Waiting/reporting",
        "Waiting",
        "Waiting/to stop",
        "Stopped",
        "request",
        "dial",
        "abandon dial",
        "warn of the request",
        "on_open",
        "on_read_error",
        "on_close",
        "on_close_error",
        "on_restart_error",
        "abort",
        "warn",
        "dispatch",
        "end sending",
        "grant",
        "deny",
        "revoke",
        "drain",
        "abort messages",
        "close",
        "disconnect",
        "drop all",
    ];
}
