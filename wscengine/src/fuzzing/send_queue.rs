//! The send queue, used by many senders at any times.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::wakes::Sleeper;
use crate::error::{SendError, SendErrorKind};
use crate::message::Message;
use crate::outbound::{Lane, QueueLimits, Queued, Released, SendQueue, Sleep};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    TrySend(Who, u8),
    /// Begins to send; what waits for room is asked again by `Poll`.
    Send(Who, u8),
    Poll(u8),
    GiveUp(u8),
    /// The writer takes what is queued, and sleeps if it can.
    Take,
    /// The writer is awake for another reason, and does not look at the queue yet.
    Awake,
    /// And has written so many of them.
    Written(u8),
    Close,
    CloseAll,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Session,
    Farewell,
}

/// Limits and steps. Messages come out in the order in which they were taken, each once; no room is lost or made; a
/// sender that waits is woken when there is room.
pub fn send_queue(input: &[u8]) {
    // An input that is too short says nothing.
    let _ = run(&mut Unstructured::new(input));
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let limits =
        QueueLimits { messages: input.int_in_range(1..=5)?, bytes: input.int_in_range(1..=300)? };
    let mut plain = Plain::new(limits);
    while !input.is_empty() {
        match input.arbitrary()? {
            Step::TrySend(who, len) => plain.try_send(who, len),
            Step::Send(who, len) => plain.send(who, len),
            Step::Poll(which) => plain.poll(which),
            Step::GiveUp(which) => plain.give_up(which),
            Step::Take => plain.take(),
            Step::Awake => plain.awake(),
            Step::Written(count) => plain.written(count),
            Step::Close => plain.close(Who::Session),
            Step::CloseAll => plain.close(Who::Farewell),
        }
        plain.check();
    }
    plain.finish();
    Ok(())
}

type Sending = Pin<Box<dyn Future<Output = std::result::Result<(), SendError>>>>;

/// A sender that waits for room.
struct Waiting {
    who: Who,
    number: u32,
    sending: Sending,
    sleeper: Sleeper,
}

struct Plain {
    queue: Arc<SendQueue>,
    limits: QueueLimits,
    next: u32,
    waiting: Vec<Waiting>,
    /// The numbers of what was accepted and not taken yet.
    accepted: VecDeque<u32>,
    /// What the writer holds.
    taken: VecDeque<Queued>,
    /// Lane, and how much room each message in the queue or with the writer has.
    held: VecDeque<(Who, usize)>,
    writer: Sleeper,
    closed: [bool; 2],
}

impl Plain {
    fn new(limits: QueueLimits) -> Self {
        Self {
            queue: Arc::new(SendQueue::new(limits)),
            limits,
            next: 0,
            waiting: Vec::new(),
            accepted: VecDeque::new(),
            taken: VecDeque::new(),
            held: VecDeque::new(),
            writer: Sleeper::default(),
            closed: [false; 2],
        }
    }

    fn message(&mut self, len: u8) -> (u32, Message<'static>) {
        self.next += 1;
        let mut payload = self.next.to_be_bytes().to_vec();
        payload.resize(4 + usize::from(len), 0);
        (self.next, payload.into())
    }

    fn room_of(&self, len: usize) -> usize {
        len.min(self.limits.bytes)
    }

    /// Whether a message of this length has room in a lane where nobody waits.
    fn has_room(&self, who: Who, len: usize) -> bool {
        let held = self.held.iter().filter(|(lane, _)| *lane == who);
        let (slots, bytes) = held.fold((0, 0), |(slots, bytes), (_, len)| (slots + 1, bytes + len));
        slots < self.limits.messages && bytes + self.room_of(len) <= self.limits.bytes
    }

    fn accept(&mut self, who: Who, number: u32, len: usize) {
        self.accepted.push_back(number);
        self.held.push_back((who, self.room_of(len)));
        assert!(!self.writer.sleeps(), "the writer is not told");
    }

    fn try_send(&mut self, who: Who, len: u8) {
        let (number, message) = self.message(len);
        let len = message.len();
        // Whoever came first and waits has a claim on what room there is.
        let contended = self.waiting.iter().any(|waiting| waiting.who == who);
        match self.queue.try_send(lane(who), message) {
            Ok(()) => {
                assert!(!self.closed[who as usize] && self.has_room(who, len));
                self.accept(who, number, len);
            }
            Err(error) => {
                match error.kind() {
                    SendErrorKind::Full => {
                        assert!(!self.closed[who as usize]);
                        assert!(contended || !self.has_room(who, len), "it was not full");
                    }
                    SendErrorKind::SessionEnded => assert!(self.closed[who as usize]),
                    other => panic!("{other:?}"),
                }
                assert_eq!(error.into_message().map(|message| number_of(&message)), Some(number));
            }
        }
    }

