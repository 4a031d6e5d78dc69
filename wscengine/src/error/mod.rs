//! One error type per operation: a kind to match on, and the cause as its source.
//!
//! All of them are cheap to clone: the cause is shared.

mod attempt;
mod call;
mod config;
mod connect;
mod connection;
mod request;
mod session;

use std::error::Error as StdError;
use std::sync::Arc;

pub use attempt::{AttemptError, StartError};
pub use call::{CallError, CallErrorKind};
pub use config::ConfigError;
pub use connect::{ConnectError, ConnectErrorKind, Phase};
pub use connection::{
    CloseError, CloseErrorKind, ReadError, ReadErrorKind, WriteError, WriteErrorKind,
};
pub use request::{RequestError, RequestErrorKind};
pub use session::{PauseError, PingError, RecvError, Revoked, SendError, SendErrorKind};

/// What a callback may fail with: any error, so that `?` works on all of them.
pub type HandlerError = Box<dyn StdError + Send + Sync + 'static>;

/// A cause, shared so that the error can be cloned.
pub(crate) type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// Makes the common shape: `kind()`, a source, `Display` as "kind: source".
macro_rules! kinded_error {
    ($(#[$doc:meta])* $name:ident, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            kind: $kind,
            source: Option<Source>,
        }

        impl $name {
            /// An error without a cause.
            pub fn new(kind: $kind) -> Self {
                Self { kind, source: None }
            }

            /// An error with its cause.
            pub fn with_source(kind: $kind, source: impl Into<HandlerError>) -> Self {
                Self { kind, source: Some(Arc::from(source.into())) }
            }

            /// What failed.
            pub fn kind(&self) -> $kind {
                self.kind
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("kind", &self.kind)
                    .field("source", &self.source)
                    .finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.kind.fmt(f)?;
                match &self.source {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
        }

        impl StdError for $name {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
            }
        }

        impl From<$kind> for $name {
            fn from(kind: $kind) -> Self {
                Self::new(kind)
            }
        }
    };
}

use kinded_error;
