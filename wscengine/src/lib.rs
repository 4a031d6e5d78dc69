//! A callback-driven, auto-reconnecting WebSocket client engine.

pub mod error;
mod handler;
mod message;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;

pub use error::*;
pub use handler::Callback;
pub use message::{CloseCode, CloseFrame, InvalidCloseFrame, Message, MessageKind};
pub use telemetry::redact;
