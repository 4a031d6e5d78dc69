//! A callback-driven, auto-reconnecting WebSocket client engine.
//!
//! You implement one trait, [`Handler`]: what happens when a connection opens, when a message comes, when the
//! connection goes. The [`Engine`] dials, reconnects with backoff, watches the heartbeat, hands messages to one
//! worker or to several, lets you pause it to make a request and read its response, and stops when told. Every
//! step is a span of `tracing`.
//!
//! The WebSocket protocol itself comes from a [`transport`], an adapter to a library. This crate has none in it: use
//! `wscengine-tungstenite`, or write one.
//!
//! # Examples
//! ```
//! use wscengine::{Engine, Exclusive, Handler, HandlerError, Message, Opened, Session};
//! # use wscengine::testing::memory;
//!
//! struct Feed;
//!
//! impl Handler for Feed {
//!     async fn on_open(&self, conn: &mut Exclusive, _: Opened) -> Result<(), HandlerError> {
//!         conn.send("subscribe EURUSD").await?;
//!         Ok(())
//!     }
//!
//!     async fn on_message(&self, _: &Session, message: Message<'_>) {
//!         println!("{}", message.text().unwrap_or("(binary)"));
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (transport, mut server) = memory::transport();
//! # let server = tokio::spawn(async move {
//! #     let mut peer = server.accept().await;
//! #     assert_eq!(peer.next_message().await.text(), Some("subscribe EURUSD"));
//! #     while peer.recv().await.is_some() {}
//! # });
//! let engine = Engine::builder(transport, Feed).url("wss://example.com/feed").build()?.start().await?;
//! // It runs by itself from here on, over any number of connections.
//! engine.stop().await;
//! # server.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go from here
//! - [`guide`]: callbacks, lifecycle, errors, stopping, pausing, sending, testing, a page each.
//! - [`EngineBuilder`]: every option, its default and the reason for it.
//! - [`Session`] and [`Exclusive`]: what can be done with a connection.
//! - [`transport`]: for those who write an adapter.
//!
//! # Cancel safety
//! Every public `async fn` says what happens when its future is dropped before it is done. *Cancel safe* means: as if
//! it had not been called, or nothing is lost by calling it again.
//!
//! # Runtime
//! [tokio](https://docs.rs/tokio), with its time driver enabled; single- or multi-threaded.
//!
//! # Features
//! | feature | adds |
//! |---|---|
//! | `testing` | `testing::memory`, a transport for tests, and `testing::conformance`, the suite that every adapter must pass |

mod classify;
mod config;
mod connection;
mod dispatch;
mod driver;
mod engine;
pub mod error;
mod exclusive;
mod factory;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
mod handler;
mod heartbeat;
mod inbox;
mod lifecycle;
mod message;
mod metrics;
mod outbound;
mod outbox;
pub mod request;
mod retry;
mod session;
mod status;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;

pub use classify::{Classifier, DefaultClassifier, Failure, FailureCause, FailureKind, Verdict};
pub use config::EngineBuilder;
pub use engine::{Control, Engine, Prepared};
pub use error::*;
pub use exclusive::Exclusive;
pub use factory::{
    BearerToken, Endpoints, HandshakeRequest, NextAttempt, RequestFactory, RequestFn, request_fn,
};
pub use handler::{Callback, CloseCause, Closed, DynHandler, Handler, Initiator, Opened};
pub use message::{CloseCode, CloseFrame, InvalidCloseFrame, Message, MessageKind};
pub use outbox::{Delivery, EnqueueOptions, Fate, Outbox, Overflow, Scope};
pub use retry::{Backoff, ExponentialBackoff, NoBackoff};
pub use session::Session;
pub use status::{Outcome, OutcomeKind, Stats, Status};
pub use telemetry::redact;
