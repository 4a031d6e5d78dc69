//! The calls of one session that wait for their replies.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::CallErrorKind;
use crate::message::Message;

/// What the connection's task knows of a session's calls.
pub(crate) trait Replies: Any + Send + Sync {
    /// Whether any call waits.
    fn is_waiting(&self) -> bool;

    /// Gives a message to the call that waits for it; false if none does.
    fn take(&self, message: &Message<'_>) -> bool;

    /// No reply comes any more: every call fails, those to come too.
    fn end(&self);
}

/// The function that takes the id out of a message.
pub(super) struct IdOf<K>(Box<Extract<K>>);

type Extract<K> = dyn Fn(&Message<'_>) -> Option<K> + Send + Sync;

impl<K> IdOf<K> {
    pub(super) fn new(id_of: impl Fn(&Message<'_>) -> Option<K> + Send + Sync + 'static) -> Self {
        Self(Box::new(id_of))
    }

    /// One that panics must not end the session: its message is nobody's reply.
    pub(super) fn id(&self, message: &Message<'_>) -> Option<K> {
        catch_unwind(AssertUnwindSafe(|| (self.0)(message))).unwrap_or(None)
    }
}

/// The calls of one session.
pub(super) struct Table<K> {
    id_of: Arc<IdOf<K>>,
    /// How many wait: so that a message costs nothing while none does.
    waiting: AtomicUsize,
    inner: Mutex<Inner<K>>,
}

struct Inner<K> {
    calls: HashMap<K, Call>,
    /// The numbers of calls that were given up before they were sent: no reply to them can come.
    unsent: Vec<u64>,
    /// The number of the next call.
    next: u64,
    ended: bool,
}

/// A call. One that was given up once it was sent stays, so that its late reply is not taken for that of a later call.
struct Call {
    number: u64,
    reply: oneshot::Sender<Message<'static>>,
}

/// How many calls that were given up are remembered in a session.
pub(super) const REMEMBERED: usize = 1_024;

impl<K: Eq + Hash + Send + 'static> Table<K> {
    pub(super) fn new(id_of: Arc<IdOf<K>>) -> Self {
        let inner = Inner { calls: HashMap::new(), unsent: Vec::new(), next: 0, ended: false };
        Self { id_of, waiting: AtomicUsize::new(0), inner: Mutex::new(inner) }
    }

    /// Whether this is of those requests.
    pub(super) fn is_of(&self, id_of: &Arc<IdOf<K>>) -> bool {
        Arc::ptr_eq(&self.id_of, id_of)
    }

    /// Lets a call wait for the reply with this id, until what is returned is dropped.
    pub(super) fn enter(&self, id: K) -> Result<Waiting<'_, K>, CallErrorKind> {
        let mut inner = self.lock();
        if inner.ended {
            return Err(CallErrorKind::SessionEnded);
        }
        inner.forget_oldest(self.waiting.load(Ordering::Relaxed));
        if inner.calls.contains_key(&id) {
            inner.forget_unsent();
        }
        let number = inner.next;
        let Entry::Vacant(entry) = inner.calls.entry(id) else {
            return Err(CallErrorKind::IdInUse);
        };
        let (reply, receiver) = oneshot::channel();
        entry.insert(Call { number, reply });
        inner.next += 1;
        // Seen by the task that reads: it has taken the request from the send queue before any reply can come.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Ok(Waiting { table: self, number, is_sent: false, reply: receiver })
    }

    /// Takes out the call that waits for the reply with this id.
    fn find(&self, id: K) -> Option<Call> {
        match self.lock().calls.entry(id) {
            Entry::Occupied(entry) if !entry.get().is_given_up() => Some(entry.remove()),
            Entry::Occupied(_) | Entry::Vacant(_) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        // Of a user's code only `Eq` and `Hash` of the id run under it; a map is whole after they panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Inner<K> {
    /// A call is given up of which nothing was sent. The calls are searched when that pays, or when an id is wanted again.
    fn give_back(&mut self, number: u64) {
        self.unsent.push(number);
        if 2 * self.unsent.len() >= self.calls.len() {
            self.forget_unsent();
        }
    }

    fn forget_unsent(&mut self) {
        let mut unsent = std::mem::take(&mut self.unsent);
        if unsent.is_empty() {
            return;
        }
        unsent.sort_unstable();
        self.calls.retain(|_, call| unsent.binary_search(&call.number).is_err());
    }

    /// Keeps what was given up within its bound, counting no more often than pays.
    fn forget_oldest(&mut self, waiting: usize) {
        if self.calls.len() < waiting + 2 * REMEMBERED {
            return;
        }
        let mut given_up: Vec<_> =
            self.calls.values().filter(|call| call.is_given_up()).map(|call| call.number).collect();
        if given_up.len() <= REMEMBERED {
            return;
        }
        given_up.sort_unstable();
        let oldest_kept = given_up[given_up.len() - REMEMBERED];
        self.calls.retain(|_, call| !call.is_given_up() || call.number >= oldest_kept);
    }
}

impl Call {
    fn is_given_up(&self) -> bool {
        self.reply.is_closed()
    }
}

impl<K: Eq + Hash + Send + 'static> Replies for Table<K> {
    fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn take(&self, message: &Message<'_>) -> bool {
        let Some(id) = self.id_of.id(message) else { return false };
        // `Eq` and `Hash` of an id are a user's as well: one that panics must not end the session.
        let call = catch_unwind(AssertUnwindSafe(|| self.find(id))).unwrap_or(None);
        // It may have been given up in this very moment.
        call.is_some_and(|call| call.reply.send(message.clone().into_owned()).is_ok())
    }

    fn end(&self) {
        let calls = {
            let mut inner = self.lock();
            inner.ended = true;
            std::mem::take(&mut inner.calls)
        };
        drop(calls);
    }
}

/// A call that waits.
pub(super) struct Waiting<'a, K: Eq + Hash + Send + 'static> {
    table: &'a Table<K>,
    number: u64,
    is_sent: bool,
    reply: oneshot::Receiver<Message<'static>>,
}

impl<K: Eq + Hash + Send + 'static> Waiting<'_, K> {
    /// The request is in the send queue: from now on a reply may come, even if nobody waits for it any more.
    pub(super) fn sent(&mut self) {
        self.is_sent = true;
    }

    /// The reply, or that the session has ended.
    pub(super) async fn reply(&mut self) -> Result<Message<'static>, CallErrorKind> {
        (&mut self.reply).await.map_err(|_| CallErrorKind::SessionEnded)
    }
}

impl<K: Eq + Hash + Send + 'static> Drop for Waiting<'_, K> {
    fn drop(&mut self) {
        self.table.waiting.fetch_sub(1, Ordering::Relaxed);
        if !self.is_sent {
            self.table.lock().give_back(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<u64> {
        Table::new(Arc::new(IdOf::new(|message: &Message<'_>| message.text()?.parse().ok())))
    }

    /// A call that is given up when it has been sent.
    fn give_up(table: &Table<u64>, id: u64) {
        table.enter(id).unwrap().sent();
    }

    fn remembered(table: &Table<u64>) -> usize {
        table.lock().calls.len()
    }

    #[test]
    fn of_the_calls_that_were_given_up_the_newest_are_remembered() {
        let table = table();
        let pending = table.enter(u64::MAX).unwrap();
        for id in 0..100_000 {
            give_up(&table, id);
            assert!(remembered(&table) <= 2 * REMEMBERED + 2);
        }
        assert!(remembered(&table) > REMEMBERED);
        assert_eq!(table.enter(99_999 - REMEMBERED as u64 + 1).err(), Some(CallErrorKind::IdInUse));
        assert!(table.enter(0).is_ok());
        assert!(table.is_waiting());
        assert!(table.take(&Message::from(u64::MAX.to_string())));
        drop(pending);
        assert!(!table.is_waiting());
    }

    #[test]
    fn calls_that_wait_are_never_forgotten() {
        let table = table();
        let waiting: Vec<_> = (0..5_000).map(|id| table.enter(id).unwrap()).collect();
        for id in 5_000..20_000 {
            give_up(&table, id);
        }
        for id in 0..5_000_u64 {
            assert!(table.take(&Message::from(id.to_string())), "{id}");
        }
        drop(waiting);
    }

    #[test]
    fn little_is_kept_of_calls_that_were_not_sent_and_their_ids_are_free() {
        let table = table();
        give_up(&table, 0);
        let waiting: Vec<_> = (1..=100).map(|id| table.enter(id).unwrap()).collect();
        for id in 101..10_000 {
            drop(table.enter(id).unwrap());
            assert!(remembered(&table) <= 2 * 101 + 2);
            assert!(table.enter(id).is_ok());
        }
        assert_eq!(table.enter(0).err(), Some(CallErrorKind::IdInUse));
        assert!(table.take(&Message::from("100")));
        drop(waiting);
        // Those of a call that was answered are nothing to be forgotten.
        assert_eq!(remembered(&table), 1);
    }

    #[test]
    fn nothing_is_kept_of_a_call_that_was_answered_and_nothing_taken_after_the_end() {
        let table = table();
        for id in 0..1_000_u64 {
            let waiting = table.enter(id).unwrap();
            assert!(table.take(&Message::from(id.to_string())));
            drop(waiting);
        }
        assert_eq!(remembered(&table), 0);
        let _waiting = table.enter(1).unwrap();
        table.end();
        assert!(!table.take(&Message::from("1")));
        assert_eq!(table.enter(2).err(), Some(CallErrorKind::SessionEnded));
    }
}
