//! Proxies: HTTP `CONNECT` and SOCKS5.

mod env;
mod error;
mod except;
mod http;
mod proxies;
mod socks;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};
use wscengine::{ConnectError, ConnectErrorKind, HandlerError, Phase};

pub use error::{ProxyError, ProxyErrorKind};
pub use proxies::Proxies;

use crate::connector::{BoxedIo, Target, boxed, unbox};
use crate::deadline::after;
use crate::handshake::Deadlines;
use crate::stream::Stream;
use crate::tls::{self, TlsConfig};

/// A proxy to dial through.
///
/// | URL | proxy | default port |
/// |---|---|---|
/// | `http://` | HTTP `CONNECT` (RFC 9110 section 9.3.6), for `ws` too, as RFC 6455 section 4.1 asks for | 80 |
/// | `https://` | the same over TLS | 443 |
/// | `socks5://`, `socks5h://` | SOCKS5 (RFC 1928) | 1080 |
///
/// A user name and a password in the URL are shown to the proxy: by HTTP as basic credentials (RFC 7617), by SOCKS5 as
/// RFC 1929 says, if the proxy asks for them. The proxy resolves the host's name, unless
/// [`resolve_locally`](Self::resolve_locally) is set: other than in curl, `socks5` and `socks5h` are the same.
///
/// The TLS of a `wss` URL runs through the tunnel to the server itself: the proxy sees its name, and no more.
///
/// # Examples
/// ```
/// use wscengine_dial::{Dialer, Proxy};
///
/// let proxy: Proxy = "http://user:secret@proxy.example.com:3128".parse()?;
/// assert!(!format!("{proxy:?}").contains("secret"));
/// let dialer = Dialer::default().proxy(proxy);
/// # Ok::<(), wscengine_dial::ProxyError>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    protocol: Protocol,
    address: Target,
    credentials: Option<Credentials>,
    headers: HeaderMap,
    resolve_locally: bool,
    /// For `https`: filled by the first dial if the user gave none.
    tls: Arc<OnceCell<TlsConfig>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http,
    Https,
    Socks5,
}

/// A user and a password, decoded.
#[derive(Clone)]
struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Proxy {
    /// Headers to be sent with `CONNECT`, besides `Host`; a `Proxy-Authorization` takes the place of the URL's
    /// credentials. Without effect for SOCKS5.
    ///
    /// # Errors
    /// [`ProxyError`] of kind `Header`, if one of them is `Host`, or would announce a body.
    pub fn headers(mut self, headers: HeaderMap) -> Result<Self, ProxyError> {
        http::check(&headers)?;
        self.headers = headers;
        Ok(self)
    }

    /// Whether to resolve the host's name here, with the dialer's resolver, and to give the proxy its first address. Off
    /// by default: inside and outside of a company's network names mean different things, and who asks is seen.
    #[must_use]
    pub fn resolve_locally(mut self, locally: bool) -> Self {
        self.resolve_locally = locally;
        self
    }

    /// Whom to trust as a proxy with an `https` URL; by default as for servers: the system's roots.
    #[must_use]
    pub fn tls(mut self, config: TlsConfig) -> Self {
        self.tls = Arc::new(OnceCell::new_with(Some(config)));
        self
    }

    /// Asks the proxy at the other end of `stream` for a connection to `target`. Afterwards the stream leads there.
    ///
    /// A [`Dialer`](crate::Dialer) does that by itself: this is for connectors of your own. TLS to the proxy is the
    /// caller's.
    ///
    /// # Errors
    /// [`ConnectError`] of the kinds
    /// - `Proxy`, if the proxy refuses (by HTTP with status, headers and up to 64 KiB of the body), does not keep to its
    ///   protocol, or goes away;
    /// - `ProxyAuth`, if it wants other credentials;
    /// - `Timeout(Phase::Proxy)`;
    /// - `InvalidRequest`, before anything is written, if the host cannot be asked for: white space in it, or more than
    ///   255 bytes for SOCKS5.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with its time driver enabled.
    ///
    /// # Cancel safety
    /// Not cancel safe: once the future is dropped, the stream is in the middle of a handshake and of no more use.
    pub async fn tunnel<S>(
        &self,
        stream: &mut S,
        target: &Target,
        timeout: Duration,
    ) -> Result<(), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.ask(stream, target, Deadlines::both(after(Instant::now(), timeout))).await
    }

    async fn ask<S>(
        &self,
        stream: &mut S,
        target: &Target,
        deadlines: Deadlines,
    ) -> Result<(), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.protocol {
            Protocol::Http | Protocol::Https => {
                let credentials = self.credentials.as_ref();
                http::connect(stream, target, credentials, &self.headers, deadlines).await
            }
            Protocol::Socks5 => {
                let asked = socks::connect(stream, target, self.credentials.as_ref());
                timeout_at(deadlines.head(), asked).await.unwrap_or_else(|_| Err(timed_out()))
            }
        }
    }

    /// Makes of a connection to the proxy one to `target`.
    pub(crate) async fn through(
        &self,
        io: BoxedIo,
        target: &Target,
        deadlines: Deadlines,
    ) -> Result<BoxedIo, ConnectError> {
        let securing = self.secure(io);
        let mut stream =
            timeout_at(deadlines.head(), securing).await.map_err(|_| timed_out())??;
        self.ask(&mut stream, target, deadlines).await?;
        Ok(boxed(stream))
    }

    async fn secure(&self, io: BoxedIo) -> Result<Stream, ConnectError> {
        if self.protocol != Protocol::Https {
            return Ok(unbox(io));
        }
        let config = self.tls.get_or_try_init(tls::load_default).await?;
        tls::connect(config, io, &self.address).await.map_err(unreached)
    }

    /// Where the proxy is.
    pub(crate) fn address(&self) -> &Target {
        &self.address
    }

    pub(crate) fn resolves_locally(&self) -> bool {
        self.resolve_locally
    }
}

