//! Workers and holders take what is theirs.

use std::task::Poll;

use super::super::wakes::Sleeper;
use super::{Kind, Plain};
use crate::error::{RecvError, Revoked};
use crate::inbox::{Order, Run, Taker};
use crate::lifecycle::HoldId;
use crate::message::Message;

/// Whether there was a message to claim.
#[derive(Clone, Copy, Debug)]
enum Claim {
    Got,
    Nothing,
}

impl Plain {
    pub(super) fn work(&mut self, at: usize) {
        if let Some(run) = self.workers[at].busy.take() {
            // It asks for more when it gets its next turn.
            self.workers[at].sleeper = Sleeper::default();
            match self.claim(&run) {
                Claim::Got => self.workers[at].busy = Some(run),
                Claim::Nothing => drop(self.inbox.leave(&run)),
            }
            return;
        }
        let expected = self.takeable(self.order);
        let inbox = &self.inbox;
        let polled = self.workers[at].sleeper.poll(|cx| inbox.poll_work(cx), Poll::is_pending);
        match (polled, expected) {
            (Poll::Pending, None) => assert!(!self.ended, "a worker stays"),
            (Poll::Ready(None), _) => assert!(self.ended, "a worker goes"),
            (Poll::Ready(Some(work)), Some(_)) => {
                let taken = self.workers.iter().filter_map(|worker| worker.busy.as_ref()?.key);
                assert!(!taken.into_iter().any(|key| Some(key) == work.run.key), "two of one key");
                self.workers[at].busy = Some(work.run);
            }
            (polled, expected) => panic!("{polled:?} in place of {expected:?}"),
        }
    }

    /// A worker claims the next message of its run: the first of all, or the first of its key.
    fn claim(&mut self, run: &Run) -> Claim {
        let expected = self.first(|key| run.key.is_none_or(|own| own == key));
        let Some(claimed) = run.claim() else { return Claim::Nothing };
        let message = claimed.message.into_owned();
        if claimed.makes_room {
            self.inbox.made_room();
        }
        self.took(&message, expected.expect("a message where there is none"));
        Claim::Got
    }

    /// Without workers, the reading task handles the messages itself.
    pub(super) fn work_inline(&mut self) {
        let expected = self.takeable(Order::Free);
        let run = self.inbox.join_inline();
        assert_eq!(run.is_some(), expected.is_some());
        if let Some(run) = run {
            // It may be stopped in the middle, so not all are claimed at once.
            for _ in 0..3 {
                self.claim(&run);
            }
            self.inbox.leave(&run);
        }
    }

    fn took(&mut self, message: &Message<'_>, expected: usize) {
        let Some(Kind::Message { number, len, .. }) = self.queue.remove(expected) else {
            panic!("a message where there is none");
        };
        let payload = message.payload();
        assert_eq!((payload.first_chunk(), payload.len()), (Some(&number.to_be_bytes()), len));
    }

    /// Why this hold does not count, if so.
    fn refusal(&self, hold: HoldId) -> Option<Revoked> {
        match self.revoked {
            _ if self.taker == Taker::Holder(hold) => None,
            Some((revoked, reason)) if revoked == hold => Some(reason),
            _ => Some(Revoked::ConnectionEnded),
        }
    }

    pub(super) fn recv(&mut self, hold: HoldId) {
        assert_eq!(self.inbox.check(hold).err(), self.refusal(hold));
        let (refusal, inbox) = (self.refusal(hold), &self.inbox);
        let polled = self.holder.poll(|cx| inbox.poll_recv(hold, cx), Poll::is_pending);
        self.holding = hold;
        match (refusal, polled) {
            (Some(reason), Poll::Ready(Err(error))) => assert_eq!(revoked(&error), Some(reason)),
            (None, polled) => self.received(0, polled),
            (refusal, polled) => panic!("{polled:?} in place of {refusal:?}"),
        }
    }

    pub(super) fn recv_matching(&mut self, wanted: u8) {
        let Taker::Holder(hold) = self.taker else { return };
        let is_wanted = |number: u32| number % 4 == u32::from(wanted % 4);
        let expected = self.queue.iter().enumerate().skip(self.seen).find(|(_, kind)| match kind {
            Kind::Message { number, .. } => is_wanted(*number),
            Kind::Error => true,
        });
        let at = expected.map_or(self.queue.len(), |(at, _)| at);
        let mut matches = |message: &Message<'static>| {
            is_wanted(message.payload().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)))
        };
        let (inbox, mut seen) = (&self.inbox, self.seen);
        let polled = self.holder.poll(
            |cx| inbox.poll_recv_matching(hold, &mut seen, &mut matches, cx),
            Poll::is_pending,
        );
        self.holding = hold;
        // One that found nothing goes on where it stopped.
        self.seen = if polled.is_pending() { seen } else { 0 };
        match &polled {
            Poll::Ready(Err(RecvError::ReadAheadFull)) => {
                assert!(at == self.queue.len() && self.has_more && !self.has_room());
            }
            Poll::Pending => assert!(self.has_room()),
            Poll::Ready(_) => {}
        }
        if !matches!(polled, Poll::Ready(Err(RecvError::ReadAheadFull))) {
            self.received(at, polled);
        }
    }

    /// A holder has received, or not, what stands at this place.
    fn received(&mut self, at: usize, polled: Poll<Result<Message<'static>, RecvError>>) {
        match (polled, self.queue.get(at)) {
            (Poll::Ready(Ok(message)), Some(Kind::Message { .. })) => self.took(&message, at),
            (Poll::Ready(Err(RecvError::Read(_))), Some(Kind::Error)) => {
                self.queue.remove(at);
            }
            (Poll::Ready(Err(error)), None) => {
                assert!(!self.has_more && revoked(&error) == Some(Revoked::ConnectionEnded));
                self.seen = 0;
            }
            (Poll::Pending, None) => assert!(self.has_more),
            (polled, expected) => panic!("{polled:?} in place of {expected:?}"),
        }
    }
}

fn revoked(error: &RecvError) -> Option<Revoked> {
    match error {
        RecvError::Revoked(reason) => Some(*reason),
        _ => None,
    }
}
