//! Name resolution, replaceable.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::lookup_host;

/// Finds the addresses of a host. Asked by [`TcpConnector`](crate::TcpConnector), for names only: a host that is an IP
/// address is its own.
///
/// The default is [`SystemResolver`]. Write your own for DNS over HTTPS, service discovery, or a test.
///
/// # Examples
/// A name that always leads to the same machine, whatever the name server says:
/// ```
/// use wscengine_dial::{Dialer, StaticResolver, SystemResolver, TcpConnector};
///
/// let resolver = StaticResolver::new()
///     .host("feed.example.com", ["192.0.2.7:443".parse()?])
///     .otherwise(SystemResolver);
/// let dialer = Dialer::default().tcp(TcpConnector::default().resolver(resolver));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host`, most wanted first. The port of each is usually `port`, but need not be.
    ///
    /// No address at all counts as an error. The order within a family is kept, the families are interleaved (RFC 8305
    /// section 4). The call is bounded by the time-out for name resolution.
    ///
    /// # Errors
    /// Whatever went wrong: it becomes the source of an error of kind `Resolve`.
    ///
    /// # Cancel safety
    /// Dropping the future must abandon the look-up.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// Asks the operating system (`getaddrinfo`), on a thread for blocking work.
///
/// A look-up that is given up goes on there by itself until the system gives up too; its answer is thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }
}

/// Knows the addresses of some hosts by heart.
#[derive(Clone, Debug, Default)]
pub struct StaticResolver {
    /// By name in lower case, without a dot at the end.
    hosts: HashMap<String, Vec<SocketAddr>>,
    otherwise: Option<Arc<dyn Resolve>>,
}

impl StaticResolver {
    /// One that knows no host.
    pub fn new() -> Self {
        Self::default()
    }

    /// The addresses of `host`, most wanted first, instead of those given before. A port of 0 stands for the port that
    /// is asked for. Upper and lower case are the same.
    #[must_use]
    pub fn host(
        mut self,
        host: impl AsRef<str>,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Self {
        self.hosts.insert(normal(host.as_ref()), addresses.into_iter().collect());
        self
    }

    /// Whom to ask for other hosts. By default nobody: they are not found.
    #[must_use]
    pub fn otherwise(mut self, resolver: impl Resolve) -> Self {
        self.otherwise = Some(Arc::new(resolver));
        self
    }
}

#[async_trait]
impl Resolve for StaticResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match (self.hosts.get(&normal(host)), &self.otherwise) {
            (Some(addresses), _) => Ok(addresses.iter().map(|it| with_port(*it, port)).collect()),
            (None, Some(otherwise)) => otherwise.resolve(host, port).await,
            (None, None) => Err(io::Error::new(io::ErrorKind::NotFound, "the host is not listed")),
        }
    }
}

/// The addresses of a host that may be one itself.
pub(crate) async fn addresses(
    resolver: &dyn Resolve,
    host: &str,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => resolver.resolve(host, port).await?,
    };
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

fn normal(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    if address.port() == 0 {
        address.set_port(port);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_static_resolver_knows_its_hosts_and_asks_for_others() {
        let inner = StaticResolver::new().host("b.example", [address("192.0.2.2:0")]);
        let resolver = StaticResolver::new()
            .host("A.example.", [address("192.0.2.1:0"), address("[2001:db8::1]:9")])
            .otherwise(inner);
        assert_eq!(
            resolver.resolve("a.EXAMPLE", 80).await.unwrap(),
            [address("192.0.2.1:80"), address("[2001:db8::1]:9")]
        );
        assert_eq!(resolver.resolve("b.example.", 1).await.unwrap(), [address("192.0.2.2:1")]);
        let error = resolver.resolve("c.example", 1).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_host_that_is_an_address_is_itself_and_nobody_is_asked() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:7"), ("::1", "[::1]:7")] {
            let found = addresses(&StaticResolver::new(), host, 7).await.unwrap();
            assert_eq!(found, [address(expected)]);
        }
    }

    #[tokio::test]
    async fn a_host_without_an_address_is_an_error() {
        let resolver = StaticResolver::new().host("none.example", []);
        assert!(addresses(&resolver, "none.example", 7).await.is_err());
    }
}
