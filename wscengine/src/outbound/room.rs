//! Room in a queue, counted under the queue's lock: who finds none waits in line.

use std::collections::VecDeque;
use std::task::Waker;

/// Bounds of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    /// One message always fits, however long it is.
    pub(crate) bytes: usize,
}

impl QueueLimits {
    /// How much of the bytes' room a message of this length takes: all of it if it is longer.
    pub(crate) fn share(self, len: usize) -> usize {
        len.min(self.bytes)
    }
}

/// What is taken of a room, and who waits for some: first come, first served.
#[derive(Debug)]
pub(crate) struct Room {
    limits: QueueLimits,
    messages: usize,
    bytes: usize,
    line: VecDeque<Waiter>,
    /// Who was given room and has not come for it yet, in order.
    served: VecDeque<Ticket>,
    next: Ticket,
}

/// A place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// What has become of one who joined the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Waiting,
    /// He holds room from now on, and is no longer in the line.
    Served,
    /// All who waited were sent away.
    Dismissed,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    bytes: usize,
    waker: Waker,
}

impl Room {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let (line, served) = (VecDeque::new(), VecDeque::new());
        Self { limits, messages: 0, bytes: 0, line, served, next: Ticket(0) }
    }

    pub(crate) fn limits(&self) -> QueueLimits {
        self.limits
    }

    /// Takes room for a message, if there is some and nobody waits for it.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let takes = self.line.is_empty() && self.has(bytes);
        if takes {
            self.hold(bytes);
        }
        takes
    }

    pub(crate) fn join(&mut self, bytes: usize, waker: &Waker) -> Ticket {
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        self.line.push_back(Waiter { ticket, bytes, waker: waker.clone() });
        ticket
    }

    /// Asks for what has become of a ticket. It counts no more unless it is still waiting.
    pub(crate) fn turn(&mut self, ticket: Ticket, waker: &Waker) -> Turn {
        if let Some(place) = self.place(ticket) {
            self.line[place].waker.clone_from(waker);
            return Turn::Waiting;
        }
        if self.collect(ticket) { Turn::Served } else { Turn::Dismissed }
    }

    /// One who joined the line goes. The room that he was given, or stood in front of, is for those behind him: gives
    /// who is to be woken.
    #[must_use]
    pub(crate) fn leave(&mut self, ticket: Ticket, bytes: usize) -> Vec<Waker> {
        if let Some(place) = self.place(ticket) {
            let gone = self.line.remove(place);
            let mut wakers = self.serve();
            // So that it is dropped where no lock is held. To be woken does him no harm.
            wakers.extend(gone.map(|waiter| waiter.waker));
            return wakers;
        }
        if self.collect(ticket) { self.give(1, bytes) } else { Vec::new() }
    }

    /// Takes room back, and hands it on: gives who is to be woken.
    #[must_use]
    pub(crate) fn give(&mut self, messages: usize, bytes: usize) -> Vec<Waker> {
        self.messages -= messages;
        self.bytes -= bytes;
        self.serve()
    }

    /// Sends away all who wait: gives them to be woken. Those who were served keep what they have.
    #[must_use]
    pub(crate) fn dismiss(&mut self) -> Vec<Waker> {
        self.line.drain(..).map(|waiter| waiter.waker).collect()
    }

    fn serve(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(first) = self.line.front()
            && self.has(first.bytes)
            && let Some(first) = self.line.pop_front()
        {
            self.hold(first.bytes);
            self.served.push_back(first.ticket);
            wakers.push(first.waker);
        }
        wakers
    }

    /// Whether this one was served; it is not asked again.
    fn collect(&mut self, ticket: Ticket) -> bool {
        let place = self.served.binary_search(&ticket);
        place.is_ok_and(|place| self.served.remove(place).is_some())
    }

    fn has(&self, bytes: usize) -> bool {
        self.messages < self.limits.messages && self.bytes + bytes <= self.limits.bytes
    }

    fn hold(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.line.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn room(messages: usize, bytes: usize) -> Room {
        Room::new(QueueLimits { messages, bytes })
    }

    fn wake(wakers: Vec<Waker>) -> usize {
        let woken = wakers.len();
        wakers.into_iter().for_each(Waker::wake);
        woken
    }

    #[test]
    fn room_given_back_goes_to_as_many_as_it_fits_in_the_order_they_came() {
        let (mut room, waker) = (room(10, 10), Waker::noop());
        assert!(room.take(10));
        let tickets = [6, 3, 4, 1].map(|bytes| room.join(bytes, waker));
        assert_eq!(wake(room.give(1, 10)), 2);
        let turns = tickets.map(|ticket| room.turn(ticket, waker));
        // The last would fit, but not before the one in front of it.
        assert_eq!(turns, [Turn::Served, Turn::Served, Turn::Waiting, Turn::Waiting]);
    }

    #[test]
    fn who_comes_while_others_wait_gets_nothing_though_it_would_fit() {
        let mut room = room(2, 10);
        assert!(room.take(5));
        room.join(6, Waker::noop());
        assert!(!room.take(1));
    }

    #[test]
    fn who_gives_up_his_place_lets_those_behind_him_through() {
        let (mut room, woken) = (room(10, 10), Arc::new(Woken::default()));
        assert!(room.take(5));
        let large = room.join(6, Waker::noop());
        let small = room.join(5, &Waker::from(Arc::clone(&woken)));
        wake(room.leave(large, 6));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(room.turn(small, Waker::noop()), Turn::Served);
    }

    #[test]
    fn who_was_served_and_goes_hands_his_room_on() {
        let (mut room, waker) = (room(1, 10), Waker::noop());
        assert!(room.take(1));
        let (first, second) = (room.join(1, waker), room.join(1, waker));
        assert_eq!(wake(room.give(1, 1)), 1);
        assert_eq!(wake(room.leave(first, 1)), 1);
        assert_eq!(room.turn(second, waker), Turn::Served);
        assert_eq!(wake(room.give(1, 1)), 0);
        assert!(room.take(10));
    }

    #[test]
    fn who_is_dismissed_holds_nothing_and_who_was_served_before_keeps_it() {
        let (mut room, waker) = (room(1, 10), Waker::noop());
        assert!(room.take(1));
        let (served, dismissed) = (room.join(1, waker), room.join(1, waker));
        assert_eq!(wake(room.give(1, 1)), 1);
        assert_eq!(wake(room.dismiss()), 1);
        assert_eq!(room.turn(dismissed, waker), Turn::Dismissed);
        assert_eq!(wake(room.leave(dismissed, 1)), 0);
        assert_eq!(room.turn(served, waker), Turn::Served);
        assert!(!room.take(1), "the room of the one that was served is taken");
    }
}
