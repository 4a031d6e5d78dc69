//! Where the user keeps the one handle of the engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wscengine::{Engine, Session, Stats, Status};

/// The handle, once the engine has started and until it is given up.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    engine: Option<Engine>,
    /// Nobody is given a clone: dropping this one must be dropping the last.
    alone: bool,
}

impl Slot {
    /// A slot that gives no clones away.
    pub(crate) fn alone() -> Self {
        let slot = Self::default();
        slot.lock().alone = true;
        slot
    }

    pub(crate) fn put(&self, engine: Engine) {
        self.lock().engine = Some(engine);
    }

    pub(crate) fn take(&self) -> Option<Engine> {
        self.lock().engine.take()
    }

    /// A clone of the handle.
    pub(crate) fn get(&self) -> Option<Engine> {
        let kept = self.lock();
        if kept.alone { None } else { kept.engine.clone() }
    }

    /// The session there is.
    pub(crate) fn session(&self) -> Option<Session> {
        self.lock().engine.as_ref().and_then(Engine::session)
    }

    /// What the engine has counted.
    pub(crate) fn stats(&self) -> Option<Stats> {
        self.lock().engine.as_ref().map(Engine::stats)
    }

    /// Whether the engine has ended, or nobody has a handle of it any more.
    pub(crate) fn has_ended(&self) -> bool {
        let kept = self.lock();
        let Some(engine) = &kept.engine else { return true };
        matches!(*engine.status().borrow(), Status::Stopped { .. })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
