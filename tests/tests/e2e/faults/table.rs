//! What the engine does about each fault in each situation: the one place where it is stated.

use std::fmt;

use wscengine::{CloseCause, ConnectErrorKind, ReadErrorKind};

/// What the proxy does. `ToClient` and `ToServer` are the direction it does it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Reset,
    Finish,
    HalfCloseToClient,
    HalfCloseToServer,
    StallToClient,
    StallToServer,
    DelayToClient,
    DelayToServer,
    DripToClient,
    DripToServer,
    ThrottleToClient,
    ThrottleToServer,
    CorruptHeaderToClient,
    CorruptHeaderToServer,
    CorruptPayloadToClient,
    CorruptPayloadToServer,
    CorruptHandshake,
    DuplicateClose,
    Refuse,
    SayNothing,
}

/// What goes on when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    /// A session is open, and nothing is said.
    Idle,
    /// The server sends a message every few milliseconds.
    Receiving,
    /// The client sends as fast as it can, and the server echoes it.
    Sending,
    /// Somebody has paused the engine and waits for a message.
    Paused,
    /// The first `on_open` talks with the server.
    InOnOpen,
    /// A restart was asked for, and `on_close` talks with the server.
    InOnClose,
}

/// What the engine is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The connection lives on, and nothing is lost.
    GoesOn,
    /// The connection ends for one of these causes, and a new one follows.
    Ends { causes: &'static [Cause], redial: Redial },
}

/// Why the connection ends: [`CloseCause`], as far as it can be seen here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Read(ReadErrorKind),
    WriteFailed,
    WriteStalled,
    HeartbeatLost,
    Peer(u16),
}

/// What comes of dials while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redial {
    /// It is over with the connection it struck.
    Succeeds,
    Refused,
    TimesOut,
    Invalid,
}

const IO: Cause = Cause::Read(ReadErrorKind::Io);
const EOF: Cause = Cause::Read(ReadErrorKind::UnexpectedEof);

/// The table.
pub(crate) fn expected(fault: Fault, situation: Situation) -> Expected {
    let ends = |causes, redial| Expected::Ends { causes, redial };
    match fault {
        Fault::Reset => ends(reset(situation), Redial::Succeeds),
        // The server, which is not told more, hangs up in its turn when only its direction ends.
        Fault::Finish | Fault::HalfCloseToClient | Fault::HalfCloseToServer => {
            ends(&[EOF], Redial::Succeeds)
        }
        // What the server sends proves that it lives, though it hears nothing.
        Fault::StallToServer if situation == Situation::Receiving => Expected::GoesOn,
        Fault::StallToClient | Fault::StallToServer => ends(stalled(situation), Redial::TimesOut),
        Fault::DelayToClient
        | Fault::DelayToServer
        | Fault::DripToClient
        | Fault::DripToServer
        | Fault::ThrottleToClient
        | Fault::ThrottleToServer => Expected::GoesOn,
        Fault::CorruptHeaderToClient => {
            ends(&[Cause::Read(ReadErrorKind::Protocol)], Redial::Succeeds)
        }
        Fault::CorruptHeaderToServer => ends(&[Cause::Peer(1002)], Redial::Succeeds),
        Fault::CorruptPayloadToClient => {
            ends(&[Cause::Read(ReadErrorKind::InvalidUtf8)], Redial::Succeeds)
        }
        Fault::CorruptPayloadToServer => ends(&[Cause::Peer(1007)], Redial::Succeeds),
        Fault::DuplicateClose => ends(&[Cause::Peer(KICKED)], Redial::Succeeds),
        // These concern dials: the connection there is is reset.
        Fault::CorruptHandshake => ends(reset(situation), Redial::Invalid),
        Fault::Refuse => ends(reset(situation), Redial::Refused),
        Fault::SayNothing => ends(reset(situation), Redial::TimesOut),
    }
}

/// The code that the server closes with where it is told to close.
pub(crate) const KICKED: u16 = 4000;

/// A reset is seen by whichever comes first. The system tells it once: to a write, and the reads after it then see
/// the end of the stream; or to a read.
fn reset(situation: Situation) -> &'static [Cause] {
    match situation {
        Situation::Idle | Situation::Receiving | Situation::Paused => &[IO],
        Situation::Sending | Situation::InOnOpen | Situation::InOnClose => {
            &[IO, EOF, Cause::WriteFailed]
        }
    }
}

/// Who sends may fill all buffers before the heartbeat is lost, or may not: that is a matter of their size.
fn stalled(situation: Situation) -> &'static [Cause] {
    match situation {
        Situation::Sending => &[Cause::HeartbeatLost, Cause::WriteStalled],
        Situation::Idle
        | Situation::Receiving
        | Situation::Paused
        | Situation::InOnOpen
        | Situation::InOnClose => &[Cause::HeartbeatLost],
    }
}

impl Fault {
    pub(crate) const ALL: [Self; 20] = [
        Self::Reset,
        Self::Finish,
        Self::HalfCloseToClient,
        Self::HalfCloseToServer,
        Self::StallToClient,
        Self::StallToServer,
        Self::DelayToClient,
        Self::DelayToServer,
        Self::DripToClient,
        Self::DripToServer,
        Self::ThrottleToClient,
        Self::ThrottleToServer,
        Self::CorruptHeaderToClient,
        Self::CorruptHeaderToServer,
        Self::CorruptPayloadToClient,
        Self::CorruptPayloadToServer,
        Self::CorruptHandshake,
        Self::DuplicateClose,
        Self::Refuse,
        Self::SayNothing,
    ];

