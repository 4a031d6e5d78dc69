//! The engine's tasks, all in one set: dials, callbacks, the connection.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tracing::instrument::WithSubscriber;
use tracing::{Instrument, Span};

use super::calls::Gate;
use crate::error::{
    CloseError, CloseErrorKind, ConnectError, ConnectErrorKind, RequestError, RequestErrorKind,
};
use crate::factory::{HandshakeRequest, NextAttempt, RequestFactory};
use crate::handler::Callback;
use crate::inbox::Watch;
use crate::lifecycle::{Abandon, CallResult, Epoch};
use crate::message::CloseFrame;
use crate::session::Session;
use crate::telemetry;
use crate::transport::{ConnectRequest, Connected, Transport};

/// What a task came to.
pub(super) enum Done<C> {
    Request {
        epoch: Epoch,
        result: RequestResult,
    },
    Dial {
        epoch: Epoch,
        result: DialResult<C>,
    },
    Call {
        epoch: Epoch,
        callback: Callback,
        result: CallResult,
        farewell: Option<CloseFrame>,
        gate: Option<Gate>,
    },
    Connection {
        epoch: Epoch,
        result: Result<(), CloseError>,
    },
}

pub(super) enum RequestResult {
    Made(HandshakeRequest),
    Failed(RequestError),
    Abandoned,
}

pub(super) enum DialResult<C> {
    /// Boxed: every task's memory has room for what any of them comes to.
    Connected(Box<Connected<C>>),
    Failed(ConnectError),
    Abandoned,
}

/// What a task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Request,
    Dial,
    Call(Callback),
    Connection,
}

/// A task that runs.
struct Running {
    epoch: Epoch,
    job: Job,
    handle: AbortHandle,
    /// Where it is said if it was dropped.
    span: Span,
    abandoned: Option<Abandon>,
}

/// What does not go though it was told to: it blocks its thread.
pub(super) enum Left {
    Nothing,
    Callback(Callback),
    Other,
}

/// All tasks of one engine.
pub(super) struct Tasks<C> {
    set: JoinSet<Done<C>>,
    jobs: HashMap<Id, Running>,
}

/// How long the last tasks get to go, even where the stop has no time left.
pub(super) const LAST_GRACE: Duration = Duration::from_millis(100);