/// What failed on the way to the proxy is the proxy's failure; a time-out says by itself what it was.
pub(crate) fn unreached(error: ConnectError) -> ConnectError {
    match error.kind() {
        ConnectErrorKind::Timeout(_) => error,
        _ => failed(error),
    }
}

fn failed(problem: impl Into<HandlerError>) -> ConnectError {
    ConnectError::with_source(ConnectErrorKind::Proxy, problem)
}

fn timed_out() -> ConnectError {
    ConnectErrorKind::Timeout(Phase::Proxy).into()
}

/// A URL of one of the schemes in the table, with a host, and without a path; without any scheme, `http` is meant.
impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let url = match text.contains("://") {
            true => Url::parse(text),
            false => Url::parse(&format!("http://{text}")),
        };
        Self::try_from(url.map_err(|_| ProxyErrorKind::Url)?)
    }
}

impl TryFrom<Url> for Proxy {
    type Error = ProxyError;

    fn try_from(url: Url) -> Result<Self, ProxyError> {
        let (protocol, default_port) = match url.scheme() {
            "http" => (Protocol::Http, 80),
            "https" => (Protocol::Https, 443),
            "socks5" | "socks5h" => (Protocol::Socks5, 1080),
            _ => return Err(ProxyErrorKind::Scheme.into()),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyErrorKind::Url.into());
        }
        let host = match url.host() {
            None | Some(Host::Domain("")) => return Err(ProxyErrorKind::Host.into()),
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
        };
        Ok(Self {
            protocol,
            address: Target::new(host, url.port().unwrap_or(default_port)),
            credentials: Credentials::of(&url, protocol)?,
            headers: HeaderMap::new(),
            resolve_locally: false,
            tls: Arc::default(),
        })
    }
}

impl Credentials {
    fn of(url: &Url, protocol: Protocol) -> Result<Option<Self>, ProxyError> {
        if url.username().is_empty() && url.password().is_none() {
            return Ok(None);
        }
        let user: Vec<u8> = percent_decode_str(url.username()).collect();
        let password: Vec<u8> = percent_decode_str(url.password().unwrap_or_default()).collect();
        let fits = match protocol {
            Protocol::Http | Protocol::Https => !user.contains(&b':'),
            // RFC 1929 section 2: 1 to 255 bytes each.
            Protocol::Socks5 => [&user, &password].iter().all(|it| (1..=255).contains(&it.len())),
        };
        if fits {
            Ok(Some(Self { user, password }))
        } else {
            Err(ProxyErrorKind::Credentials.into())
        }
    }
}

/// Shows no credentials and no header value.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("protocol", &self.protocol)
            .field("address", &self.address)
            .field("credentials", &self.credentials.is_some())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("resolve_locally", &self.resolve_locally)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_protocol_address_and_credentials() {
        for (text, protocol, host, port) in [
            ("http://proxy.example:3128", Protocol::Http, "proxy.example", 3128),
            ("http://proxy.example/", Protocol::Http, "proxy.example", 80),
            (" proxy.example:3128 ", Protocol::Http, "proxy.example", 3128),
            ("192.0.2.1:8080", Protocol::Http, "192.0.2.1", 8080),
            ("https://proxy.example", Protocol::Https, "proxy.example", 443),
            ("socks5://proxy.example", Protocol::Socks5, "proxy.example", 1080),
            ("socks5h://[::1]:9050", Protocol::Socks5, "::1", 9050),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!((proxy.protocol, proxy.address), (protocol, Target::new(host, port)));
            assert!(proxy.credentials.is_none());
        }
        let proxy: Proxy = "socks5://a%20b:c%3Ad@h".parse().unwrap();
        let credentials = proxy.credentials.unwrap();
        assert_eq!((&credentials.user[..], &credentials.password[..]), (&b"a b"[..], &b"c:d"[..]));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_apart_and_not_shown() {
        let long = format!("socks5://{}:p@h", "u".repeat(256));
        for (text, kind) in [
            ("", ProxyErrorKind::Url),
            ("http://", ProxyErrorKind::Url),
            ("http://h:99999", ProxyErrorKind::Url),
            ("http://secret@h/path", ProxyErrorKind::Url),
            ("http://h?secret", ProxyErrorKind::Url),
            ("socks5://", ProxyErrorKind::Host),
            ("socks4://secret@h", ProxyErrorKind::Scheme),
            ("ws://secret@h", ProxyErrorKind::Scheme),
            ("http://secret%3A:p@h", ProxyErrorKind::Credentials),
            ("socks5://secret@h", ProxyErrorKind::Credentials),
            (&long, ProxyErrorKind::Credentials),
        ] {
            let error = text.parse::<Proxy>().expect_err(text);
            assert_eq!(error.kind(), kind, "{text}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
