//! The outbox: messages that wait for a connection, and what becomes of each.
//!
//! `backlog` decides, without a clock and without a lock; `shared` is what engine, driver and connection task have in
//! common; `fate` is how a sender hears of it.

mod backlog;
mod fate;
mod shared;

use std::time::Duration;

pub(crate) use fate::Receipt;
pub use fate::{Delivery, Fate};
pub(crate) use shared::{OutboxOwner, SharedOutbox};

use crate::outbound::QueueLimits;

/// An outbox for [`EngineBuilder::outbox`](crate::EngineBuilder::outbox): what [`Engine`](crate::Engine) is given to send
/// while there is no connection waits in it for the next one, within bounds of number, bytes and age.
///
/// Each message is handed to a connection at most once. What was not handed over when a session ends goes first in the
/// next one, in order, as soon as its `on_open` has returned. It lives in memory: what waits when the process ends is
/// gone.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use wscengine::{Engine, Fate, Handler, Message, Outbox, Session};
/// # use wscengine::testing::memory;
/// # struct Orders;
/// # impl Handler for Orders { async fn on_message(&self, _: &Session, _: Message<'_>) {} }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (transport, mut server) = memory::transport();
/// let outbox = Outbox::new().capacity(100, 64 << 10).max_age(Duration::from_secs(30));
/// let prepared = Engine::builder(transport, Orders).url("wss://example.com/").outbox(outbox).build()?;
/// # let (engine, mut peer) = tokio::join!(prepared.start(), server.accept());
/// # let engine = engine?;
/// # peer.reset();
/// # tokio::time::sleep(Duration::from_millis(1)).await;
/// // The connection is lost: the message waits for the next one.
/// let delivery = engine.enqueue("order 17").await?;
/// # let mut peer = server.accept().await;
/// match delivery.await {
///     Fate::Written { session } => println!("written in session {session}"),
///     Fate::NotSent(error) => println!("{}: {:?}", error.kind(), error.into_message()),
///     Fate::Unknown { session } => println!("session {session} was cut while it was being written"),
///     _ => {}
/// }
/// # assert_eq!(peer.next_message().await.text(), Some("order 17"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbox {
    pub(crate) limits: QueueLimits,
    pub(crate) max_age: Duration,
    pub(crate) overflow: Overflow,
    pub(crate) scope: Scope,
}

/// What happens to a message for which a full outbox has no room while there is no connection. While there is one,
/// `send` waits for room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused: its `send` fails with [`SendErrorKind::Full`](crate::SendErrorKind::Full). The default, since nothing is
    /// lost that was accepted.
    #[default]
    Reject,
    /// The oldest ones make room for it: their fate is [`SendErrorKind::Overflow`](crate::SendErrorKind::Overflow). For
    /// messages of which only the newest count.
    DropOldest,
}

/// In which sessions a message may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// In whichever comes. The default: it is what an outbox is for.
    #[default]
    AnySession,
    /// Only in the one that is open when it is given to the engine; refused as
    /// [`SendErrorKind::NotConnected`](crate::SendErrorKind::NotConnected) if none is. If the session ends first, its fate is
    /// [`SendErrorKind::SessionEnded`](crate::SendErrorKind::SessionEnded). For what the next session would misunderstand, such
    /// as the end of a subscription.
    ThisSession,
}

/// What is different for one message: see [`Engine::enqueue_with`](crate::Engine::enqueue_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnqueueOptions {
    pub(crate) max_age: Option<Duration>,
    pub(crate) scope: Option<Scope>,
}

impl Outbox {
    /// 1,024 messages, 1 MiB, a minute, [`Overflow::Reject`], [`Scope::AnySession`].
    pub fn new() -> Self {
        Self {
            limits: QueueLimits { messages: 1024, bytes: 1 << 20 },
            max_age: Duration::from_secs(60),
            overflow: Overflow::default(),
            scope: Scope::default(),
        }
    }

    /// How much may wait, in messages and payload bytes, 1 to 2^30 of each. Default 1,024 and 1 MiB, as the send queue. One
    /// message always fits, however long it is.
    #[must_use]
    pub fn capacity(mut self, messages: usize, bytes: usize) -> Self {
        self.limits = QueueLimits { messages, bytes };
        self
    }

    /// How long a message may wait; longer than 0, at most a year. Default one minute: two attempts at the longest
    /// backoff, and little enough that what is sent late still means something.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// What is done when it is full and there is no connection. Default [`Overflow::Reject`].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// In which sessions messages may be sent, unless [`EnqueueOptions::scope`] says otherwise. Default
    /// [`Scope::AnySession`].
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl EnqueueOptions {
    /// As the outbox says.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long this message may wait, in place of [`Outbox::max_age`]. It waits for the task that writes, even where
    /// there is a connection: 0 is always too little. For a message that is sent at once or not at all there is
    /// [`Session::try_send`](crate::Session::try_send).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// In which sessions it may be sent, in place of [`Outbox::scope`].
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }
}
