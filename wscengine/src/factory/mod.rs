//! Where the request of each attempt comes from.

mod bearer;
mod endpoints;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use url::Url;

use crate::classify::FailureCause;
use crate::config::{add_header, parse_url};
use crate::error::{ConfigError, HandlerError};

pub use bearer::BearerToken;
pub use endpoints::Endpoints;

/// Makes the request of each attempt: for fresh tokens, URLs that can be used once, headers that change, a choice among
/// servers.
///
/// Given to [`EngineBuilder::request_factory`](crate::EngineBuilder::request_factory). It is asked before each dial,
/// the first one included, and has [`request_timeout`](crate::EngineBuilder::request_timeout) to answer. Ready-made
/// ones: [`Endpoints`] for a list of servers, [`BearerToken`] for a token that is refreshed when it is refused. [`request_fn`]
/// makes one of an async closure.
///
/// # Cancel safety
/// The future of [`request`](Self::request) is dropped when it takes too long or the engine is told to stop; what it
/// has done by then stays done.
///
/// # Examples
/// A URL that can be used once:
/// ```
/// use async_trait::async_trait;
/// use wscengine::{HandlerError, HandshakeRequest, NextAttempt, RequestFactory};
///
/// struct Tickets;
///
/// # async fn fetch_ticket() -> Result<String, HandlerError> { Ok("t-1".into()) }
/// #[async_trait]
/// impl RequestFactory for Tickets {
///     async fn request(&self, _next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
///         let ticket = fetch_ticket().await?;
///         Ok(HandshakeRequest::new(&format!("wss://example.com/feed?ticket={ticket}"))?)
///     }
/// }
/// ```
#[async_trait]
pub trait RequestFactory: Send + Sync + 'static {
    /// The request of the next attempt.
    ///
    /// # Errors
    /// Any: the attempt has failed with it ([`AttemptError::Request`](crate::AttemptError::Request)), and is retried
    /// like any other.
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError>;
}

/// A factory that is an async closure.
///
/// # Examples
/// ```
/// use wscengine::{HandlerError, HandshakeRequest, NextAttempt, request_fn};
///
/// let factory = request_fn(|next: NextAttempt| async move {
///     let url = format!("wss://example.com/feed?attempt={}", next.attempt);
///     Ok::<_, HandlerError>(HandshakeRequest::new(&url)?)
/// });
/// # fn is_factory(_: impl wscengine::RequestFactory) {}
/// # is_factory(factory);
/// ```
pub fn request_fn<F, Made>(make: F) -> RequestFn<F>
where
    F: Fn(NextAttempt) -> Made + Send + Sync + 'static,
    Made: Future<Output = Result<HandshakeRequest, HandlerError>> + Send,
{
    RequestFn { make }
}

/// An async closure as a [`RequestFactory`]: see [`request_fn`].
#[derive(Clone)]
pub struct RequestFn<F> {
    make: F,
}

impl<F> fmt::Debug for RequestFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFn").finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, Made> RequestFactory for RequestFn<F>
where
    F: Fn(NextAttempt) -> Made + Send + Sync + 'static,
    Made: Future<Output = Result<HandshakeRequest, HandlerError>> + Send,
{
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
        (self.make)(next.clone()).await
    }
}

#[async_trait]
impl<R: RequestFactory + ?Sized> RequestFactory for Arc<R> {
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
        (**self).request(next).await
    }
}

#[async_trait]
impl<R: RequestFactory + ?Sized> RequestFactory for Box<R> {
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
        (**self).request(next).await
    }
}

/// What a factory is told of the attempt that it makes a request for.
#[derive(Clone)]
#[non_exhaustive]
pub struct NextAttempt {
    /// The number of the attempt since the last stable session, from 1.
    pub attempt: u32,
    /// How long it has gone badly: since the first failure after the last stable session. Zero if nothing failed.
    pub elapsed: Duration,
    /// What failed before: the last attempt, or the last session. `None` for the first attempt of all, and where the user
    /// had a session replaced by another.
    pub failure: Option<FailureCause>,
    /// Whether what the factory keeps, a token above all, was refused and is to be made anew.
    pub refresh: bool,
    /// The URL that was given to the builder, if there was one.
    pub url: Option<Url>,
    /// What this engine dialled last: the request that failed, if it did. A factory that several engines share tells by
    /// it whose failure it is.
    pub previous: Option<HandshakeRequest>,
}

impl NextAttempt {
    /// A first attempt: for tests of a factory.
    pub fn first() -> Self {
        Self {
            attempt: 1,
            elapsed: Duration::ZERO,
            failure: None,
            refresh: false,
            url: None,
            previous: None,
        }
    }
}

/// Shows no credentials of the URL.
impl fmt::Debug for NextAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextAttempt")
            .field("attempt", &self.attempt)
            .field("elapsed", &self.elapsed)
            .field("failure", &self.failure)
            .field("refresh", &self.refresh)
            .field("url", &self.url.as_ref().map(crate::telemetry::redact))
            .field("previous", &self.previous)
            .finish()
    }
}

/// What a handshake asks for: the URL, and headers and subprotocols besides those given to the builder.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeRequest {
    /// The URL: `ws` or `wss`, with a host and without a fragment.
    pub url: Url,
    /// Headers to send. Those given to the builder are sent too, except where one of the same name stands here.
    pub headers: HeaderMap,
    /// The subprotocols to offer, most wanted first. If there is none, those given to the builder are offered.
    pub subprotocols: Vec<String>,
}

impl HandshakeRequest {
    /// A request for this URL.
    ///
    /// # Errors
    /// [`ConfigError`] if it is not a URL that can be dialled.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        parse_url(Some(url)).map(Self::from)
    }

    /// Adds a header.
    ///
    /// # Errors
    /// [`ConfigError`] if the name or the value is not valid, or if the handshake sets that header itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        add_header(&mut self.headers, name, value)?;
        Ok(self)
    }

    /// Offers a subprotocol, after those offered before.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }
}

/// A request without headers; the URL is checked when it is dialled.
impl From<Url> for HandshakeRequest {
    fn from(url: Url) -> Self {
        Self { url, headers: HeaderMap::new(), subprotocols: Vec::new() }
    }
}

/// Shows no credentials of the URL, no header values, and no subprotocols: some carry a token.
impl fmt::Debug for HandshakeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeRequest")
            .field("url", &crate::telemetry::redact(&self.url))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("subprotocols", &self.subprotocols.len())
            .finish()
    }
}
