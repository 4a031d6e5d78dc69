//! The request of an attempt could not be made.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::{HandlerError, Source, kinded_error};

kinded_error! {
    /// The [`RequestFactory`](crate::RequestFactory) gave no request to dial with. The attempt failed; the next one
    /// asks the factory again.
    RequestError, RequestErrorKind
}

/// Why a request factory gave no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RequestErrorKind {
    /// The factory returned an error: it is the source.
    #[error("the request factory failed")]
    Failed,
    /// The factory did not return within `request_timeout`.
    #[error("the request factory took too long")]
    Timeout,
    /// The factory panicked.
    #[error("the request factory panicked")]
    Panicked,
    /// The request is not one that can be dialled. The source, a [`ConfigError`](crate::ConfigError), says which part
    /// of it is wrong.
    #[error("the request factory gave an invalid request")]
    Invalid,
}
