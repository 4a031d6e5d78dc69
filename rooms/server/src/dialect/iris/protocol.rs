//! The protocol on an endpoint.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use wscengine_rooms_protocol::Limits;
use wscengine_rooms_protocol::iris::{Codec, EncodeError, Event, Frame};

use super::conn::Guest;
use super::listener::Later;
use super::options::Options;
use super::table::Table;
use super::voice::{Frames, Voices};
use super::{Conn, Error, Iris, Server};
use crate::config::Config;
use crate::connection::Over;
use crate::dialect::{Admission, Dialect, Incoming, Link, Pace, Work};
use crate::handshake::HandshakeError;
use crate::hub::{Everyone, Hub};

/// An [`Iris`] that is an endpoint.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(super) options: Options,
    pub(super) hub: Arc<Hub>,
    table: Table,
    codec: Codec,
    voices: Voices,
    server: Server,
    names: Limits,
}

impl Mounted {
    pub(super) fn new(iris: Iris, config: &Config, hub: &Arc<Hub>) -> Self {
        let Iris { options, table, server } = iris;
        server.mount(hub);
        let codec = Codec::new(options.prefix.clone());
        let frames = if options.binary { Frames::Binary } else { Frames::Text };
        let voices = Voices::new(&codec, frames);
        let (hub, names) = (Arc::clone(hub), config.names());
        Self { options, hub, table, codec, voices, server, names }
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn voices(&self) -> &Voices {
        &self.voices
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// A native message with the prefix in front would be taken for an event.
    pub(super) fn check_native(&self, message: &[u8]) -> Result<(), EncodeError> {
        let is_event = message.starts_with(self.codec.prefix().as_bytes());
        if is_event { Err(EncodeError::Prefix) } else { Ok(()) }
    }
}

impl Dialect for Mounted {
    type Guest = Guest;
    type Conn = Conn;

    const NAME: &'static str = "iris";

    fn pace(&self) -> Pace {
        self.options.pace()
    }

    fn write_timeout(&self) -> Option<Duration> {
        self.options.write_timeout
    }

    fn handshake_timeout(&self) -> Option<Duration> {
        self.options.handshake_timeout
    }

    async fn admit(
        self: &Arc<Self>,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<Guest>, Response> {
        self.judge(request, handshake).map_err(|error| self.refuse(request, handshake, error))
    }

    fn conn(self: &Arc<Self>, link: Link, guest: Guest) -> Conn {
        Conn::new(link, Arc::clone(self), guest)
    }

    fn inflates(&self, conn: &Conn) -> bool {
        conn.is_compressed()
    }

    fn opened(&self, conn: &Conn) -> Work {
        self.server.crowd().enter(&conn.link().member, conn);
        let callbacks = conn.registered(|table| &table.connections);
        chain(callbacks.iter().map(|callback| callback(conn)).collect())
    }

    fn received(&self, conn: &Conn, message: Incoming<'_>) -> Work {
        conn.set_followed(message.followed);
        match self.codec.decode(message.payload, &self.names) {
            Ok(Frame::Event(event)) => self.event(conn, &event),
            Ok(Frame::Native(message)) => native(conn, message),
            Err(error) => {
                malformed(conn, &Error::Malformed(error));
                Work::Done
            }
        }
    }

    fn pinging(&self, conn: &Conn) {
        conn.registered(|table| &table.pings).iter().for_each(|callback| callback(conn));
    }

    fn ponged(&self, conn: &Conn) {
        conn.registered(|table| &table.pongs).iter().for_each(|callback| callback(conn));
    }

    fn crowd(&self) -> Option<Everyone> {
        Some(self.server.crowd().everyone())
    }

    /// As the original's documentation has it: off the list, out of the rooms, the callbacks; then the socket.
    fn closed(&self, conn: &Conn, how: &Over) -> Work {
        if let Some(error) = Error::of(how) {
            conn.tell(&error);
        }
        // It may have ended long ago.
        let _ = conn.disconnect();
        for room in conn.rooms() {
            conn.leave(&room);
        }
        conn.tell_leave(conn.id());
        chain(conn.disconnects())
    }
}

impl Mounted {
    fn event(&self, conn: &Conn, event: &Event<'_>) -> Work {
        let (shared, own) = (self.table.event(event.name), conn.own_listeners(event.name));
        if shared.is_empty() && own.is_empty() {
            return Work::Done;
        }
        // What is not what its type says is for nobody.
        if let Err(source) = event.value() {
            malformed(conn, &Error::Data { event: event.name.to_owned(), source });
            return Work::Done;
        }
        let mut work = Vec::with_capacity(shared.len() + own.len());
        for listener in shared.iter().chain(&own) {
            match listener.call(conn, event) {
                Ok(later) => work.extend(later),
                Err(source) => {
                    malformed(conn, &Error::Data { event: event.name.to_owned(), source });
                }
            }
        }
        chain(work)
    }
}

fn native(conn: &Conn, message: &[u8]) -> Work {
    let callbacks = conn.registered(|table| &table.messages);
    if callbacks.is_empty() {
        return Work::Done;
    }
    let message = Bytes::copy_from_slice(message);
    chain(callbacks.iter().map(|callback| callback(conn, message.clone())).collect())
}

/// A message is ignored, or not for a listener that would be meant.
fn malformed(conn: &Conn, error: &Error) {
    conn.link().member.meters().malformed.inc();
    conn.tell(error);
}

/// One after the other.
fn chain(mut work: Vec<Later>) -> Work {
    match work.len() {
        0 => Work::Done,
        1 => work.pop().map_or(Work::Done, Work::Later),
        _ => Work::Later(Box::pin(async move {
            for one in work {
                one.await;
            }
        })),
    }
}
