//! One connection: a task that reads, has its messages handled, and writes what waits.

mod finish;
mod input;
mod pool;
mod tcp;
#[cfg(test)]
mod tests;
mod timers;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio::time::{Sleep, timeout};
use tracing::{Instrument as _, Span};

use crate::dialect::{Dialect, Incoming, Link, Work};
use crate::guard::Rate;
use crate::hub::{End, Queue, Turn};
use crate::ws::{Event, Packet, Violation, close_code};

use input::Input;
pub(crate) use tcp::Tcp;
use timers::{Due, Timers};

/// How many messages, pings and pongs are handled before other connections have their turn.
const EVENTS_PER_TURN: usize = 64;

/// How much is read ahead while a handler is at work, in bytes.
const MAX_AHEAD: usize = 16 << 10;

/// What a connection has of its turn.
struct Share {
    /// Events that may still be handled.
    left: usize,
    /// Messages that were.
    messages: u64,
}

/// A byte stream.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for S {}

/// What the connection's task bears from the client, whatever the protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// A socket that takes nothing although something waits. `None`: for as long as it likes.
    pub(crate) write: Option<Duration>,
    /// The closing handshake.
    pub(crate) close: Duration,
    /// How many messages a client may send.
    pub(crate) messages_per_second: Option<u32>,
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Over {
    /// The client closed, with this code.
    PeerClosed(Option<u16>),
    /// The client broke RFC 6455.
    Violation(Violation),
    /// The server ends it.
    Ended(End),
    /// The server gives it up: it shows no sign of life, or takes nothing.
    GivenUp(End),
    /// The stream has ended or failed.
    Gone,
}

/// A connection while messages flow.
struct Task<D: Dialect, S> {
    io: S,
    dialect: Arc<D>,
    conn: D::Conn,
    link: Link,
    input: Input,
    writing: Queue,
    /// The socket takes no more for now.
    blocked: bool,
    /// What the last message has left to do.
    work: Option<InHand>,
    patience: Patience,
    /// See [`Dialect::backlog`].
    backlog: Option<usize>,
    rate: Option<Rate>,
    timers: Timers,
    /// To the client's close frame.
    answer: Option<Packet>,
    /// Entered where something of interest happens, and not for each turn, which would cost more than the turn.
    span: Span,
}

/// What a message has left to do, in the span that it is handled in.
struct InHand {
    span: Span,
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Takes the connection out of the hub, also when a handler panics.
struct Listed(Link);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.hub.disconnect(&self.0.member);
    }
}

/// Serves a connection from behind its upgrade to its end.
pub(crate) async fn serve<D: Dialect, S: Io>(
    io: S,
    leftover: Bytes,
    dialect: Arc<D>,
    link: Link,
    guest: D::Guest,
    mut patience: Patience,
    span: Span,
) {
    let listed = Listed(link.clone());
    let conn = dialect.conn(link.clone(), guest);
    let pace = dialect.pace();
    let backlog = dialect.backlog();
    if backlog.is_some() {
        // Who is not read from while he does not read is not given up for it.
        link.member.set_unlimited();
        patience.write = None;
    }
    let mut task = Task {
        io,
        dialect,
        conn,
        link,
        input: Input::new(pace.max_message, &leftover),
        writing: Queue::default(),
        blocked: false,
        work: None,
        patience,
        backlog,
        rate: patience.messages_per_second.map(Rate::new),
        timers: Timers::new(pace, patience),
        answer: None,
        span,
    };
    // It is a share of hyper's buffer.
    drop(leftover);
    if task.dialect.inflates(&task.conn) {
        task.input.set_inflates();
    }
    task.work = task.span.in_scope(|| task.dialect.opened(&task.conn)).in_hand(&task.span);
    let over = task.run().await;
    task.say_goodbye(&over).await;
    drop(listed);
    let Task { io, input, writing, link, answer, .. } = task;
    let ending = finish::Ending { io, input, writing, member: link.member, answer };
    finish::finish(ending, over, patience).await;
}

