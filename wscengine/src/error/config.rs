//! The configuration is wrong.

/// The configuration is wrong: found by `build()`, before anything is dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("option `{option}` {problem}")]
pub struct ConfigError {
    option: &'static str,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(option: &'static str, problem: impl Into<String>) -> Self {
        Self { option, problem: problem.into() }
    }

    /// The name of the builder's method that was given the wrong value, or was not called.
    pub fn option(&self) -> &'static str {
        self.option
    }
}
