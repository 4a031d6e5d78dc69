//! Who may come in.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::conn::Guest;
use super::protocol::Mounted;
use crate::dialect::Admission;
use crate::handshake::HandshakeError;
use crate::hub::{Profile, Voice};
use crate::ws::negotiate;

/// Why a request is refused. Its text is the body of the answer, unless [`Iris::error`](super::Iris::error) gives
/// another.
///
/// An answer that refuses has it among its [extensions](axum::http::Extensions).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// It is no opening handshake: 405 for a method other than GET, 426 without `Upgrade` and for a version other
    /// than 13, 400 for another wrong header, 505 for a version of HTTP other than 1.1.
    #[error("{reason}")]
    Handshake {
        /// The status of the answer.
        status: StatusCode,
        /// What is wrong.
        reason: String,
    },
    /// [`Iris::check_origin`](super::Iris::check_origin) says no: 403.
    #[error("this origin may not connect")]
    Origin,
    /// A connection has the id that [`Iris::id_generator`](super::Iris::id_generator) made: 409.
    #[error("a connection has this id already")]
    IdTaken,
}

impl UpgradeError {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Handshake { status, .. } => *status,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::IdTaken => StatusCode::CONFLICT,
        }
    }
}

impl Mounted {
    pub(super) fn judge(
        &self,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
    ) -> Result<Admission<Guest>, UpgradeError> {
        handshake.map_err(|wrong| UpgradeError::Handshake {
            status: wrong.status(),
            reason: wrong.to_string(),
        })?;
        if self.options.check_origin.as_ref().is_some_and(|is_good| !is_good(request)) {
            return Err(UpgradeError::Origin);
        }
        let id: Arc<str> = match &self.options.id_generator {
            Some(make) => make(request).into(),
            None => uuid::Uuid::new_v4().to_string().into(),
        };
        // Two at once can still meet: the later one's connection then ends at once.
        if self.options.id_generator.is_some() && self.hub.get(&id).is_some() {
            return Err(UpgradeError::IdTaken);
        }
        let mut headers = HeaderMap::new();
        let subprotocol = self.subprotocol(&request.headers);
        if let Some(value) =
            subprotocol.as_deref().and_then(|name| HeaderValue::try_from(name).ok())
        {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        let agreed = self.options.compression.then(|| negotiate(&request.headers)).flatten();
        let window = agreed.map(|(window, answer)| {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, answer);
            window
        });
        let voice = Arc::clone(self.voices().of(window)) as Arc<dyn Voice>;
        let profile = Profile { id, voice, claims: HashMap::new() };
        let guest = Guest { request: detached(request), subprotocol, window, own: None };
        Ok(Admission { profile, headers, guest })
    }

    /// The first of the server's list that the client offers.
    fn subprotocol(&self, request: &HeaderMap) -> Option<Arc<str>> {
        let lines = request.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let offered = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        let offered: Vec<_> = offered.map(str::trim).collect();
        self.options.subprotocols.iter().find(|name| offered.contains(&&***name)).cloned()
    }

    /// The answer to a request that may not come in.
    pub(super) fn refuse(
        &self,
        request: &Parts,
        handshake: Result<(), HandshakeError>,
        error: UpgradeError,
    ) -> Response {
        tracing::debug!(%error, "a client is refused");
        let own = self.options.error.as_ref().and_then(|answer| answer(request, &error));
        let mut answer = own.unwrap_or_else(|| match handshake {
            // Some have headers of their own.
            Err(wrong) => wrong.into_response(),
            Ok(()) => (error.status(), format!("{error}\n")).into_response(),
        });
        answer.extensions_mut().insert(error);
        answer
    }
}

/// A copy that shares nothing with the request: its parts lie in the read buffer of the HTTP connection, which the
/// connection would keep in memory for as long as it lives.
fn detached(request: &Parts) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method.clone();
    parts.uri = request.uri.to_string().parse().unwrap_or_default();
    parts.version = request.version;
    parts.headers = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        // Each was one before.
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            parts.headers.append(name, value);
        }
    }
    parts.extensions = request.extensions.clone();
    parts
}
