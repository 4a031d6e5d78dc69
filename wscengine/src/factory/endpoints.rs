//! A list of servers: fail over, fail back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use url::Url;

use super::{HandshakeRequest, NextAttempt, RequestFactory};
use crate::classify::{FailureCause, FailureKind};
use crate::config::parse_url;
use crate::error::{ConfigError, HandlerError};

/// A list of servers, the most wanted first.
///
/// Each attempt goes to the server with the fewest failures in a row, the first of them if there are several: after a
/// failure to the next one, round and round as long as all fail. After a session, failures of a while ago are forgotten
/// ([`forget_after`]), so that the engine comes back to a server that it would rather have. A session that was stable
/// clears its server's failures; its loss counts as the first new one. Refused credentials, and a request that could not
/// be made, are no failure of a server.
///
/// - A plain `start()` makes one attempt, at the first server: set [`retry_first`](crate::EngineBuilder::retry_first) for
///   it to fail over too.
/// - It does not leave a server while its session lasts: call [`Engine::restart`](crate::Engine::restart) to make it look
///   again.
/// - The backoff, and the `Retry-After` of any one server, hold for the engine as a whole. A rule of the
///   [classifier](crate::DefaultClassifier::rule) can say otherwise.
/// - Engines may share one, in an [`Arc`](std::sync::Arc): they then know of each other's failures.
///
/// [`forget_after`]: Self::forget_after
///
/// # Examples
/// ```
/// use wscengine::{Endpoints, Engine};
/// # use wscengine::{Handler, Message, Session, testing::memory};
/// # struct Feed;
/// # impl Handler for Feed { async fn on_message(&self, _: &Session, _: Message<'_>) {} }
/// # let (transport, _server) = memory::transport();
///
/// let servers = Endpoints::new(["wss://a.example.com/feed", "wss://b.example.com/feed"])?;
/// let prepared = Engine::builder(transport, Feed).request_factory(servers).build()?;
/// # drop(prepared);
/// # Ok::<(), wscengine::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Endpoints {
    forget_after: Duration,
    endpoints: Mutex<Vec<Endpoint>>,
}

struct Endpoint {
    url: Url,
    /// In a row, and not forgotten.
    failures: u32,
    failed_at: Option<Instant>,
}

