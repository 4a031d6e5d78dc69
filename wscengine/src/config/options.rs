//! The options but URL and headers: their defaults, and what is wrong with them.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use tracing::Dispatch;

use super::request::check_subprotocols;
use super::{Base, Config, DataPlane, wrong};
use crate::classify::{Classifier, DefaultClassifier};
use crate::dispatch::KeyFn;
use crate::error::ConfigError;
use crate::factory::RequestFactory;
use crate::lifecycle::{AfterSession, FirstAttempt, Policy, Requests, Timeouts};
use crate::outbound::QueueLimits;
use crate::outbox::{Outbox, SharedOutbox};
use crate::request::Correlator;
use crate::retry::{Backoff, ExponentialBackoff};
use crate::transport::Limits;

/// All options but URL and headers, as they were given.
pub(super) struct Options {
    pub(super) subprotocols: Vec<String>,
    pub(super) limits: Limits,
    pub(super) workers: usize,
    pub(super) key: Option<KeyFn>,
    pub(super) requests: Option<Arc<dyn Correlator>>,
    pub(super) read_ahead: QueueLimits,
    pub(super) send_queue: QueueLimits,
    pub(super) outbox: Option<Outbox>,
    pub(super) timeouts: Timeouts,
    pub(super) message_timeout: Option<Duration>,
    pub(super) write_timeout: Duration,
    pub(super) ping_interval: Option<Duration>,
    pub(super) ping_timeout: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) backoff: Arc<dyn Backoff>,
    pub(super) classifier: Arc<dyn Classifier>,
    pub(super) factory: Option<Arc<dyn RequestFactory>>,
    pub(super) stable_after: Duration,
    pub(super) max_attempts: Option<u32>,
    pub(super) max_elapsed: Option<Duration>,
    pub(super) first: FirstAttempt,
    pub(super) after_session: AfterSession,
    pub(super) seed: Option<u64>,
    pub(super) propagate: bool,
    pub(super) subscriber: Option<Dispatch>,
    pub(super) meter: Option<Meter>,
}

