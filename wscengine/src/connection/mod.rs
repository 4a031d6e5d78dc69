//! The data plane: one task that owns an open connection, in both directions, for the whole session.
//!
//! For each wake-up it reads until nothing is there, starts callbacks as far as may be, writes what is queued and
//! flushes once, and looks at its timers. With one worker the callback is polled on this very task, without being
//! awaited: reading and writing go on while it waits, and one that completes at once costs no hop.
//!
//! It decides nothing: what it sees it reports, what it is told it does.

mod phase;
mod pings;
mod read;
mod timers;
mod write;

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::Span;
use tracing::instrument::WithSubscriber;

use crate::config::DataPlane;
use crate::dispatch::{AtWork, Calls, caught, worker};
use crate::engine::as_callbacks_of;
use crate::error::{CloseError, PauseError, PingError, SendErrorKind};
use crate::exclusive::Exclusive;
use crate::handler::Handler;
use crate::inbox::Taker;
use crate::lifecycle::{HoldId, Rest, SessionEvent};
use crate::message::CloseFrame;
use crate::session::Session;
use crate::status::Counters;
use crate::transport::{Batch, Connection, Entry, lend};

use phase::Phase;
use pings::Pings;
use read::Reading;
use timers::Timers;
use write::Writing;

/// What the connection task is told.
pub(crate) enum Command {
    /// Let `on_message` take messages, if no more than `errors` survivable read errors were reported.
    Dispatch {
        errors: u64,
    },
    /// Let a holder take them, and hand it the connection.
    Hold {
        hold: HoldId,
        grant: Option<Grant>,
    },
    Drain {
        rest: Rest,
    },
    AbortMessages,
    Close {
        frame: CloseFrame,
    },
    Disconnect,
    Ping(oneshot::Sender<Result<Duration, PingError>>),
}

/// A hold, and who waits for it.
pub(crate) struct Grant {
    pub(crate) exclusive: Exclusive,
    pub(crate) reply: oneshot::Sender<Result<Exclusive, PauseError>>,
}

/// The task of one session.
pub(crate) struct ConnectionTask<C, H> {
    io: Io<C>,
    calls: Arc<Calls<H>>,
    workers: usize,
}

/// The connection and all that is done with it but calling the handler.
struct Io<C> {
    connection: C,
    session: Session,
    commands: mpsc::UnboundedReceiver<Command>,
    events: Events,
    counters: Arc<Counters>,
    config: Arc<DataPlane>,
    phase: Phase,
    /// What the last read gave and nobody has been given yet.
    batch: Batch,
    taker: Taker,
    callback: Inline,
    reading: Reading,
    writing: Writing,
    pings: Pings,
    timers: Timers,
    turn: WakeUp,
}

/// How far the task has come since it was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WakeUp {
    New,
    /// Commands and clocks were looked at: they wake the task when there is more.
    Heard,
}

/// Where the task reports to.
pub(crate) type Events = mpsc::UnboundedSender<(crate::lifecycle::Epoch, SessionEvent)>;

/// The callback that is polled on this task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inline {
    /// There are worker tasks; none is polled here.
    Never,
    Idle,
    /// Calls are made that have all ended when they were first polled: what panics is a callback.
    Calling,
    Pending,
    /// It was told to go.
    Aborting,
}

/// Why polling stopped.
enum Turn {
    /// There is something for `on_message`.
    Dispatch,
    /// The callback that is pending must go.
    Abort,
    Over(Result<(), CloseError>),
}

/// Calls `on_message`. A macro, because most calls end when they are first polled: where they are made and polled in one
/// place, that costs next to nothing.
macro_rules! call {
    ($io:expr, $calls:expr, $plain:expr, $message:expr) => {
        if $plain {
            let mut call = pin!($calls.plain($message));
            if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await.is_pending() {
                $io.callback_pending();
                let mut call = pin!($calls.wait(call));
                poll_fn(|cx| $io.poll_beside(cx, |cx| call.as_mut().poll(cx))).await;
                $io.callback_done();
            }
        } else {
            let mut call = pin!($calls.observed($message, 0));
            poll_fn(|cx| $io.poll_beside(cx, |cx| call.as_mut().poll(cx))).await;
            $io.callback_done();
        }
    };
}