impl Endpoints {
    /// These servers, the most wanted first.
    ///
    /// # Errors
    /// [`ConfigError`] if there is none, or if one is not a URL that can be dialled.
    pub fn new<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self, ConfigError> {
        let endpoints = urls
            .into_iter()
            .map(|url| Endpoint::new(url.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(ConfigError::new("url", "there must be at least one endpoint"));
        }
        Ok(Self { forget_after: FORGET_AFTER, endpoints: Mutex::new(endpoints) })
    }

    /// How long after its last failure a server counts as good again. Default 60 s: longer than the longest default
    /// backoff, so that a server that is down is not preferred again at each attempt.
    #[must_use]
    pub fn forget_after(mut self, time: Duration) -> Self {
        self.forget_after = time;
        self
    }

    /// The failures in a row of each server, in the order given.
    pub fn failures(&self) -> Vec<u32> {
        self.lock().iter().map(|endpoint| endpoint.failures).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RequestFactory for Endpoints {
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
        let now = Instant::now();
        let mut endpoints = self.lock();
        // In a row of failed attempts nothing is forgotten: else the last ones of the list might never be tried.
        if !matches!(next.failure, Some(FailureCause::Attempt(_))) {
            endpoints.iter_mut().for_each(|endpoint| endpoint.forget(now, self.forget_after));
        }
        let last = next.previous.as_ref().map(|request| &request.url);
        if let Some(endpoint) = endpoints.iter_mut().find(|endpoint| Some(&endpoint.url) == last) {
            endpoint.count(next, now);
        }
        let best = endpoints.iter().min_by_key(|endpoint| endpoint.failures);
        // `new` lets no empty list pass.
        Ok(HandshakeRequest::from(best.expect("there is at least one endpoint").url.clone()))
    }
}

impl Endpoint {
    fn new(url: &str) -> Result<Self, ConfigError> {
        Ok(Self { url: parse_url(Some(url))?, failures: 0, failed_at: None })
    }

    fn forget(&mut self, now: Instant, after: Duration) {
        if self.failed_at.is_some_and(|at| now.saturating_duration_since(at) >= after) {
            self.clear();
        }
    }

    /// Takes in what became of the last attempt, which went here.
    fn count(&mut self, next: &NextAttempt, now: Instant) {
        // The attempts are numbered anew after a stable session.
        if next.attempt == 1 {
            self.clear();
        }
        if next.failure.as_ref().is_some_and(is_the_servers) {
            self.failures = self.failures.saturating_add(1);
            self.failed_at = Some(now);
        }
    }

    fn clear(&mut self) {
        self.failures = 0;
        self.failed_at = None;
    }
}

/// Shows no credentials of the URL.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &crate::telemetry::redact(&self.url))
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

/// Whether another server might do better.
fn is_the_servers(failure: &FailureCause) -> bool {
    !matches!(
        failure.kind(),
        FailureKind::Request | FailureKind::Unauthorized | FailureKind::InvalidRequest
    )
}

const FORGET_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::CloseCause;

    struct Rig {
        endpoints: Endpoints,
        attempt: u32,
        previous: Option<HandshakeRequest>,
    }

    impl Rig {
        fn new(names: &[&str]) -> Self {
            let urls = names.iter().map(|name| format!("ws://{name}/"));
            Self { endpoints: Endpoints::new(urls).unwrap(), attempt: 0, previous: None }
        }

        async fn ask(&mut self, failure: Option<FailureCause>) -> String {
            self.attempt += 1;
            let (attempt, previous) = (self.attempt, self.previous.clone());
            let next = NextAttempt { attempt, failure, previous, ..NextAttempt::first() };
            let request = self.endpoints.request(&next).await.unwrap();
            self.previous = Some(request.clone());
            request.url.host_str().unwrap().to_owned()
        }

        async fn after_failure(&mut self) -> String {
            self.ask(Some(FailureCause::Session(CloseCause::HeartbeatLost))).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_go_round_while_all_fail() {
        let mut rig = Rig::new(&["a", "b", "c"]);
        let mut asked = vec![rig.ask(None).await];
        for _ in 0..6 {
            asked.push(rig.after_failure().await);
        }
        assert_eq!(asked, ["a", "b", "c", "a", "b", "c", "a"]);
        assert_eq!(rig.endpoints.failures(), [2, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_with_one_that_works_and_fails_back_when_failures_are_forgotten() {
        let mut rig = Rig::new(&["a", "b"]);
        assert_eq!(rig.ask(None).await, "a");
        assert_eq!(rig.after_failure().await, "b");
        tokio::time::advance(Duration::from_secs(59)).await;
        // A stable session on b; the user restarts: a is not forgiven yet.
        rig.attempt = 0;
        assert_eq!(rig.ask(None).await, "b");
        tokio::time::advance(Duration::from_secs(1)).await;
        rig.attempt = 0;
        assert_eq!(rig.after_failure().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn the_loss_of_a_stable_session_counts_once() {
        let mut rig = Rig::new(&["a", "b"]);
        for expected in ["a", "b", "a", "b"] {
            assert_eq!(rig.after_failure().await, expected);
        }
        assert_eq!(rig.endpoints.failures(), [2, 1]);
        // b held on for long, and is lost.
        rig.attempt = 0;
        assert_eq!(rig.after_failure().await, "b");
        assert_eq!(rig.endpoints.failures(), [2, 1]);
    }

    #[test]
    fn none_and_wrong_ones_are_refused() {
        let none: [&str; 0] = [];
        assert_eq!(Endpoints::new(none).unwrap_err().option(), "url");
        for url in ["http://a/", "ws://", "nonsense", "ws://a/#b"] {
            assert_eq!(Endpoints::new(["ws://a/", url]).unwrap_err().option(), "url", "{url}");
        }
    }
}