impl Default for Options {
    fn default() -> Self {
        let five = Duration::from_secs(5);
        Self {
            subprotocols: Vec::new(),
            limits: Limits::default(),
            workers: 1,
            key: None,
            requests: None,
            read_ahead: QueueLimits { messages: 256, bytes: 1 << 20 },
            send_queue: QueueLimits { messages: 1024, bytes: 1 << 20 },
            outbox: None,
            timeouts: Timeouts {
                request: Duration::from_secs(10),
                connect: Duration::from_secs(15),
                on_open: Duration::from_secs(30),
                on_read_error: five,
                on_close: five,
                on_close_error: five,
                on_restart_error: five,
                drain: five,
                close: five,
                stop: Duration::from_secs(30),
            },
            message_timeout: None,
            write_timeout: Duration::from_secs(30),
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Duration::from_secs(10),
            idle_timeout: None,
            backoff: Arc::new(ExponentialBackoff::new()),
            classifier: Arc::new(DefaultClassifier::new()),
            factory: None,
            stable_after: Duration::from_secs(10),
            max_attempts: None,
            max_elapsed: None,
            first: FirstAttempt::FailFast,
            after_session: AfterSession::Reconnect,
            seed: None,
            propagate: true,
            subscriber: None,
            meter: None,
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_durations()?;
        if !(1..=MOST_WORKERS).contains(&self.workers) {
            return wrong("workers", format!("must be 1 to {MOST_WORKERS}, not {}", self.workers));
        }
        check_queue("read_ahead", self.read_ahead)?;
        check_queue("send_queue", self.send_queue)?;
        if let Some(outbox) = &self.outbox {
            check_queue("outbox", outbox.limits)?;
        }
        if self.limits.message == 0 {
            return wrong("max_message_size", "must not be 0");
        }
        if self.limits.frame == 0 {
            return wrong("max_frame_size", "must not be 0");
        }
        if self.max_attempts == Some(0) {
            return wrong(
                "max_attempts",
                "must not be 0: use auto_reconnect(false) for a single session",
            );
        }
        check_subprotocols(&self.subprotocols)
    }

    fn check_durations(&self) -> Result<(), ConfigError> {
        let timeouts = &self.timeouts;
        for (option, duration) in [
            ("request_timeout", Some(timeouts.request)),
            ("connect_timeout", Some(timeouts.connect)),
            ("on_open_timeout", Some(timeouts.on_open)),
            ("on_message_timeout", self.message_timeout),
            ("on_read_error_timeout", Some(timeouts.on_read_error)),
            ("on_close_timeout", Some(timeouts.on_close)),
            ("on_close_error_timeout", Some(timeouts.on_close_error)),
            ("on_restart_error_timeout", Some(timeouts.on_restart_error)),
            ("drain_timeout", Some(timeouts.drain)),
            ("close_timeout", Some(timeouts.close)),
            ("stop_timeout", Some(timeouts.stop)),
            ("write_timeout", Some(self.write_timeout)),
            ("ping_interval", self.ping_interval),
            ("ping_timeout", Some(self.ping_timeout)),
            ("idle_timeout", self.idle_timeout),
            ("max_elapsed", self.max_elapsed),
            ("outbox", self.outbox.as_ref().map(|outbox| outbox.max_age)),
        ] {
            if duration == Some(Duration::ZERO) {
                return wrong(option, "must not be 0");
            }
            if duration.is_some_and(|duration| duration > LONGEST) {
                return wrong(option, "must not be longer than a year");
            }
        }
        if self.stable_after > LONGEST {
            return wrong("stable_after", "must not be longer than a year");
        }
        match self.ping_interval {
            Some(interval) if self.ping_timeout > interval => wrong(
                "ping_timeout",
                format!(
                    "of {:?} is longer than the ping interval of {interval:?}",
                    self.ping_timeout
                ),
            ),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn into_config(self, base: Base) -> Config {
        let policy = Policy {
            timeouts: self.timeouts,
            first: self.first,
            after_session: self.after_session,
            backoff: self.backoff,
            classifier: self.classifier,
            requests: match self.factory {
                Some(_) => Requests::Made,
                None => Requests::Fixed,
            },
            stable_after: self.stable_after,
            max_attempts: self.max_attempts,
            max_elapsed: self.max_elapsed,
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
        };
        let data_plane = DataPlane {
            workers: self.workers,
            key: self.key,
            requests: self.requests,
            read_ahead: self.read_ahead,
            send_queue: self.send_queue,
            outbox: self.outbox.map(|outbox| Arc::new(SharedOutbox::new(outbox))),
            message_timeout: self.message_timeout,
            write_timeout: self.write_timeout,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            idle_timeout: self.idle_timeout,
        };
        let subscriber =
            self.subscriber.unwrap_or_else(|| tracing::dispatcher::get_default(Clone::clone));
        Config {
            base,
            factory: self.factory,
            policy,
            data_plane: Arc::new(data_plane),
            propagate: self.propagate,
            subscriber,
            meter: self.meter,
        }
    }
}

fn check_queue(option: &'static str, limits: QueueLimits) -> Result<(), ConfigError> {
    if limits.messages == 0 || limits.bytes == 0 {
        return wrong(option, "must hold at least one message and one byte");
    }
    if limits.messages > LARGEST_QUEUE || limits.bytes > LARGEST_QUEUE {
        return wrong(option, format!("must not hold more than {LARGEST_QUEUE} messages or bytes"));
    }
    Ok(())
}

/// More tasks than this for one connection help nobody.
const MOST_WORKERS: usize = 1024;

/// 1 GiB, and far below what a semaphore can count.
const LARGEST_QUEUE: usize = 1 << 30;

/// Keeps all sums of times inside what an `Instant` can hold.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
