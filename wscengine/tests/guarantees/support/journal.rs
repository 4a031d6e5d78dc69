//! The journal: what a handler was called with, in order, and whether calls overlapped that must not.

use std::sync::Arc;

use tokio::sync::watch;
use wscengine::Callback;

use super::{within, within_real};

/// What happened, as lines; clones write the same one.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    lines: Vec<String>,
    /// The callbacks that run.
    running: Vec<Callback>,
    most_messages: usize,
    /// Sessions whose `on_open` returned `Ok` and whose `on_close` has not begun.
    open: usize,
    violations: Vec<String>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }
}

impl Journal {
    /// Adds a line.
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.state.send_modify(|state| state.lines.push(line.into()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.state.borrow().lines.clone()
    }

    /// The texts that `on_message` was given, in the order of the calls.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.after("message ")
    }

    /// What follows this word, on each line that begins with it.
    pub(crate) fn after(&self, word: &str) -> Vec<String> {
        let lines = self.lines();
        lines.iter().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.state.borrow().lines.iter().filter(|it| *it == line).count()
    }

    /// The most calls of `on_message` that ran at once.
    pub(crate) fn most_messages_at_once(&self) -> usize {
        self.state.borrow().most_messages
    }

    /// How many callbacks run now.
    pub(crate) fn running(&self) -> usize {
        self.state.borrow().running.len()
    }

    /// Waits for a line.
    pub(crate) async fn until(&self, line: &str) {
        self.until_count(line, 1).await;
    }

    /// Waits until a line is there so many times.
    pub(crate) async fn until_count(&self, line: &str, count: usize) {
        let mut state = self.state.subscribe();
        let enough = |state: &State| state.lines.iter().filter(|it| *it == line).count() >= count;
        within(state.wait_for(enough)).await.unwrap();
    }

    /// Waits until a line is there so many times, on a real clock.
    pub(crate) async fn until_real(&self, line: &str, count: usize) {
        let mut state = self.state.subscribe();
        let enough = |state: &State| state.lines.iter().filter(|it| *it == line).count() >= count;
        within_real(state.wait_for(enough)).await.unwrap();
    }

    /// Waits until `on_message` was called so many times.
    pub(crate) async fn until_messages(&self, count: usize) {
        let mut state = self.state.subscribe();
        let enough = |state: &State| {
            state.lines.iter().filter(|it| it.starts_with("message ")).count() >= count
        };
        within(state.wait_for(enough)).await.unwrap();
    }

    /// Says that a callback begins, and checks that it may.
    pub(crate) fn enter(&self, callback: Callback) -> Running {
        self.state.send_modify(|state| state.enter(callback));
        Running { journal: self.clone(), callback, returned: false }
    }

    /// A session is open from now on.
    pub(super) fn opened(&self) {
        self.state.send_modify(|state| state.open += 1);
    }

    /// Fails if callbacks came in an order, or ran at once, in a way that is ruled out.
    #[track_caller]
    pub(crate) fn assert_orderly(&self) {
        let violations = self.state.borrow().violations.clone();
        assert!(violations.is_empty(), "{violations:?} in {:#?}", self.lines());
    }
}

impl State {
    fn enter(&mut self, callback: Callback) {
        let mut others = self
            .running
            .iter()
            .filter(|running| (callback, **running) != (Callback::OnMessage, Callback::OnMessage));
        if let Some(other) = others.next() {
            self.violations.push(format!("{callback} beside {other}"));
        }
        let open = match callback {
            Callback::OnMessage | Callback::OnReadError | Callback::OnClose => 1,
            _ => 0,
        };
        if self.open != open {
            self.violations.push(format!("{callback} with {} open sessions", self.open));
        }
        if callback == Callback::OnClose {
            self.open = 0;
        }
        self.running.push(callback);
        let messages = self.running.iter().filter(|it| **it == Callback::OnMessage).count();
        self.most_messages = self.most_messages.max(messages);
    }
}

/// A callback that runs: gone when it has returned, or was dropped.
#[derive(Debug)]
pub(crate) struct Running {
    journal: Journal,
    callback: Callback,
    returned: bool,
}

impl Running {
    pub(super) fn returned(mut self) {
        self.returned = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let dropped = !self.returned && !std::thread::panicking();
        self.journal.state.send_modify(|state| {
            let at = state.running.iter().position(|it| *it == self.callback);
            at.map(|at| state.running.swap_remove(at));
            if dropped {
                state.lines.push(format!("dropped {}", self.callback));
            }
        });
    }
}
