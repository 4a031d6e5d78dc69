//! What a failure means: whether to come back, how soon at the earliest, or not at all.

mod default;
mod failure;
mod retry_after;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

pub use default::DefaultClassifier;
pub use failure::{Failure, FailureCause, FailureKind};
pub(crate) use retry_after::retry_after;

/// Decides what follows a failure: of a first attempt, of a later one, or of a session.
///
/// Synchronous and without state of its own: what went before is in the [`Failure`]. The default is
/// [`DefaultClassifier`], which also takes single rules; implement this trait to replace it as a whole. A classifier
/// that panics is replaced by the default for that failure.
///
/// # Examples
/// One that gives up on any refusal of the server's, and comes back from everything else:
/// ```
/// use wscengine::{Classifier, Failure, Verdict};
///
/// #[derive(Debug)]
/// struct NoMeansNo;
///
/// impl Classifier for NoMeansNo {
///     fn classify(&self, failure: &Failure<'_>) -> Verdict {
///         match failure.status() {
///             Some(_) => Verdict::Fatal,
///             None => Verdict::retry(),
///         }
///     }
/// }
/// ```
pub trait Classifier: fmt::Debug + Send + Sync + 'static {
    /// What is to follow this failure.
    fn classify(&self, failure: &Failure<'_>) -> Verdict;
}

/// A pointer to a classifier asks it.
macro_rules! classifier_behind {
    ($pointer:ident) => {
        impl<C: Classifier + ?Sized> Classifier for $pointer<C> {
            fn classify(&self, failure: &Failure<'_>) -> Verdict {
                (**self).classify(failure)
            }
        }
    };
}

classifier_behind!(Arc);
classifier_behind!(Box);

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again, as long as the budgets allow.
    Retry {
        /// The least time to wait. What the backoff gives comes on top of it, so that clients that were told the same
        /// do not come back at once.
        floor: Duration,
    },
    /// Try again with a request made anew: the [`RequestFactory`](crate::RequestFactory) is told to
    /// [`refresh`](crate::NextAttempt::refresh) what it may have kept. Without a factory the same as `Retry`.
    Refresh {
        /// As for `Retry`.
        floor: Duration,
    },
    /// Do not try again: the engine stops with [`OutcomeKind::Fatal`](crate::OutcomeKind::Fatal), or, before the first
    /// session, `start()` fails.
    Fatal,
}

impl Verdict {
    /// Try again after the backoff.
    pub fn retry() -> Self {
        Self::Retry { floor: Duration::ZERO }
    }

    /// Try again, but not before so long.
    pub fn retry_after(floor: Duration) -> Self {
        Self::Retry { floor }
    }

    /// Try again after the backoff, with a request made anew.
    pub fn refresh() -> Self {
        Self::Refresh { floor: Duration::ZERO }
    }
}

/// Asks a classifier. One of the user's that panics must not end the engine; the panic hook has said what happened.
pub(crate) fn judge(classifier: &dyn Classifier, failure: &Failure<'_>) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| classifier.classify(failure)))
        .unwrap_or_else(|_| DefaultClassifier::new().classify(failure))
}
