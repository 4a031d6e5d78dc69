//! A table of names that several threads use: divided, so that they seldom meet.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};

use super::lock;

/// A power of two; many more than threads.
const SHARDS: usize = 64;

type Table<T> = HashMap<Arc<str>, T>;

pub(super) struct Shards<T> {
    hasher: RandomState,
    shards: [Mutex<Table<T>>; SHARDS],
}

impl<T> std::fmt::Debug for Shards<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shards").finish_non_exhaustive()
    }
}

impl<T: Clone> Shards<T> {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    fn shard(&self, name: &str) -> MutexGuard<'_, Table<T>> {
        // Lossy on purpose: any bits will do.
        let at = self.hasher.hash_one(name) as usize % SHARDS;
        lock(&self.shards[at])
    }

    pub(super) fn get(&self, name: &str) -> Option<T> {
        self.shard(name).get(name).cloned()
    }

    /// Whether the name was free.
    pub(super) fn insert_new(&self, name: &Arc<str>, value: &T) -> bool {
        let mut shard = self.shard(name);
        let is_new = !shard.contains_key(name);
        if is_new {
            shard.insert(Arc::clone(name), value.clone());
        }
        is_new
    }

    /// What is there, unless it is stale; else what `make` gives.
    pub(super) fn get_or_insert(
        &self,
        name: &str,
        is_stale: impl FnOnce(&T) -> bool,
        make: impl FnOnce(Arc<str>) -> T,
    ) -> T {
        let mut shard = self.shard(name);
        if let Some(there) = shard.get(name)
            && !is_stale(there)
        {
            return there.clone();
        }
        let name: Arc<str> = name.into();
        let value = make(Arc::clone(&name));
        shard.insert(name, value.clone());
        value
    }

    /// Removes what is there if it is the one meant.
    pub(super) fn remove_if(&self, name: &str, is_meant: impl FnOnce(&T) -> bool) -> bool {
        let mut shard = self.shard(name);
        let is_there = shard.get(name).is_some_and(is_meant);
        if is_there {
            shard.remove(name);
        }
        // A table that was once large does not stay so.
        if shard.capacity() > 64 && shard.len() < shard.capacity() / 8 {
            shard.shrink_to_fit();
        }
        is_there
    }

    pub(super) fn values(&self) -> Vec<T> {
        self.shards
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }
}
