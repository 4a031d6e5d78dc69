//! An attempt, or the start as a whole, failed.

use std::time::Duration;

use super::{ConnectError, RequestError, Source};
use crate::handler::CloseCause;

/// A connection attempt failed: the request, the dial, or `on_open` after it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The request factory gave no request to dial with.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The dial or the handshake failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// `on_open` returned this error.
    #[error("on_open failed: {0}")]
    OnOpen(#[source] Source),
    /// `on_open` did not return in time.
    #[error("on_open did not return within {0:?}")]
    OnOpenTimeout(Duration),
    /// `on_open` panicked.
    #[error("on_open panicked")]
    OnOpenPanicked,
    /// The connection was lost, or closed by the peer, while `on_open` ran.
    #[error("the connection ended while on_open ran: {0}")]
    ConnectionLost(CloseCause),
}

/// `start()` failed: no session was opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The attempt failed; with `retry_first(true)`, the last one: what it failed of is fatal, or the budget is spent.
    #[error("the engine could not start: {0}")]
    Attempt(#[from] AttemptError),
    /// `stop`, or `Control::exit`, was called before the first session was open.
    #[error("the engine was stopped before it had started")]
    Stopped,
}