impl Work {
    fn in_hand(self, span: &Span) -> Option<InHand> {
        match self {
            Self::Done => None,
            Self::Later(work) => Some(InHand { span: span.clone(), work }),
        }
    }
}

impl<D: Dialect, S: Io> Task<D, S> {
    async fn run(&mut self) -> Over {
        let mut sleep = pin!(self.timers.sleep());
        std::future::poll_fn(|cx| self.poll_turn(sleep.as_mut(), cx)).await
    }

    /// What the protocol does at the end; a handler that is still at work is let finish first. Neither keeps the
    /// connection for long.
    async fn say_goodbye(&mut self, over: &Over) {
        let close = self.patience.close;
        if let Some(InHand { span, work }) = self.work.take()
            && timeout(close, work.instrument(span)).await.is_err()
        {
            self.warn_of_outliving();
        }
        if let Work::Later(work) = self.span.in_scope(|| self.dialect.closed(&self.conn, over)) {
            let _ = timeout(close, work.instrument(self.span.clone())).await;
        }
    }

    fn warn_of_outliving(&self) {
        tracing::warn!(parent: &self.span, "a handler outlives its connection, and is dropped");
    }

    /// All that can be done without waiting, in the order that joins the most into one write.
    fn poll_turn(&mut self, sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Over> {
        self.link.member.begin_turn();
        match self.exchange(cx).and_then(|()| self.time(sleep, cx)) {
            Ok(()) => Poll::Pending,
            Err(over) => Poll::Ready(over),
        }
    }

    /// Reads, then writes; reads on if it stopped only for what is written by now.
    fn exchange(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            self.read(cx)?;
            let was_held = self.is_held();
            self.write(cx)?;
            if !was_held || self.is_held() {
                return Ok(());
            }
        }
    }

    /// Whether the client has to take something before more of it is read.
    fn is_held(&self) -> bool {
        self.blocked || has_backlog(self.backlog, &self.writing, &self.link)
    }

