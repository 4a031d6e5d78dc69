//! What becomes of the requests and messages of clients.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use wscengine_rooms_protocol::easy::{Frame, OPEN, Refusal, Request};

use super::admission::{self, Refused};
use super::channels::Guard;
use super::{Conn, Cookie, Easy, HandlerError};
use crate::dialect::{Admission, Dialect, Incoming, Link, Pace, Work};
use crate::handshake::HandshakeError;
use crate::hub::{End, JoinError, Profile};
use crate::ws::close_code;

impl Dialect for Easy {
    /// The token.
    type Guest = String;
    type Conn = Conn;

    const NAME: &'static str = "easy";

    fn pace(&self) -> Pace {
        self.pace
    }

    async fn admit(
        self: &Arc<Self>,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<String>, Response> {
        self.judge(&request.headers, handshake).await.map_err(Refused::into_response)
    }

    fn conn(self: &Arc<Self>, link: Link, token: String) -> Conn {
        Conn::new(link, Arc::clone(&self.channels), token)
    }

    fn opened(&self, conn: &Conn) -> Work {
        self.handlers.call(OPEN, conn, conn.id().as_bytes()).unwrap_or(Work::Done)
    }

    fn received(&self, conn: &Conn, message: Incoming<'_>) -> Work {
        conn.set_followed(message.followed);
        match Frame::decode(message.payload, &self.names) {
            Ok(frame) => self.handle_frame(conn, frame),
            Err(error) => {
                tracing::debug!(id = conn.id(), %error, "no command can be read");
                conn.link().member.meters().malformed.inc();
                refuse(conn, Refusal::NotSupported)
            }
        }
    }
}

impl Easy {
    async fn judge(
        &self,
        headers: &HeaderMap,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<String>, Refused> {
        let token = self.authenticate(admission::token(headers)).await?;
        admission::check(headers, handshake, &self.origins)?;
        let id = admission::session_id(getrandom::fill)?;
        let profile = Profile { id, voice: Arc::clone(&self.voice), claims: HashMap::new() };
        Ok(Admission { profile, headers: admission::subprotocol(headers), guest: token })
    }

    /// The token, if it is good.
    async fn authenticate(&self, token: Option<String>) -> Result<String, Refused> {
        let token = match (token, self.cookie) {
            (Some(token), _) => token,
            (None, Cookie::Optional) => String::new(),
            (None, Cookie::Required) => return Err(Refused::Authentication),
        };
        let Some(validate) = &self.validate else { return Ok(token) };
        validate.call(token.clone()).await.map_err(|error| {
            tracing::debug!(%error, "a client is refused");
            Refused::Authentication
        })?;
        Ok(token)
    }

    fn handle_frame(&self, conn: &Conn, frame: Frame<'_>) -> Work {
        match frame.request() {
            Request::Listen { channel } => self.listen(conn, channel),
            Request::Command(Frame { command, content }) => self
                .handlers
                .call(command, conn, content)
                .unwrap_or_else(|| refuse(conn, Refusal::NotSupported)),
            _ => refuse(conn, Refusal::NotSupported),
        }
    }

    fn listen(&self, conn: &Conn, channel: &[u8]) -> Work {
        let named = std::str::from_utf8(channel).ok();
        let Some((name, guard)) = named.and_then(|name| Some((name, self.channels.guard(name)?)))
        else {
            return refuse(conn, Refusal::ChannelDoesNotExist);
        };
        match guard {
            Guard::Open => enter(conn, name),
            Guard::Validated(validate) => {
                let answer = validate.call(conn.token().to_owned());
                return Work::Later(Box::pin(enter_if(conn.clone(), name.to_owned(), answer)));
            }
        }
        Work::Done
    }
}

/// Lets a connection listen if its token is good.
async fn enter_if(
    conn: Conn,
    channel: String,
    validation: impl Future<Output = Result<(), HandlerError>>,
) {
    match validation.await {
        Ok(()) => enter(&conn, &channel),
        Err(error) => {
            tracing::debug!(id = conn.id(), channel, %error, "a client may not listen");
            conn.refuse(Refusal::NotAuthorized);
        }
    }
}

fn enter(conn: &Conn, channel: &str) {
    let Link { hub, member } = conn.link();
    if member.is_in(channel) {
        return conn.refuse(Refusal::AlreadyListening);
    }
    match hub.join(member, channel) {
        Ok(()) | Err(JoinError::Gone) => {}
        // No answer says that it may listen: it does not wait for what never comes.
        Err(error) => _ = member.end(End::new(close_code::POLICY, error.to_string())),
    }
}

fn refuse(conn: &Conn, refusal: Refusal) -> Work {
    conn.refuse(refusal);
    Work::Done
}
