//! The dial as a whole: connector, proxy, TLS, handshake, redirects, each within its time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};
use url::Url;
use wscengine::transport::{ConnectRequest, HandshakeResponse};
use wscengine::{ConnectError, ConnectErrorKind, Phase};

use crate::connector::{BoxedIo, Connector, Target, unbox};
use crate::extension::Extension;
use crate::handshake::{self, Deadlines, Opening, Upgraded};
use crate::proxy::{self, Proxies, Proxy};
use crate::redirect::Redirects;
use crate::stream::Stream;
use crate::tcp::TcpConnector;
use crate::tls::{self, TlsConfig};

/// Turns a [`ConnectRequest`] into an upgraded byte stream.
///
/// Cheap to clone; clones share the TLS configuration with its session cache. The default one dials over TCP,
/// trusts the certificate roots of the system, and bounds each phase:
///
/// | phase | default | why |
/// |---|---|---|
/// | [`resolve_timeout`](Self::resolve_timeout) | 5 s | a resolver's first retry fits in |
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | two or three lost SYN packets (1 s, 3 s, 7 s) are survived |
/// | [`proxy_timeout`](Self::proxy_timeout) | 10 s | the proxy's own connecting is part of it |
/// | [`tls_timeout`](Self::tls_timeout) | 10 s | a few round trips, and a slow server's signature |
/// | [`upgrade_timeout`](Self::upgrade_timeout) | 10 s | one round trip, and the server's own authentication |
///
/// The engine bounds the whole dial besides, by 15 s unless told otherwise.
///
/// # Examples
/// ```no_run
/// use wscengine::transport::ConnectRequest;
/// use wscengine_dial::Dialer;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let request = ConnectRequest::new("wss://example.com/chat".parse()?);
/// let dialed = Dialer::default().dial(&request).await?;
/// println!("{} over {:?}", dialed.response.status, dialed.stream);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Dialer {
    /// Filled by the first `wss` dial if the user gave none: reading the system's roots takes its time.
    tls: Arc<OnceCell<TlsConfig>>,
    /// `None` is TCP with the settings below.
    connector: Option<Arc<dyn Connector>>,
    tcp: TcpConnector,
    proxies: Proxies,
    proxy: Duration,
    tls_handshake: Duration,
    upgrade: Duration,
    redirects: Redirects,
}

/// An upgraded byte stream, and what was read on the way to it.
#[derive(Debug)]
pub struct Dialed {
    /// The byte stream: the next byte in is the one after [`leftover`](Self::leftover).
    pub stream: Stream,
    /// The server's answer.
    pub response: HandshakeResponse,
    /// Bytes of the WebSocket protocol that came together with the answer. They are the first input.
    pub leftover: Bytes,
    /// The extensions in use, each of which was offered: empty after [`Dialer::dial`].
    pub extensions: Vec<Extension>,
    /// The URL that was dialled last: that of the request, or the one it was redirected to.
    pub url: Url,
}

impl Default for Dialer {
    fn default() -> Self {
        Self {
            tls: Arc::default(),
            connector: None,
            tcp: TcpConnector::default(),
            proxies: Proxies::new(),
            proxy: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(10),
            upgrade: Duration::from_secs(10),
            redirects: Redirects::none(),
        }
    }
}

impl Dialer {
    /// Whom to trust for `wss` URLs, and which client certificate to show. By default the system's roots, or the
    /// built-in ones where the system has none, and no client certificate.
    #[must_use]
    pub fn tls(mut self, config: TlsConfig) -> Self {
        self.tls = Arc::new(OnceCell::new_with(Some(config)));
        self
    }

