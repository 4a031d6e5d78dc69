//! Worker tasks: up to N callbacks at once.

use std::future::poll_fn;
use std::sync::Arc;

use super::Calls;
use crate::handler::Handler;
use crate::inbox::Inbox;

/// Handles messages until the session is over.
pub(crate) async fn worker<H: Handler>(calls: Arc<Calls<H>>, number: usize) {
    let inbox = calls.session().inbox();
    while let Some((message, key)) = poll_fn(|cx| inbox.poll_work(cx)).await {
        let _busy = Busy::new(inbox, key);
        calls.call(message, number).await;
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
