//! What the client's handles, the engine's callbacks and the tasks have in common: the machine behind a lock, and the
//! ways out of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use wscengine::Session;

use crate::event::Event;
use crate::machine::{Action, Answer, Greets, Machine, Ticket};
use crate::message::Message;
use crate::protocol::{Greeting, Protocol};
use crate::subscription::{Bounds, Queue, Subscription};

/// What is to be sent, and on which connection.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) session: Session,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Join(String),
    Leave(String, Option<String>),
    /// All before it is with the session.
    Barrier(oneshot::Sender<()>),
}

pub(crate) struct Shared<P> {
    pub(crate) protocol: P,
    /// For a join, a leave, a greeting.
    pub(crate) timeout: Duration,
    bounds: Bounds,
    orders: mpsc::UnboundedSender<Order>,
    inner: Mutex<Inner>,
}

struct Inner {
    machine: Machine,
    waiting: HashMap<Ticket, oneshot::Sender<Answer>>,
    next_ticket: Ticket,
    handlers: Vec<Subscriber>,
    ended: bool,
    /// The connection there is.
    session: Option<Session>,
}

/// Where a handler's queue is, and what it wants to be told.
enum Subscriber {
    Messages(String, Weak<Queue<Arc<Message>>>),
    Events(Weak<Queue<Event>>),
}

/// Whether a connection may be used for messages after what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    NotYet,
    Ready,
}

impl<P: Protocol> Shared<P> {
    pub(crate) fn new(
        protocol: P,
        timeout: Duration,
        bounds: Bounds,
        orders: mpsc::UnboundedSender<Order>,
    ) -> Self {
        let greets = match protocol.greeting() {
            Greeting::None => Greets::No,
            Greeting::Awaited | Greeting::Asked(_) => Greets::Yes,
        };
        let machine = Machine::new(greets, protocol.acknowledged());
        let (waiting, next_ticket, handlers) = Default::default();
        let inner = Inner { machine, waiting, next_ticket, handlers, ended: false, session: None };
        Self { protocol, timeout, bounds, orders, inner: Mutex::new(inner) }
    }

    /// Tells the machine something, and does what it wants.
    pub(crate) fn apply(&self, change: impl FnOnce(&mut Machine)) -> Readiness {
        let (mut wakers, mut readiness) = (Vec::new(), Readiness::NotYet);
        {
            let mut inner = self.lock();
            change(&mut inner.machine);
            while let Some(action) = inner.machine.poll_action() {
                match action {
                    Action::SendJoin(room) => self.order(&inner, What::Join(room)),
                    Action::SendLeave(room) => {
                        let id = inner.machine.id().map(str::to_owned);
                        self.order(&inner, What::Leave(room, id));
                    }
                    Action::Answer(ticket, answer) => inner.answer(ticket, answer),
                    Action::Tell(event) => inner.tell(&event, &mut wakers),
                    Action::Ready => readiness = Readiness::Ready,
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        readiness
    }

    /// A connection is there.
    pub(crate) fn opening(&self, session: Session) -> Readiness {
        self.lock().session = Some(session);
        self.apply(Machine::opening)
    }

    /// Makes a request, and gives what its answer comes through.
    pub(crate) fn request(
        &self,
        ask: impl FnOnce(&mut Machine, Ticket),
    ) -> (Ticket, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        let ticket = {
            let mut inner = self.lock();
            inner.next_ticket += 1;
            let ticket = inner.next_ticket;
            inner.waiting.insert(ticket, reply);
            ticket
        };
        self.apply(|machine| ask(machine, ticket));
        (ticket, answer)
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn withdraw(&self, ticket: Ticket, change: impl FnOnce(&mut Machine)) {
        self.lock().waiting.remove(&ticket);
        self.apply(change);
    }

    /// Looks at the machine.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(&self.lock().machine)
    }

    /// Everything that was ordered so far has been given to the session once this resolves.
    pub(crate) fn barrier(&self) -> oneshot::Receiver<()> {
        let (done, ordered) = oneshot::channel();
        self.order(&self.lock(), What::Barrier(done));
        ordered
    }

    pub(crate) fn messages(&self, event: String) -> Subscription<Arc<Message>> {
        let queue = Arc::new(Queue::new(self.bounds));
        self.subscribe(&queue, Subscriber::Messages(event, Arc::downgrade(&queue)));
        Subscription::new(queue)
    }

    pub(crate) fn events(&self) -> Subscription<Event> {
        let queue = Arc::new(Queue::new(self.bounds));
        self.subscribe(&queue, Subscriber::Events(Arc::downgrade(&queue)));
        Subscription::new(queue)
    }

    /// Nothing more is told.
    pub(crate) fn end(&self) {
        let handlers = {
            let mut inner = self.lock();
            inner.ended = true;
            std::mem::take(&mut inner.handlers)
        };
        handlers.iter().filter_map(Subscriber::end).for_each(Waker::wake);
    }

    fn subscribe<T>(&self, queue: &Queue<T>, subscriber: Subscriber) {
        let mut inner = self.lock();
        if inner.ended {
            // Nobody reads yet.
            drop(queue.end());
        } else {
            inner.handlers.push(subscriber);
        }
    }

    fn order(&self, inner: &Inner, what: What) {
        if let Some(session) = inner.session.clone() {
            // The other end goes with the runtime: nothing is sent any more then.
            let _ = self.orders.send(Order { session, what });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code of a user's runs under this lock, so the data is whole even if a thread died with it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        if let Some(reply) = self.waiting.remove(&ticket) {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }

    /// Puts the event into the queue of each handler that wants it; forgets those that are gone.
    fn tell(&mut self, event: &Event, wakers: &mut Vec<Waker>) {
        self.handlers.retain(|handler| handler.tell(event, wakers));
    }
}

impl Subscriber {
    fn tell(&self, event: &Event, wakers: &mut Vec<Waker>) -> bool {
        let waker = match self {
            Self::Events(queue) => {
                let Some(queue) = queue.upgrade() else { return false };
                queue.push(event.clone(), event.weight())
            }
            Self::Messages(name, queue) => {
                let Some(queue) = queue.upgrade() else { return false };
                match event {
                    Event::Message(message) if message.event == *name => {
                        queue.push(Arc::clone(message), message.weight())
                    }
                    _ => None,
                }
            }
        };
        wakers.extend(waker);
        true
    }

    fn end(&self) -> Option<Waker> {
        match self {
            Self::Events(queue) => queue.upgrade()?.end(),
            Self::Messages(_, queue) => queue.upgrade()?.end(),
        }
    }
}
