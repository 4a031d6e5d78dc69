//! What can go wrong.

/// What a callback of the application may return: any error at all. It is logged, and the client is not told.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// Why a handler, a middleware or a route is not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// There is one handler for each text, pattern or event.
    #[error("handler for {0:?} already registered")]
    AlreadyRegistered(String),
    /// A pattern must be a regular expression.
    #[error("{pattern:?} is no regular expression: {reason}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A path cannot be routed: it has no `/` in front, a parameter without a name or of a name that it has
    /// already, or it leads to the same requests as another.
    #[error("path {path:?} cannot be routed: {reason}")]
    Path {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl RegisterError {
    pub(super) fn path(path: &str, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Path { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The data cannot be written as JSON.
    #[error("the data cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// A send middleware returned this.
    #[error("a send middleware failed: {0}")]
    Middleware(#[source] HandlerError),
    /// The connection has ended, or is closed as too slow.
    #[error("the connection has ended")]
    Closed,
}

/// There is no value of this name with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata not found")]
pub struct MetaNotFound;
