//! Request and response by id: the reply to a request is given to whoever made it, and everything else to
//! `on_message`.
//!
//! [`Requests`] is given a function that takes the id out of a message. It is asked for each message while a call waits,
//! on the connection's own task and before anything else sees the message: a reply overtakes what waits to be handled, so
//! a call may be awaited inside `on_message`, with one worker too, in `on_open`, and while the engine is paused. While no
//! call waits it costs nothing.
//!
//! See the [guide](crate::guide::requests).

mod table;

use std::any::Any;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub use crate::error::{CallError, CallErrorKind};
use crate::message::Message;
use crate::session::Session;
use crate::status::Status;

pub(crate) use table::Replies;
use table::{IdOf, Table};

/// Requests to the server of an engine, told apart by ids of type `K`. Cheap to clone; may be kept in a handler.
///
/// Give it to [`EngineBuilder::requests`](crate::EngineBuilder::requests). Each engine needs its own: given to another
/// one, it calls on that from then on.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use wscengine::request::Requests;
/// use wscengine::{Engine, Handler, Message, Session};
/// # use wscengine::testing::memory;
///
/// struct Prices;
/// impl Handler for Prices {
///     async fn on_message(&self, _: &Session, message: Message<'_>) {
///         println!("{}", message.text().unwrap_or_default());
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // "17 balance" is answered by "17 100"; prices have no number.
/// let requests = Requests::new(|message: &Message<'_>| message.text()?.split(' ').next()?.parse::<u64>().ok());
/// # let (transport, mut server) = memory::transport();
/// let prepared = Engine::builder(transport, Prices).url("wss://example.com/").requests(&requests).build()?;
/// # let (engine, mut peer) = tokio::join!(prepared.start(), server.accept());
/// # let engine = engine?;
/// # let peer = tokio::spawn(async move {
/// #     peer.send("price 1.0841");
/// #     assert_eq!(peer.next_message().await.text(), Some("1 balance"));
/// #     peer.send("1 100");
/// #     while peer.recv().await.is_some() {}
/// # });
/// let id = requests.next_id();
/// let reply = requests.call(format!("{id} balance"), Duration::from_secs(5)).await?;
/// assert_eq!(reply.text(), Some("1 100"));
/// # engine.stop().await;
/// # peer.await?;
/// # Ok(())
/// # }
/// ```
pub struct Requests<K> {
    shared: Arc<Shared<K>>,
    /// The one session to call on, or whichever there is.
    session: Option<Session>,
}

struct Shared<K> {
    id_of: Arc<IdOf<K>>,
    next_id: AtomicU64,
    engine: Mutex<Option<EngineHandles>>,
}

/// Where the engine shows what session there is. It does not keep the engine alive.
pub(crate) struct EngineHandles {
    pub(crate) session: watch::Receiver<Option<Session>>,
    pub(crate) status: watch::Receiver<Status>,
}

/// What an engine knows of its requests.
pub(crate) trait Correlator: Send + Sync {
    /// The engine is being started.
    fn attach(&self, engine: EngineHandles);

    /// The calls of a new session.
    fn replies(&self) -> Arc<dyn Replies>;
}

impl<K: Eq + Hash + Send + 'static> Correlator for Shared<K> {
    fn attach(&self, engine: EngineHandles) {
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine);
    }

    fn replies(&self) -> Arc<dyn Replies> {
        Arc::new(Table::new(self.id_of.clone()))
    }
}

impl<K: Eq + Hash + Send + 'static> Requests<K> {
    /// Requests whose ids `id_of` takes out of a message: out of a request and out of its reply the same one, and `None`
    /// out of a message that has none.
    ///
    /// It is called on the connection's task for each message that is read while a call waits: keep it cheap, and look
    /// no further into the message than to its id. A message whose id nobody waits for goes to `on_message`, so it may
    /// find ids in what is no reply. If it panics, the message has no id.
    pub fn new(id_of: impl Fn(&Message<'_>) -> Option<K> + Send + Sync + 'static) -> Self {
        let id_of = Arc::new(IdOf::new(id_of));
        let shared = Shared { id_of, next_id: AtomicU64::new(1), engine: Mutex::new(None) };
        Self { shared: Arc::new(shared), session: None }
    }

    /// A number that no call was given yet, from 1: for servers that take any id.
    pub fn next_id(&self) -> u64 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The same requests, but on this session only, as in a callback: once it has ended, a call fails and is not sent
    /// into the next one. In `on_open` it is the only way, since the session is not open yet: `conn.session()`.
    #[must_use]
    pub fn on(&self, session: &Session) -> Self {
        Self { shared: self.shared.clone(), session: Some(session.clone()) }
    }

    /// Sends a request whose id is in the message, and returns the reply.
    ///
    /// The reply shares the chunk of received bytes it came in: for one that is kept long, use
    /// [`Message::to_compact`].
    ///
    /// # Errors
    /// [`CallError`]: no reply within `timeout`, which includes the wait for room in the send queue; no session, at once;
    /// the session ended, at once; the id is in use, or there is none.
    ///
    /// # Cancel safety
    /// Dropped, the call is given up: dropped while it waits for room it has sent nothing, and its id is free; later, its reply goes to
    /// `on_message`, unless it has come in this very moment, and then it is lost.
    pub async fn call(
        &self,
        message: impl Into<Message<'static>>,
        timeout: Duration,
    ) -> Result<Message<'static>, CallError> {
        let message = message.into();
        match self.shared.id_of.id(&message) {
            Some(id) => self.call_with_id(id, message, timeout).await,
            None => Err(CallError::returning(CallErrorKind::NoId, message)),
        }
    }

    /// Sends a request whose reply will have this id, wherever it stands in the request, and returns the reply.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    /// As [`call`](Self::call).
    pub async fn call_with_id(
        &self,
        id: K,
        message: impl Into<Message<'static>>,
        timeout: Duration,
    ) -> Result<Message<'static>, CallError> {
        let message = message.into();
        let session = match self.session() {
            Ok(session) => session,
            Err(kind) => return Err(CallError::returning(kind, message)),
        };
        let mut waiting = match self.table(&session).and_then(|table| table.enter(id)) {
            Ok(waiting) => waiting,
            Err(kind) => return Err(CallError::returning(kind, message)),
        };
        let exchange = async {
            session.send(message).await?;
            waiting.sent();
            Ok(waiting.reply().await?)
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(CallErrorKind::Timeout.into()))
    }

    pub(crate) fn correlator(&self) -> Arc<dyn Correlator> {
        self.shared.clone()
    }

    /// The session to call on.
    fn session(&self) -> Result<Session, CallErrorKind> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let engine = self.shared.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = &*engine else { return Err(CallErrorKind::NotConnected) };
        if let Some(session) = &*engine.session.borrow() {
            return Ok(session.clone());
        }
        Err(match &*engine.status.borrow() {
            Status::Stopped { .. } => CallErrorKind::Stopped,
            _ => CallErrorKind::NotConnected,
        })
    }

    /// The calls of a session, if its engine knows of these requests.
    fn table<'a>(&self, session: &'a Session) -> Result<&'a Table<K>, CallErrorKind> {
        let replies = session.replies().ok_or(CallErrorKind::NotInstalled)?;
        let table = (replies as &dyn Any).downcast_ref::<Table<K>>();
        table.filter(|table| table.is_of(&self.shared.id_of)).ok_or(CallErrorKind::NotInstalled)
    }
}

impl<K> Clone for Requests<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), session: self.session.clone() }
    }
}

impl<K> fmt::Debug for Requests<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("session", &self.session).finish_non_exhaustive()
    }
}
