//! A dial or an opening handshake failed.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::{HandlerError, Source};
use crate::transport::HandshakeResponse;

/// A dial or an opening handshake failed.
#[derive(Clone)]
pub struct ConnectError {
    kind: ConnectErrorKind,
    source: Option<Source>,
    response: Option<Arc<HandshakeResponse>>,
}

/// Which phase of a dial failed, and whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The request cannot be sent: a header of the user's that the handshake sets itself, an invalid
    /// subprotocol, a URL without a host. The caller's fault: change the configuration.
    #[error("the request is invalid")]
    InvalidRequest,
    /// The host name was not resolved.
    #[error("the host name was not resolved")]
    Resolve,
    /// No address of the host took a TCP connection.
    #[error("the host did not accept the connection")]
    Connect,
    /// The proxy was not reached, refused the connection to the host, or broke its protocol. If it refused by HTTP, its
    /// answer is in [`ConnectError::response`].
    #[error("the proxy made no connection")]
    Proxy,
    /// The proxy wants other credentials, or some at all: status 407, or the like of SOCKS5.
    #[error("the proxy refused the credentials")]
    ProxyAuth,
    /// The TLS handshake failed for another reason than the certificate.
    #[error("the TLS handshake failed")]
    Tls,
    /// The server's certificate is not trusted, has expired, is for another name, or its key is not a pinned one.
    #[error("the server's certificate was refused")]
    Certificate,
    /// The server answered with another HTTP status than 101: see [`ConnectError::response`].
    #[error("the server refused the upgrade")]
    Status,
    /// The server redirects to where the dial may not go, or too often: its last answer is in
    /// [`ConnectError::response`]. Where redirects are not followed at all, they are `Status`.
    #[error("the redirect was not followed")]
    Redirect,
    /// The server's answer is no valid acceptance (RFC 6455 section 4.1), or no HTTP at all.
    #[error("the server's handshake is invalid")]
    Handshake,
    /// The header block of the answer is longer than 64 KiB.
    #[error("the server's response header is too large")]
    ResponseTooLarge,
    /// The connection broke during the handshake.
    #[error("the connection was lost during the handshake")]
    Io,
    /// A phase of the dial took longer than it may.
    #[error("{0} timed out")]
    Timeout(Phase),
    /// A failure of a transport's own.
    #[error("the transport failed")]
    Other,
}

/// A phase of a dial that has a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Phase {
    /// Name resolution.
    #[error("name resolution")]
    Resolve,
    /// TCP connection.
    #[error("connecting")]
    Connect,
    /// The proxy's part, from the connection to it until that to the host.
    #[error("the proxy's handshake")]
    Proxy,
    /// TLS handshake.
    #[error("the TLS handshake")]
    Tls,
    /// HTTP upgrade.
    #[error("the WebSocket handshake")]
    Upgrade,
    /// The dial as a whole.
    #[error("the connection attempt")]
    Whole,
}

impl ConnectError {
    /// An error without a cause.
    pub fn new(kind: ConnectErrorKind) -> Self {
        Self { kind, source: None, response: None }
    }

    /// An error with its cause.
    pub fn with_source(kind: ConnectErrorKind, source: impl Into<HandlerError>) -> Self {
        Self { kind, source: Some(Arc::from(source.into())), response: None }
    }

    /// Adds the server's answer.
    #[must_use]
    pub fn with_response(mut self, response: HandshakeResponse) -> Self {
        self.response = Some(Arc::new(response));
        self
    }

    /// What failed.
    pub fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// The server's answer, if it gave one that could be parsed: status, headers and body. Of the kinds `Proxy` and
    /// `ProxyAuth` it is the proxy's.
    pub fn response(&self) -> Option<&HandshakeResponse> {
        self.response.as_deref()
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .field("response", &self.response)
            .finish()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match (self.kind, &self.response) {
            (ConnectErrorKind::Status, Some(response)) => {
                write!(f, " with status {}", response.status)?;
            }
            (ConnectErrorKind::Proxy | ConnectErrorKind::ProxyAuth, Some(response)) => {
                write!(f, ": it answered with status {}", response.status)?;
            }
            _ => {}
        }
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<ConnectErrorKind> for ConnectError {
    fn from(kind: ConnectErrorKind) -> Self {
        Self::new(kind)
    }
}
