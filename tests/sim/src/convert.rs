//! The engine's types in the words of the record.

use wscengine::{AttemptError, CloseCause, Outcome, ReadErrorKind, StartError, Status};

use crate::event::{Answer, Cause, Shown};
use crate::record::Record;

pub(crate) fn cause(cause: &CloseCause) -> Cause {
    match cause {
        CloseCause::Stopped => Cause::Stopped,
        CloseCause::Restarted => Cause::Restarted,
        CloseCause::PeerClosed(frame) => {
            Cause::PeerClosed(frame.as_ref().map(|frame| frame.code().0))
        }
        CloseCause::ReadFailed(error) => match error.kind() {
            ReadErrorKind::Io => Cause::ReadIo,
            ReadErrorKind::UnexpectedEof => Cause::ReadEof,
            ReadErrorKind::Protocol => Cause::ReadProtocol,
            ReadErrorKind::TooBig => Cause::ReadTooBig,
            ReadErrorKind::InvalidUtf8 => Cause::ReadUtf8,
            _ => Cause::ReadOther,
        },
        CloseCause::WriteFailed(_) => Cause::WriteFailed,
        CloseCause::WriteStalled => Cause::WriteStalled,
        CloseCause::HeartbeatLost => Cause::HeartbeatLost,
        CloseCause::IdleTimeout => Cause::IdleTimeout,
        CloseCause::TransportPanicked => Cause::TransportPanicked,
        _ => Cause::Other,
    }
}

pub(crate) fn outcome(outcome: &Outcome) -> Answer {
    Answer::Ended {
        kind: format!("{:?}", outcome.kind()),
        forced: outcome.is_forced(),
        blocked: outcome.blocked().is_some(),
        cause: outcome.cause().map(cause),
    }
}

pub(crate) fn status(status: &Status, record: &Record) -> Shown {
    match status {
        Status::Connecting { attempt } => Shown::Connecting(*attempt),
        Status::Opening => Shown::Opening,
        Status::Open { session } => Shown::Open(record.session(*session)),
        Status::Paused { session } => Shown::Paused(record.session(*session)),
        Status::Closing { cause: why } => Shown::Closing(cause(why)),
        Status::Disconnecting => Shown::Disconnecting,
        Status::Waiting { .. } => Shown::Waiting,
        Status::Stopped { .. } => Shown::Stopped,
        _ => Shown::Other,
    }
}

/// The kind of a failed attempt, by name, with the status of a refusal.
pub(crate) fn attempt_error(error: &AttemptError) -> String {
    match error {
        AttemptError::Connect(error) => match error.response() {
            Some(response) => format!("{:?} {}", error.kind(), response.status.as_u16()),
            None => format!("{:?}", error.kind()),
        },
        AttemptError::Request(error) => format!("Request{:?}", error.kind()),
        AttemptError::OnOpen(_) => "OnOpen".to_owned(),
        AttemptError::OnOpenTimeout(_) => "OnOpenTimeout".to_owned(),
        AttemptError::OnOpenPanicked => "OnOpenPanicked".to_owned(),
        AttemptError::ConnectionLost(lost) => format!("ConnectionLost {:?}", cause(lost)),
        other => format!("other: {other}"),
    }
}

/// The kind of a failed start, by name.
pub(crate) fn start_error(error: &StartError) -> String {
    match error {
        StartError::Attempt(error) => attempt_error(error),
        StartError::Stopped => "Stopped".to_owned(),
        other => format!("other: {other}"),
    }
}
