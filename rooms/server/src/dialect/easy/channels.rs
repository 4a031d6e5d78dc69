//! The channels, and those who write to them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use wscengine_rooms_protocol::easy::{CommandError, check_command};
use wscengine_rooms_protocol::room::{Data, Message};

use super::handlers::Validate;
use super::{HandlerError, RegisterError};
use crate::hub::{Audience, Hub, ROOT, When, Written};

/// Why nothing is written. The texts are those of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// No message has such a command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// No channel of this name is registered.
    #[error("channel does not exist")]
    ChannelDoesNotExist,
    /// There is no connection with this session id, or it is at its end.
    #[error("client not found")]
    ClientNotFound,
}

/// Who may listen to a channel.
#[derive(Clone)]
pub(super) enum Guard {
    Open,
    Validated(Arc<dyn Validate>),
}

/// The channels of an endpoint by name, and the hub in which their listeners are.
#[derive(Default)]
pub(super) struct Channels {
    guards: RwLock<HashMap<String, Guard>>,
    hub: OnceLock<Arc<Hub>>,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guards = self.guards.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(guards.keys()).finish()
    }
}

impl Channels {
    pub(super) fn mount(&self, hub: &Arc<Hub>) {
        // An `Easy` is made an endpoint once.
        let _ = self.hub.set(Arc::clone(hub));
    }

    pub(super) fn insert(&self, name: String, guard: Guard) -> Result<(), RegisterError> {
        let mut guards = self.guards.write().unwrap_or_else(PoisonError::into_inner);
        if guards.contains_key(&name) {
            return Err(RegisterError::ChannelExists);
        }
        guards.insert(name, guard);
        Ok(())
    }

    pub(super) fn guard(&self, name: &str) -> Option<Guard> {
        self.guards.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn has(&self, name: &str) -> bool {
        self.guards.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Writes to all listeners. The sender is what members of other protocols are told.
    pub(super) fn write(
        &self,
        sender: &str,
        channel: &str,
        command: &str,
        content: &[u8],
    ) -> Result<(), WriteError> {
        check_command(command)?;
        if !self.has(channel) {
            return Err(WriteError::ChannelDoesNotExist);
        }
        if let Some(hub) = self.hub.get() {
            let data = Data::from_payload(content);
            let message = Message { room: channel, event: command, sender, dst: "", data };
            hub.publish(channel, Audience::Everyone, &Written(message));
        }
        Ok(())
    }

    /// Writes to one connection, of whatever protocol.
    pub(super) fn tell(
        &self,
        sender: &str,
        session: &str,
        when: When,
        command: &str,
        content: &[u8],
    ) -> Result<(), WriteError> {
        check_command(command)?;
        let data = Data::from_payload(content);
        let message = Message { room: ROOT, event: command, sender, dst: session, data };
        let hub = self.hub.get().ok_or(WriteError::ClientNotFound)?;
        let told = hub.tell(session, when, &Written(message));
        told.then_some(()).ok_or(WriteError::ClientNotFound)
    }
}

/// Writes to channels and clients of an endpoint from anywhere, also before it is mounted and after its
/// connections have ended. A clone writes to the same.
///
/// Nothing here waits: what is written goes into the queues of the receivers, and one that is too slow is
/// closed and delays nobody. Made by [`Easy::handle`](super::Easy::handle).
///
/// # Examples
/// ```
/// use wscengine_rooms_server::easy::{Easy, WriteError};
///
/// let easy = Easy::new().channel("news")?;
/// let handle = easy.handle();
/// handle.write_to_channel("news", "news", "nobody listens, and that is fine")?;
/// let error = handle.write_to_channel("weather", "news", "sunny").unwrap_err();
/// assert_eq!(error, WriteError::ChannelDoesNotExist);
/// handle.channel("weather")?;
/// handle.write_to_channel("weather", "news", "sunny")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    channels: Arc<Channels>,
}

impl Handle {
    pub(super) fn new(channels: Arc<Channels>) -> Self {
        Self { channels }
    }

    /// As [`Easy::channel`](super::Easy::channel), while the server runs.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn channel(&self, name: impl Into<String>) -> Result<(), RegisterError> {
        self.channels.insert(name.into(), Guard::Open)
    }

    /// As [`Easy::guarded_channel`](super::Easy::guarded_channel), while the server runs.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn guarded_channel<F, R>(
        &self,
        name: impl Into<String>,
        validate: F,
    ) -> Result<(), RegisterError>
    where
        F: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.channels.insert(name.into(), Guard::Validated(Arc::new(validate)))
    }

    /// Writes to all who listen to a channel; no listener is no error. Each of them gets what is written to the
    /// channel in the same order; they have their turns as they registered, as long as nobody has left. wsrooms members of the room of that name are told no sender.
    ///
    /// # Errors
    /// No message has such a command (see [`Message::new`](super::Message::new)), or there is no such channel.
    pub fn write_to_channel(
        &self,
        channel: &str,
        command: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<(), WriteError> {
        self.channels.write("", channel, command, content.as_ref())
    }

    /// Writes to the connection with this session id.
    ///
    /// # Errors
    /// No message has such a command, or there is no such connection (any more).
    pub fn write_to_client(
        &self,
        session: &str,
        command: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<(), WriteError> {
        self.channels.tell("", session, When::Now, command, content.as_ref())
    }
}
