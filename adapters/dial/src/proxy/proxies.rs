//! Which URLs go through which proxy.

use url::Url;

use super::except::Exceptions;
use super::{Proxy, ProxyError, env};
use crate::connector::Target;

/// Which URLs go through which proxy: by default none. A [`Proxy`] becomes one for all URLs.
///
/// # Examples
/// ```
/// use wscengine_dial::{Dialer, Proxies, Proxy};
///
/// let proxy: Proxy = "http://proxy.example.com:3128".parse()?;
/// let proxies = Proxies::from(proxy).except("localhost, .internal, 10.0.0.0/8");
/// assert!(proxies.proxy_of(&"wss://10.1.2.3/".parse()?).is_none());
/// assert!(proxies.proxy_of(&"wss://example.com/".parse()?).is_some());
///
/// // What the environment says, as most programs do it: by your leave only.
/// let dialer = Dialer::default().proxy(Proxies::from_env()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    pub(super) ws: Option<Proxy>,
    pub(super) wss: Option<Proxy>,
    exceptions: Exceptions,
}

impl Proxies {
    /// None for any URL.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the environment says, when this is called:
    ///
    /// | URL | variable |
    /// |---|---|
    /// | `wss` | `HTTPS_PROXY`, or else `ALL_PROXY` |
    /// | `ws` | `HTTP_PROXY`, or else `ALL_PROXY` |
    /// | hosts without a proxy | `NO_PROXY`, as [`except`](Self::except) takes it |
    ///
    /// Each in lower case first; an empty one is none. `HTTP_PROXY` in upper case is not heeded where `REQUEST_METHOD`
    /// is set: in a CGI program the client of the request sets it.
    ///
    /// # Errors
    /// [`ProxyError`], which names the variable that has no usable URL in it.
    pub fn from_env() -> Result<Self, ProxyError> {
        env::read(|name| std::env::var_os(name))
    }

    /// The proxy for `ws` URLs.
    #[must_use]
    pub fn ws(mut self, proxy: Proxy) -> Self {
        self.ws = Some(proxy);
        self
    }

    /// The proxy for `wss` URLs.
    #[must_use]
    pub fn wss(mut self, proxy: Proxy) -> Self {
        self.wss = Some(proxy);
        self
    }

    /// Hosts that are dialled without a proxy, besides those given before: a list separated by commas or white space.
    ///
    /// | entry | hosts |
    /// |---|---|
    /// | `example.com` | it, and all below it |
    /// | `.example.com`, `*.example.com` | all below it |
    /// | `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1` | addresses, where the URL has one: no name is resolved for it |
    /// | `*` | all |
    ///
    /// Each may have a port behind it, and holds for that one only; an IPv6 address then stands in brackets. What makes
    /// no sense is passed over, as other programs do. Nothing is excepted by itself, `localhost` neither.
    #[must_use]
    pub fn except(mut self, list: impl AsRef<str>) -> Self {
        self.exceptions.add(list.as_ref());
        self
    }

    /// The proxy for this URL.
    pub fn proxy_of(&self, url: &Url) -> Option<&Proxy> {
        self.select(url, &Target::of(url).ok()?)
    }

    /// The same, for the target of the URL.
    pub(crate) fn select(&self, url: &Url, target: &Target) -> Option<&Proxy> {
        let proxy = if url.scheme() == "wss" { &self.wss } else { &self.ws };
        proxy.as_ref().filter(|_| !self.exceptions.contain(target))
    }
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        Self::new().ws(proxy.clone()).wss(proxy)
    }
}
