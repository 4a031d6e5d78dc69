//! What a contestant implements.

use anyhow::{Result, bail};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::context::Cx;

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// The server sends messages, all alike, as fast as they are taken.
    Flood,
    /// The client sends messages, all alike.
    Blast,
    /// Echo with so many messages in flight.
    Echo,
    /// Requests by id, with so many in flight.
    Call,
    /// Connections without traffic.
    Idle,
    /// The same, with permessage-deflate negotiated.
    IdleDeflate,
    /// The server cuts TCP; how long until all are open again?
    Reopen,
    /// The server sends JSON, each message different; compressed where it was agreed on.
    JsonIn,
    /// The client sends JSON, each message different; compressed where it was agreed on.
    JsonOut,
}

impl Work {
    /// Those that have nothing to do with compression. A contestant that compresses stays out of them.
    pub(crate) const PLAIN: &[Self] = &[
        Self::Flood,
        Self::Blast,
        Self::Echo,
        Self::Idle,
        Self::Reopen,
        Self::JsonIn,
        Self::JsonOut,
    ];
    /// Those, and calls.
    pub(crate) const WITH_CALLS: &[Self] = &[
        Self::Flood,
        Self::Blast,
        Self::Echo,
        Self::Call,
        Self::Idle,
        Self::Reopen,
        Self::JsonIn,
        Self::JsonOut,
    ];
    /// Those of a contestant that compresses.
    pub(crate) const DEFLATE: &[Self] = &[Self::IdleDeflate, Self::JsonIn, Self::JsonOut];
}

/// What messages are sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Text,
    Binary,
}

pub(crate) type Running = BoxFuture<'static, Result<()>>;

/// A client under test. Each method runs as a spawned task on the runtime of the job.
///
/// `cx.meter.start()` stands where the connection is open, `cx.meter.stop()` in the user's handler at the last message.
pub(crate) trait Contestant: Send + Sync {
    fn name(&self) -> &'static str;

    /// How it is set up, in a line.
    fn about(&self) -> &'static str;

    /// Whether it can do that, or whether it would tell anything. What it does not support is left out of the table.
    fn supports(&self, work: Work, _kind: Kind) -> bool {
        Work::PLAIN.contains(&work)
    }

    /// `false` for those without an async runtime; they are measured once, as `ct`.
    fn uses_runtime(&self) -> bool {
        true
    }

    /// Connects, starts the meter, sends any one message, hands `cx.job.count` messages to a `Tally` and stops it.
    fn flood(&self, cx: Cx) -> Running;

    /// Connects, starts the meter, sends all of `cx.outgoing()`, waits for one message and stops it.
    fn blast(&self, cx: Cx) -> Running;

    /// Connects and keeps `cx.job.window` messages in flight until `cx.job.count` came back; `EchoLog` measures.
    fn echo(&self, cx: Cx) -> Running;

    /// Connects, and makes `cx.job.count` calls, `cx.job.window` of them in flight.
    fn call(&self, _cx: Cx) -> Running {
        Box::pin(async { bail!("no calls") })
    }

    /// Opens one connection, marks the resident set, opens `cx.job.connections` more and marks it again.
    fn idle(&self, cx: Cx) -> Running;

    /// Starts `cx.job.connections` clients that call `cx.opened()` at every open, then `cx.drive_reopen()`.
    fn reopen(&self, _cx: Cx) -> Running {
        Box::pin(async { bail!("no reconnect") })
    }
}
