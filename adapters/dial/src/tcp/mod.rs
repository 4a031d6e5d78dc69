//! The default connector: name resolution, then TCP.

mod options;
mod race;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wscengine::{ConnectError, ConnectErrorKind, Phase};

use self::options::Options;
use crate::connector::{BoxedIo, Connector, Target};
use crate::resolve::{Resolve, SystemResolver, addresses};

/// Connects over TCP: resolves the name, then takes the address that is the first to accept (Happy Eyeballs, RFC 8305).
///
/// IPv6 and IPv4 addresses take turns, beginning with the family of the resolver's first address. Each attempt begins
/// [`attempt_delay`](Self::attempt_delay) after the one before it, or at once when that one has failed; when one has
/// succeeded the others are given up. Where there are so many addresses that the last would be tried too late, the
/// delay is shortened, so that all of them have begun within the first half of
/// [`connect_timeout`](Self::connect_timeout). More than 128 are not tried.
///
/// A [`Dialer`](crate::Dialer) uses it by itself ([`Dialer::tcp`](crate::Dialer::tcp)); on its own it is a building
/// block for connectors.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use wscengine_dial::{Dialer, TcpConnector};
///
/// let tcp = TcpConnector::default()
///     .local_address("192.0.2.1".parse()?)
///     .keepalive(Duration::from_secs(60));
/// let dialer = Dialer::default().tcp(tcp);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TcpConnector {
    resolver: Arc<dyn Resolve>,
    resolve: Duration,
    connect: Duration,
    delay: Duration,
    options: Options,
}

impl Default for TcpConnector {
    fn default() -> Self {
        Self {
            resolver: Arc::new(SystemResolver),
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            delay: Duration::from_millis(250),
            options: Options::default(),
        }
    }
}

impl TcpConnector {
    /// Whom to ask for the addresses of a name; the system by default.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

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

    /// How long an address may take before the next is tried beside it; 250 ms by default, as RFC 8305 section 5
    /// recommends. Zero tries all at once.
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Whether small writes leave at once (`TCP_NODELAY`). On by default: messages are written whole, so that
    /// waiting for more to send would only delay them.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.options.nodelay = nodelay;
        self
    }

    /// Has the system ask whether the peer is still there when nothing came for so long, and then as often again until
    /// it gives up (`SO_KEEPALIVE`). Off by default: the engine's pings find a lost peer sooner, and past proxies too.
    #[must_use]
    pub fn keepalive(mut self, idle: Duration) -> Self {
        self.options.keepalive = Some(idle);
        self
    }

    /// The local address to connect from; the system's choice by default. Only addresses of its family are tried.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.options.local = Some(address);
        self
    }

    /// The size of the socket's send buffer in bytes (`SO_SNDBUF`), as a wish to the system; its own choice by default.
    #[must_use]
    pub fn send_buffer(mut self, bytes: u32) -> Self {
        self.options.send_buffer = Some(bytes);
        self
    }

    /// The size of the socket's receive buffer in bytes (`SO_RCVBUF`), as a wish to the system. By default the system
    /// chooses, and lets it grow.
    #[must_use]
    pub fn recv_buffer(mut self, bytes: u32) -> Self {
        self.options.recv_buffer = Some(bytes);
        self
    }

    /// The most time that a connection takes.
    pub(crate) fn whole(&self) -> Duration {
        self.resolve.saturating_add(self.connect)
    }

    /// All addresses of the target, at least one.
    pub(crate) async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = addresses(&*self.resolver, &target.host, target.port);
        match timeout(self.resolve, found).await {
            Ok(outcome) => outcome.map_err(|error| failed(ConnectErrorKind::Resolve, error)),
            Err(_) => Err(ConnectErrorKind::Timeout(Phase::Resolve).into()),
        }
    }

    /// The target by its first address.
    pub(crate) async fn resolve_one(&self, target: &Target) -> Result<Target, ConnectError> {
        let found = self.resolve(target).await?;
        let first = found.first().ok_or(ConnectErrorKind::Resolve)?;
        Ok(Target::new(first.ip().to_string(), first.port()))
    }

    async fn connect_any(&self, found: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
        let mut order = race::interleave(found);
        order.retain(|address| self.options.fits(address));
        if order.is_empty() {
            let problem = "the host has no address of the local address's family";
            return Err(ConnectError::with_source(ConnectErrorKind::Connect, problem));
        }
        let delay = race::spacing(self.delay, self.connect, order.len());
        let racing = race::race(&order, delay, |address| self.options.connect(address));
        match timeout(self.connect, racing).await {
            Ok(outcome) => outcome.map_err(|error| failed(ConnectErrorKind::Connect, error)),
            Err(_) => Err(ConnectErrorKind::Timeout(Phase::Connect).into()),
        }
    }
}

#[async_trait]
impl Connector for TcpConnector {
    async fn connect(&self, target: &Target) -> Result<BoxedIo, ConnectError> {
        let addresses = self.resolve(target).await?;
        Ok(Box::new(self.connect_any(&addresses).await?))
    }
}

fn failed(kind: ConnectErrorKind, error: io::Error) -> ConnectError {
    ConnectError::with_source(kind, error)
}
