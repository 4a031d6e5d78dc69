//! The callback trait.

use std::fmt;

/// The six callbacks, by name: in errors, outcomes and spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Callback {
    /// `on_open`
    OnOpen,
    /// `on_message`
    OnMessage,
    /// `on_read_error`
    OnReadError,
    /// `on_close`
    OnClose,
    /// `on_close_error`
    OnCloseError,
    /// `on_restart_error`
    OnRestartError,
}

impl Callback {
    /// The name of the trait's method.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnOpen => "on_open",
            Self::OnMessage => "on_message",
            Self::OnReadError => "on_read_error",
            Self::OnClose => "on_close",
            Self::OnCloseError => "on_close_error",
            Self::OnRestartError => "on_restart_error",
        }
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
