//! What the user decides for the engine: the default policies, and a note of what they said; requests that come late
//! or never.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use wscengine::{
    Backoff, Classifier, DefaultClassifier, ExponentialBackoff, Failure, HandlerError,
    HandshakeRequest, NextAttempt, RequestFactory, Verdict,
};

use crate::event::{Ruling, What};
use crate::record::{Planned, Record};
use crate::scenario::{Making, Options, pick};
use crate::server;

/// Where the engine is to connect to.
pub(crate) fn url() -> String {
    format!("ws://server:{}/", server::PORT)
}

/// The default backoff.
pub(crate) struct WatchedBackoff {
    policy: ExponentialBackoff,
    record: Record,
}

impl WatchedBackoff {
    pub(crate) fn new(options: &Options, record: Record) -> Self {
        let policy = ExponentialBackoff::new();
        let policy = policy.base(options.base).factor(options.factor).cap(options.cap);
        Self { policy, record }
    }
}

impl Backoff for WatchedBackoff {
    fn delay(&self, retry: u32, random: f64) -> Duration {
        let delay = self.policy.delay(retry, random);
        self.record.note(What::Delay { retry, delay });
        delay
    }
}

impl std::fmt::Debug for WatchedBackoff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.policy.fmt(f)
    }
}

/// The default classifier.
pub(crate) struct WatchedClassifier {
    policy: DefaultClassifier,
    record: Record,
}

impl WatchedClassifier {
    pub(crate) fn new(record: Record) -> Self {
        Self { policy: DefaultClassifier::new(), record }
    }
}

impl Classifier for WatchedClassifier {
    fn classify(&self, failure: &Failure<'_>) -> Verdict {
        let verdict = self.policy.classify(failure);
        let ruling = match verdict {
            Verdict::Retry { floor } => Ruling::Retry(floor),
            Verdict::Refresh { floor } => Ruling::Refresh(floor),
            Verdict::Fatal => Ruling::Fatal,
        };
        self.record.note(What::Judged {
            kind: format!("{:?}", failure.kind()),
            asked_for: failure.retry_after,
            ruling,
        });
        verdict
    }
}

impl std::fmt::Debug for WatchedClassifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.policy.fmt(f)
    }
}

/// Makes the same request each time, at once, late or never.
pub(crate) struct SimFactory {
    pub(crate) making: Vec<Making>,
    pub(crate) rng: Mutex<Rng>,
    pub(crate) record: Record,
}

#[async_trait]
impl RequestFactory for SimFactory {
    async fn request(&self, next: &NextAttempt) -> Result<HandshakeRequest, HandlerError> {
        let making =
            pick(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner), &self.making);
        self.record.note(What::Making { attempt: next.attempt, refresh: next.refresh });
        match making {
            Making::Quick => {}
            Making::Late(late) => tokio::time::sleep(late).await,
            Making::Fails => return Err("there is no token".into()),
            Making::Hangs => std::future::pending().await,
            Making::Panics => std::panic::panic_any(Planned),
        }
        Ok(HandshakeRequest::new(&url())?)
    }
}