    /// Whether it does something only to what is sent after it was set.
    pub(crate) fn wants_traffic(self) -> bool {
        matches!(
            self,
            Self::CorruptHeaderToClient
                | Self::CorruptHeaderToServer
                | Self::CorruptPayloadToClient
                | Self::CorruptPayloadToServer
        )
    }

    /// Whether what was under way to the client may be lost with the connection.
    pub(crate) fn may_lose_input(self) -> bool {
        matches!(self, Self::Reset | Self::CorruptHandshake | Self::Refuse | Self::SayNothing)
    }

    /// In the words of the table.
    fn words(self) -> &'static str {
        match self {
            Self::Reset => "cut with RST",
            Self::Finish => "cut with FIN",
            Self::HalfCloseToClient => "half-close towards the client",
            Self::HalfCloseToServer => "half-close towards the server",
            Self::StallToClient => "stall towards the client",
            Self::StallToServer => "stall towards the server",
            Self::DelayToClient => "delay towards the client",
            Self::DelayToServer => "delay towards the server",
            Self::DripToClient => "drip towards the client",
            Self::DripToServer => "drip towards the server",
            Self::ThrottleToClient => "throttle towards the client",
            Self::ThrottleToServer => "throttle towards the server",
            Self::CorruptHeaderToClient => "corrupt a frame header towards the client",
            Self::CorruptHeaderToServer => "corrupt a frame header towards the server",
            Self::CorruptPayloadToClient => "corrupt a payload towards the client",
            Self::CorruptPayloadToServer => "corrupt a payload towards the server",
            Self::CorruptHandshake => "RST, corrupt the next handshake",
            Self::DuplicateClose => "deliver close frames twice",
            Self::Refuse => "RST, refuse connections",
            Self::SayNothing => "RST, accept and say nothing",
        }
    }
}

impl Situation {
    pub(crate) const ALL: [Self; 6] =
        [Self::Idle, Self::Receiving, Self::Sending, Self::Paused, Self::InOnOpen, Self::InOnClose];
}

impl Cause {
    /// What the engine says, in the words of the table.
    pub(crate) fn of(cause: &CloseCause) -> Option<Self> {
        match cause {
            CloseCause::ReadFailed(error) => Some(Self::Read(error.kind())),
            CloseCause::WriteFailed(_) => Some(Self::WriteFailed),
            CloseCause::WriteStalled => Some(Self::WriteStalled),
            CloseCause::HeartbeatLost => Some(Self::HeartbeatLost),
            CloseCause::PeerClosed(Some(frame)) => Some(Self::Peer(frame.code().0)),
            _ => None,
        }
    }

    /// The close code that the engine sends for it: what RFC 6455 demands, or the echo of the peer's.
    pub(crate) fn answer(self) -> Option<u16> {
        match self {
            Self::Read(ReadErrorKind::Protocol) => Some(1002),
            Self::Read(ReadErrorKind::InvalidUtf8) => Some(1007),
            Self::Peer(code) => Some(code),
            Self::Read(_) | Self::WriteFailed | Self::WriteStalled | Self::HeartbeatLost => None,
        }
    }

    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Peer(_))
    }
}

impl Redial {
    /// Whether this is how it fails.
    pub(crate) fn fails_as(self, kind: ConnectErrorKind) -> bool {
        match self {
            Self::Succeeds => false,
            Self::Refused => kind == ConnectErrorKind::Connect,
            Self::TimesOut => matches!(kind, ConnectErrorKind::Timeout(_)),
            Self::Invalid => kind == ConnectErrorKind::Handshake,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(kind) => write!(f, "`{kind:?}`"),
            Self::WriteFailed => f.write_str("`WriteFailed`"),
            Self::WriteStalled => f.write_str("`WriteStalled`"),
            Self::HeartbeatLost => f.write_str("`HeartbeatLost`"),
            Self::Peer(code) => write!(f, "peer {code}"),
        }
    }
}

impl fmt::Display for Redial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeds => "succeed",
            Self::Refused => "fail: `Connect`",
            Self::TimesOut => "fail: `Timeout`",
            Self::Invalid => "fail: `Handshake`",
        })
    }
}

/// The table as it stands in the README.
pub(crate) fn rendered() -> String {
    let mut table =
        "| fault | idle | receiving | sending | paused | in `on_open` | in `on_close` | dials |\n\
                     |---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for fault in Fault::ALL {
        let row = Situation::ALL.map(|situation| cell(fault, situation));
        let dials = match expected(fault, Situation::Idle) {
            Expected::GoesOn => "none".to_owned(),
            Expected::Ends { redial, .. } => redial.to_string(),
        };
        table += &format!("| {} | {} | {dials} |\n", fault.words(), row.join(" | "));
    }
    table
}

fn cell(fault: Fault, situation: Situation) -> String {
    match (expected(fault, situation), situation) {
        (Expected::GoesOn, _) => "goes on".to_owned(),
        (Expected::Ends { causes, .. }, Situation::InOnClose) if causes[0].is_peer() => {
            "`conn` fails".to_owned()
        }
        (Expected::Ends { .. }, Situation::InOnClose) => {
            "`conn` fails, `on_close_error`".to_owned()
        }
        (Expected::Ends { causes, .. }, _) => {
            causes.iter().map(Cause::to_string).collect::<Vec<_>>().join(" or ")
        }
    }
}
