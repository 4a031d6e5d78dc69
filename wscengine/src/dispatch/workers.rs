//! Worker tasks: up to N callbacks at once.

use std::future::poll_fn;
use std::sync::Arc;

use super::Calls;
use crate::handler::Handler;
use crate::inbox::{Inbox, Woken};

/// Handles messages until the session is over.
pub(crate) async fn worker<H: Handler>(calls: Arc<Calls<H>>, number: usize) {
    let inbox = calls.session().inbox();
    while let Some(work) = poll_fn(|cx| inbox.poll_work(cx)).await {
        let _busy = Busy::new(inbox, work.key);
        if work.woken == Woken::Reader {
            // The scheduler keeps the task that was woken last for this thread, where no other can take it: it goes
            // first, or a callback that blocks the thread would hold the connection up.
            tokio::task::yield_now().await;
        }
        calls.call(work.message, number).await;
    }
}

/// Says that a message from the inbox is handled, also when its call is dropped in the middle.
pub(crate) struct Busy<'a> {
    inbox: &'a Inbox,
    key: u64,
}

impl<'a> Busy<'a> {
    pub(crate) fn new(inbox: &'a Inbox, key: u64) -> Self {
        Self { inbox, key }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.inbox.rest(self.key);
    }
}
