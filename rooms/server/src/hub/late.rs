//! News that wait a moment, so that those of many who come and go are written together: where thousands are in
//! one room, the writes are nearly all that an arrival costs.

use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock;
use super::room::Room;

/// How long news wait at most. Whatever else is sent to a member takes them along, and keeps its place behind them.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// The rooms in which news wait.
#[derive(Debug, Default)]
pub(super) struct Late(Mutex<Vec<Arc<Room>>>);

impl Late {
    /// Has the news of a room written after the pause; at once where there is no runtime to wait in. To be called
    /// without a lock.
    pub(super) fn add(self: &Arc<Self>, room: &Arc<Room>) {
        let mut rooms = lock(&self.0);
        rooms.push(Arc::clone(room));
        let is_first = rooms.len() == 1;
        drop(rooms);
        if !is_first {
            return;
        }
        let end = End(Arc::clone(self));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(PAUSE).await;
                drop(end);
            });
        }
    }
}

/// The end of the pause, also if it is that of the runtime.
struct End(Arc<Late>);

impl Drop for End {
    fn drop(&mut self) {
        let rooms = mem::take(&mut *lock(&self.0.0));
        for room in rooms {
            room.wake_late();
        }
    }
}