impl<C: Send + 'static> Tasks<C> {
    pub(super) fn new() -> Self {
        Self { set: JoinSet::new(), jobs: HashMap::new() }
    }

    pub(super) fn request(
        &mut self,
        epoch: Epoch,
        factory: Arc<dyn RequestFactory>,
        next: NextAttempt,
        span: Span,
    ) {
        let make = async move {
            let result = match factory.request(&next).await {
                Ok(request) => RequestResult::Made(request),
                Err(error) => {
                    let kind = RequestErrorKind::Failed;
                    RequestResult::Failed(RequestError::with_source(kind, error))
                }
            };
            Done::Request { epoch, result }
        };
        self.spawn(epoch, Job::Request, span.clone(), make.instrument(span));
    }

    pub(super) fn dial<T>(
        &mut self,
        epoch: Epoch,
        transport: Arc<T>,
        request: ConnectRequest,
        span: Span,
    ) where
        T: Transport<Connection = C>,
        C: crate::transport::Connection,
    {
        let seen = span.clone();
        let dial = async move {
            let result = match transport.connect(request).await {
                Ok(connected) => DialResult::Connected(Box::new(connected)),
                Err(error) => {
                    note_failure(&seen, &error);
                    DialResult::Failed(error)
                }
            };
            Done::Dial { epoch, result }
        };
        self.spawn(epoch, Job::Dial, span.clone(), dial.instrument(span));
    }

    pub(super) fn call(
        &mut self,
        epoch: Epoch,
        callback: Callback,
        span: Span,
        call: impl Future<Output = Done<C>> + Send + 'static,
    ) {
        self.spawn(epoch, Job::Call(callback), span, call);
    }

    pub(super) fn connection(
        &mut self,
        epoch: Epoch,
        task: impl Future<Output = Result<(), CloseError>> + Send + 'static,
    ) {
        // Mapped, since an async block would hold the task twice.
        let task = task.map(move |result| Done::Connection { epoch, result });
        self.spawn(epoch, Job::Connection, Span::none(), task);
    }

    /// The next task that has ended. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Done<C>> {
        let joined = self.set.join_next_with_id().await?;
        Some(match joined {
            Ok((id, done)) => {
                self.jobs.remove(&id);
                done
            }
            Err(error) => self.gone(&error)?,
        })
    }

    /// Drops the dial of this epoch, or its request.
    pub(super) fn abandon(&mut self, epoch: Epoch, because: Abandon) {
        let its = |running: &&mut Running| {
            running.epoch == epoch && matches!(running.job, Job::Request | Job::Dial)
        };
        for running in self.jobs.values_mut().filter(its) {
            running.abandoned = Some(because);
            running.handle.abort();
        }
    }

    pub(super) fn abort(&self, epoch: Epoch, job: Job) {
        for running in
            self.jobs.values().filter(|running| (running.epoch, running.job) == (epoch, job))
        {
            running.handle.abort();
        }
    }

    pub(super) fn abort_all(&mut self) {
        self.set.abort_all();
    }

    /// Ends every task, and says what does not go.
    pub(super) async fn finish(&mut self, by: Instant, session: Option<Session>) -> Left {
        self.set.abort_all();
        let all_gone = async {
            while self.next().await.is_some() {}
            if let Some(session) = &session {
                // Workers go with the connection's task, but after it.
                poll_fn(|cx| match session.inbox().level(Watch::Rest, cx).running {
                    0 => Poll::Ready(()),
                    _ => Poll::Pending,
                })
                .await;
            }
        };
        if timeout_at(by, all_gone).await.is_ok() {
            return Left::Nothing;
        }
        self.blocked_callback().map_or(Left::Other, Left::Callback)
    }

    /// The callback that did not go. Where no task of ours is left, it is one that a worker runs.
    fn blocked_callback(&self) -> Option<Callback> {
        let mut left = self.jobs.values().map(|running| running.job);
        let callback = left.find_map(|job| match job {
            Job::Call(callback) => Some(callback),
            Job::Connection => Some(Callback::OnMessage),
            Job::Request | Job::Dial => None,
        });
        callback.or_else(|| self.jobs.is_empty().then_some(Callback::OnMessage))
    }

    fn spawn(
        &mut self,
        epoch: Epoch,
        job: Job,
        span: Span,
        task: impl Future<Output = Done<C>> + Send + 'static,
    ) {
        let handle = self.set.spawn(task.with_current_subscriber());
        self.jobs.insert(handle.id(), Running { epoch, job, handle, span, abandoned: None });
    }

    /// What a task that was dropped, or that panicked, stands for.
    fn gone(&mut self, error: &JoinError) -> Option<Done<C>> {
        let Running { epoch, job, span, abandoned, .. } = self.jobs.remove(&error.id())?;
        match (job, abandoned) {
            _ if !error.is_cancelled() => {}
            // Its span is that of the attempt, which says itself how it ended.
            (Job::Request, _) => {}
            (_, Some(Abandon::Late)) => telemetry::failed(&span, "timeout", "it took too long"),
            _ => telemetry::failed(&span, "cancelled", "dropped before it was done"),
        }
        Some(match job {
            Job::Request if error.is_panic() => {
                let error = RequestError::new(RequestErrorKind::Panicked);
                Done::Request { epoch, result: RequestResult::Failed(error) }
            }
            Job::Request => Done::Request { epoch, result: RequestResult::Abandoned },
            Job::Dial if error.is_panic() => {
                let error =
                    ConnectError::with_source(ConnectErrorKind::Other, "the transport panicked");
                Done::Dial { epoch, result: DialResult::Failed(error) }
            }
            Job::Dial => Done::Dial { epoch, result: DialResult::Abandoned },
            Job::Call(callback) => {
                let result =
                    if error.is_panic() { CallResult::Panicked } else { CallResult::Aborted };
                Done::Call { epoch, callback, result, farewell: None, gate: None }
            }
            Job::Connection => {
                Done::Connection { epoch, result: Err(CloseError::new(CloseErrorKind::Io)) }
            }
        })
    }
}

fn note_failure(span: &Span, error: &ConnectError) {
    if let Some(response) = error.response() {
        span.record("http.response.status_code", response.status.as_u16());
    }
    telemetry::failed(span, telemetry::connect_error_type(error.kind()), &error.to_string());
}
