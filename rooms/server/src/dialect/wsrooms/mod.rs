//! wsrooms (roomer): rooms with member lists, on the wire as [`wscengine_rooms_protocol::wsrooms`] says.
//!
//! A client is put into the room `root` and learns its id by that. It joins and leaves rooms by itself;
//! what it says in a room goes to the others in it, unless a handler is registered for the event.
//!
//! # Examples
//! A server that answers `hello` in the room it was said in:
//! ```
//! use axum::Router;
//! use wscengine_rooms_server::wsrooms::{Conn, Message, Wsrooms};
//! use wscengine_rooms_server::{Config, Rooms};
//!
//! let wsrooms = Wsrooms::new().on("hello", async |conn: Conn, message: Message| {
//!     conn.send_to_room(&message.room, "hello", &message.payload);
//!     Ok(())
//! })?;
//! let rooms = Rooms::new(Config::default());
//! let app: Router = Router::new().route("/ws", rooms.wsrooms(wsrooms));
//! # let _ = app;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod conn;
mod demo;
mod handlers;
mod message;
mod voice;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use axum::http::header::SEC_WEBSOCKET_VERSION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use wscengine_rooms_protocol::Limits;
use wscengine_rooms_protocol::wsrooms::{Frame, Request};

pub use conn::Conn;
pub(crate) use demo::demo;
pub use handlers::{HandlerError, RegisterError, Unauthorized};
pub use message::Message;

/// What an authorization says about a client, kept with its connection.
pub type Claims = HashMap<String, String>;

use super::{Admission, Dialect, Incoming, Link, Pace, Work};
use crate::config::Config;
use crate::handshake::HandshakeError;
use crate::hub::{Ask, Audience, End, JoinError, Profile, Voice, When};
use crate::ws::{Kind, close_code};
use handlers::{Authorize, Handlers};
use voice::WsroomsVoice;

/// The wsrooms protocol with the handlers of an application;
/// [`Rooms::wsrooms`](crate::Rooms::wsrooms) makes an endpoint of it.
pub struct Wsrooms {
    handlers: Handlers,
    authorize: Option<Arc<dyn Authorize>>,
    voice: Arc<dyn Voice>,
    pace: Pace,
    names: Limits,
    strangers: Strangers,
}

/// What becomes of a message to a room whose sender is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// It is dropped.
    #[default]
    MayNotSpeak,
    /// It is relayed, as by the original server.
    MaySpeak,
}

impl Wsrooms {
    /// Without handlers: whatever clients say in a room is relayed to the others in it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handlers: Handlers::default(),
            authorize: None,
            voice: Arc::new(WsroomsVoice),
            pace: Config::default().pace(),
            names: Config::default().names(),
            strangers: Strangers::default(),
        }
    }

    /// With the limits of a server.
    pub(crate) fn limited(mut self, config: &Config) -> Self {
        (self.pace, self.names) = (config.pace(), config.names());
        self
    }

    /// Calls `handler` for each message with this event that is meant for a room, instead of relaying it.
    ///
    /// The messages of one connection are handled one after the other, in the order in which they came; those
    /// of several connections at once. While a handler waits, its connection is written to, but not read
    /// from. An error that it returns is logged; the client is not told, and the connection stays.
    ///
    /// # Errors
    /// The name is empty or reserved, or has a handler already.
    pub fn on<F, R>(mut self, event: impl Into<String>, handler: F) -> Result<Self, RegisterError>
    where
        F: Fn(Conn, Message) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.handlers.insert(event.into(), handler)?;
        Ok(self)
    }

    /// Asks `authorize` before the upgrade who the client is; [`Unauthorized`] refuses it with status 401.
    /// Default: everybody may come in, without claims.
    #[must_use]
    pub fn authorize<F, R>(mut self, authorize: F) -> Self
    where
        F: Fn(Parts) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Claims, Unauthorized>> + Send + 'static,
    {
        self.authorize = Some(Arc::new(authorize));
        self
    }

    /// Whether one who is not in a room may speak in it. Default: not.
    #[must_use]
    pub fn strangers(mut self, strangers: Strangers) -> Self {
        self.strangers = strangers;
        self
    }
}

impl Default for Wsrooms {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Wsrooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wsrooms")
            .field("handlers", &self.handlers)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

impl Dialect for Wsrooms {
    type Guest = ();
    type Conn = Conn;

