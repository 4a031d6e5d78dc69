//! The only part that knows both the lifecycle and the runtime: carries out actions, and turns what comes of them
//! into events. It decides nothing.

mod attempts;
mod calls;
mod link;
mod spans;
mod tasks;

use std::collections::HashMap;
use std::sync::Arc;

use futures_channel::mpsc;
use futures_util::StreamExt;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};
use url::Url;

use crate::config::Config;
use crate::connection::Command;
use crate::engine::{Control, Request};
use crate::error::{PauseError, SendErrorKind};
use crate::exclusive::Exclusive;
use crate::factory::{HandshakeRequest, NextAttempt};
use crate::handler::{CloseCause, Handler};
use crate::lifecycle::{
    Action, CallResult, Epoch, Event, HoldId, Lifecycle, Rest, SessionEvent, State,
};
use crate::outbox::OutboxOwner;
use crate::session::Session;
use crate::status::{Counters, OutcomeKind, Status};
use crate::transport::{Connected, Transport};
use calls::Gate;
use link::Link;
use spans::Spans;
use tasks::{Done, Job, Left, Tasks};

/// Drives one engine from start to end.
pub(crate) struct Driver<T: Transport, H> {
    lifecycle: Lifecycle,
    transport: Arc<T>,
    handler: Arc<H>,
    config: Config,
    control: Control,
    requests: mpsc::UnboundedReceiver<Request>,
    events: mpsc::UnboundedReceiver<(Epoch, SessionEvent)>,
    report: mpsc::UnboundedSender<(Epoch, SessionEvent)>,
    outlets: Outlets,
    tasks: Tasks<T::Connection>,
    /// What the request factory gave, until it is dialled.
    made: Option<Box<HandshakeRequest>>,
    /// What it gave for the last dial.
    last_request: Option<Box<HandshakeRequest>>,
    /// A connection that was dialled, until its session is made.
    dialed: Option<Box<Connected<T::Connection>>>,
    /// That of an `on_open` which was done at once, until what follows from that is carried out.
    gate: Option<Gate>,
    /// The URL of the last dial.
    url: Option<Url>,
    link: Option<Link>,
    /// Who waits to hold the connection.
    pauses: HashMap<HoldId, oneshot::Sender<Result<Exclusive, PauseError>>>,
    next_hold: HoldId,
    previous: Option<CloseCause>,
    spans: Spans,
    outbox: Option<OutboxOwner>,
}

/// Where the engine's handles see what goes on.
pub(crate) struct Outlets {
    pub(crate) status: watch::Sender<Status>,
    pub(crate) session: watch::Sender<Option<Session>>,
    /// Told when the first session is open; dropped if there will be none.
    pub(crate) started: Option<oneshot::Sender<()>>,
    pub(crate) counters: Arc<Counters>,
}

impl<T: Transport, H: Handler> Driver<T, H> {
    pub(crate) fn new(
        transport: T,
        handler: H,
        config: Config,
        control: Control,
        requests: mpsc::UnboundedReceiver<Request>,
        outlets: Outlets,
        start: tracing::Span,
    ) -> Self {
        let (report, events) = mpsc::unbounded();
        let outbox = config.data_plane.outbox.clone().map(OutboxOwner::new);
        Self {
            lifecycle: Lifecycle::new(now(), config.policy.clone()),
            transport: Arc::new(transport),
            handler: Arc::new(handler),
            config,
            control,
            requests,
            events,
            report,
            outlets,
            tasks: Tasks::new(),
            made: None,
            last_request: None,
            dialed: None,
            gate: None,
            url: None,
            link: None,
            pauses: HashMap::new(),
            next_hold: 0,
            previous: None,
            spans: Spans::new(start),
            outbox,
        }
    }

    /// Runs the engine until it has stopped and nothing of it is left.
    pub(crate) async fn run(&mut self) {
        // A stop that was asked for before the start comes before the first dial.
        while let Ok(request) = self.requests.try_recv() {
            self.on_request(request);
        }
        loop {
            self.perform();
            self.gate = None;
            self.publish();
            if matches!(self.lifecycle.state(), State::Stopped(_)) {
                break;
            }
            self.wait().await;
        }
        self.finish().await;
    }

