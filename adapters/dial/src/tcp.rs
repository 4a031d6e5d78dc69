//! The default connector: name resolution, then TCP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use wscengine::{ConnectError, ConnectErrorKind, Phase};

use crate::connector::{BoxedIo, Connector, Target};
use crate::deadline::after;

/// Connects over TCP: resolves the name, then tries its addresses in the order the resolver gave.
///
/// A [`Dialer`](crate::Dialer) uses it by itself; on its own it is a building block for connectors.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    resolve: Duration,
    connect: Duration,
    nodelay: bool,
}

impl Default for TcpConnector {
    fn default() -> Self {
        Self { resolve: Duration::from_secs(5), connect: Duration::from_secs(10), nodelay: true }
    }
}

impl TcpConnector {
    /// Bounds name resolution; 5 s by default.
    #[must_use]
    pub fn resolve_timeout(mut self, timeout: Duration) -> Self {
        self.resolve = timeout;
        self
    }

    /// Bounds connecting, over all addresses together; 10 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect = timeout;
        self
    }

    /// Whether small writes leave at once (`TCP_NODELAY`). On by default.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }
}

#[async_trait]
impl Connector for TcpConnector {
    async fn connect(&self, target: &Target) -> Result<BoxedIo, ConnectError> {
        let addresses = resolve(target, self.resolve).await?;
        let tcp = connect_any(&addresses, after(Instant::now(), self.connect)).await?;
        tcp.set_nodelay(self.nodelay).map_err(|error| failed(ConnectErrorKind::Connect, error))?;
        Ok(Box::new(tcp))
    }
}

/// All addresses of the target, at least one.
async fn resolve(target: &Target, limit: Duration) -> Result<Vec<SocketAddr>, ConnectError> {
    let addresses: Vec<_> = timeout(limit, lookup_host((target.host.as_str(), target.port)))
        .await
        .map_err(|_| ConnectError::new(ConnectErrorKind::Timeout(Phase::Resolve)))?
        .map_err(|error| failed(ConnectErrorKind::Resolve, error))?
        .collect();
    if addresses.is_empty() {
        return Err(ConnectError::with_source(
            ConnectErrorKind::Resolve,
            "the name has no address",
        ));
    }
    Ok(addresses)
}

/// The first connection that an address takes. Which addresses are tried when is decided here and nowhere else:
/// one after the other, each with an equal share of the time that is left, so that a silent one does not use
/// up the time of those after it.
async fn connect_any(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    let mut last = ConnectError::new(ConnectErrorKind::Connect);
    for (tried, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(now) / left;
        last = match timeout_at(now + share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => failed(ConnectErrorKind::Connect, error),
            Err(_) => ConnectErrorKind::Timeout(Phase::Connect).into(),
        };
    }
    Err(last)
}

fn failed(kind: ConnectErrorKind, error: io::Error) -> ConnectError {
    ConnectError::with_source(kind, error)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next() {
        let (closed, refusing) = listener().await;
        drop(closed);
        let (_open, listening) = listener().await;
        let deadline = after(Instant::now(), Duration::MAX);
        let tcp = connect_any(&[refusing, listening], deadline).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), listening);
        let error = connect_any(&[refusing, refusing], deadline).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Connect);
    }

    #[tokio::test]
    async fn a_target_that_is_an_address_is_itself() {
        for host in ["127.0.0.1", "::1"] {
            let found = resolve(&Target::new(host, 7), Duration::from_secs(5)).await.unwrap();
            assert_eq!(found, [SocketAddr::new(host.parse().unwrap(), 7)]);
        }
    }
}
