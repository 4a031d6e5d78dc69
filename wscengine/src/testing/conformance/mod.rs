//! What every transport must do, checked over real loopback sockets.
//!
//! The suite drives a [`Transport`] and its [`Connection`](crate::transport::Connection) directly, without
//! the engine, against a scripted peer of its own that can send anything, illegal frames included. An
//! adapter that passes can be relied on by the engine: what a case asks for is written in
//! [`crate::transport`], and its name says which sentence of that contract it checks.
//!
//! Each case opens its own `ws://127.0.0.1` server on a free port and has [`CASE_TIMEOUT`] to finish, so a
//! hang is a failure. The cases want a tokio runtime with I/O and time, of either flavour.
//!
//! # Examples
//! All cases at once:
//! ```
//! use wscengine::testing::conformance;
//! use wscengine::transport::Transport;
//!
//! async fn my_adapter_conforms<T: Transport>(my_adapter: impl Fn() -> T) {
//!     conformance::run(my_adapter).await.assert_passed();
//! }
//! ```
//! Each case as a test of its own: in a file under `tests/`, with tokio (`macros`, `rt`) among the
//! dev-dependencies, `wscengine::conformance_tests!(MyTransport::new());`.

mod cases;
mod client;
mod frame;
mod outcome;
mod peer;

use std::time::Duration;

use crate::transport::Transport;

pub use cases::CASES;

/// How long one case may take: 10 s, far more than any needs, so that only a hang runs into it.
pub const CASE_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs every case, one after the other, each with a transport of its own from `make`.
///
/// # Cancel safety
/// Dropping the future abandons the case that runs and closes its sockets.
pub async fn run<T: Transport>(make: impl Fn() -> T) -> Report {
    let mut report = Report::default();
    for &name in CASES {
        match run_case(name, make()).await {
            Ok(()) => report.passed.push(name),
            Err(problem) => report.failed.push((name, problem)),
        }
    }
    report
}

/// Runs the case called `name`, one of [`CASES`].
///
/// # Errors
/// What went otherwise than the contract says; also if there is no such case, or it did not finish within
/// [`CASE_TIMEOUT`].
///
/// # Cancel safety
/// Dropping the future abandons the case and closes its sockets.
pub async fn run_case<T: Transport>(name: &str, transport: T) -> Result<(), String> {
    match tokio::time::timeout(CASE_TIMEOUT, cases::run(name, transport)).await {
        Ok(Some(outcome)) => outcome.map_err(|failure| failure.to_string()),
        Ok(None) => Err(format!("there is no case `{name}`")),
        Err(_) => Err(format!("did not finish within {CASE_TIMEOUT:?}")),
    }
}

/// Which cases passed, and what went wrong in the others.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The names of the cases that passed.
    pub passed: Vec<&'static str>,
    /// The names of the cases that failed, each with what went wrong.
    pub failed: Vec<(&'static str, String)>,
}

impl Report {
    /// Checks that every case passed.
    ///
    /// # Panics
    /// If a case failed. The message lists every failure.
    pub fn assert_passed(&self) {
        let failures: Vec<String> =
            self.failed.iter().map(|(name, problem)| format!("{name}: {problem}")).collect();
        assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ConnectErrorKind;
    use crate::transport::{Batch, ConnectRequest, Connected, Connection, Outgoing};
    use crate::{ConnectError, ReadError, WriteError};
    use std::task::{Context, Poll};

    /// Never connects, so no case can pass.
    struct Refusing;
    struct Never;

    impl Transport for Refusing {
        type Connection = Never;

        async fn connect(
            &self,
            _request: ConnectRequest,
        ) -> Result<Connected<Never>, ConnectError> {
            Err(ConnectErrorKind::Other.into())
        }
    }

    impl Connection for Never {
        fn poll_recv(&mut self, _: &mut Context<'_>, _: &mut Batch) -> Poll<Result<(), ReadError>> {
            Poll::Pending
        }
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
            Poll::Pending
        }
        fn start_send(&mut self, _: Outgoing) -> Result<(), WriteError> {
            Ok(())
        }
        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
            Poll::Pending
        }
        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
            Poll::Pending
        }
        fn bytes_read(&self) -> u64 {
            0
        }
        fn bytes_written(&self) -> u64 {
            0
        }
    }

    #[tokio::test]
    async fn a_transport_that_never_connects_fails_every_case_with_a_reason() {
        let report = run(|| Refusing).await;
        assert_eq!(report.passed, Vec::<&str>::new());
        assert_eq!(report.failed.len(), CASES.len());
        assert!(report.failed.iter().all(|(_, problem)| !problem.is_empty()));
    }

    #[tokio::test]
    async fn a_case_that_does_not_exist_is_an_error() {
        assert!(run_case("no such case", Refusing).await.is_err());
    }

    #[test]
    fn the_names_of_the_cases_differ() {
        let mut names = CASES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CASES.len());
    }
}