impl<C: Connection, H: Handler> ConnectionTask<C, H> {
    pub(crate) fn new(
        connection: C,
        commands: mpsc::UnboundedReceiver<Command>,
        events: Events,
        calls: Arc<Calls<H>>,
        config: Arc<DataPlane>,
    ) -> Self {
        let workers = config.workers;
        let io = Io {
            connection,
            session: calls.session().clone(),
            commands,
            events,
            counters: calls.counters().clone(),
            phase: Phase::Serving,
            batch: Batch::new(),
            taker: Taker::Nobody,
            callback: if workers == 1 { Inline::Idle } else { Inline::Never },
            reading: Reading::new(&config),
            writing: Writing::new(),
            pings: Pings::new(config.ping_timeout),
            timers: Timers::new(&config),
            turn: WakeUp::New,
            config,
        };
        Self { io, calls, workers }
    }

    /// Serves the connection until it is gone.
    pub(crate) async fn run(&mut self) -> Result<(), CloseError> {
        let mut workers = JoinSet::new();
        let engine = self.io.session.control().id();
        if self.workers > 1 {
            for number in 0..self.workers {
                // Neither the mark nor the subscriber goes over to a new task by itself.
                let worker = as_callbacks_of(engine, worker(self.calls.clone(), number));
                workers.spawn(worker.with_current_subscriber());
            }
        }
        loop {
            match poll_fn(|cx| self.io.poll(cx)).await {
                Turn::Dispatch => {
                    self.dispatch().await;
                    // An answer goes out before the socket is asked for more.
                    poll_fn(|cx| {
                        self.io.poll_write(cx);
                        Poll::Ready(())
                    })
                    .await;
                }
                Turn::Abort if self.workers > 1 => {
                    workers.abort_all();
                    while workers.join_next().await.is_some() {}
                    self.io.turn = WakeUp::New;
                    self.io.callback_gone();
                }
                // The callback has come to its end by itself.
                Turn::Abort => self.io.callback_gone(),
                Turn::Over(result) => return result,
            }
            self.take_turns().await;
        }
    }

    /// A transport that is never pending must not keep the other tasks of this thread waiting.
    async fn take_turns(&mut self) {
        let mut budget = pin!(tokio::task::consume_budget());
        if poll_fn(|cx| Poll::Ready(budget.as_mut().poll(cx))).await.is_pending() {
            self.io.turn = WakeUp::New;
            budget.await;
        }
    }

    /// Calls `on_message` with what there is. One panic is caught for many calls: the next turn goes on behind its message.
    async fn dispatch(&mut self) {
        let Err(panic) = caught(pin!(self.call_all())).await else { return };
        if self.io.callback != Inline::Calling {
            // It was none of the user's.
            resume_unwind(panic);
        }
        self.io.callback = Inline::Idle;
        self.calls.panicked(&Span::none());
    }

    /// Calls `on_message` with what was read ahead, then with what lies in the batch, lent from it.
    async fn call_all(&mut self) {
        if self.io.may_call() && self.io.reading.has_queued() {
            self.call_queued().await;
        }
        if self.io.may_lend() && !self.io.batch.is_empty() {
            self.call_batch().await;
        }
    }

    async fn call_queued(&mut self) {
        let Self { io, calls, .. } = self;
        let inbox = calls.session().inbox();
        let plain = calls.are_plain();
        while io.may_call()
            && let Some(run) = inbox.join_inline()
        {
            let at_work = AtWork::new(inbox, run);
            io.callback = Inline::Calling;
            // What a hold takes back is not there to be claimed.
            while let Some((message, _)) = at_work.claim() {
                call!(io, calls, plain, message);
            }
            io.calls_made();
        }
        // A holder may have taken what was there: to believe it still there would be to ask for ever.
        io.reading.set_queued(!inbox.is_empty());
    }

