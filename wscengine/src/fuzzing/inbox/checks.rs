//! What holds after every step.

use super::{Kind, Plain};
use crate::inbox::{Taker, Watch};
use crate::outbound::QueueLimits;

impl Plain {
    pub(super) fn check(&self) {
        let messages = self.queue.iter().filter(|kind| **kind != Kind::Error).count();
        assert_eq!(
            (self.inbox.waiting(), self.inbox.is_empty()),
            (messages, self.queue.is_empty())
        );
        self.check_workers();
        self.check_holder();
        self.check_reader();
    }

    fn check_workers(&self) {
        if self.takeable(self.order).is_some() || self.ended {
            let idle = || self.workers.iter().filter(|worker| worker.busy.is_none());
            let sleeping = idle().filter(|worker| worker.sleeper.sleeps()).count();
            if self.ended {
                assert_eq!(sleeping, 0, "a worker is not told of the end");
            }
            assert!(sleeping == 0 || sleeping < self.workers.len(), "all sleep, and there is work");
        }
    }

    fn check_holder(&self) {
        if !self.holder.sleeps() {
            return;
        }
        assert_eq!(self.taker, Taker::Holder(self.holding), "a holder is not told of its end");
        assert!(self.has_more, "a holder waits for nothing");
        assert!(self.queue.len() <= self.seen, "a holder sleeps beside a message");
    }

    fn check_reader(&self) {
        if !self.reader.sleeps() {
            return;
        }
        let half = QueueLimits { messages: self.limits.messages / 2, bytes: self.limits.bytes / 2 };
        let below = self.queue.len() <= half.messages && self.bytes() <= half.bytes;
        match self.watch {
            Watch::Rest => assert!(self.running() > 0, "all rest, and the reader sleeps"),
            Watch::Room => {
                let room = below || self.queue.is_empty();
                assert!(!(self.was_full && room), "there is room, and the reader sleeps");
                let error = self.error_is_next() && !self.had_error;
                assert!(!error, "an error is next, and the reader sleeps");
            }
        }
    }
}