    fn send(&mut self, who: Who, len: u8) {
        let (number, message) = self.message(len);
        let queue = Arc::clone(&self.queue);
        let sending = Box::pin(async move { queue.send(lane(who), message, None).await });
        self.waiting.push(Waiting { who, number, sending, sleeper: Sleeper::default() });
        self.poll_at(self.waiting.len() - 1);
    }

    fn poll(&mut self, which: u8) {
        if !self.waiting.is_empty() {
            self.poll_at(usize::from(which) % self.waiting.len());
        }
    }

    fn poll_at(&mut self, at: usize) {
        let waiting = &mut self.waiting[at];
        let sending = waiting.sending.as_mut();
        let polled = waiting.sleeper.poll(|cx| sending.poll(cx), Poll::is_pending);
        let (who, number) = (waiting.who, waiting.number);
        match polled {
            Poll::Pending => return,
            Poll::Ready(Ok(())) => {
                assert!(!self.closed[who as usize], "taken after the end");
                self.accepted_late(who, number);
            }
            Poll::Ready(Err(error)) => {
                assert!(self.closed[who as usize]);
                assert_eq!(error.into_message().map(|message| number_of(&message)), Some(number));
            }
        }
        self.waiting.remove(at);
    }

    /// How long the message was is seen when it is taken: until then its room is counted as none.
    fn accepted_late(&mut self, who: Who, number: u32) {
        self.accept(who, number, 0);
        self.take();
    }

    fn give_up(&mut self, which: u8) {
        if !self.waiting.is_empty() {
            self.waiting.remove(usize::from(which) % self.waiting.len());
        }
    }

    fn awake(&mut self) {
        self.queue.awake();
        self.writer = Sleeper::default();
    }

    fn take(&mut self) {
        let mut into = VecDeque::new();
        self.queue.take(&mut into);
        let queue = &self.queue;
        let slept = self.writer.poll(|cx| queue.sleep(cx), |slept| *slept == Sleep::Sound);
        assert_eq!(slept, Sleep::Sound, "all is taken");
        let numbers: VecDeque<_> = into.iter().map(|queued| number_of(&queued.message)).collect();
        assert_eq!(numbers, self.accepted, "lost, doubled or reordered");
        self.accepted.clear();
        let first = self.taken.len();
        self.taken.append(&mut into);
        for (held, queued) in self.held.iter_mut().zip(&self.taken).skip(first) {
            held.1 = queued.message.len().min(self.limits.bytes);
        }
    }

    fn written(&mut self, count: u8) {
        let count = usize::from(count).min(self.taken.len());
        let mut released = Released::new(self.limits);
        self.taken.drain(..count).for_each(|queued| released.add(&queued));
        self.held.drain(..count);
        self.queue.release(released);
    }

    fn close(&mut self, upto: Who) {
        self.closed[0] = true;
        match upto {
            Who::Session => self.queue.close(SendErrorKind::SessionEnded),
            Who::Farewell => {
                self.closed[1] = true;
                self.queue.close_all(SendErrorKind::SessionEnded);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.queue.is_empty(), self.accepted.is_empty());
        for who in [Who::Session, Who::Farewell] {
            let held = self.held.iter().filter(|(lane, _)| *lane == who);
            let (slots, bytes) =
                held.fold((0, 0), |(slots, bytes), held| (slots + 1, bytes + held.1));
            assert!(
                slots <= self.limits.messages && bytes <= self.limits.bytes,
                "beyond its bounds"
            );
            let of_lane = || self.waiting.iter().filter(|waiting| waiting.who == who);
            let all_sleep = of_lane().next().is_some() && of_lane().all(|one| one.sleeper.sleeps());
            assert!(!all_sleep || slots > 0, "everybody waits for an empty queue");
            assert!(!all_sleep || !self.closed[who as usize], "a sender is not told of the end");
        }
    }

    /// When all is written, everybody who waits gets his turn.
    fn finish(mut self) {
        while !self.waiting.is_empty() {
            let before = self.waiting.len();
            self.take();
            self.written(u8::MAX);
            for _ in 0..2 * before {
                match self.waiting.iter().position(|one| !one.sleeper.sleeps()) {
                    Some(awake) => self.poll_at(awake),
                    None => break,
                }
            }
            assert!(self.waiting.len() < before, "a sender waits for ever");
        }
    }
}

fn lane(who: Who) -> Lane {
    match who {
        Who::Session => Lane::Session,
        Who::Farewell => Lane::Farewell,
    }
}

fn number_of(message: &Message<'_>) -> u32 {
    let number = message.payload().first_chunk().expect("a number");
    u32::from_be_bytes(*number)
}