    const NAME: &'static str = "wsrooms";

    fn pace(&self) -> Pace {
        self.pace
    }

    async fn admit(
        self: &Arc<Self>,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<()>, Response> {
        if handshake == Err(HandshakeError::Method) {
            return Err(refusal(StatusCode::METHOD_NOT_ALLOWED));
        }
        let claims = match &self.authorize {
            None => Claims::new(),
            Some(authorize) => authorize.call(request.clone()).await.map_err(|error| {
                tracing::debug!(%error, "a client is refused");
                refusal(StatusCode::UNAUTHORIZED)
            })?,
        };
        handshake.map_err(|_| refusal(StatusCode::BAD_REQUEST))?;
        let id = uuid::Uuid::new_v4().to_string().into();
        let profile = Profile { id, voice: Arc::clone(&self.voice), claims };
        Ok(Admission { profile, headers: HeaderMap::new(), guest: () })
    }

    fn conn(self: &Arc<Self>, link: Link, (): ()) -> Conn {
        Conn::new(link)
    }

    fn opened(&self, conn: &Conn) -> Work {
        join(conn.link(), crate::hub::ROOT);
        Work::Done
    }

    fn received(&self, conn: &Conn, message: Incoming<'_>) -> Work {
        // What cannot be read is dropped, and the connection lives.
        if message.kind == Kind::Text {
            tracing::debug!(id = %conn.id(), "a text message is dropped");
            conn.link().member.meters().malformed.inc();
            return Work::Done;
        }
        match Frame::decode(message.payload, &self.names) {
            Ok(frame) => self.handle(conn, frame, message.followed),
            Err(error) => {
                tracing::debug!(id = %conn.id(), %error, "a malformed message is dropped");
                conn.link().member.meters().malformed.inc();
                Work::Done
            }
        }
    }
}

impl Wsrooms {
    fn handle<'a>(&self, conn: &'a Conn, mut frame: Frame<'a>, followed: When) -> Work {
        let link = conn.link();
        // What a client says about itself proves nothing.
        frame.src = conn.id();
        match frame.request() {
            Request::Join { room } => join(link, room),
            Request::Leave { room } => leave(link, room),
            Request::Direct(frame) if is_ask(link, &frame) => {
                // A position is text; what is none is of another server.
                let position = String::from_utf8_lossy(frame.payload).into_owned();
                link.hub.ask(&link.member, frame.room, Ask(position));
            }
            Request::Direct(frame) => _ = link.hub.tell(frame.dst, followed, &voice::said(&frame)),
            Request::Broadcast(frame) => {
                if let Some(handler) = self.handlers.get(frame.event) {
                    return handlers::run(handler, conn.clone(), Message::of(&frame));
                }
                let audience = match self.strangers {
                    Strangers::MayNotSpeak => Audience::OthersOfMember(&link.member),
                    Strangers::MaySpeak => Audience::Others(&link.member),
                };
                link.hub.publish(frame.room, audience, &voice::said(&frame));
            }
            _ => {
                tracing::debug!(id = %conn.id(), event = frame.event, "a reserved event is dropped");
                link.member.meters().malformed.inc();
            }
        }
        Work::Done
    }
}

/// Whether a client wants to know what it missed in a room, where that is kept. Elsewhere its question comes back.
fn is_ask(link: &Link, frame: &Frame<'_>) -> bool {
    frame.event == voice::HISTORY && frame.dst == &**link.member.id() && link.hub.keeps(frame.room)
}

fn join(link: &Link, room: &str) {
    match link.hub.join(&link.member, room) {
        Ok(()) | Err(JoinError::Gone) => {}
        // There is no message for it, and a client that waits for its acknowledgement would wait for ever.
        Err(error) => _ = link.member.end(End::new(close_code::POLICY, error.to_string())),
    }
}

fn leave(link: &Link, room: &str) {
    link.hub.leave(&link.member, room);
    link.member.push(&voice::left(room, link.member.id()));
}

/// The refusals of the original server.
fn refusal(status: StatusCode) -> Response {
    let body = match status {
        StatusCode::METHOD_NOT_ALLOWED => "Method not allowed\n",
        StatusCode::UNAUTHORIZED => "Unauthorized\n",
        _ => return (status, [(SEC_WEBSOCKET_VERSION, "13")], "Bad Request\n").into_response(),
    };
    (status, body).into_response()
}
