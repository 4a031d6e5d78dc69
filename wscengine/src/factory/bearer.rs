//! A bearer token that is refreshed when it is refused.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::{HandshakeRequest, NextAttempt, RequestFactory};
use crate::error::HandlerError;

/// Sends `Authorization: Bearer ...` (RFC 6750 section 2.1) with a token from an async closure.
///
/// The token is fetched for the first attempt, kept for the later ones, and fetched anew when the server refuses it:
/// after status 401 or 403, or close code 1008, the default classifier asks for one refresh; refused again, it is
/// fatal. The URL is the builder's, or comes from another factory ([`over`](Self::over)).
///
/// Engines may share one, in an [`Arc`]: a token that was refused to several of them is fetched anew once.
///
/// # Examples
/// ```
/// use wscengine::{BearerToken, Engine, HandlerError};
/// # use wscengine::{Handler, Message, Session, testing::memory};
/// # struct Feed;
/// # impl Handler for Feed { async fn on_message(&self, _: &Session, _: Message<'_>) {} }
/// # let (transport, _server) = memory::transport();
///
/// # async fn log_in() -> Result<String, HandlerError> { Ok("secret".into()) }
/// let prepared = Engine::builder(transport, Feed)
///     .url("wss://example.com/feed")
///     .request_factory(BearerToken::new(|| async { log_in().await }))
///     .build()?;
/// # drop(prepared);
/// # Ok::<(), wscengine::ConfigError>(())
/// ```
pub struct BearerToken {
    fetch: Box<Fetch>,
    requests: Option<Arc<dyn RequestFactory>>,
    kept: Mutex<Option<HeaderValue>>,
    /// Held while it is fetched: of many who want it, one fetches it.
    fetching: tokio::sync::Mutex<()>,
}

type Fetch =
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, HandlerError>> + Send>> + Send + Sync;

impl BearerToken {
    /// Tokens that `fetch` gives.
    pub fn new<F, Fetched>(fetch: F) -> Self
    where
        F: Fn() -> Fetched + Send + Sync + 'static,
        Fetched: Future<Output = Result<String, HandlerError>> + Send + 'static,
    {
        Self {
            fetch: Box::new(move || Box::pin(fetch())),
            requests: None,
            kept: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// Adds the token to the requests of another factory, [`Endpoints`](crate::Endpoints) for example.
    #[must_use]
    pub fn over(mut self, requests: impl RequestFactory) -> Self {
        self.requests = Some(Arc::new(requests));
        self
    }

    /// Forgets the token, so that the next attempt fetches another: where a message said that it has expired, and
    /// [`restart`](crate::Session::restart) is to come next.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// Forgets a token that was refused, unless another engine has replaced it already.
    fn forget_refused(&self, next: &NextAttempt) {
        let refused = next.previous.as_ref().and_then(|request| request.headers.get(AUTHORIZATION));
        let mut kept = self.lock();
        if next.refresh && (refused.is_none() || refused == kept.as_ref()) {
            *kept = None;
        }
    }

    async fn token(&self) -> Result<HeaderValue, HandlerError> {
        if let Some(token) = self.kept() {
            return Ok(token);
        }
        let _alone = self.fetching.lock().await;
        if let Some(token) = self.kept() {
            return Ok(token);
        }
        let token = (self.fetch)().await?;
        // What is wrong with it is not shown: it is a secret.
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| "the token holds characters that a header cannot")?;
        value.set_sensitive(true);
        *self.lock() = Some(value.clone());
        Ok(value)
    }

    fn kept(&self) -> Option<HeaderValue> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<HeaderValue>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RequestFactory for BearerToken {
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
        // Before anything that may fail: a token that was refused must not be sent again.
        self.forget_refused(next);
        let mut request = match (&self.requests, &next.url) {
            (Some(requests), _) => requests.request(next).await?,
            (None, Some(url)) => HandshakeRequest::from(url.clone()),
            (None, None) => return Err("the builder was given no URL".into()),
        };
        request.headers.insert(AUTHORIZATION, self.token().await?);
        Ok(request)
    }
}

/// Does not show the token.
impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::Endpoints;
    use super::*;

    fn counting() -> BearerToken {
        let fetched = Arc::new(AtomicU32::new(0));
        BearerToken::new(move || {
            let number = fetched.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    2 => Err("the login service is down".into()),
                    number => Ok(format!("token-{number}")),
                }
            }
        })
    }

    async fn ask(factory: &BearerToken, refresh: bool) -> Result<String, HandlerError> {
        let url = Some("ws://a/".parse()?);
        let next = NextAttempt { refresh, url, ..NextAttempt::first() };
        let request = factory.request(&next).await?;
        Ok(request.headers[AUTHORIZATION].to_str()?.to_owned())
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_is_to_be_refreshed() {
        let factory = counting();
        assert_eq!(ask(&factory, false).await.unwrap(), "Bearer token-0");
        assert_eq!(ask(&factory, false).await.unwrap(), "Bearer token-0");
        assert_eq!(ask(&factory, true).await.unwrap(), "Bearer token-1");
        assert_eq!(ask(&factory, false).await.unwrap(), "Bearer token-1");
    }

    #[tokio::test]
    async fn a_refresh_that_fails_does_not_bring_the_refused_token_back() {
        let factory = counting();
        for refresh in [false, true] {
            ask(&factory, refresh).await.unwrap();
        }
        assert!(ask(&factory, true).await.is_err());
        assert_eq!(ask(&factory, false).await.unwrap(), "Bearer token-3");
    }

    #[tokio::test]
    async fn it_adds_to_the_requests_of_another_factory() {
        let factory = counting().over(Endpoints::new(["ws://b/path"]).unwrap());
        let request = factory.request(&NextAttempt::first()).await.unwrap();
        assert_eq!(request.url.as_str(), "ws://b/path");
        assert_eq!(request.headers[AUTHORIZATION], "Bearer token-0");
        assert!(!format!("{request:?} {factory:?}").contains("token-0"));
    }

    #[tokio::test]
    async fn without_any_url_and_with_a_token_that_is_no_header_it_fails() {
        let error = counting().request(&NextAttempt::first()).await.unwrap_err();
        assert!(error.to_string().contains("URL"), "{error}");
        let factory = BearerToken::new(|| async { Ok("two\nlines".into()) });
        let error = ask(&factory, false).await.unwrap_err();
        assert!(!error.to_string().contains("lines"), "{error}");
    }
}
