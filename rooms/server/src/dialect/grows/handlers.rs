//! What the application does with what clients send.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use regex::Regex;
use wscengine_rooms_protocol::grows;

use super::event::Data;
use super::{Conn, Event, HandlerError, RegisterError};

/// The name of the handlers for all that no other handles.
pub(super) const ANY: &str = "*";

pub(super) type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A callback whose errors are logged.
type Callback<A> = Arc<dyn Fn(Conn, A) -> Later<()> + Send + Sync>;

type OnConnect = Arc<dyn Fn(Conn) -> Later<Result<(), HandlerError>> + Send + Sync>;

/// What an application does with the clients of a route. A clone may serve another route.
///
/// A message is an event or a raw message, as [`wscengine_rooms_protocol::grows`] says.
/// Those of one connection are handled one after the other, in the order in which they came; those of several
/// connections at once. While a handler waits, its connection is written to, but not read from. An error
/// that a handler returns is logged; the client is not told, and the connection stays.
///
/// # Examples
/// ```
/// use wscengine_rooms_server::grows::{ClientHandler, Conn, Event};
///
/// let handler = ClientHandler::new()
///     .on_connect(async |conn: Conn| Ok(conn.join("lobby")?))
///     .on("test", async |conn: Conn, _: String| Ok(conn.write("test back")?))?
///     .on_event("say", async |conn: Conn, event: Event| {
///         conn.clients().broadcast_event("lobby", "said", &event.data)?;
///         Ok(())
///     })?;
/// # Ok::<(), wscengine_rooms_server::grows::RegisterError>(())
/// ```
#[derive(Clone, Default)]
pub struct ClientHandler {
    connect: Option<OnConnect>,
    disconnect: Option<Callback<()>>,
    events: HashMap<Arc<str>, Callback<Event>>,
    any_event: Option<Callback<Event>>,
    texts: HashMap<String, Callback<String>>,
    patterns: Vec<(Regex, Callback<String>)>,
    any_text: Option<Callback<String>>,
}

impl ClientHandler {
    /// Without callbacks: what clients send is dropped.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `callback` for each client that comes, before its first message. It may be put into rooms there, and
    /// written to; it is listed, and told what is for all, afterwards. An error closes the connection with code
    /// 1008, and is logged. Replaces the one before.
    #[must_use]
    pub fn on_connect<F, R>(mut self, callback: F) -> Self
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.connect = Some(Arc::new(move |conn| Box::pin(callback(conn))));
        self
    }

    /// Calls `callback` for each client that goes, also for one whose `on_connect` failed. It is still listed, in
    /// its rooms, and has its metadata; nothing reaches it any more. An error is logged. It is not called for one whose
    /// handler panicked. Replaces the one before.
    #[must_use]
    pub fn on_disconnect<F, R>(mut self, callback: F) -> Self
    where
        F: Fn(Conn) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let callback = logged("disconnect", move |conn, ()| callback(conn), |()| None);
        self.disconnect = Some(callback);
        self
    }

    /// Calls `callback` for raw messages: for the one that is `pattern`; else for those that `pattern`, as a
    /// regular expression, matches from their beginning to their end. `*` is for those that no other is for. Of
    /// several expressions that match, the one registered first counts.
    ///
    /// # Errors
    /// The pattern is registered already, or is no [regular expression](regex::Regex).
    pub fn on<F, R>(
        mut self,
        pattern: impl Into<String>,
        callback: F,
    ) -> Result<Self, RegisterError>
    where
        F: Fn(Conn, String) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let pattern = pattern.into();
        let whole = logged("message", callback, |_| None);
        if pattern == ANY {
            free(&pattern, self.any_text.is_some())?;
            self.any_text = Some(whole);
            return Ok(self);
        }
        free(&pattern, self.texts.contains_key(&pattern))?;
        // By itself first: what is no expression may be one in brackets.
        expression(&pattern, &pattern)?;
        let regex = expression(&pattern, &format!(r"\A(?:{pattern})\z"))?;
        // An expression that matches nothing but itself is found as a text.
        if regex::escape(&pattern) != pattern {
            self.patterns.push((regex, Arc::clone(&whole)));
        }
        self.texts.insert(pattern, whole);
        Ok(self)
    }

    /// Calls `callback` for events of this name; `*` is for those that no other is for.
    ///
    /// # Errors
    /// The name has a handler already.
    pub fn on_event<F, R>(
        mut self,
        name: impl Into<Arc<str>>,
        callback: F,
    ) -> Result<Self, RegisterError>
    where
        F: Fn(Conn, Event) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let name = name.into();
        let named = logged("event", callback, |event: &Event| Some(Arc::clone(&event.name)));
        if &*name == ANY {
            free(&name, self.any_event.is_some())?;
            self.any_event = Some(named);
            return Ok(self);
        }
        free(&name, self.events.contains_key(&name))?;
        self.events.insert(name, named);
        Ok(self)
    }

    pub(super) fn connect(&self, conn: &Conn) -> Option<Later<Result<(), HandlerError>>> {
        self.connect.as_ref().map(|connect| connect(conn.clone()))
    }

    pub(super) fn disconnect(&self, conn: &Conn) -> Option<Later<()>> {
        self.disconnect.as_ref().map(|disconnect| disconnect(conn.clone(), ()))
    }

    /// What is to be done for a message, if anything.
    pub(super) fn handle(&self, conn: &Conn, message: &grows::Frame<'_>) -> Option<Later<()>> {
        match message {
            grows::Frame::Event(event) => self.event(conn, event),
            grows::Frame::Raw(text) => {
                let callback = self.text(text)?;
                Some(callback(conn.clone(), (*text).to_owned()))
            }
        }
    }

    fn event(&self, conn: &Conn, event: &grows::Event<'_>) -> Option<Later<()>> {
        let (name, callback) = match self.events.get_key_value(&*event.name) {
            Some((name, callback)) => (Arc::clone(name), callback),
            None => (Arc::from(&*event.name), self.any_event.as_ref()?),
        };
        Some(callback(conn.clone(), Event { name, data: Data::of(event.data) }))
    }

    fn text(&self, text: &str) -> Option<&Callback<String>> {
        let by_pattern = || {
            let mut patterns = self.patterns.iter();
            patterns.find(|(regex, _)| regex.is_match(text)).map(|(_, callback)| callback)
        };
        self.texts.get(text).or_else(by_pattern).or(self.any_text.as_ref())
    }
}

impl fmt::Debug for ClientHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandler")
            .field("texts", &self.texts.keys())
            .field("events", &self.events.keys())
            .finish_non_exhaustive()
    }
}

/// A regular expression; the error says what was given.
pub(super) fn expression(given: &str, regex: &str) -> Result<Regex, RegisterError> {
    Regex::new(regex).map_err(|error| RegisterError::Pattern {
        pattern: given.to_owned(),
        reason: error.to_string(),
    })
}

fn free(name: &str, is_taken: bool) -> Result<(), RegisterError> {
    if is_taken { Err(RegisterError::AlreadyRegistered(name.to_owned())) } else { Ok(()) }
}

/// A callback whose error is logged, with the name that `name` gives.
fn logged<A, F, R>(kind: &'static str, callback: F, name: fn(&A) -> Option<Arc<str>>) -> Callback<A>
where
    F: Fn(Conn, A) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    A: 'static,
{
    Arc::new(move |conn, argument| {
        let name = name(&argument);
        let work = callback(conn, argument);
        Box::pin(async move {
            if let Err(error) = work.await {
                tracing::warn!(kind, name = name.as_deref(), %error, "a handler failed");
            }
        })
    })
}
