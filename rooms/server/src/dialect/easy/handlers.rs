//! The code of the user's.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use wscengine_rooms_protocol::easy::{CommandError, LISTEN, check_command};

use super::{Conn, HandlerError, Message};
use crate::dialect::Work;

/// Why a handler or a channel is not registered. The texts are those of the original, where it refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// No client can send such a command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// `listen` is the server's to handle.
    #[error("command listen is reserved")]
    Listen,
    /// There is one handler for each command.
    #[error("command already exists")]
    CommandExists,
    /// There is one channel of each name.
    #[error("channel already exists")]
    ChannelExists,
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A function of a command; what it returns is sent.
pub(super) trait Handler: Send + Sync {
    fn call(&self, command: &Arc<str>, conn: &Conn, content: Bytes) -> Work;
}

impl<F, R> Handler for F
where
    F: Fn(Conn, Bytes) -> R + Send + Sync,
    R: Future<Output = Result<Option<Message>, HandlerError>> + Send + 'static,
{
    fn call(&self, command: &Arc<str>, conn: &Conn, content: Bytes) -> Work {
        let answer = self(conn.clone(), content);
        let (conn, command) = (conn.clone(), Arc::clone(command));
        Work::Later(Box::pin(async move {
            match answer.await {
                Ok(Some(message)) => conn.answer(&message),
                Ok(None) => {}
                Err(error) => tracing::warn!(id = conn.id(), %command, %error, "a handler failed"),
            }
        }))
    }
}

/// A function of a token.
pub(super) trait Validate: Send + Sync {
    fn call(&self, token: String) -> Later<Result<(), HandlerError>>;
}

impl<F, R> Validate for F
where
    F: Fn(String) -> R + Send + Sync,
    R: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    fn call(&self, token: String) -> Later<Result<(), HandlerError>> {
        Box::pin(self(token))
    }
}

/// The handlers by command.
#[derive(Default)]
pub(super) struct Handlers(HashMap<Arc<str>, Arc<dyn Handler>>);

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Handlers {
    pub(super) fn insert(
        &mut self,
        command: String,
        handler: impl Handler + 'static,
    ) -> Result<(), RegisterError> {
        check_command(&command)?;
        if command == LISTEN {
            return Err(RegisterError::Listen);
        }
        if self.0.contains_key(&*command) {
            return Err(RegisterError::CommandExists);
        }
        self.0.insert(command.into(), Arc::new(handler));
        Ok(())
    }

    /// Calls the handler of a command; `None` if there is none.
    pub(super) fn call(&self, command: &str, conn: &Conn, content: &[u8]) -> Option<Work> {
        let (command, handler) = self.0.get_key_value(command)?;
        Some(handler.call(command, conn, Bytes::copy_from_slice(content)))
    }
}
