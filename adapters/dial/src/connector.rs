//! Where the byte stream under TLS and handshake comes from.

use std::any::Any;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use url::{Host, Url};
use wscengine::{ConnectError, ConnectErrorKind};

use crate::stream::Stream;

/// Opens the byte stream that TLS and the opening handshake run on.
///
/// The default is [`TcpConnector`](crate::TcpConnector). Write your own for a simulated network, an in-memory
/// pipe, or a way to connect that is not here. With a [`Proxy`](crate::Proxy) it is what opens the stream to the proxy.
///
/// # Examples
/// A server in the same process:
/// ```
/// use async_trait::async_trait;
/// use wscengine::ConnectError;
/// use wscengine_dial::{BoxedIo, Connector, Dialer, Target};
///
/// struct InMemory;
///
/// #[async_trait]
/// impl Connector for InMemory {
///     async fn connect(&self, _target: &Target) -> Result<BoxedIo, ConnectError> {
///         let (ours, _theirs) = tokio::io::duplex(16 * 1024);
///         Ok(Box::new(ours))
///     }
/// }
///
/// let dialer = Dialer::default().connector(InMemory);
/// ```
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Opens a byte stream to `target`. A returned [`TcpStream`](tokio::net::TcpStream) stays reachable through
    /// [`Stream::tcp`](crate::Stream::tcp).
    ///
    /// # Errors
    /// [`ConnectError`] of the kind that fits: `Resolve`, `Connect`, or `Other`.
    ///
    /// # Cancel safety
    /// Dropping the future must abandon the attempt and close whatever it had opened.
    async fn connect(&self, target: &Target) -> Result<BoxedIo, ConnectError>;
}

/// A byte stream of any kind.
pub type BoxedIo = Box<dyn Io>;

/// What a byte stream must be. Implemented for every type that fits; not to be implemented by hand.
pub trait Io: AsyncRead + AsyncWrite + Any + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Any + Send + Unpin> Io for T {}

/// Where to connect to, taken from the URL; or the proxy, if there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// A name or an IP address; an IPv6 address without brackets.
    pub host: String,
    /// The port of the URL, or the default one of its scheme: 80 for `ws`, 443 for `wss`.
    pub port: u16,
}

impl Target {
    /// A target; `host` is a name or an IP address without brackets.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// The target of a `ws` or `wss` URL.
    pub(crate) fn of(url: &Url) -> Result<Self, ConnectError> {
        let invalid =
            |what: &str| ConnectError::with_source(ConnectErrorKind::InvalidRequest, what);
        let host = match url.host() {
            Some(Host::Domain("")) | None => return Err(invalid("the URL has no host")),
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
        };
        let port = url.port_or_known_default().ok_or_else(|| invalid("the URL has no port"))?;
        Ok(Self { host, port })
    }
}

/// Gives TCP its own variant, so that it needs no dynamic dispatch and stays reachable.
pub(crate) fn unbox(io: BoxedIo) -> Stream {
    use tokio::net::TcpStream;

    if !(&*io as &dyn Any).is::<TcpStream>() {
        return Stream::Boxed(io);
    }
    let tcp = (io as Box<dyn Any>).downcast::<TcpStream>().expect("its type was looked at above");
    Stream::Tcp(*tcp)
}

/// The reverse: what a connector would have given.
pub(crate) fn boxed(stream: Stream) -> BoxedIo {
    match stream {
        Stream::Tcp(tcp) => Box::new(tcp),
        Stream::Boxed(io) => io,
        stream @ (Stream::Tls(_) | Stream::TlsBoxed(_)) => Box::new(stream),
    }
}
