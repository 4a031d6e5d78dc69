//! What this node published where the publisher is told too, and a payload does not say whose it is.
//!
//! Redis gives one subscriber the messages of one publisher in the order in which they were published. So the first
//! payload awaited here that comes back is our own. If another node publishes the same bytes meanwhile, the two are
//! taken for each other, which makes no difference.

use std::collections::{HashMap, VecDeque};

/// The payloads that are to come back, by channel.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    awaited: HashMap<&'static str, VecDeque<Awaited>>,
    next: u64,
}

/// Names one that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    channel: &'static str,
    number: u64,
}

#[derive(Debug)]
struct Awaited {
    number: u64,
    payload: bytes::Bytes,
}

impl Echoes {
    /// Right before it is published.
    pub(crate) fn expect(&mut self, channel: &'static str, payload: bytes::Bytes) -> Ticket {
        let number = self.next;
        self.next += 1;
        self.awaited.entry(channel).or_default().push_back(Awaited { number, payload });
        Ticket { channel, number }
    }

    /// It was not published after all.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        if let Some(awaited) = self.awaited.get_mut(ticket.channel) {
            awaited.retain(|it| it.number != ticket.number);
        }
    }

    /// Whether what came is our own.
    pub(crate) fn is_own(&mut self, channel: &str, payload: &[u8]) -> bool {
        let Some(awaited) = self.awaited.get_mut(channel) else { return false };
        let is_own = awaited.front().is_some_and(|it| it.payload == payload);
        if is_own {
            awaited.pop_front();
        }
        is_own
    }

    /// The connection is another one: nothing comes back any more.
    pub(crate) fn clear(&mut self) {
        self.awaited.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_messages_are_known_by_their_order_and_those_of_others_are_let_through() {
        let mut echoes = Echoes::default();
        for payload in ["a", "b", "b"] {
            echoes.expect("x", payload.into());
        }
        let came = ["b", "a", "a", "b", "c", "b", "b"];
        let own = came.map(|payload| echoes.is_own("x", payload.as_bytes()));
        assert_eq!(own, [false, true, false, true, false, true, false]);
        assert!(!echoes.is_own("y", b"a"));
    }

    #[test]
    fn what_was_not_published_is_not_awaited() {
        let mut echoes = Echoes::default();
        let lost = echoes.expect("x", "a".into());
        echoes.expect("x", "b".into());
        echoes.forget(lost);
        echoes.forget(lost);
        assert!(echoes.is_own("x", b"b"));
        echoes.expect("x", "c".into());
        echoes.clear();
        assert!(!echoes.is_own("x", b"c"));
    }
}
