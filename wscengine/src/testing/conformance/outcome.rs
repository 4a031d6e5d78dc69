//! How a case ends: well, or with a sentence on what went otherwise.

use std::fmt;

/// What went otherwise than the contract says.
#[derive(Debug)]
pub(super) struct Failure(String);

/// The end of a case.
pub(super) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Any error that a case did not expect.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(format!("unexpected error: {error}"))
    }
}

/// Ends the case with a failure unless the condition holds.
macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::testing::conformance::outcome::Failure::new(format!($($message)+)));
        }
    };
}

/// Ends the case with a failure unless both sides are equal.
macro_rules! check_eq {
    ($got:expr, $wanted:expr, $($message:tt)+) => {{
        let (got, wanted) = (&$got, &$wanted);
        if got != wanted {
            let what = format!($($message)+);
            return Err($crate::testing::conformance::outcome::Failure::new(format!("{what}: got {got:?}, wanted {wanted:?}")));
        }
    }};
}

pub(super) use {check, check_eq};
