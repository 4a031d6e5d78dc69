//! What stands between clients and handlers.

use std::sync::Arc;

use axum::http::request::Parts;
use regex::Regex;

use super::handlers::{ANY, Later, expression};
use super::{Conn, Guest, HandlerError, RegisterError};

/// Whether a client may come in.
pub(super) type Handshake = Arc<dyn Fn(Parts, Guest) -> Later<bool> + Send + Sync>;

/// What a client has sent, for those behind; `None`: nothing.
pub(super) type Receive =
    Arc<dyn Fn(Conn, String) -> Later<Result<Option<String>, HandlerError>> + Send + Sync>;

/// What a client is sent, for those behind.
pub(super) type Change = Arc<dyn Fn(&Conn, String) -> Result<String, HandlerError> + Send + Sync>;

/// Functions in the order in which they were added, each for routes of its own.
pub(super) struct Chain<F>(Vec<(Routes, F)>);

/// The routes of a function, by their paths.
enum Routes {
    All,
    Matching(Regex),
}

impl<F> Default for Chain<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<F: Clone> Chain<F> {
    pub(super) fn add(&mut self, pattern: &str, function: F) -> Result<(), RegisterError> {
        let routes = match pattern {
            ANY => Routes::All,
            pattern => Routes::Matching(expression(pattern, pattern)?),
        };
        self.0.push((routes, function));
        Ok(())
    }

    /// Those for a route, in their order.
    pub(super) fn of(&self, path: &str) -> impl Iterator<Item = F> {
        self.0.iter().filter(|(routes, _)| routes.has(path)).map(|(_, function)| function.clone())
    }
}

impl Routes {
    fn has(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Matching(regex) => regex.is_match(path),
        }
    }
}