    /// Where byte streams come from. By default TCP.
    ///
    /// TLS and the handshake run on top of whatever it gives. With a connector of your own [`tcp`](Self::tcp) and
    /// [`nodelay`](Self::nodelay) have no effect, and [`resolve_timeout`](Self::resolve_timeout) and
    /// [`connect_timeout`](Self::connect_timeout) bound it by their sum.
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }

    /// How to connect over TCP: the resolver, options of the socket, the time between attempts. Replaces what
    /// [`resolve_timeout`](Self::resolve_timeout), [`connect_timeout`](Self::connect_timeout) and
    /// [`nodelay`](Self::nodelay) have set before, which are there for the most frequent wishes.
    #[must_use]
    pub fn tcp(mut self, tcp: TcpConnector) -> Self {
        self.tcp = tcp;
        self
    }

    /// Through which proxies to dial: a [`Proxy`] for all URLs, or [`Proxies`] that tell them apart. By default none,
    /// whatever the environment says: [`Proxies::from_env`] asks it.
    #[must_use]
    pub fn proxy(mut self, proxies: impl Into<Proxies>) -> Self {
        self.proxies = proxies.into();
        self
    }

    /// Bounds the proxy's part, from the connection to it until that to the host: its TLS and its handshake; 10 s by
    /// default.
    #[must_use]
    pub fn proxy_timeout(mut self, timeout: Duration) -> Self {
        self.proxy = timeout;
        self
    }

    /// Bounds name resolution; 5 s by default.
    #[must_use]
    pub fn resolve_timeout(mut self, timeout: Duration) -> Self {
        self.tcp = self.tcp.resolve_timeout(timeout);
        self
    }

    /// Bounds connecting, over all addresses of the host together; 10 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.tcp = self.tcp.connect_timeout(timeout);
        self
    }

    /// Bounds the TLS handshake; 10 s by default.
    #[must_use]
    pub fn tls_timeout(mut self, timeout: Duration) -> Self {
        self.tls_handshake = timeout;
        self
    }

    /// Bounds the opening handshake of WebSocket, from the request to the end of the server's answer; 10 s by
    /// default. If it runs out within the body of a refusal, the refusal is reported with what has come.
    #[must_use]
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.upgrade = timeout;
        self
    }

    /// Whether small writes leave at once (`TCP_NODELAY`). On by default: messages are written whole, so that
    /// waiting for more to send would only delay them.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.tcp = self.tcp.nodelay(nodelay);
        self
    }

    /// Which redirects to follow; by default none. Each dial that one leads to has its own time for each phase.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Dials the URL of `request` and completes the opening handshake.
    ///
    /// # Errors
    /// [`ConnectError`], whose kind names the phase that failed, as the table in the [crate's](crate) documentation says;
    /// of a refusal by the server or by an HTTP proxy it keeps status, headers, and up to 64 KiB of the body. A request
    /// that cannot be sent is found before anything is opened.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with its time and I/O drivers enabled.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the dial and closes whatever it had opened.
    pub async fn dial(&self, request: &ConnectRequest) -> Result<Dialed, ConnectError> {
        self.dial_with(request, &[]).await
    }

    /// Like [`dial`](Self::dial), and offers extensions, the most wanted first. One may be offered more than once, with
    /// different parameters.
    ///
    /// # Errors
    /// As of [`dial`](Self::dial). An offer that is not made of tokens is `InvalidRequest`; an answer with an extension
    /// that was not offered, with one more often than it was offered, or one that breaks the syntax of RFC 6455 section
    /// 9.1 is `Handshake`. What the parameters say is the caller's to check.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with its time and I/O drivers enabled.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the dial and closes whatever it had opened.
    pub async fn dial_with(
        &self,
        request: &ConnectRequest,
        offers: &[Extension],
    ) -> Result<Dialed, ConnectError> {
        let started = Instant::now();
        let (mut redirected, mut followed) = (None, 0);
        loop {
            let request = redirected.as_ref().unwrap_or(request);
            let refusal = match self.dial_once(request, offers, started).await {
                Err(error) if error.kind() == ConnectErrorKind::Status => error,
                outcome => return outcome,
            };
            match self.redirects.next(request, &refusal, followed)? {
                Some(next) => redirected = Some(next),
                None => return Err(refusal),
            }
            followed += 1;
        }
    }

    /// One dial of those that redirects may lead to; the first of them began at `started`.
    async fn dial_once(
        &self,
        request: &ConnectRequest,
        offers: &[Extension],
        started: Instant,
    ) -> Result<Dialed, ConnectError> {
        let opening = Opening::new(request, offers)?;
        let target = Target::of(&request.url)?;
        let io = match self.proxies.select(&request.url, &target) {
            None => self.open(&target).await?,
            Some(proxy) => self.open_through(proxy, &target, started, request.timeout).await?,
        };
        let mut stream = match request.url.scheme() {
            "wss" => self.secure(io, &target).await?,
            _ => unbox(io),
        };
        let deadlines = Deadlines::of_dial(started, request.timeout, self.upgrade);
        let keeps_body = |status| !self.redirects.follow(status);
        let Upgraded { response, leftover, extensions } =
            handshake::open(&mut stream, &opening, deadlines, &keeps_body).await?;
        Ok(Dialed { stream, response, leftover, extensions, url: request.url.clone() })
    }

    async fn open(&self, target: &Target) -> Result<BoxedIo, ConnectError> {
        let Some(connector) = &self.connector else {
            return self.tcp.connect(target).await;
        };
        match timeout(self.tcp.whole(), connector.connect(target)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectErrorKind::Timeout(Phase::Connect).into()),
        }
    }

    async fn open_through(
        &self,
        proxy: &Proxy,
        target: &Target,
        started: Instant,
        whole: Duration,
    ) -> Result<BoxedIo, ConnectError> {
        let target = match proxy.resolves_locally() {
            true => &self.tcp.resolve_one(target).await?,
            false => target,
        };
        let io = self.open(proxy.address()).await.map_err(proxy::unreached)?;
        let deadlines = Deadlines::of_dial(started, whole, self.proxy);
        proxy.through(io, target, deadlines).await
    }

    async fn secure(&self, io: BoxedIo, target: &Target) -> Result<Stream, ConnectError> {
        let handshake = async {
            let config = self.tls.get_or_try_init(tls::load_default).await?;
            tls::connect(config, io, target).await
        };
        match timeout(self.tls_handshake, handshake).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectErrorKind::Timeout(Phase::Tls).into()),
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("tls", &self.tls.get())
            .field("connector", &if self.connector.is_some() { "custom" } else { "tcp" })
            .field("tcp_options", &self.tcp)
            .field("proxies", &self.proxies)
            .field("proxy_timeout", &self.proxy)
            .field("tls_timeout", &self.tls_handshake)
            .field("upgrade_timeout", &self.upgrade)
            .field("redirects", &self.redirects)
            .finish()
    }
}
