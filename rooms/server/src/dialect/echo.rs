//! `/echo`: every message goes back to its sender.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_EXTENSIONS;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::{Admission, Dialect, Incoming, Link, Pace, Work};
use crate::config::DropRule;
use crate::handshake::HandshakeError;
use crate::hub::{End, Profile, Voice};
use crate::ws::{self, Packet, WindowBits};

/// Echoes are collected up to so many bytes while more is at hand, then written together.
const BACKLOG: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Echo {
    max_message: usize,
    rule: DropRule,
    /// How many there were.
    sessions: AtomicU64,
    voice: Arc<dyn Voice>,
}

/// Whoever echoes hears nothing of rooms.
#[derive(Debug)]
struct Deaf;

impl Voice for Deaf {
    fn message(&self, _: &wscengine_rooms_protocol::room::Message<'_>) -> Option<Packet> {
        None
    }
}

pub(crate) struct EchoConn {
    link: Link,
    deflate: Option<WindowBits>,
    /// How many echoes are left before the connection is cut.
    left: Option<AtomicU64>,
}

impl Echo {
    pub(crate) fn new(max_message: usize, rule: DropRule) -> Self {
        Self { max_message, rule, sessions: AtomicU64::new(0), voice: Arc::new(Deaf) }
    }

    /// How many echoes the next session has before it is cut.
    fn budget(&self) -> Option<u64> {
        let earlier = self.sessions.fetch_add(1, Ordering::Relaxed);
        match self.rule {
            DropRule::First(messages) if earlier == 0 => Some(messages),
            DropRule::Each(messages) => Some(messages),
            DropRule::First(_) | DropRule::Never => None,
        }
    }
}

impl EchoConn {
    fn packet(&self, message: Incoming<'_>) -> Packet {
        let Incoming { kind, payload, .. } = message;
        match self.deflate {
            Some(bits) => Packet::compressed(kind, payload, bits),
            None => Packet::message(kind, payload),
        }
    }

    /// Cuts the connection if no echo is left; what is queued is still written.
    fn cut_at_the_end(&self) {
        if self.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed) == 0) {
            self.link.member.end(End::cut());
        }
    }
}

impl Dialect for Echo {
    type Guest = Option<WindowBits>;
    type Conn = EchoConn;

    const NAME: &'static str = "echo";

    fn pace(&self) -> Pace {
        Pace { max_message: self.max_message, ping: None, idle: None }
    }

    fn backlog(&self) -> Option<usize> {
        Some(BACKLOG)
    }

    async fn admit(
        self: &Arc<Self>,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<Self::Guest>, Response> {
        handshake.map_err(HandshakeError::into_response)?;
        let id = uuid::Uuid::new_v4().to_string().into();
        let profile = Profile { id, voice: Arc::clone(&self.voice), claims: HashMap::new() };
        let (mut headers, mut guest) = (HeaderMap::new(), None);
        if let Some((bits, answer)) = ws::negotiate(&request.headers) {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
            guest = Some(bits);
        }
        Ok(Admission { profile, headers, guest })
    }

    fn conn(self: &Arc<Self>, link: Link, deflate: Self::Guest) -> EchoConn {
        EchoConn { link, deflate, left: self.budget().map(AtomicU64::new) }
    }

    fn inflates(&self, conn: &EchoConn) -> bool {
        conn.deflate.is_some()
    }

    fn opened(&self, conn: &EchoConn) -> Work {
        conn.cut_at_the_end();
        Work::Done
    }

    fn received(&self, conn: &EchoConn, message: Incoming<'_>) -> Work {
        // Refused once the connection is to be cut.
        if conn.link.member.push(&conn.packet(message))
            && let Some(left) = &conn.left
        {
            left.fetch_sub(1, Ordering::Relaxed);
            conn.cut_at_the_end();
        }
        Work::Done
    }
}
