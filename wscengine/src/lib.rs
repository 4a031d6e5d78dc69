//! A callback-driven, auto-reconnecting WebSocket client engine.

mod config;
mod connection;
mod dispatch;
mod driver;
mod engine;
pub mod error;
mod exclusive;
mod handler;
mod heartbeat;
mod inbox;
mod lifecycle;
mod message;
mod metrics;
mod outbound;
mod retry;
mod session;
mod status;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;

pub use config::EngineBuilder;
pub use engine::{Control, Engine, Prepared};
pub use error::*;
pub use exclusive::Exclusive;
pub use handler::{Callback, CloseCause, Closed, DynHandler, Handler, Initiator, Opened};
pub use message::{CloseCode, CloseFrame, InvalidCloseFrame, Message, MessageKind};
pub use retry::{Backoff, ExponentialBackoff, NoBackoff};
pub use session::Session;
pub use status::{Outcome, OutcomeKind, Stats, Status};
pub use telemetry::redact;
