//! The code of the user's.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::request::Parts;
use wscengine_rooms_protocol::wsrooms::event;

use super::{Claims, Conn, Message};
use crate::dialect::Work;

/// What a handler may return: any error at all. It is logged, and the client is not told.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// A client may not come in. The reason is logged, and the client is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unauthorized(pub String);

/// Why a handler is not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The event has no name.
    #[error("event name cannot be empty")]
    Empty,
    /// There is one handler for each event.
    #[error("handler for event {0:?} already registered")]
    AlreadyRegistered(String),
    /// The server keeps events of this name to itself, so that the handler would never be called.
    #[error("event {0:?} is reserved")]
    Reserved(String),
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A function of a message.
pub(super) trait Handler: Send + Sync {
    fn call(&self, conn: Conn, message: Message) -> Later<Result<(), HandlerError>>;
}

impl<F, R> Handler for F
where
    F: Fn(Conn, Message) -> R + Send + Sync,
    R: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    fn call(&self, conn: Conn, message: Message) -> Later<Result<(), HandlerError>> {
        Box::pin(self(conn, message))
    }
}

/// A function of a request.
pub(super) trait Authorize: Send + Sync {
    fn call(&self, request: Parts) -> Later<Result<Claims, Unauthorized>>;
}

impl<F, R> Authorize for F
where
    F: Fn(Parts) -> R + Send + Sync,
    R: Future<Output = Result<Claims, Unauthorized>> + Send + 'static,
{
    fn call(&self, request: Parts) -> Later<Result<Claims, Unauthorized>> {
        Box::pin(self(request))
    }
}

/// The handlers by event.
#[derive(Default)]
pub(super) struct Handlers(HashMap<String, Arc<dyn Handler>>);

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Handlers {
    pub(super) fn insert(
        &mut self,
        name: String,
        handler: impl Handler + 'static,
    ) -> Result<(), RegisterError> {
        if name.is_empty() {
            return Err(RegisterError::Empty);
        }
        if event::is_reserved(&name) {
            return Err(RegisterError::Reserved(name));
        }
        if self.0.contains_key(&name) {
            return Err(RegisterError::AlreadyRegistered(name));
        }
        self.0.insert(name, Arc::new(handler));
        Ok(())
    }

    pub(super) fn get(&self, event: &str) -> Option<&Arc<dyn Handler>> {
        // Most servers relay everything.
        if self.0.is_empty() { None } else { self.0.get(event) }
    }
}

/// Calls a handler; its error is logged.
pub(super) fn run(handler: &Arc<dyn Handler>, conn: Conn, message: Message) -> Work {
    let handler = Arc::clone(handler);
    Work::Later(Box::pin(async move {
        let (id, event) = (conn.id().to_owned(), message.event.clone());
        if let Err(error) = handler.call(conn, message).await {
            tracing::warn!(id, event, %error, "a handler failed");
        }
    }))
}