    /// Waits for the next thing to happen, and tells the lifecycle.
    async fn wait(&mut self) {
        let wake_at = self.lifecycle.poll_timeout().map(Instant::from_std);
        let timeout = async {
            match wake_at {
                // A sleep takes a millisecond at least: without a backoff that is most of a reconnect.
                Some(at) if at <= Instant::now() => {}
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let outbox = self.outbox.as_deref();
        let expiry = async {
            match outbox {
                // Boxed: most engines have none, and need no room for it.
                Some(outbox) => Box::pin(outbox.keep_time()).await,
                None => std::future::pending().await,
            }
        };
        // What a user wants comes first, then what a connection said, and only then that its task ended.
        tokio::select! {
            biased;
            Some(request) = self.requests.next() => self.on_request(request),
            Some((epoch, event)) = self.events.next() => self.handle(Event::Session { epoch, event }),
            Some(done) = self.tasks.next() => self.on_done(done),
            never = expiry => match never {},
            () = timeout => self.lifecycle.handle_timeout(now().max(wake_at.map_or_else(now, Instant::into_std))),
        }
    }

    fn handle(&mut self, event: Event) {
        self.lifecycle.handle(now(), event);
    }

    fn on_request(&mut self, request: Request) {
        match request {
            Request::Stop { cause } => {
                self.spans.stopping(cause);
                if let Some(outbox) = self.outbox() {
                    outbox.close();
                }
                self.handle(Event::Stop);
            }
            Request::Restart { epoch } => self.handle(Event::Restart { epoch }),
            Request::Release { hold } => self.handle(Event::HoldReleased { hold }),
            Request::Pause { epoch, limit, reply } => self.on_pause(epoch, limit, reply),
        }
    }

    fn on_pause(
        &mut self,
        epoch: Option<Epoch>,
        limit: Option<std::time::Duration>,
        reply: oneshot::Sender<Result<Exclusive, PauseError>>,
    ) {
        // A request of the engine's own is for whatever session there is.
        if epoch.is_none() && !self.lifecycle.state().is_connected() {
            let _ = reply.send(Err(PauseError::NotConnected));
            return;
        }
        let hold = self.new_hold();
        self.pauses.insert(hold, reply);
        self.handle(Event::PauseRequested {
            epoch: epoch.unwrap_or(self.lifecycle.epoch()),
            hold,
            limit,
        });
    }

    fn on_done(&mut self, done: Done<T::Connection>) {
        let (epoch, event) = match done {
            Done::Request { epoch, result } => (epoch, self.on_request_done(epoch, result)),
            Done::Dial { epoch, result } => (epoch, self.on_dial_done(epoch, result)),
            Done::Call { epoch, callback, result, farewell, gate } => {
                self.gate = gate;
                if matches!(result, CallResult::Aborted) {
                    Counters::add(&self.outlets.counters.dropped_callbacks, 1);
                }
                if let (Some(link), Some(frame)) = (&mut self.link, farewell) {
                    link.farewell = Some(frame);
                }
                (epoch, SessionEvent::CallEnded { callback, result })
            }
            Done::Connection { epoch, result } => {
                if let Some(link) = self.link.as_mut().filter(|link| link.session.epoch() == epoch)
                {
                    link.gone = true;
                }
                // It says so itself, but perhaps before the session was opened.
                if let Some(outbox) = self.outbox() {
                    outbox.over(epoch);
                }
                self.spans.closed(result.as_ref().err());
                (epoch, SessionEvent::Disconnected(result))
            }
        };
        self.handle(Event::Session { epoch, event });
    }

    /// Carries out all that the lifecycle wants done.
    fn perform(&mut self) {
        while let Some(action) = self.lifecycle.poll_action() {
            match action {
                Action::MakeRequest { epoch, attempt, elapsed, failure, refresh } => {
                    let url = self.config.base.url.clone();
                    let previous = self.last_request.as_deref().cloned();
                    let next = NextAttempt { attempt, elapsed, failure, refresh, url, previous };
                    self.make_request(epoch, next);
                }
                Action::Dial { epoch } => self.dial(epoch),
                Action::AbandonDial { epoch, because } => self.tasks.abandon(epoch, because),
                Action::WarnOfRequest => {
                    tracing::warn!("a request factory that took too long blocks its thread");
                }
                Action::Run { epoch, call } => self.run_call(epoch, call),
                Action::Abort { epoch, callback } => self.tasks.abort(epoch, Job::Call(callback)),
                Action::Warn { callback } => {
                    tracing::warn!(
                        callback = callback.name(),
                        "a callback that must end blocks its thread"
                    );
                }
                Action::Dispatch { epoch, errors } => self.dispatch(epoch, errors),
                Action::EndSending { epoch } => {
                    if let Some(link) = self.link_of(epoch) {
                        link.session.outbound().close(SendErrorKind::SessionEnded);
                    }
                }
                Action::Grant { epoch, hold } => self.grant(epoch, hold),
                Action::Deny { hold, error } => {
                    if let Some(reply) = self.pauses.remove(&hold) {
                        let _ = reply.send(Err(error));
                    }
                }
                Action::Revoke { epoch, hold, reason } => {
                    if let Some(link) = self.link_of(epoch) {
                        link.session.inbox().revoke(hold, reason);
                    }
                }
                Action::Drain { epoch, rest } => {
                    match (self.outbox(), rest) {
                        (Some(outbox), Rest::Keep) => outbox.drain(epoch),
                        (Some(outbox), Rest::Handle) => outbox.over(epoch),
                        (None, _) => {}
                    }
                    self.drain(epoch, Command::Drain { rest });
                }
                Action::AbortMessages { epoch } => self.drain(epoch, Command::AbortMessages),
                Action::Close { epoch } => self.close(epoch),
                Action::Disconnect { epoch } => self.disconnect(epoch),
                Action::DropAll => self.tasks.abort_all(),
            }
        }
    }

    /// Lets the handles see where the engine is.
    fn publish(&mut self) {
        let session = self.link.as_ref().map(|link| link.session.id());
        let status = self.lifecycle.state().status(session, self.lifecycle.attempt());
        if !matches!(status, Status::Open { .. } | Status::Paused { .. }) {
            self.outlets.session.send_if_modified(|session| session.take().is_some());
        }
        if let Some(cause) = self.lifecycle.state().ending() {
            let restart = self.lifecycle.state().will_reconnect();
            self.spans.ending(self.link.as_ref().map(|link| &link.session), cause, restart);
            self.previous = Some(cause.clone());
        }
        if matches!(self.lifecycle.state(), State::Waiting { .. } | State::Dialing { .. }) {
            self.spans.ended();
        }
        if !matches!(status, Status::Stopped { .. }) {
            self.outlets.status.send_if_modified(|shown| {
                let changed = !shown.is_same(&status);
                if let (Status::Waiting { until, attempt }, true) = (&status, changed) {
                    let wait = until.saturating_duration_since(Instant::now());
                    tracing::info!(?wait, attempt, "waiting before the next attempt");
                }
                *shown = status;
                changed
            });
        }
        // Last, so that whoever waits for the start finds session and status in place.
        // The session may be over again, which is not the start's failure; a stop is.
        if self.lifecycle.sessions() > 0
            && self.lifecycle.stop_by().is_none()
            && let Some(started) = self.outlets.started.take()
        {
            let _ = started.send(());
        }
    }

    /// Ends all that is left, and then says that the engine has stopped.
    async fn finish(&mut self) {
        let State::Stopped(outcome) = self.lifecycle.state().clone() else { return };
        self.dialed = None;
        let by =
            self.lifecycle.stop_by().unwrap_or_else(|| now() + self.config.policy.timeouts.stop);
        let by = Instant::from_std(by).max(Instant::now() + tasks::LAST_GRACE);
        let session = self.link.as_ref().map(|link| link.session.clone());
        let left = self.tasks.finish(by, session).await;
        self.pauses.clear();
        if let Some(outbox) = self.outbox() {
            outbox.give_up();
        }
        self.spans.ended();
        if let Some(error) = outcome.error()
            && self.spans.attempt_failed(&error.to_string()).is_some()
        {
            self.outlets.counters.attempt_failed();
        }
        let outcome = match left {
            Left::Nothing => outcome,
            Left::Callback(callback) => outcome.blocked_by(Some(callback)),
            // It goes on though it was told to go.
            Left::Other => outcome.forced(),
        };
        let outcome = outcome.after_session(self.previous.clone());
        match outcome.kind() {
            kind @ (OutcomeKind::Fatal | OutcomeKind::GaveUp) => {
                let error = outcome.error().map(ToString::to_string);
                let cause = outcome.cause().map(ToString::to_string);
                tracing::warn!(outcome = ?kind, error, cause, "the engine has given up");
            }
            kind => tracing::info!(outcome = ?kind, "the engine has stopped"),
        }
        self.spans = Spans::new(tracing::Span::none());
        self.outlets.status.send_replace(Status::Stopped { outcome });
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
