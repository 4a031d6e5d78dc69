//! The end of a connection: the last words, bounded in time whatever the client does.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::input::Input;
use super::{Io, Over, Patience, poll_write_all};
use crate::hub::{Member, Queue, Turn};
use crate::ws::{Event, Packet};

/// What is left of a connection.
pub(super) struct Ending<S> {
    pub(super) io: S,
    pub(super) input: Input,
    pub(super) writing: Queue,
    pub(super) member: Arc<Member>,
    /// To the client's close frame.
    pub(super) answer: Option<Packet>,
}

/// What follows our close frame.
enum Then {
    /// The closing handshake is complete: the server ends TCP first (RFC 6455 section 7.1.1).
    Hangup,
    /// The client's close frame is to come.
    AwaitClose,
    /// Nothing that comes can be understood any more.
    Discard,
}

/// Ends the connection as is right for why it is over.
pub(super) async fn finish<S: Io>(mut ending: Ending<S>, over: Over, patience: Patience) {
    let (close, then, time) = match over {
        Over::Gone => return,
        Over::PeerClosed(code) => {
            let answer = ending.answer.take().unwrap_or_else(|| Packet::close(code, ""));
            (Some(answer), Then::Hangup, patience.close)
        }
        Over::Violation(violation) => {
            let close = Packet::close(Some(violation.close_code()), &violation.to_string());
            (Some(close), Then::Discard, patience.close)
        }
        Over::Ended(end) | Over::GivenUp(end) => {
            let time = patience.write.map_or(patience.close, |write| write.max(patience.close));
            match end.is_cut() {
                true => (None, Then::Hangup, time),
                false => (Some(Packet::close(Some(end.code), &end.reason)), Then::AwaitClose, time),
            }
        }
    };
    let _ = timeout(time, ending.say(close, then)).await;
}

impl<S: Io> Ending<S> {
    async fn say(&mut self, close: Option<Packet>, then: Then) {
        let Self { io, input, writing, member, .. } = self;
        let written = poll_fn(|cx| poll_write_rest(io, writing, member, cx)).await;
        if let Some(close) = &close {
            writing.push(close);
        }
        if written.is_err() || poll_fn(|cx| poll_write_all(io, writing, cx)).await.is_err() {
            return;
        }
        if matches!(then, Then::AwaitClose) {
            poll_fn(|cx| poll_close(io, input, cx)).await;
        }
        if io.shutdown().await.is_ok() && matches!(then, Then::Discard) {
            // To close a TCP socket with unread input resets it, and the reset could overtake our close frame.
            poll_fn(|cx| poll_discard(io, cx)).await;
        }
    }
}

/// Writes what was accepted before the end.
fn poll_write_rest<S: Io>(
    io: &mut S,
    writing: &mut Queue,
    member: &Member,
    cx: &mut Context<'_>,
) -> Poll<std::io::Result<()>> {
    loop {
        ready!(poll_write_all(io, writing, cx))?;
        if member.end_turn(writing, false, cx.waker()) == Turn::Sleep || writing.is_empty() {
            return Poll::Ready(Ok(()));
        }
    }
}

/// Done when the client has closed, too, or is gone. Its messages have no effect any more.
fn poll_close<S: Io>(io: &mut S, input: &mut Input, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        match input.next() {
            Ok(Some((Event::Close(..), _))) | Err(_) => return Poll::Ready(()),
            Ok(Some(_)) => {}
            Ok(None) => match ready!(input.poll_read(io, cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            },
        }
    }
}

/// Throws away what comes until the client ends its side.
fn poll_discard<S: Io>(io: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    let mut discarded = [0; 4096];
    loop {
        let mut buf = tokio::io::ReadBuf::new(&mut discarded);
        match ready!(Pin::new(&mut *io).poll_read(cx, &mut buf)) {
            Ok(()) if !buf.filled().is_empty() => {}
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
}