    async fn call_batch(&mut self) {
        let Self { io, calls, .. } = self;
        let chunk = io.batch.chunk().clone();
        let plain = calls.are_plain();
        io.callback = Inline::Calling;
        // Of a call that does not end at once the rest of the batch becomes older messages in the inbox.
        'batch: loop {
            while let Some((kind, range)) = io.batch.pop_range() {
                match lend(&chunk, kind, range) {
                    Ok(message) => call!(io, calls, plain, message),
                    Err(error) => {
                        io.lending_failed(error);
                        break 'batch;
                    }
                }
            }
            match io.batch.pop() {
                Some(Entry::Owned(message)) => call!(io, calls, plain, message),
                Some(other) => io.on_control(other),
                None => break,
            }
        }
        io.calls_made();
        drop(chunk);
        io.batch.release_chunk();
    }
}

impl<C: Connection> Io<C> {
    /// Does all that can be done now.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        self.session.outbound().awake();
        let wake_up = std::mem::replace(&mut self.turn, WakeUp::Heard);
        if wake_up == WakeUp::New {
            self.poll_commands(cx);
        }
        self.poll_read(cx);
        if wake_up == WakeUp::New {
            self.poll_timers(cx);
        }
        self.poll_write(cx);
        let turn = self.poll_phase(cx);
        if turn.is_pending() {
            self.await_messages(cx);
            self.rearm(cx);
            self.turn = WakeUp::New;
        }
        turn
    }

    fn poll_commands(&mut self, cx: &mut Context<'_>) {
        while !matches!(self.phase, Phase::Over(_)) {
            match self.commands.poll_next_unpin(cx) {
                Poll::Ready(Some(command)) => self.on_command(command),
                // Whoever told us what to do is gone.
                Poll::Ready(None) => self.phase = Phase::Over(Ok(())),
                Poll::Pending => break,
            }
        }
    }

    /// Polls a callback, and what else there is to do while it is pending. Ready when the callback is done, or to go.
    fn poll_beside(
        &mut self,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut Context<'_>) -> Poll<()>,
    ) -> Poll<()> {
        self.session.outbound().awake();
        if call(cx).is_ready() {
            return Poll::Ready(());
        }
        self.callback_pending();
        // Over or aborted: the callback is dropped by who polls it. `poll` says so again when it is asked next.
        self.poll(cx).map(drop)
    }

    fn report(&self, event: SessionEvent) {
        // The driver outlives its tasks; if it does not, nobody is left to tell.
        let _ = self.events.unbounded_send((self.session.epoch(), event));
    }

    /// Whether `on_message` may be called now, on this task.
    fn may_call(&self) -> bool {
        self.callback == Inline::Idle
            && self.taker == Taker::OnMessage
            && matches!(self.phase, Phase::Serving | Phase::Draining(Rest::Handle))
    }

    /// Whether messages may be lent from the batch: nothing older waits in the inbox.
    fn may_lend(&self) -> bool {
        self.may_call() && !self.reading.has_queued()
    }

    fn callback_pending(&mut self) {
        if self.callback == Inline::Calling {
            self.callback = Inline::Pending;
            self.queue_batch();
        }
    }

    fn callback_done(&mut self) {
        if self.callback == Inline::Pending {
            self.callback = Inline::Calling;
        }
    }

    fn calls_made(&mut self) {
        if self.callback == Inline::Calling {
            self.callback = Inline::Idle;
        }
    }

    /// The callbacks that were told to go are gone.
    fn callback_gone(&mut self) {
        self.callback = if self.config.workers == 1 { Inline::Idle } else { Inline::Never };
    }
}

/// However the task ends, nobody waits for it in vain: not a sender, not a holder, not one who pinged.
impl<C> Drop for Io<C> {
    fn drop(&mut self) {
        self.session.outbound().close_all(SendErrorKind::SessionEnded);
        // The queue lives as long as anybody has the session, he who waits for it to be written among them.
        self.session.outbound().clear();
        if let Some(outbox) = &self.config.outbox {
            outbox.over(self.session.epoch());
        }
        self.session.inbox().end();
        self.session.end_calls();
        self.pings.fail();
    }
}
