//! Connections over Unix sockets.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::net::UnixStream;
use wscengine::{ConnectError, ConnectErrorKind};

use crate::connector::{BoxedIo, Connector, Target};

/// Connects to a Unix socket, whatever the URL's host is: that goes into the `Host` header, and for `wss` into TLS.
///
/// With a [`Proxy`](crate::Proxy) the socket is the way to the proxy.
///
/// # Examples
/// ```
/// use wscengine_dial::{Dialer, UnixConnector};
///
/// // Then dial `ws://localhost/chat`.
/// let dialer = Dialer::default().connector(UnixConnector::new("/run/chat.sock"));
/// ```
#[derive(Clone, Debug)]
pub struct UnixConnector {
    path: PathBuf,
}

impl UnixConnector {
    /// Connects to the socket at this path, which is looked up at each dial.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned() }
    }
}

#[async_trait]
impl Connector for UnixConnector {
    async fn connect(&self, _: &Target) -> Result<BoxedIo, ConnectError> {
        match UnixStream::connect(&self.path).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(ConnectError::with_source(ConnectErrorKind::Connect, error)),
        }
    }
}
