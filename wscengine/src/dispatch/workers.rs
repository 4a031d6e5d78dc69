//! Worker tasks: up to N callbacks at once.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tracing::Span;

use super::{Calls, caught};
use crate::handler::Handler;
use crate::inbox::{Claimed, Inbox, Run, Woken};
use crate::message::Message;

/// Handles messages until the session is over.
pub(crate) async fn worker<H: Handler>(calls: Arc<Calls<H>>, number: usize) {
    let inbox = calls.session().inbox();
    while let Some(work) = poll_fn(|cx| inbox.poll_work(cx)).await {
        let mut at_work = AtWork::new(inbox, work.run);
        give_way(work.woken).await;
        // It goes on behind the message whose call panicked.
        while caught(pin!(at_work.handle_all(&calls, number))).await.is_err() {
            calls.panicked(&Span::none());
        }
        give_way(at_work.leave()).await;
        // Where callbacks do not wait and messages do not end, others get their turn.
        tokio::task::consume_budget().await;
    }
}

/// The scheduler keeps the task that was woken last for this thread, where no other can take it: it goes first, or a
/// callback that blocks the thread would hold the connection up.
async fn give_way(woken: Woken) {
    if woken == Woken::Reader {
        tokio::task::yield_now().await;
    }
}

/// Somebody is at work on messages from the inbox. It says so when he is not any more, also where he is dropped in the
/// middle.
pub(crate) struct AtWork<'a> {
    inbox: &'a Inbox,
    run: Option<Arc<Run>>,
}

impl<'a> AtWork<'a> {
    pub(crate) fn new(inbox: &'a Inbox, run: Arc<Run>) -> Self {
        Self { inbox, run: Some(run) }
    }

    /// The next message, if there is one that nobody else has claimed or taken back.
    #[inline]
    pub(crate) fn claim(&self) -> Option<(Message<'_>, Woken)> {
        let Claimed { message, makes_room } = self.run.as_ref()?.claim()?;
        let woken = if makes_room { self.inbox.made_room() } else { Woken::Nobody };
        Some((message, woken))
    }

    pub(crate) fn leave(&mut self) -> Woken {
        self.run.take().map_or(Woken::Nobody, |run| self.inbox.leave(&run))
    }

    async fn handle_all<H: Handler>(&self, calls: &Calls<H>, number: usize) {
        let plain = calls.are_plain();
        while let Some((message, woken)) = self.claim() {
            give_way(woken).await;
            if !plain {
                calls.observed(message, number).await;
                continue;
            }
            let mut call = pin!(calls.plain(message));
            if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await.is_pending() {
                calls.wait(call).await;
            }
        }
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