    /// Handles what is there, then what a read brings, up to the turn's share.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        let mut share = Share { left: EVENTS_PER_TURN, messages: 0 };
        let read = self.read_up_to(&mut share, cx);
        if share.messages > 0 {
            self.link.member.meters().messages_in.inc_by(share.messages);
        }
        read
    }

    fn read_up_to(&mut self, share: &mut Share, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            if !self.work_is_done(cx) {
                self.watch(cx);
                return Ok(());
            }
            if self.is_held() {
                return Ok(());
            }
            if !self.handle(share)? && share.left > 0 {
                match self.poll_read(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(false) => return Err(Over::Gone),
                    Poll::Ready(true) => {}
                }
            }
            if share.left == 0 {
                // The others first.
                cx.waker().wake_by_ref();
                return Ok(());
            }
        }
    }

    /// Reads once. False at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let read = self.input.poll_read(&mut self.io, cx);
        Poll::Ready(match ready!(read) {
            Err(_) | Ok(0) => false,
            Ok(count) => {
                self.link.member.meters().bytes_in.inc_by(count as u64);
                self.timers.heard();
                true
            }
        })
    }

    /// Reads a little ahead while a handler is at work: only so is it noticed that the client is there (its pongs),
    /// or that it is gone. What it has said before is still handled.
    fn watch(&mut self, cx: &mut Context<'_>) {
        while !self.blocked && self.input.waiting() < MAX_AHEAD {
            match self.poll_read(cx) {
                Poll::Pending => return,
                Poll::Ready(true) => {}
                Poll::Ready(false) => return self.timers.gone(self.patience.close),
            }
        }
    }

    /// Drives what the last message has left to do.
    fn work_is_done(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(InHand { span, work }) = &mut self.work else { return true };
        let is_done = span.in_scope(|| work.as_mut().poll(cx).is_ready());
        if is_done {
            self.work = None;
            self.timers.worked();
        }
        is_done
    }

    /// Handles the messages at hand, until one leaves something to do or the share is used up. Whether it
    /// stopped before the last one.
    fn handle(&mut self, share: &mut Share) -> Result<bool, Over> {
        let Self { input, dialect, conn, link, work, rate, span, backlog, writing, .. } = self;
        while share.left > 0 && !has_backlog(*backlog, writing, link) {
            match input.next() {
                Err(violation) => return Err(Over::Violation(violation)),
                Ok(None) => {
                    input.rest();
                    return Ok(false);
                }
                Ok(Some((Event::Close(code, reason), _))) => {
                    self.answer = Some(Packet::close(code, reason));
                    return Err(Over::PeerClosed(code));
                }
                Ok(Some((Event::Ping(payload), _))) => {
                    share.left -= 1;
                    link.member.push(&Packet::pong(payload));
                }
                Ok(Some((Event::Pong(_), _))) => {
                    share.left -= 1;
                    dialect.ponged(conn);
                }
                Ok(Some((Event::Message(kind, payload), followed))) => {
                    if rate.as_mut().is_some_and(|rate| !rate.take()) {
                        return Err(Over::Ended(End::new(close_code::POLICY, "too many messages")));
                    }
                    share.left -= 1;
                    share.messages += 1;
                    let bytes = payload.len();
                    let own = tracing::debug_span!(parent: &*span, "rooms.message", bytes);
                    // Where nobody wants a span for each message, handlers are in that of the connection.
                    let scope = if own.is_disabled() { &*span } else { &own };
                    let message = Incoming { kind, payload, followed };
                    let _entered = own.enter();
                    *work = dialect.received(conn, message).in_hand(scope);
                    if work.is_some() {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Writes all that waits.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            let waiting = self.writing.bytes();
            match poll_write_all(&mut self.io, &mut self.writing, cx) {
                Poll::Ready(Err(_)) => return Err(Over::Gone),
                Poll::Ready(Ok(())) => self.blocked = false,
                Poll::Pending => self.blocked = true,
            }
            if self.writing.bytes() < waiting {
                self.timers.took();
            }
            match self.link.member.end_turn(&mut self.writing, self.blocked, cx.waker()) {
                Turn::Write(messages) => {
                    let meters = self.link.member.meters();
                    meters.messages_out.inc_by(messages as u64);
                    meters.bytes_out.inc_by(self.writing.bytes() as u64);
                }
                Turn::Sleep => return Ok(()),
                Turn::Close(end) => return Err(Over::Ended(end)),
            }
        }
    }

    fn time(&mut self, mut sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            match self.timers.poll(self.blocked, sleep.as_mut(), cx) {
                None => return Ok(()),
                Some(Due::Ping) => {
                    self.dialect.pinging(&self.conn);
                    self.link.member.push(&Packet::ping());
                    self.write(cx)?;
                }
                Some(Due::Silent) => return Err(gives_up("no sign of life")),
                Some(Due::Gone) => {
                    self.work = None;
                    self.warn_of_outliving();
                    return Err(Over::Gone);
                }
                Some(Due::Stalled) => {
                    self.link.member.meters().slow.inc();
                    return Err(gives_up("too slow"));
                }
            }
        }
    }
}

fn has_backlog(backlog: Option<usize>, writing: &Queue, link: &Link) -> bool {
    backlog.is_some_and(|most| writing.bytes() + link.member.waiting() >= most)
}

/// The client may try again later.
fn gives_up(reason: &'static str) -> Over {
    Over::GivenUp(End::new(close_code::TRY_AGAIN, reason))
}

/// Writes until nothing is left. Pending: the socket takes no more, and not that the task has used up its share of
/// tokio's time, for which a client is not to blame.
fn poll_write_all<S: Io>(
    io: &mut S,
    queue: &mut Queue,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if queue.is_empty() {
        return Poll::Ready(Ok(()));
    }
    let write = std::future::poll_fn(|cx| poll_write_queue(Pin::new(&mut *io), queue, cx));
    pin!(unconstrained(write)).poll(cx)
}

fn poll_write_queue<S: Io>(
    mut io: Pin<&mut S>,
    queue: &mut Queue,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !queue.is_empty() {
        let written = pool::with_scratch(|scratch| io.as_mut().poll_write(cx, queue.next(scratch)));
        match ready!(written)? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => queue.advance(count),
        }
    }
    io.poll_flush(cx)
}
