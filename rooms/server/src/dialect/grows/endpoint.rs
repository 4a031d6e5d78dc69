//! One route as the hub's side knows it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use wscengine_rooms_protocol::Limits;
use wscengine_rooms_protocol::grows::Frame;

use super::clients::Common;
use super::handlers::Later;
use super::middleware::{Change, Handshake, Receive};
use super::path::Path;
use super::voice::OwnVoice;
use super::{ClientHandler, Conn, Guest, refusal};
use crate::config::Config;
use crate::connection::Over;
use crate::dialect::{Admission, Dialect, Incoming, Link, Pace, Work};
use crate::handshake::HandshakeError;
use crate::hub::{End, Everyone, Profile, Voice};
use crate::ws::{Kind, close_code};

/// A route with all that is for it.
pub(crate) struct Endpoint {
    common: Arc<Common>,
    /// The routes have one crowd: one of them tells of it.
    is_first: bool,
    path: Path,
    handler: Arc<ClientHandler>,
    handshake: Option<Handshake>,
    receive: Arc<[Receive]>,
    send: Arc<[Change]>,
    pace: Pace,
    names: Limits,
}

/// One who may come in.
pub(crate) struct Admitted {
    guest: Guest,
    voice: Option<Arc<OwnVoice>>,
}

impl Endpoint {
    pub(super) fn new(
        common: &Arc<Common>,
        path: Path,
        handler: Arc<ClientHandler>,
        (handshake, receive, send): (Option<Handshake>, Vec<Receive>, Vec<Change>),
    ) -> Self {
        let common = Arc::clone(common);
        let (receive, send) = (receive.into(), send.into());
        let (pace, names) = (Config::default().pace(), Config::default().names());
        Self { common, is_first: false, path, handler, handshake, receive, send, pace, names }
    }

    /// With the limits of a server.
    pub(super) fn limited(mut self, config: &Config, is_first: bool) -> Self {
        (self.pace, self.names) = (config.pace(), config.names());
        self.is_first = is_first;
        self
    }

    /// As axum writes its paths.
    pub(crate) fn routes(&self) -> &[String] {
        &self.path.routes
    }

    pub(super) fn path(&self) -> &str {
        self.path.text()
    }

    pub(super) fn common(&self) -> &Arc<Common> {
        &self.common
    }

    pub(super) fn send(&self) -> &[Change] {
        &self.send
    }
}

impl Dialect for Endpoint {
    type Guest = Admitted;
    type Conn = Conn;

    const NAME: &'static str = "grows";

    fn pace(&self) -> Pace {
        self.pace
    }

    async fn admit(
        self: &Arc<Self>,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<Admitted>, Response> {
        handshake.map_err(refusal::no_handshake)?;
        let id: Arc<str> = uuid::Uuid::now_v1(&self.common.node).to_string().into();
        let guest = Guest::new(Arc::clone(&id), self.path.params(request).await);
        if let Some(ask) = &self.handshake
            && !ask(request.clone(), guest.clone()).await
        {
            return Err(refusal::forbidden());
        }
        let own = (!self.send.is_empty()).then(|| Arc::new(OwnVoice::new(&self.send)));
        let voice = match &own {
            Some(own) => Arc::clone(own) as Arc<dyn Voice>,
            None => Arc::clone(&self.common.voice),
        };
        let profile = Profile { id, voice, claims: HashMap::new() };
        Ok(Admission { profile, headers: HeaderMap::new(), guest: Admitted { guest, voice: own } })
    }

    fn conn(self: &Arc<Self>, link: Link, Admitted { guest, voice }: Admitted) -> Conn {
        let (params, meta) = guest.leave();
        for (key, value) in meta {
            link.member.meta().set(key, value);
        }
        let conn = Conn::new(link, Arc::clone(self), params);
        if let Some(voice) = voice {
            voice.speak_for(&conn);
        }
        conn
    }

    fn opened(&self, conn: &Conn) -> Work {
        let Some(connect) = self.handler.connect(conn) else {
            self.common.crowd.enter(conn.member(), conn);
            return Work::Done;
        };
        let conn = conn.clone();
        Work::Later(Box::pin(async move {
            match connect.await {
                Ok(()) => conn.endpoint().common.crowd.enter(conn.member(), &conn),
                Err(error) => {
                    tracing::warn!(%error, "a client may not connect");
                    conn.member().end(End::new(close_code::POLICY, "refused"));
                }
            }
        }))
    }

    fn received(&self, conn: &Conn, message: Incoming<'_>) -> Work {
        // Whom a handler has closed says nothing any more, though it may have been said already.
        if conn.is_closed() {
            return Work::Done;
        }
        let Ok(text) = std::str::from_utf8(message.payload) else { return drop_it(conn) };
        if message.kind == Kind::Binary {
            return drop_it(conn);
        }
        conn.set_followed(message.followed);
        if self.receive.is_empty() {
            return self.handle(conn, text).map_or(Work::Done, Work::Later);
        }
        Work::Later(Box::pin(receive(conn.clone(), text.to_owned())))
    }

    fn crowd(&self) -> Option<Everyone> {
        self.is_first.then(|| self.common.crowd.everyone())
    }

    fn closed(&self, conn: &Conn, _: &Over) -> Work {
        self.handler.disconnect(conn).map_or(Work::Done, Work::Later)
    }
}

impl Endpoint {
    fn handle(&self, conn: &Conn, text: &str) -> Option<Later<()>> {
        match Frame::decode_text(text, &self.names) {
            Ok(message) => self.handler.handle(conn, &message),
            Err(error) => {
                tracing::debug!(%error, "an event is dropped");
                conn.member().meters().malformed.inc();
                None
            }
        }
    }
}

/// Through the middlewares to the handlers.
async fn receive(conn: Conn, mut text: String) {
    let endpoint = Arc::clone(conn.endpoint());
    for change in &*endpoint.receive {
        match change(conn.clone(), text).await {
            Ok(Some(changed)) => text = changed,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "a receive middleware failed");
                return conn.member().meters().malformed.inc();
            }
        }
    }
    if let Some(work) = endpoint.handle(&conn, &text) {
        work.await;
    }
}

/// The original reads binary messages, and does nothing with them.
fn drop_it(conn: &Conn) -> Work {
    tracing::debug!("a binary message is dropped");
    conn.member().meters().malformed.inc();
    Work::Done
}
